//! Depthwise convolution, for any kernel size and stride: each channel has its own kernel.
//!
//! Vectors run over the channels, as everywhere. The outermost loop takes one vector of channels through the whole
//! image: it is one cache line of each pixel, so the rows of a window are still in L1 when the next row of windows
//! reads them. A tile is R neighbouring outputs: R + 1 loads, of R pixels and one element of the kernel, feed R fused
//! multiply-adds. Windows that extend past the left or right edge have fewer pixels and are computed one at a time.

use std::ops::Range;

use crate::simd::{LANES, Simd, Vector};

use super::activation::Fused;
use super::pool::PoolShape;
use super::tile::{Accumulators, to_memory};

/// The number of sums that the kernel gradient keeps side by side: in a single one, each addition would wait for the
/// one before.
const SUMS: usize = 4;

/// y = x * kernel + bias, then what is fused, for one image. The kernel is KH x KW x C, the bias has C elements.
#[inline(always)]
pub fn depthwise<S: Simd>(simd: S, s: &PoolShape, x: &[f32], [kernel, bias]: [&[f32]; 2], fused: Fused, y: &mut [f32]) {
    convolve(simd, s, x, Weights { kernel, bias: Some(bias), is_flipped: false, fused }, y);
}

/// dx = dy * kernel', for one image.
#[inline(always)]
pub fn depthwise_input_gradient<S: Simd>(simd: S, s: &PoolShape, dy: &[f32], kernel: &[f32], dx: &mut [f32]) {
    if s.stride == [1, 1] {
        let [pad_top, pad_left] = [s.window[0] - 1 - s.pad_top, s.window[1] - 1 - s.pad_left];
        let transposed = PoolShape { h: s.out_h, w: s.out_w, pad_top, pad_left, out_h: s.h, out_w: s.w, ..*s };
        return convolve(
            simd,
            &transposed,
            dy,
            Weights { kernel, bias: None, is_flipped: true, fused: Fused::None },
            dx,
        );
    }
    dx.fill(0.0);
    for c in (0..s.c).step_by(LANES) {
        let lanes = c..s.c.min(c + LANES);
        for (row, col) in (0..s.out_h).flat_map(|row| (0..s.out_w).map(move |col| (row, col))) {
            let dy = simd.load_first(&dy[(row * s.out_w + col) * s.c..][lanes.clone()]);
            for (h, w) in s.rows(row).flat_map(|h| s.cols(col).map(move |w| (h, w))) {
                let kernel = simd.load_first(&kernel[s.place([row, col], [h, w]) * s.c..][lanes.clone()]);
                let dx = &mut dx[(h * s.w + w) * s.c..][lanes.clone()];
                dy.mul_add(kernel, simd.load_first(dx)).store_first(dx);
            }
        }
    }
}

/// dkernel += x' * dy, for one image.
#[inline(always)]
pub fn depthwise_kernel_gradient<S: Simd>(simd: S, s: &PoolShape, x: &[f32], dy: &[f32], dkernel: &mut [f32]) {
    for c in (0..s.c).step_by(LANES) {
        let lanes = c..s.c.min(c + LANES);
        for (row, h) in (0..s.out_h).flat_map(|row| s.rows(row).map(move |h| (row, h))) {
            for kw in 0..s.window[1] {
                let cols = cols_with(s, kw);
                let mut sums = [simd.zero(); SUMS];
                for first in cols.clone().step_by(SUMS) {
                    for (sum, col) in sums.iter_mut().zip(first..cols.end) {
                        let x = &x[(h * s.w + col * s.stride[1] + kw - s.pad_left) * s.c..][lanes.clone()];
                        let dy = &dy[(row * s.out_w + col) * s.c..][lanes.clone()];
                        *sum = simd.load_first(x).mul_add(simd.load_first(dy), *sum);
                    }
                }
                let kh = h + s.pad_top - row * s.stride[0];
                let dkernel = &mut dkernel[(kh * s.window[1] + kw) * s.c..][lanes.clone()];
                let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
                (simd.load_first(dkernel) + sum).store_first(dkernel);
            }
        }
    }
}

/// The columns of outputs under which this column of the kernel has a pixel.
fn cols_with(s: &PoolShape, kw: usize) -> Range<usize> {
    let first = s.pad_left.saturating_sub(kw).div_ceil(s.stride[1]);
    let end = (s.w + s.pad_left).saturating_sub(kw).div_ceil(s.stride[1]);
    first..end.min(s.out_w)
}

