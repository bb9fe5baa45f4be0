//! The updates of Adam and of stochastic gradient descent, each one pass over memory.

use crate::simd::{LANES, Simd};

/// The numbers of one step of Adam, with both bias corrections folded into the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// The learning rate times sqrt(1 - beta_2^t) / (1 - beta_1^t).
    pub rate: f32,
    /// 1 - beta_1: what a gradient adds to the mean of gradients. Rounded after the subtraction: 1 - 0.999 taken in
    /// `f32` would be off by 1.3e-5.
    pub mean_share: f32,
    /// 1 - beta_2: what a squared gradient adds to the mean of squared gradients.
    pub square_share: f32,
    /// Keeps the quotient finite; beside the root of the uncorrected second moment, as in Keras.
    pub epsilon: f32,
}

/// One step of Adam (Kingma and Ba 2015): reads and writes the value and both moments, reads the gradient, 28 bytes of
/// traffic a parameter. Gradients are clamped to +-1e19, whose square an `f32` can just hold.
#[inline(always)]
pub fn adam<S: Simd>(simd: S, step: AdamStep, [value, mean, square]: [&mut [f32]; 3], gradient: &[f32]) {
    let lanes = value.chunks_mut(LANES).zip(mean.chunks_mut(LANES));
    for ((value, mean), (square, g)) in lanes.zip(square.chunks_mut(LANES).zip(gradient.chunks(LANES))) {
        let state = [simd.load_first(value), simd.load_first(mean), simd.load_first(square)];
        let state = adam_lanes(simd, step, state, simd.load_first(g));
        simd.store_first(state[0], value);
        simd.store_first(state[1], mean);
        simd.store_first(state[2], square);
    }
}

#[inline(always)]
fn adam_lanes<S: Simd>(simd: S, step: AdamStep, [value, mean, square]: [S::V; 3], g: S::V) -> [S::V; 3] {
    // With NaN as the second operand, `min` and `max` give NaN: a broken gradient is not hidden.
    let g = simd.max(simd.splat(-1e19), simd.min(simd.splat(1e19), g));
    let mean = simd.fma(simd.splat(step.mean_share), simd.sub(g, mean), mean);
    let square = simd.fma(simd.splat(step.square_share), simd.sub(simd.mul(g, g), square), square);
    let divisor = simd.add(simd.sqrt(square), simd.splat(step.epsilon));
    let change = simd.div(simd.mul(simd.splat(step.rate), mean), divisor);
    [simd.sub(value, change), mean, square]
}

/// One step of gradient descent with momentum: velocity = momentum * velocity - rate * gradient; value += velocity.
#[inline(always)]
pub fn sgd<S: Simd>(simd: S, rate: f32, momentum: f32, [value, velocity]: [&mut [f32]; 2], gradient: &[f32]) {
    let lanes = value.chunks_mut(LANES).zip(velocity.chunks_mut(LANES)).zip(gradient.chunks(LANES));
    for ((value, velocity), g) in lanes {
        let step = simd.mul(simd.splat(rate), simd.load_first(g));
        let new = simd.sub(simd.mul(simd.splat(momentum), simd.load_first(velocity)), step);
        simd.store_first(new, velocity);
        simd.store_first(simd.add(simd.load_first(value), new), value);
    }
}
