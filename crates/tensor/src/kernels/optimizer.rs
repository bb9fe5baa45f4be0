//! The updates of Adam and of stochastic gradient descent, each one pass over memory.

use crate::simd::{LANES, Simd, vectors, vectors_mut};

/// The numbers of one step of Adam, with both bias corrections folded into the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// The learning rate times sqrt(1 - beta_2^t) / (1 - beta_1^t).
    pub rate: f32,
    /// The decay of the mean of gradients.
    pub beta_1: f32,
    /// The decay of the mean of squared gradients.
    pub beta_2: f32,
    /// Keeps the quotient finite; beside the root of the uncorrected second moment, as in Keras.
    pub epsilon: f32,
}

/// One step of Adam (Kingma and Ba 2015): reads and writes the value and both moments, reads the gradient, 28 bytes of
/// traffic a parameter. Gradients are clamped to +-1e19, whose square an `f32` can just hold.
#[inline(always)]
pub fn adam<S: Simd>(simd: S, step: AdamStep, [value, mean, square]: [&mut [f32]; 3], gradient: &[f32]) {
    let (whole, rest) = (gradient.len() / LANES * LANES, gradient.len() % LANES);
    let k = |x| simd.splat(x);
    let update = |value, mean, square, g| {
        // With NaN as the second operand, `min` and `max` give NaN: a broken gradient is not hidden.
        let g = simd.max(k(-1e19), simd.min(k(1e19), g));
        let mean = simd.fma(k(1.0 - step.beta_1), simd.sub(g, mean), mean);
        let square = simd.fma(k(1.0 - step.beta_2), simd.sub(simd.mul(g, g), square), square);
        let change = simd.div(simd.mul(k(step.rate), mean), simd.add(simd.sqrt(square), k(step.epsilon)));
        (simd.sub(value, change), mean, square)
    };
    let lanes = vectors_mut(&mut value[..whole]).iter_mut().zip(vectors_mut(&mut mean[..whole]));
    let lanes = lanes.zip(vectors_mut(&mut square[..whole])).zip(vectors(&gradient[..whole]));
    for (((value, mean), square), g) in lanes {
        let (new_value, new_mean, new_square) =
            update(simd.load(value), simd.load(mean), simd.load(square), simd.load(g));
        simd.store(new_value, value);
        simd.store(new_mean, mean);
        simd.store(new_square, square);
    }
    if rest > 0 {
        let [value, mean, square] = [&mut value[whole..], &mut mean[whole..], &mut square[whole..]];
        let (new_value, new_mean, new_square) = update(
            simd.load_first(value),
            simd.load_first(mean),
            simd.load_first(square),
            simd.load_first(&gradient[whole..]),
        );
        simd.store_first(new_value, value);
        simd.store_first(new_mean, mean);
        simd.store_first(new_square, square);
    }
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
