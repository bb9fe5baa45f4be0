//! Rung 3, implicit matrix product: convolution with stride 1 and no dilation, without the matrix of patches.
//!
//! With channels last, the KW x C inputs under one kernel row are contiguous, and those under the next output start C
//! floats later. So a row of pixels, read as a matrix with overlapping rows, already is its patch matrix. The
//! convolution is a sum of KH products of such matrices with KW x C rows of the kernel.
//!
//! A padded image is first copied to scratch with zeros around it.

use crate::dispatch;
use crate::simd::{LANES, Lanes, Level, Simd, Vector, vectors, vectors_mut};
use crate::threads::with_scratch;

use super::super::activation::Fused;
use super::super::tile::{
    AVX512_REGISTERS, Accumulators, Product, broadcast_rows, cover, load_rows, multiply_accumulate, place_in_strips,
    store_rows, take, to_memory, widest,
};
use super::{ConvShape, OutputGradient, Rung, Weights};

/// A matrix product on the pixels in place, for stride 1 without dilation.
///
/// Rows of the kernel are padded to whole vectors. The kernel for the input gradient is stored after a row of zeros,
/// which is the bias of that convolution.
#[derive(Debug)]
pub struct Implicit;

impl Rung for Implicit {
    fn check(&self, s: &ConvShape) -> Result<(), &'static str> {
        // With a border as wide as the kernel, the transposed convolution would need a negative padding. With stride 1
        // there are h + top + bottom - (kh - 1) outputs, so the last line says bottom < kh and right < kw.
        let applies = s.is_dense()
            && (s.pad_top < s.kh && s.pad_left < s.kw)
            && (s.out_h <= s.h + s.pad_top && s.out_w <= s.w + s.pad_left);
        applies
            .then_some(())
            .ok_or("the implicit method needs stride 1, no dilation and padding smaller than the kernel")
    }

    fn kernel_lens(&self, s: &ConvShape) -> [usize; 2] {
        let [columns, transposed] = [s.filters, s.c].map(|columns| columns.next_multiple_of(LANES));
        [s.depth() * columns, (s.kh * s.kw * s.filters + 1) * transposed]
    }

    fn prepare(&self, level: Level, kernel: &[f32], weights: &mut Weights) {
        let s = &weights.shape;
        let flipped = &mut vectors_mut(&mut weights.transposed)[s.c.div_ceil(LANES)..];
        dispatch!(level, simd => {
            fill_strips(simd, s, kernel, vectors_mut(&mut weights.kernel));
            flip(simd, s, kernel, flipped);
        });
    }

    fn scratch_len(&self, s: &ConvShape, _images: usize) -> usize {
        scratch_len(s).max(scratch_len(&transposed(s)))
    }

    /// y = x * kernel + bias
    fn forward(&self, level: Level, w: &Weights, x: &[f32], fused: Fused, y: &mut [f32], _: Option<&mut [u8]>) {
        let (s, weights) = (&w.shape, [&w.kernel, &w.bias].map(|floats| vectors(floats)));
        with_scratch(scratch_len(s), |scratch| {
            dispatch!(level, simd => convolve(simd, s, x, weights, fused, y, scratch));
        });
    }

    /// dx = dy * kernel', by another convolution
    fn input_gradient(&self, level: Level, w: &Weights, dy: OutputGradient, dx: &mut [f32]) {
        let s = &transposed(&w.shape);
        let (zeros, kernel) = vectors(&w.transposed).split_at(s.filters.div_ceil(LANES));
        with_scratch(scratch_len(s), |scratch| {
            dispatch!(level, simd => convolve(simd, s, dy.full(), [kernel, zeros], Fused::None, dx, scratch));
        });
    }

    /// dkernel += x' * dy
    fn kernel_gradient(&self, level: Level, w: &Weights, x: &[f32], dy: OutputGradient, dkernel: &mut [f32]) {
        let s = &w.shape;
        with_scratch(scratch_len(s), |scratch| {
            dispatch!(level, simd => correlate(simd, s, x, dy.full(), vectors_mut(dkernel), scratch));
        });
    }

    fn finish(&self, _: Level, s: &ConvShape, sum: &[f32], dkernel: &mut [f32]) {
        for (row, sum) in dkernel.chunks_exact_mut(s.filters).zip(sum.chunks_exact(s.filters.next_multiple_of(LANES))) {
            row.copy_from_slice(&sum[..s.filters]);
        }
    }
}

