//! Windows over an image, for convolution and pooling: padding, stride, dilation, and how many windows fit.

use std::fmt;
use std::ops::Range;

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
            Padding::Explicit(zeros @ [top, bottom, left, right]) => {
                let padded = self.padded(0, [top, bottom]).zip(self.padded(1, [left, right]));
                padded.map(|_| zeros).ok_or_else(|| format!("its padding {padding} overflows"))
            }
            Padding::Same => same(0)
                .zip(same(1))
                .map(|([top, bottom], [left, right])| [top, bottom, left, right])
                .ok_or_else(|| format!("its window {size:?} with dilation {dilation:?} overflows")),
        }
    }

    /// Rows and columns of windows, or `None` if not even one fits.
    pub fn count(&self, [top, bottom, left, right]: [usize; 4]) -> Option<[usize; 2]> {
        let along = |axis: usize, zeros: [usize; 2]| {
            Some(self.padded(axis, zeros)?.checked_sub(self.extent(axis)?)? / self.stride[axis] + 1)
        };
        Some([along(0, [top, bottom])?, along(1, [left, right])?])
    }

    /// The number of input elements with the zeros before and after them.
    fn padded(&self, axis: usize, [before, after]: [usize; 2]) -> Option<usize> {
        self.input[axis].checked_add(before)?.checked_add(after)
    }

    /// The number of input elements that a window spans.
    fn extent(&self, axis: usize) -> Option<usize> {
        (self.size[axis] - 1).checked_mul(self.dilation[axis])?.checked_add(1)
    }
}

/// The sizes of a pooling layer or of a depthwise convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowShape {
    /// Rows of the input.
    pub h: usize,
    /// Columns of the input.
    pub w: usize,
    /// Channels.
    pub c: usize,
    /// Rows and columns of a window.
    pub window: [usize; 2],
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows of padding above the first.
    pub pad_top: usize,
    /// Columns of padding left of the first.
    pub pad_left: usize,
    /// Rows of the output.
    pub out_h: usize,
    /// Columns of the output.
    pub out_w: usize,
}

impl WindowShape {
    /// Derives the output's size.
    ///
    /// # Errors
    /// If a size is zero, the window is larger than the padded input, the padding leaves a window without a pixel, or
    /// the number of floats overflows. The message is meant to follow the layer's name.
    pub fn new(
        [h, w, c]: [usize; 3],
        window: [usize; 2],
        stride: [usize; 2],
        padding: Padding,
    ) -> Result<Self, String> {
        if [h, w, c].contains(&0) || product(&[h, w, c]).is_none() {
            return Err(format!(
                "its input is {h} x {w} x {c}: each must be at least 1, and their product must not overflow"
            ));
        }
        let windows = Windows { input: [h, w], size: window, stride, dilation: [1, 1] };
        let zeros @ [top, bottom, left, right] = windows.zeros(padding)?;
        if top >= window[0] || bottom >= window[0] || left >= window[1] || right >= window[1] {
            return Err(format!("its padding {padding} leaves a {} x {} window without a pixel", window[0], window[1]));
        }
        let too_large = || format!("its {} x {} window is larger than the {h} x {w} input", window[0], window[1]);
        let [out_h, out_w] = windows.count(zeros).ok_or_else(too_large)?;
        if product(&[out_h, out_w, c, window[0], window[1]]).is_none() {
            return Err(format!("its {} x {} window takes too many operations", window[0], window[1]));
        }
        Ok(Self { h, w, c, window, stride, pad_top: top, pad_left: left, out_h, out_w })
    }

    /// Floats of an input image.
    pub fn input_len(&self) -> usize {
        self.h * self.w * self.c
    }

    /// Floats of an output image.
    pub fn output_len(&self) -> usize {
        self.out_h * self.out_w * self.c
    }

    /// The input rows of a row of windows.
    pub fn rows(&self, out_row: usize) -> Range<usize> {
        let start = out_row * self.stride[0];
        start.saturating_sub(self.pad_top)..(start + self.window[0]).saturating_sub(self.pad_top).min(self.h)
    }

    /// The input columns of a column of windows.
    pub fn cols(&self, out_col: usize) -> Range<usize> {
        let start = out_col * self.stride[1];
        start.saturating_sub(self.pad_left)..(start + self.window[1]).saturating_sub(self.pad_left).min(self.w)
    }

    /// The index, in row order, of pixel `[h, w]` within the window of output `[out_row, out_col]`.
    #[inline(always)]
    pub fn place(&self, [out_row, out_col]: [usize; 2], [h, w]: [usize; 2]) -> usize {
        let row = h + self.pad_top - out_row * self.stride[0];
        row * self.window[1] + w + self.pad_left - out_col * self.stride[1]
    }

    /// Iterates over the output pixels, each with the pixels of its window in row order.
    pub(super) fn windows(&self) -> impl Iterator<Item = (usize, impl Iterator<Item = usize> + Clone)> {
        let (out_w, w) = (self.out_w, self.w);
        (0..self.out_h * self.out_w).map(move |out| {
            let cols = self.cols(out % out_w);
            (out, self.rows(out / out_w).flat_map(move |row| cols.clone().map(move |col| row * w + col)))
        })
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
