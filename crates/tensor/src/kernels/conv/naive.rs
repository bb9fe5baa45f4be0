//! Rung 1, the definition: seven loops. The outermost, over images, is the caller's.
//!
//! Generic over the float: in `f64` this is the reference for every other rung. Its own gradients are tested against
//! finite differences.

use crate::simd::Level;

use super::super::activation::Fused;
use super::super::reference::Float;
use super::{ConvShape, OutputGradient, Rung, Weights};

/// The definition, for any convolution.
#[derive(Debug)]
pub struct Naive;

impl Rung for Naive {
    /// y = x * kernel + bias
    fn forward(&self, _: Level, w: &Weights, x: &[f32], fused: Fused, y: &mut [f32], _: Option<&mut [u8]>) {
        forward(&w.shape, x, &w.kernel, &w.bias[..w.shape.filters], y);
        let top = if fused == Fused::Relu6 { 6.0 } else { f32::INFINITY };
        if fused != Fused::None {
            y.iter_mut().filter(|y| **y < 0.0).for_each(|y| *y = 0.0);
            y.iter_mut().filter(|y| **y > top).for_each(|y| *y = top);
        }
    }

    /// dx = dy * kernel'
    fn input_gradient(&self, _: Level, w: &Weights, dy: OutputGradient, dx: &mut [f32]) {
        input_gradient(&w.shape, dy.full(), &w.kernel, dx);
    }

    /// dkernel += x' * dy
    fn kernel_gradient(&self, _: Level, w: &Weights, x: &[f32], dy: OutputGradient, dkernel: &mut [f32]) {
        kernel_gradient(&w.shape, x, dy.full(), dkernel);
    }
}

/// y = x * kernel + bias, for one image.
pub fn forward<T: Float>(s: &ConvShape, x: &[T], kernel: &[T], bias: &[T], y: &mut [T]) {
    for pixel in y.chunks_exact_mut(s.filters) {
        pixel.copy_from_slice(bias);
    }
    for_each_product(s, |i, k, o| y[o] += x[i] * kernel[k]);
}

/// dx = dy * kernel', for one image.
pub fn input_gradient<T: Float>(s: &ConvShape, dy: &[T], kernel: &[T], dx: &mut [T]) {
    dx.fill(T::default());
    for_each_product(s, |i, k, o| dx[i] += dy[o] * kernel[k]);
}

/// dkernel += x' * dy, for one image.
pub fn kernel_gradient<T: Float>(s: &ConvShape, x: &[T], dy: &[T], dkernel: &mut [T]) {
    for_each_product(s, |i, k, o| dkernel[k] += x[i] * dy[o]);
}

/// Calls `visit(input, kernel, output)` with the positions of every product: output by output, each in the kernel's
/// order.
fn for_each_product(s: &ConvShape, mut visit: impl FnMut(usize, usize, usize)) {
    for oh in 0..s.out_h {
        for ow in 0..s.out_w {
            for kh in 0..s.kh {
                for kw in 0..s.kw {
                    let (Some(h), Some(w)) = (s.input_row(oh, kh), s.input_col(ow, kw)) else { continue };
                    for c in 0..s.c {
                        for f in 0..s.filters {
                            visit(
                                (h * s.w + w) * s.c + c,
                                ((kh * s.kw + kw) * s.c + c) * s.filters + f,
                                (oh * s.out_w + ow) * s.filters + f,
                            );
                        }
                    }
                }
            }
        }
    }
}