/// The convolution that computes the input gradient: of dy, with the flipped kernel.
fn transposed(s: &ConvShape) -> ConvShape {
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

/// Copies the kernel to strips, its rows padded to whole vectors.
#[inline(always)]
fn fill_strips<S: Simd>(simd: S, s: &ConvShape, kernel: &[f32], strips: &mut [Lanes]) {
    let size = [s.depth(), s.filters.div_ceil(LANES)];
    for (row, elements) in kernel.chunks_exact(s.filters).enumerate() {
        for (vector, elements) in elements.chunks(LANES).enumerate() {
            strips[place_in_strips(simd, size, row, vector)][..elements.len()].copy_from_slice(elements);
        }
    }
}

/// The kernel for the input gradient, in strips: both axes reversed, input and output channels exchanged.
#[inline(always)]
fn flip<S: Simd>(simd: S, s: &ConvShape, kernel: &[f32], flipped: &mut [Lanes]) {
    let size = [s.kh * s.kw * s.filters, s.c.div_ceil(LANES)];
    for (row, elements) in kernel.chunks_exact(s.filters).enumerate() {
        let (tap, c) = (s.kh * s.kw - 1 - row / s.c, row % s.c);
        for (f, &element) in elements.iter().enumerate() {
            flipped[place_in_strips(simd, size, tap * s.filters + f, c / LANES)][c % LANES] = element;
        }
    }
}

/// Floats of scratch: for the padded image, and for dy with padded rows.
fn scratch_len(s: &ConvShape) -> usize {
    let bordered = (s.out_h + s.kh - 1) * (s.out_w + s.kw - 1) * s.c;
    bordered.next_multiple_of(LANES) + s.out_h * s.out_w * s.filters.next_multiple_of(LANES)
}

/// The same convolution; if the kernel is 1 x 1, with the whole image as one row: each output depends on one pixel
/// only, and a long row fills its tiles and reads each column of the kernel once.
fn as_row(s: &ConvShape) -> ConvShape {
    match s.is_pointwise() {
        true => ConvShape { h: 1, w: s.h * s.w, out_h: 1, out_w: s.h * s.w, ..*s },
        false => *s,
    }
}

/// y = x * kernel + bias
#[inline(always)]
fn convolve<S: Simd>(
    simd: S,
    s: &ConvShape,
    x: &[f32],
    [kernel, bias]: [&[Lanes]; 2],
    fused: Fused,
    y: &mut [f32],
    scratch: &mut [f32],
) {
    let s = &as_row(s);
    let w = s.out_w + s.kw - 1;
    let (x, _) = with_border(s, x, scratch);
    for (oh, y) in y.chunks_exact_mut(s.out_w * s.filters).enumerate() {
        let x = &x[oh * w * s.c..];
        cover(simd, s.out_w, bias.len(), &mut OutputRow { s, x, w, kernel, bias, fused, y });
    }
}

/// Outputs whose gradients, one vector each, stay in the first-level cache with their pixels: 16 KiB.
const CACHED_OUTPUTS: usize = 128;

/// One row of outputs.
struct OutputRow<'a> {
    s: &'a ConvShape,
    x: &'a [f32],
    /// Columns of the padded input.
    w: usize,
    kernel: &'a [Lanes],
    bias: &'a [Lanes],
    fused: Fused,
    y: &'a mut [f32],
}

