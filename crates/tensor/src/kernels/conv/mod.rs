//! The convolution of an image with a kernel, as a ladder from the definition to the fastest method.
//!
//! | rung | applies to | idea |
//! |---|---|---|
//! | [`naive`] | anything | the definition in seven loops |
//! | [`im2col`] | anything | copy every patch to a row of a matrix; then one matrix product |
//! | [`implicit`] | stride 1, no dilation, padding < kernel | with channels last, a row of pixels is its patch matrix |
//! | [`winograd`] | 3 x 3, stride 1, no dilation | F(4x4, 3x3): 36 products where the others need 144 |
//!
//! The file of each rung implements the trait [`Rung`], in the trait's order: y, then dx, then dkernel. With stride 1
//! and without padding these are, where a pixel outside its image counts as 0,
//!
//! ```text
//! y[oh, ow, f]          = bias[f] + sum over kh, kw, c of x[oh + kh, ow + kw, c] kernel[kh, kw, c, f]
//! dx[h, w, c]           = sum over kh, kw, f of dy[h - kh, w - kw, f] kernel[kh, kw, c, f]
//! dkernel[kh, kw, c, f] = sum over oh, ow of x[oh + kh, ow + kw, c] dy[oh, ow, f]
//! ```
//!
//! in short y = x * kernel + bias, dx = dy * kernel' and dkernel = x' * dy.

mod cost;
pub mod im2col;
pub mod implicit;
pub mod naive;
pub mod winograd;

use std::{fmt, io};

use crate::buffer::Buffer;
use crate::simd::{LANES, Level};

use super::activation::Fused;
use super::window::{Padding, Windows, product};

use im2col::Im2col;
use implicit::Implicit;
use naive::Naive;
use winograd::Winograd;

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// The method that applies and is likely the fastest.
    #[default]
    Auto,
    /// Seven loops, for reading and testing.
    Naive,
    /// Patches in a matrix, one matrix product: any stride, padding and dilation.
    Im2col,
    /// A matrix product on the pixels in place: stride 1, no dilation, padding smaller than the kernel.
    Implicit,
    /// F(4x4, 3x3): 3 x 3 kernels, stride 1, no dilation.
    Winograd,
}

impl Method {
    /// From the definition to the fastest.
    pub const LADDER: [Method; 4] = [Method::Naive, Method::Im2col, Method::Implicit, Method::Winograd];

    /// This method, or for [`Method::Auto`] the one that is likely the fastest.
    pub fn chosen(self, s: &ConvShape) -> Method {
        match self {
            Method::Auto => cost::fastest(s),
            method => method,
        }
    }

    /// The rung that computes a convolution by this method.
    ///
    /// # Errors
    /// If the method cannot compute it; the sentence says what it needs.
    pub fn rung(self, s: &ConvShape) -> Result<&'static dyn Rung, &'static str> {
        let rung: &dyn Rung = match self.chosen(s) {
            Method::Naive => &Naive,
            Method::Auto | Method::Im2col => &Im2col,
            Method::Implicit => &Implicit,
            Method::Winograd => &Winograd,
        };
        rung.check(s).map(|()| rung)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Method::Auto => "auto",
            Method::Naive => "naive",
            Method::Im2col => "im2col",
            Method::Implicit => "implicit",
            Method::Winograd => "winograd",
        })
    }
}