/// A convolution's kernel, bias and fused activation.
#[derive(Clone, Copy)]
struct Weights<'a> {
    kernel: &'a [f32],
    bias: Option<&'a [f32]>,
    /// Whether the kernel is read in reverse order, as in the input gradient.
    is_flipped: bool,
    fused: Fused,
}

#[inline(always)]
fn convolve<S: Simd>(simd: S, s: &PoolShape, x: &[f32], weights: Weights, y: &mut [f32]) {
    for c in (0..s.c).step_by(LANES) {
        match s.c - c {
            LANES.. => convolve_channels::<S, true>(simd, s, x, weights, c..c + LANES, y),
            _ => convolve_channels::<S, false>(simd, s, x, weights, c..s.c, y),
        }
    }
}

/// Convolves one vector of channels: sixteen if it is WHOLE, else fewer.
#[inline(always)]
fn convolve_channels<S: Simd, const WHOLE: bool>(
    simd: S,
    s: &PoolShape,
    x: &[f32],
    weights: Weights,
    lanes: Range<usize>,
    y: &mut [f32],
) {
    let bias = weights.bias.map_or(simd.zero(), |bias| simd.load_first(&bias[lanes.clone()]));
    let is_inside = |col: &usize| WHOLE && s.cols(*col).len() == s.window[1];
    let start = (0..s.out_w).find(is_inside).unwrap_or(s.out_w);
    let end = (start..s.out_w).rfind(is_inside).map_or(start, |last| last + 1);
    for (row, y) in y.chunks_exact_mut(s.out_w * s.c).enumerate() {
        let mut outputs = Row::<S, WHOLE> { s, x, weights, bias, lanes: [lanes.start, lanes.end], row, y };
        let mut col = 0;
        while col < s.out_w {
            let inside = if col < start { 0 } else { end.saturating_sub(col) };
            col += match inside {
                // Six sums, an element of the kernel and a pixel are AVX2's eight vectors.
                6.. if const { WHOLE && S::REGISTERS >= 8 } => outputs.tile::<6>(simd, col),
                2.. if const { WHOLE } => outputs.tile::<2>(simd, col),
                _ => outputs.tile::<1>(simd, col),
            };
        }
    }
}

/// One row of outputs in one vector of channels.
struct Row<'a, S: Simd, const WHOLE: bool> {
    s: &'a PoolShape,
    x: &'a [f32],
    weights: Weights<'a>,
    bias: S::Vector,
    lanes: [usize; 2],
    row: usize,
    y: &'a mut [f32],
}

impl<S: Simd, const WHOLE: bool> Row<'_, S, WHOLE> {
    /// This row's channels of the given pixel, or element of the kernel.
    #[inline(always)]
    fn load(&self, simd: S, from: &[f32], pixel: usize) -> S::Vector {
        let [start, end] = self.lanes;
        let from = &from[pixel * self.s.c + start..];
        if WHOLE {
            simd.load(from.first_chunk().expect("a whole vector"))
        } else {
            simd.load_first(&from[..end - start])
        }
    }

    /// R outputs from a column on; returns R. All windows but a single one must lie inside the image.
    #[inline(always)]
    fn tile<const R: usize>(&mut self, simd: S, col: usize) -> usize {
        let s = self.s;
        let mut acc: Accumulators<S, R, 1> = [[self.bias]; R];
        for h in s.rows(self.row) {
            for w in s.cols(col) {
                let place = s.place([self.row, col], [h, w]);
                let place = if self.weights.is_flipped { s.window[0] * s.window[1] - 1 - place } else { place };
                let kernel = self.load(simd, self.weights.kernel, place);
                for r in 0..R {
                    let pixel = self.load(simd, self.x, h * s.w + w + r * s.stride[1]);
                    acc[r][0] = pixel.mul_add(kernel, acc[r][0]);
                }
            }
        }
        let [start, end] = self.lanes;
        for (r, [sum]) in to_memory::<S, R, 1>(acc).iter().enumerate() {
            let y = &mut self.y[(col + r) * s.c..][start..end];
            self.weights.fused.apply(simd, simd.load(sum)).store_first(y);
        }
        R
    }
}