impl<S: Simd> Product<S> for OutputRow<'_> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let ConvShape { kw, c, filters, .. } = *self.s;
        let mut acc: Accumulators<S, R, NV> = broadcast_rows(simd, take(self.bias, vector));
        let strip = vector / widest(S::REGISTERS) * widest(S::REGISTERS);
        let columns = widest(S::REGISTERS).min(self.bias.len() - strip);
        let kernel = &self.kernel[strip * self.s.depth()..][..columns * self.s.depth()];
        for (kh, kernel) in kernel.chunks_exact(kw * c * columns).enumerate() {
            let first = (kh * self.w + row) * c;
            let pixels: [&[f32]; R] = std::array::from_fn(|r| &self.x[first + r * c..][..kw * c]);
            for (i, kernel) in kernel.chunks_exact(columns).take(kw * c).enumerate() {
                multiply_accumulate(simd, &mut acc, |r| pixels[r][i], take(kernel, vector - strip));
            }
        }
        let width = filters.min((vector + NV) * LANES) - vector * LANES;
        for (r, sums) in to_memory::<S, R, NV>(acc).iter().enumerate() {
            let y = &mut self.y[(row + r) * filters + vector * LANES..][..width];
            for (sum, y) in sums.iter().zip(y.chunks_mut(LANES)) {
                self.fused.apply(simd, simd.load(sum)).store_first(y);
            }
        }
    }
}

/// dkernel += x' * dy
#[inline(always)]
fn correlate<S: Simd>(simd: S, s: &ConvShape, x: &[f32], dy: &[f32], dkernel: &mut [Lanes], scratch: &mut [f32]) {
    let (w, per_row) = (s.out_w + s.kw - 1, s.filters.div_ceil(LANES));
    let (x, scratch) = with_border(s, x, scratch);
    let dy = with_whole_rows(dy, s.filters, scratch);
    // Narrow tiles read each pixel more often: some rows of outputs, which stay in the cache, are used for all tiles.
    let outputs = if S::REGISTERS < AVX512_REGISTERS { CACHED_OUTPUTS } else { usize::MAX };
    let rows = (outputs / s.out_w).clamp(1, s.out_h);
    for (band, dy) in dy.chunks(rows * s.out_w * per_row).enumerate() {
        for (kh, dkernel) in dkernel.chunks_exact_mut(s.kw * s.c * per_row).enumerate() {
            let x = &x[(band * rows + kh) * w * s.c..];
            cover(simd, s.kw * s.c, per_row, &mut KernelRow { s, x, w, dy, per_row, dkernel });
        }
    }
}

/// The gradient of one row of the kernel.
struct KernelRow<'a> {
    s: &'a ConvShape,
    x: &'a [f32],
    /// Columns of the padded input.
    w: usize,
    dy: &'a [Lanes],
    per_row: usize,
    dkernel: &'a mut [Lanes],
}

impl<S: Simd> Product<S> for KernelRow<'_> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let (c, per_row) = (self.s.c, self.per_row);
        let start = row * per_row + vector;
        let mut acc: Accumulators<S, R, NV> = load_rows(simd, &self.dkernel[start..], per_row);
        for (x, dy) in self.x.chunks(self.w * c).zip(self.dy.chunks_exact(self.s.out_w * per_row)) {
            for (col, dy) in dy.chunks_exact(per_row).enumerate() {
                let pixels: &[f32; R] = x[col * c + row..].first_chunk().expect("a row of the padded image");
                multiply_accumulate(simd, &mut acc, |r| pixels[r], take(dy, vector));
            }
        }
        store_rows::<S, R, NV>(acc, &mut self.dkernel[start..], per_row);
    }
}

/// The image with its border of zeros, in scratch if it has one; and the rest of scratch.
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

/// The matrix with rows of whole vectors, in scratch if it needs padding.
fn with_whole_rows<'a>(matrix: &'a [f32], columns: usize, scratch: &'a mut [f32]) -> &'a [Lanes] {
    if columns.is_multiple_of(LANES) {
        return vectors(matrix);
    }
    let width = columns.next_multiple_of(LANES);
    let filled = &mut scratch[..matrix.len() / columns * width];
    filled.fill(0.0);
    for (row, filled) in matrix.chunks_exact(columns).zip(filled.chunks_exact_mut(width)) {
        filled[..columns].copy_from_slice(row);
    }
    vectors(filled)
}
