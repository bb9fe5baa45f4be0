//! The convolution of an image with a kernel, as a ladder that goes from the definition to the fastest way.
//!
//! | rung | file | legal for | idea |
//! |---|---|---|---|
//! | naive | [`reference`](mod@super::reference) | anything | the definition, seven loops |
//! | im2col | [`im2col`] | anything | every patch becomes a row of a matrix; then one matrix product |
//! | implicit | [`implicit`] | stride 1, no dilation | in N H W C order a row of pixels already *is* its patch matrix |
//! | Winograd | [`winograd`] | 3 x 3, stride 1, no dilation | F(4x4, 3x3): 36 products where the others take 144 |
//!
//! All take one image, channels last (H x W x C), and a kernel of KH x KW x C x filters, and give the output
//! (`out_h` x `out_w` x filters), the gradient for the input and the gradient for the kernel.

pub mod im2col;
pub mod implicit;
pub mod winograd;

use std::fmt;

/// How far a convolution or pooling window may reach over the border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Not at all: the output shrinks by the window minus one.
    #[default]
    Valid,
    /// So far that the output is ceil(input / stride), with zeros; where the total is odd, the extra row or column
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

/// Every size that a convolution depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Rows of the input.
    pub h: usize,
    /// Columns of the input.
    pub w: usize,
    /// Channels of the input.
    pub c: usize,
    /// Rows of the kernel.
    pub kh: usize,
    /// Columns of the kernel.
    pub kw: usize,
    /// Channels of the output.
    pub filters: usize,
    /// Rows and columns from one output to the next.
    pub stride: [usize; 2],
    /// Rows and columns from one element of the kernel to the next.
    pub dilation: [usize; 2],
    /// Zeros above the first row.
    pub pad_top: usize,
    /// Zeros left of the first column.
    pub pad_left: usize,
    /// Rows of the output.
    pub out_h: usize,
    /// Columns of the output.
    pub out_w: usize,
}

/// The most products of one image, a year of a core's work. Below it no layer's floats, bytes or operations overflow.
const MOST_PRODUCTS: usize = 1 << 56;

impl ConvShape {
    /// Derives the output's size and the zeros on the border.
    ///
    /// # Errors
    /// A sentence, if a size is zero, the kernel is larger than the padded input, or a number of floats overflows.
    pub fn new(
        [h, w, c]: [usize; 3],
        [kh, kw]: [usize; 2],
        filters: usize,
        stride: [usize; 2],
        dilation: [usize; 2],
        padding: Padding,
    ) -> Result<Self, String> {
        if [h, w, c, filters].contains(&0) {
            return Err(format!("it has a {h} x {w} x {c} input and {filters} filters; each must be at least 1"));
        }
        let [top, bottom, left, right] = border([h, w], [kh, kw], stride, dilation, padding)?;
        let too_large = || format!("its {kh} x {kw} kernel is larger than the {h} x {w} input");
        let out_h = windows(h, [top, bottom], kh, stride[0], dilation[0]).ok_or_else(too_large)?;
        let out_w = windows(w, [left, right], kw, stride[1], dilation[1]).ok_or_else(too_large)?;
        let products = product(&[kh, kw, c, filters, out_h, out_w]);
        if product(&[h, w, c]).is_none() || products.is_none_or(|products| products > MOST_PRODUCTS) {
            return Err(format!("its number of products overflows: {out_h} x {out_w} x {kh} x {kw} x {c} x {filters}"));
        }
        Ok(Self { h, w, c, kh, kw, filters, stride, dilation, pad_top: top, pad_left: left, out_h, out_w })
    }

    /// Floats of an input image.
    pub fn input_len(&self) -> usize {
        self.h * self.w * self.c
    }

    /// Floats of an output image.
    pub fn output_len(&self) -> usize {
        self.out_h * self.out_w * self.filters
    }

    /// Products that go into one output: K of the equivalent matrix product.
    pub fn depth(&self) -> usize {
        self.kh * self.kw * self.c
    }

    /// Floats of the kernel.
    pub fn kernel_len(&self) -> usize {
        self.depth() * self.filters
    }

    /// Floating-point operations of the direct method for one image (a multiply-add counts two).
    pub fn flops(&self) -> u64 {
        2 * (self.out_h * self.out_w) as u64 * self.kernel_len() as u64
    }

    /// Whether outputs and kernel elements are neighbours, which the implicit rung and Winograd's need.
    pub fn is_dense(&self) -> bool {
        self.stride == [1, 1] && self.dilation == [1, 1]
    }

    /// The row of the input under a row of the output and of the kernel, unless it lies on the border.
    #[inline(always)]
    pub fn input_row(&self, out_row: usize, kernel_row: usize) -> Option<usize> {
        (out_row * self.stride[0] + kernel_row * self.dilation[0]).checked_sub(self.pad_top).filter(|&row| row < self.h)
    }

    /// The column of the input under a column of the output and of the kernel, unless it lies on the border.
    #[inline(always)]
    pub fn input_col(&self, out_col: usize, kernel_col: usize) -> Option<usize> {
        (out_col * self.stride[1] + kernel_col * self.dilation[1])
            .checked_sub(self.pad_left)
            .filter(|&col| col < self.w)
    }
}

/// The product of some sizes, or `None` where it overflows.
pub(super) fn product(sizes: &[usize]) -> Option<usize> {
    sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

/// How many windows fit in a length with zeros before and behind it, or `None` if not even one does.
pub(super) fn windows(
    len: usize,
    [before, behind]: [usize; 2],
    window: usize,
    stride: usize,
    dilation: usize,
) -> Option<usize> {
    let reach = (window - 1).checked_mul(dilation)?.checked_add(1)?;
    Some(len.checked_add(before)?.checked_add(behind)?.checked_sub(reach)? / stride + 1)
}

/// Zeros at the top, bottom, left and right.
pub(super) fn border(
    input: [usize; 2],
    window: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
) -> Result<[usize; 4], String> {
    if window.contains(&0) || stride.contains(&0) || dilation.contains(&0) {
        return Err(format!("its window {window:?}, stride {stride:?} and dilation {dilation:?} must be at least 1"));
    }
    Ok(match padding {
        Padding::Valid => [0; 4],
        Padding::Explicit(zeros) => zeros,
        Padding::Same => {
            let total = |axis: usize| {
                let last = input[axis].saturating_sub(1) / stride[axis] * stride[axis];
                let reach = (window[axis] - 1).checked_mul(dilation[axis])?.checked_add(1)?;
                Some(last.checked_add(reach)?.saturating_sub(input[axis]))
            };
            let too_far = || format!("its window {window:?} with dilation {dilation:?} overflows");
            let [rows, cols] = [total(0).ok_or_else(too_far)?, total(1).ok_or_else(too_far)?];
            [rows / 2, rows - rows / 2, cols / 2, cols - cols / 2]
        }
    })
}
