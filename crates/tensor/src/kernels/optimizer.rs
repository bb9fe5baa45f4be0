//! The updates of Adam and of stochastic gradient descent, each in one pass over memory.

use crate::simd::{LANES, Simd, Vector};

/// The numbers of one step of Adam, with both bias corrections folded into the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// The learning rate times sqrt(1 - beta_2^t) / (1 - beta_1^t).
    pub rate: f32,
    /// 1 - beta_1: the weight of a new gradient in the mean of gradients.
    pub mean_share: f32,
    /// 1 - beta_2: the weight of a new squared gradient in the mean of squared gradients. Subtract in `f64`: 1 - 0.999
    /// in `f32` has a relative error of 1.3e-5.
    pub square_share: f32,
    /// Keeps the quotient finite; added to the root of the uncorrected second moment, as in Keras.
    pub epsilon: f32,
}

/// One step of Adam (Kingma and Ba 2015): reads and writes the value and both moments, reads the gradient, 28 bytes of
/// traffic per parameter. Gradients are clamped to +-1e19, because the square of anything above 1.8e19 overflows.
#[inline(always)]
pub fn adam<S: Simd>(simd: S, step: AdamStep, [value, mean, square]: [&mut [f32]; 3], gradient: &[f32]) {
    let (rate, epsilon) = (simd.splat(step.rate), simd.splat(step.epsilon));
    let (mean_share, square_share) = (simd.splat(step.mean_share), simd.splat(step.square_share));
    let (low, high) = (simd.splat(-1e19), simd.splat(1e19));
    let lanes = value.chunks_mut(LANES).zip(mean.chunks_mut(LANES));
    for ((value, mean), (square, g)) in lanes.zip(square.chunks_mut(LANES).zip(gradient.chunks(LANES))) {
        let (x, m, v) = (simd.load_first(value), simd.load_first(mean), simd.load_first(square));
        // With NaN as the second operand, `min` and `max` give NaN: a broken gradient is not hidden.
        let g = low.max(high.min(simd.load_first(g)));
        let m = mean_share.mul_add(g - m, m);
        let v = square_share.mul_add(g * g - v, v);
        (x - rate * m / (v.sqrt() + epsilon)).store_first(value);
        m.store_first(mean);
        v.store_first(square);
    }
}

/// One step of gradient descent with momentum: velocity = momentum * velocity - rate * gradient; value += velocity.
#[inline(always)]
pub fn sgd<S: Simd>(simd: S, rate: f32, momentum: f32, [value, velocity]: [&mut [f32]; 2], gradient: &[f32]) {
    let (rate, momentum) = (simd.splat(rate), simd.splat(momentum));
    let lanes = value.chunks_mut(LANES).zip(velocity.chunks_mut(LANES)).zip(gradient.chunks(LANES));
    for ((value, velocity), g) in lanes {
        let v = momentum * simd.load_first(velocity) - rate * simd.load_first(g);
        v.store_first(velocity);
        (simd.load_first(value) + v).store_first(value);
    }
}
