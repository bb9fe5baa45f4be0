//! What some kernels must compute, in plain loops. In `f64` this is the reference for the fast kernels; its own
//! gradients are tested against finite differences. The convolutions are in [`naive`](super::conv::naive).

use std::ops::{AddAssign, Mul};

use super::window::WindowShape;

/// `f32` or `f64`.
pub trait Float: Copy + Default + PartialOrd + Mul<Output = Self> + AddAssign {}
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

/// The position in the input of each window's largest element; the first in row order if several are equal.
pub fn max_pool_winners<T: Float>(s: &WindowShape, x: &[T]) -> Vec<usize> {
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

/// Calls `visit(input, kernel, output)` with the positions of every product of a depthwise convolution, whose kernel is
/// KH x KW x C.
pub fn for_each_depthwise_product(s: &WindowShape, mut visit: impl FnMut(usize, usize, usize)) {
    for oh in 0..s.out_h {
        for ow in 0..s.out_w {
            for h in s.rows(oh) {
                for w in s.cols(ow) {
                    for c in 0..s.c {
                        let place = s.place([oh, ow], [h, w]);
                        visit((h * s.w + w) * s.c + c, place * s.c + c, (oh * s.out_w + ow) * s.c + c);
                    }
                }
            }
        }
    }
}

/// Softmax cross-entropy of one example, and its gradient with respect to the logits, p - onehot.
pub fn softmax_cross_entropy(logits: &[f64], label: usize) -> (f64, Vec<f64>) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|z| libm::exp(z - largest)).collect();
    let sum: f64 = exps.iter().sum();
    let loss = libm::log(sum) - (logits[label] - largest);
    let gradient = exps.iter().enumerate().map(|(i, e)| e / sum - f64::from(u8::from(i == label))).collect();
    (loss, gradient)
}

/// One step of Adam on one parameter: returns the new (value, first moment, second moment). Step counts from 1.
/// Kingma and Ba (2015), with epsilon added to the root of the *uncorrected* second moment, as in Keras.
pub fn adam([value, m, v]: [f64; 3], gradient: f64, step: i32, [rate, beta_1, beta_2, epsilon]: [f64; 4]) -> [f64; 3] {
    let m = beta_1 * m + (1.0 - beta_1) * gradient;
    let v = beta_2 * v + (1.0 - beta_2) * gradient * gradient;
    let corrected = rate * (1.0 - beta_2.powi(step)).sqrt() / (1.0 - beta_1.powi(step));
    [value - corrected * m / (v.sqrt() + epsilon), m, v]
}
