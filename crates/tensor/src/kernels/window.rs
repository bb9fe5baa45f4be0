//! Windows over an image, for convolution and pooling: padding, stride, dilation, and how many windows fit.

use std::fmt;

/// How far a convolution or pooling window may extend past the edge of the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Not at all: with stride 1, the output is smaller than the input by the window minus one.
    #[default]
    Valid,
    /// As far as needed for an output of ceil(input / stride). If the number of zeros is odd, the extra row or column
    /// comes last, as in Keras.
    Same,
    /// By this many zeros: top, bottom, left, right.
    Explicit([usize; 4]),
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Padding::Valid => f.write_str("valid"),
            Padding::Same => f.write_str("same"),
            Padding::Explicit([top, bottom, left, right]) => write!(f, "({top}, {bottom}), ({left}, {right})"),
        }
    }
}

/// Windows over an image: rows, then columns.
pub(super) struct Windows {
    pub input: [usize; 2],
    pub size: [usize; 2],
    /// From one window to the next.
    pub stride: [usize; 2],
    /// From one element of a window to the next.
    pub dilation: [usize; 2],
}

impl Windows {
    /// Zeros at the top, bottom, left and right.
    pub fn zeros(&self, padding: Padding) -> Result<[usize; 4], String> {
        let Self { size, stride, dilation, .. } = self;
        if [size, stride, dilation].into_iter().flatten().any(|&length| length == 0) {
            return Err(format!("its window {size:?}, stride {stride:?} and dilation {dilation:?} must be at least 1"));
        }
        let same = |axis: usize| {
            let last = self.input[axis].saturating_sub(1) / stride[axis] * stride[axis];
            let zeros = last.checked_add(self.extent(axis)?)?.saturating_sub(self.input[axis]);
            Some([zeros / 2, zeros - zeros / 2])
        };
        match padding {
            Padding::Valid => Ok([0; 4]),
            Padding::Explicit(zeros) => Ok(zeros),
            Padding::Same => same(0)
                .zip(same(1))
                .map(|([top, bottom], [left, right])| [top, bottom, left, right])
                .ok_or_else(|| format!("its window {size:?} with dilation {dilation:?} overflows")),
        }
    }

    /// Rows and columns of windows, or `None` if not even one fits.
    pub fn count(&self, [top, bottom, left, right]: [usize; 4]) -> Option<[usize; 2]> {
        let along = |axis: usize, zeros: [usize; 2]| {
            let padded = self.input[axis].checked_add(zeros[0])?.checked_add(zeros[1])?;
            Some(padded.checked_sub(self.extent(axis)?)? / self.stride[axis] + 1)
        };
        Some([along(0, [top, bottom])?, along(1, [left, right])?])
    }

    /// The number of input elements that a window spans.
    fn extent(&self, axis: usize) -> Option<usize> {
        (self.size[axis] - 1).checked_mul(self.dilation[axis])?.checked_add(1)
    }
}

/// The maximum number of a layer's floats, and of its products for an example: 2^56, more than any machine can hold and
/// weeks of work for one core, or 2^28 on a 32-bit system. Up to it, no layer's number of floats, bytes or operations
/// for an example overflows.
pub(crate) const MAX_PRODUCT: usize = 1 << (usize::BITS / 8 * 7);

/// The product of some sizes, or `None` if it is more than [`MAX_PRODUCT`].
pub(crate) fn product(sizes: &[usize]) -> Option<usize> {
    let multiply = |product: usize, &size: &usize| product.checked_mul(size);
    sizes.iter().try_fold(1usize, multiply).filter(|&product| product <= MAX_PRODUCT)
}
