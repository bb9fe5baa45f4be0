//! Implicit matrix product: convolution with stride 1 and no dilation, without building the matrix of patches.
//!
//! With channels last, the KW x C inputs under one row of the kernel lie side by side in memory, and the next output's
//! begin C floats later. So a row of pixels, read as a matrix whose rows overlap, already is its own patch matrix; the
//! convolution is a sum of KH products of such matrices with KW x C rows of the kernel.
//!
//! An image with a padded border is first copied into scratch with its zeros around it.

use crate::simd::{LANES, Lanes, Simd, vectors, vectors_mut};

use super::super::tile::{Accumulators, Product, broadcast_rows, cover, multiply_accumulate, take, to_memory};
use super::ConvShape;

/// Whether this rung computes this convolution, with its gradients: on no side may the border be as wide as the kernel,
/// or the transposed convolution would have to shrink its input.
pub fn is_legal(s: &ConvShape) -> bool {
    // With stride 1 there are h + top + bottom - (kh - 1) outputs, so the last conditions say bottom < kh, right < kw.
    s.is_dense()
        && (s.pad_top < s.kh && s.pad_left < s.kw)
        && (s.out_h <= s.h + s.pad_top && s.out_w <= s.w + s.pad_left)
}

/// Vectors that hold a kernel with its rows filled up to whole vectors.
pub fn kernel_vectors(s: &ConvShape) -> usize {
    s.depth() * s.filters.div_ceil(LANES)
}

/// Copies a kernel, or any matrix with `columns` columns, with its rows filled up to whole vectors.
pub fn align_rows(matrix: &[f32], columns: usize, aligned: &mut [Lanes]) {
    for (row, aligned) in matrix.chunks_exact(columns).zip(aligned.chunks_exact_mut(columns.div_ceil(LANES))) {
        aligned.as_flattened_mut()[..columns].copy_from_slice(row);
    }
}

/// The convolution whose forward pass is this one's input gradient: of dy, with the kernel of [`flip_kernel`].
pub fn transposed_shape(s: &ConvShape) -> ConvShape {
    ConvShape {
        h: s.out_h,
        w: s.out_w,
        c: s.filters,
        filters: s.c,
        pad_top: s.kh - 1 - s.pad_top,
        pad_left: s.kw - 1 - s.pad_left,
        out_h: s.h,
        out_w: s.w,
        ..*s
    }
}

/// The kernel for the input gradient: both axes reversed, input and output channels exchanged.
pub fn flip_kernel(s: &ConvShape, kernel: &[f32], flipped: &mut [Lanes]) {
    let per_row = s.c.div_ceil(LANES);
    for (row, elements) in kernel.chunks_exact(s.filters).enumerate() {
        let (tap, c) = (s.kh * s.kw - 1 - row / s.c, row % s.c);
        for (f, &element) in elements.iter().enumerate() {
            flipped[(tap * s.filters + f) * per_row + c / LANES][c % LANES] = element;
        }
    }
}

/// Floats of scratch that the functions on an image need: for its border, and for rows of dy as whole vectors.
pub fn scratch_len(s: &ConvShape) -> usize {
    let bordered = (s.out_h + s.kh - 1) * (s.out_w + s.kw - 1) * s.c;
    bordered.next_multiple_of(LANES) + s.out_h * s.out_w * s.filters.next_multiple_of(LANES)
}

/// Forward: y of one image, with bias and optionally ReLU. Kernel and bias have rows of whole vectors.
#[inline(always)]
pub fn forward<S: Simd>(
    simd: S,
    s: &ConvShape,
    x: &[f32],
    [kernel, bias]: [&[Lanes]; 2],
    relu: bool,
    y: &mut [f32],
    scratch: &mut [f32],
) {
    let w = s.out_w + s.kw - 1;
    let (x, _) = with_border(s, x, scratch);
    for (oh, y) in y.chunks_exact_mut(s.out_w * s.filters).enumerate() {
        let x = &x[oh * w * s.c..];
        cover(simd, s.out_w, bias.len(), &mut OutputRow { s, x, w, kernel, bias, relu, y });
    }
}

/// One row of outputs.
struct OutputRow<'a> {
    s: &'a ConvShape,
    x: &'a [f32],
    /// Columns of the input with its border.
    w: usize,
    kernel: &'a [Lanes],
    bias: &'a [Lanes],
    relu: bool,
    y: &'a mut [f32],
}

