//! What the kernels must compute, in the plainest loops.
//!
//! Generic over the float: in `f64` this is the oracle that every fast kernel is tested against (and whose gradients
//! are themselves tested against finite differences); in `f32` its convolutions are the first rung of the ladder.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use super::conv::ConvShape;
use super::pool::PoolShape;

/// `f32` or `f64`.
pub trait Float:
    Copy
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
}
impl Float for f32 {}
impl Float for f64 {}

/// C (M x N) = A (M x K) B (K x N).
pub fn matmul<T: Float>(a: &[T], b: &[T], [m, n, k]: [usize; 3]) -> Vec<T> {
    let mut c = vec![T::default(); m * n];
    for i in 0..m {
        for j in 0..n {
            for p in 0..k {
                c[i * n + j] += a[i * k + p] * b[p * n + j];
            }
        }
    }
    c
}

/// The transpose of a rows x cols matrix.
pub fn transpose<T: Float>(a: &[T], rows: usize, cols: usize) -> Vec<T> {
    (0..rows * cols).map(|i| a[i % rows * cols + i / rows]).collect()
}

/// Calls `visit(input, kernel, output)` with the positions of every product in a convolution, in kernel order.
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

/// Convolution: y = x * kernel + bias, for one image.
pub fn conv<T: Float>(s: &ConvShape, x: &[T], kernel: &[T], bias: &[T], y: &mut [T]) {
    for pixel in y.chunks_exact_mut(s.filters) {
        pixel.copy_from_slice(bias);
    }
    for_each_product(s, |i, k, o| y[o] += x[i] * kernel[k]);
}

/// The gradient of a convolution for its input, added to `dx`.
pub fn conv_input_gradient<T: Float>(s: &ConvShape, dy: &[T], kernel: &[T], dx: &mut [T]) {
    for_each_product(s, |i, k, o| dx[i] += dy[o] * kernel[k]);
}

/// The gradient of a convolution for its kernel, added to `dkernel`.
pub fn conv_kernel_gradient<T: Float>(s: &ConvShape, x: &[T], dy: &[T], dkernel: &mut [T]) {
    for_each_product(s, |i, k, o| dkernel[k] += x[i] * dy[o]);
}

/// The position in the input of the winner of each window: the largest element, the first in row order where several
/// are equal.
pub fn max_pool_winners<T: Float>(s: &PoolShape, x: &[T]) -> Vec<usize> {
    let mut winners = Vec::with_capacity(s.output_len());
    for oh in 0..s.out_h {
        for ow in 0..s.out_w {
            for c in 0..s.c {
                let mut best: Option<usize> = None;
                for h in s.rows(oh) {
                    for w in s.cols(ow) {
                        let here = (h * s.w + w) * s.c + c;
                        if best.is_none_or(|best| x[here] > x[best]) {
                            best = Some(here);
                        }
                    }
                }
                winners.push(best.expect("every window holds a pixel"));
            }
        }
    }
    winners
}

/// Softmax cross-entropy of one example, and its gradient (p - onehot) for the logits.
pub fn softmax_cross_entropy(logits: &[f64], label: usize) -> (f64, Vec<f64>) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|z| libm::exp(z - largest)).collect();
    let sum: f64 = exps.iter().sum();
    let loss = libm::log(sum) - (logits[label] - largest);
    let gradient = exps.iter().enumerate().map(|(i, e)| e / sum - f64::from(u8::from(i == label))).collect();
    (loss, gradient)
}

/// One step of Adam on one parameter: returns the new (value, first moment, second moment). Step counts from 1.
/// Kingma and Ba (2015), with epsilon where Keras puts it: beside the root of the *uncorrected* second moment.
pub fn adam([value, m, v]: [f64; 3], gradient: f64, step: i32, [rate, beta_1, beta_2, epsilon]: [f64; 4]) -> [f64; 3] {
    let m = beta_1 * m + (1.0 - beta_1) * gradient;
    let v = beta_2 * v + (1.0 - beta_2) * gradient * gradient;
    let corrected = rate * (1.0 - beta_2.powi(step)).sqrt() / (1.0 - beta_1.powi(step));
    [value - corrected * m / (v.sqrt() + epsilon), m, v]
}