/// One way to compute a convolution and its gradients.
///
/// Images are channels last: x and dx have H x W x C floats; y and dy have `out_h` x `out_w` x filters, or half as many
/// rows and columns (rounded down) if a pool is fused. A pass takes one image, or several in a row, up to
/// [`images_at_once`](Rung::images_at_once). Every rung overwrites `dx` and adds to `dkernel`, since all images of a
/// batch share the kernel. The kernel and its gradient are in the rung's own form: [`prepare`](Rung::prepare) writes
/// the one, [`finish`](Rung::finish) reads the other. A slice of another length is a bug of the caller, and may panic.
pub trait Rung: fmt::Debug + Sync {
    /// Whether the rung can compute this convolution.
    ///
    /// # Errors
    /// If not; the sentence says what it needs.
    fn check(&self, s: &ConvShape) -> Result<(), &'static str> {
        let _ = s;
        Ok(())
    }

    /// Whether the rung supports [`Fused::ReluPool`].
    fn fuses_pool(&self) -> bool {
        false
    }

    /// Floating-point operations of the products that the rung computes for y (a multiply-add counts two).
    fn flops(&self, s: &ConvShape) -> u64 {
        s.flops()
    }

    /// Lengths of the kernel in the forms that [`forward`](Rung::forward) and
    /// [`input_gradient`](Rung::input_gradient) read; the kernel's gradient is as long as the first.
    fn kernel_lens(&self, s: &ConvShape) -> [usize; 2] {
        [s.kernel_len(), 0]
    }

    /// The number of images that a pass takes at most. It is parallel inside if that is more than one.
    fn images_at_once(&self, s: &ConvShape) -> usize {
        let _ = s;
        1
    }

    /// Floats of scratch for a pass over some images.
    fn scratch_len(&self, s: &ConvShape, images: usize) -> usize {
        let _ = (s, images);
        0
    }

    /// Writes a kernel (KH x KW x C x filters) in the rung's form.
    fn prepare(&self, level: Level, kernel: &[f32], weights: &mut Weights) {
        let _ = level;
        weights.kernel.copy_from_slice(kernel);
    }

    /// y = x * kernel + bias, then the fused operations. With a pool, `winners` gets the position of the maximum in
    /// each 2 x 2 window, 2 row + column.
    fn forward(&self, level: Level, w: &Weights, x: &[f32], fused: Fused, y: &mut [f32], winners: Option<&mut [u8]>);

    /// dx = dy * kernel'
    fn input_gradient(&self, level: Level, w: &Weights, dy: OutputGradient, dx: &mut [f32]);

    /// dkernel += x' * dy
    fn kernel_gradient(&self, level: Level, w: &Weights, x: &[f32], dy: OutputGradient, dkernel: &mut [f32]);

    /// Computes dx, dkernel or both; `dkernel` is x and the sum to add to.
    fn gradients(
        &self,
        level: Level,
        w: &Weights,
        dy: OutputGradient,
        dx: Option<&mut [f32]>,
        dkernel: Option<(&[f32], &mut [f32])>,
    ) {
        if let Some(dx) = dx {
            self.input_gradient(level, w, dy, dx);
        }
        if let Some((x, dkernel)) = dkernel {
            self.kernel_gradient(level, w, x, dy, dkernel);
        }
    }

    /// Reads a sum of [`kernel_gradient`](Rung::kernel_gradient)s; writes the gradient as KH x KW x C x filters.
    fn finish(&self, level: Level, s: &ConvShape, sum: &[f32], dkernel: &mut [f32]) {
        let _ = (level, s);
        dkernel.copy_from_slice(sum);
    }
}

/// The parameters of a convolution in the form that a rung reads.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The convolution.
    pub shape: ConvShape,
    /// The kernel for [`Rung::forward`].
    pub kernel: Buffer,
    /// The kernel for [`Rung::input_gradient`].
    pub transposed: Buffer,
    /// The bias, padded to whole vectors.
    pub bias: Buffer,
}

impl Weights {
    /// All zero.
    ///
    /// # Panics
    /// If memory runs out, with a message that starts with [`Buffer::NO_MEMORY`].
    pub fn new(rung: &dyn Rung, shape: ConvShape) -> Self {
        Self::try_new(rung, shape).unwrap_or_else(|error| panic!("{}: {error}", Buffer::NO_MEMORY))
    }

    /// All zero.
    ///
    /// # Errors
    /// If the allocator or the system has too little memory.
    pub fn try_new(rung: &dyn Rung, shape: ConvShape) -> io::Result<Self> {
        let [kernel, transposed] = rung.kernel_lens(&shape).map(Buffer::try_zeros);
        let bias = Buffer::try_zeros(shape.filters.next_multiple_of(LANES))?;
        Ok(Self { shape, kernel: kernel?, transposed: transposed?, bias })
    }

    /// Sets the kernel (KH x KW x C x filters) and the bias (filters).
    pub fn set(&mut self, rung: &dyn Rung, level: Level, kernel: &[f32], bias: &[f32]) {
        rung.prepare(level, kernel, self);
        self.bias[..bias.len()].copy_from_slice(bias);
    }
}