impl<S: Simd> Product<S> for OutputRow<'_> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let ConvShape { kw, c, filters, .. } = *self.s;
        let per_row = self.bias.len();
        let mut acc: Accumulators<S, R, V> = broadcast_rows(simd, take(self.bias, vector));
        for (kh, kernel) in self.kernel.chunks_exact(kw * c * per_row).enumerate() {
            let first = (kh * self.w + row) * c;
            let pixels: [&[f32]; R] = std::array::from_fn(|r| &self.x[first + r * c..][..kw * c]);
            for (i, kernel) in kernel.chunks_exact(per_row).take(kw * c).enumerate() {
                multiply_accumulate(simd, &mut acc, |r| pixels[r][i], take(kernel, vector));
            }
        }
        let floor = simd.splat(if self.relu { 0.0 } else { f32::NEG_INFINITY });
        let width = filters.min((vector + V) * LANES) - vector * LANES;
        for (r, sums) in to_memory(simd, acc).iter().enumerate() {
            let y = &mut self.y[(row + r) * filters + vector * LANES..][..width];
            for (sum, y) in sums.iter().zip(y.chunks_mut(LANES)) {
                simd.store_first(simd.max(floor, simd.load(sum)), y);
            }
        }
    }
}

/// The gradient for the kernel of one image, added to `dkernel`, whose rows are whole vectors.
#[inline(always)]
pub fn kernel_gradient<S: Simd>(
    simd: S,
    s: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dkernel: &mut [Lanes],
    scratch: &mut [f32],
) {
    let (w, per_row) = (s.out_w + s.kw - 1, s.filters.div_ceil(LANES));
    let (x, scratch) = with_border(s, x, scratch);
    let dy = with_whole_rows(dy, s.filters, scratch);
    for (kh, dkernel) in dkernel.chunks_exact_mut(s.kw * s.c * per_row).enumerate() {
        let x = &x[kh * w * s.c..];
        cover(simd, s.kw * s.c, per_row, &mut KernelRow { s, x, w, dy, per_row, dkernel });
    }
}

/// The gradient of one row of the kernel.
struct KernelRow<'a> {
    s: &'a ConvShape,
    x: &'a [f32],
    w: usize,
    dy: &'a [Lanes],
    per_row: usize,
    dkernel: &'a mut [Lanes],
}

impl<S: Simd> Product<S> for KernelRow<'_> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let (c, per_row) = (self.s.c, self.per_row);
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        for r in 0..R {
            for v in 0..V {
                acc[r][v] = simd.load(&self.dkernel[(row + r) * per_row + vector + v]);
            }
        }
        for (x, dy) in self.x.chunks(self.w * c).zip(self.dy.chunks_exact(self.s.out_w * per_row)) {
            let pixels = x[row..].windows(R).step_by(c);
            for (pixel, dy) in pixels.zip(dy.chunks_exact(per_row)) {
                multiply_accumulate(simd, &mut acc, |r| pixel[r], take(dy, vector));
            }
        }
        for r in 0..R {
            for v in 0..V {
                simd.store(acc[r][v], &mut self.dkernel[(row + r) * per_row + vector + v]);
            }
        }
    }
}

/// The image with its border of zeros, copied to scratch if it has one; and what is left of scratch.
fn with_border<'a>(s: &ConvShape, x: &'a [f32], scratch: &'a mut [f32]) -> (&'a [f32], &'a mut [f32]) {
    let [h, w] = [s.out_h + s.kh - 1, s.out_w + s.kw - 1];
    let (padded, rest) = scratch.split_at_mut((h * w * s.c).next_multiple_of(LANES));
    if [h, w] == [s.h, s.w] {
        return (x, rest);
    }
    padded.fill(0.0);
    let rows = padded.chunks_exact_mut(w * s.c).skip(s.pad_top);
    for (row, x) in rows.zip(x.chunks_exact(s.w * s.c)) {
        row[s.pad_left * s.c..][..s.w * s.c].copy_from_slice(x);
    }
    (padded, rest)
}

/// A matrix with its rows filled up to whole vectors, copied to scratch if they are not.
fn with_whole_rows<'a>(matrix: &'a [f32], columns: usize, scratch: &'a mut [f32]) -> &'a [Lanes] {
    if columns.is_multiple_of(LANES) {
        return vectors(matrix);
    }
    let aligned = &mut scratch[..matrix.len() / columns * columns.next_multiple_of(LANES)];
    aligned.fill(0.0);
    align_rows(matrix, columns, vectors_mut(aligned));
    vectors(aligned)
}