/// The gradient of the outputs.
#[derive(Clone, Copy, Debug)]
pub enum OutputGradient<'a> {
    /// Without a fused pool: dy itself.
    Full(&'a [f32]),
    /// After a fused pool: the gradient of the pool's outputs, already zero where ReLU is, and each window's winner.
    Pooled(&'a [f32], &'a [u8]),
}

impl<'a> OutputGradient<'a> {
    /// The number of images that it covers.
    fn images(self, s: &ConvShape) -> usize {
        match self {
            OutputGradient::Full(dy) => dy.len() / s.output_len(),
            OutputGradient::Pooled(dy, _) => dy.len() / s.fused_len(Fused::ReluPool),
        }
    }

    /// The part of an image; the winners may have padding after each image.
    fn of_image(self, s: &ConvShape, image: usize) -> Self {
        let part = |len: usize| image * len..(image + 1) * len;
        match self {
            OutputGradient::Full(dy) => OutputGradient::Full(&dy[part(s.output_len())]),
            OutputGradient::Pooled(dy, winners) => {
                let winners = &winners[part(winners.len() / self.images(s))];
                OutputGradient::Pooled(&dy[part(s.fused_len(Fused::ReluPool))], winners)
            }
        }
    }

    /// # Panics
    /// If a pool is fused.
    fn full(self) -> &'a [f32] {
        match self {
            OutputGradient::Full(dy) => dy,
            OutputGradient::Pooled(..) => panic!("this rung cannot fuse a pool"),
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

impl ConvShape {
    /// Derives the output's size and the zeros on the border.
    ///
    /// # Errors
    /// A sentence, if a size is zero, the kernel is larger than the padded input, or an image takes too many products.
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
        let windows = Windows { input: [h, w], size: [kh, kw], stride, dilation };
        let zeros = windows.zeros(padding)?;
        let too_large = || format!("its {kh} x {kw} kernel is larger than the {h} x {w} input");
        let [out_h, out_w] = windows.count(zeros).ok_or_else(too_large)?;
        if product(&[h, w, c]).is_none() || product(&[kh, kw, c, filters, out_h, out_w]).is_none() {
            return Err(format!("its number of products overflows: {out_h} x {out_w} x {kh} x {kw} x {c} x {filters}"));
        }
        Ok(Self { h, w, c, kh, kw, filters, stride, dilation, pad_top: zeros[0], pad_left: zeros[2], out_h, out_w })
    }

    /// Floats of an input image.
    pub fn input_len(&self) -> usize {
        self.h * self.w * self.c
    }

    /// Images in a slice of inputs.
    pub fn images(&self, x: &[f32]) -> usize {
        x.len() / self.input_len()
    }

    /// Floats of an output image.
    pub fn output_len(&self) -> usize {
        self.out_h * self.out_w * self.filters
    }

    /// Floats of an output image after the fused operations.
    pub fn fused_len(&self, fused: Fused) -> usize {
        match fused {
            Fused::None | Fused::Relu | Fused::Relu6 => self.output_len(),
            Fused::ReluPool => (self.out_h / 2) * (self.out_w / 2) * self.filters,
        }
    }

    /// Products per output: K of the equivalent matrix product.
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

    /// Whether each pixel is its own patch: a plain product of the image and the kernel.
    pub fn is_pointwise(&self) -> bool {
        [self.kh, self.kw] == [1, 1] && self.stride == [1, 1] && [self.out_h, self.out_w] == [self.h, self.w]
    }

    /// Stride 1 and no dilation.
    pub fn is_dense(&self) -> bool {
        self.stride == [1, 1] && self.dilation == [1, 1]
    }

    /// The input row under an output row and a kernel row; `None` on the padded border.
    #[inline(always)]
    pub fn input_row(&self, out_row: usize, kernel_row: usize) -> Option<usize> {
        (out_row * self.stride[0] + kernel_row * self.dilation[0]).checked_sub(self.pad_top).filter(|&row| row < self.h)
    }

    /// The input column under an output column and a kernel column; `None` on the padded border.
    #[inline(always)]
    pub fn input_col(&self, out_col: usize, kernel_col: usize) -> Option<usize> {
        (out_col * self.stride[1] + kernel_col * self.dilation[1])
            .checked_sub(self.pad_left)
            .filter(|&col| col < self.w)
    }
}
