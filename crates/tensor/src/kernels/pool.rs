//! Max-pooling and average pooling, for any window and stride.
//!
//! **Padding.** A window may extend past the edge of the image. Only the pixels inside count: the mean is over those,
//! as in Keras.
//!
//! **Ties.** The first of several equal elements in row order wins and gets the whole gradient. The winner is not
//! stored: the backward pass finds it again, as the first element equal to the maximum.
//!
//! **NaN.** The maximum of a window that holds a NaN is NaN, and nothing wins.

use crate::simd::{LANES, Simd, Vector};

use super::window::WindowShape;

/// y = the largest element of each window, for one image.
#[inline(always)]
pub fn max_pool<S: Simd>(simd: S, s: &WindowShape, x: &[f32], y: &mut [f32]) {
    for (out, pixels) in s.windows() {
        for c in (0..s.c).step_by(LANES) {
            let lanes = c..s.c.min(c + LANES);
            let mut best = simd.splat(f32::NEG_INFINITY);
            for pixel in pixels.clone() {
                let larger = best.max(simd.load_first(&x[pixel * s.c..][lanes.clone()]));
                // `max` returns NaN where the pixel is NaN. A `best` that is NaN (not equal to itself) stays.
                best = larger.where_eq(best, best, best);
            }
            best.store_first(&mut y[out * s.c..][lanes]);
        }
    }
}

/// dx of a pixel = the sum of dy over the windows that it wins, for one image.
#[inline(always)]
pub fn max_pool_gradient<S: Simd>(simd: S, s: &WindowShape, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
    dx.fill(0.0);
    for (out, pixels) in s.windows() {
        for c in (0..s.c).step_by(LANES) {
            let lanes = c..s.c.min(c + LANES);
            let best = simd.load_first(&y[out * s.c..][lanes.clone()]);
            let mut remaining = simd.load_first(&dy[out * s.c..][lanes.clone()]);
            for pixel in pixels.clone() {
                let value = simd.load_first(&x[pixel * s.c..][lanes.clone()]);
                let dx = &mut dx[pixel * s.c..][lanes.clone()];
                // The first equal element takes the gradient; nothing remains for the next.
                let taken = remaining.where_eq(value, best, simd.zero());
                remaining = simd.zero().where_eq(value, best, remaining);
                (simd.load_first(dx) + taken).store_first(dx);
            }
        }
    }
}

/// y = the mean of each window's pixels, for one image.
#[inline(always)]
pub fn average_pool<S: Simd>(simd: S, s: &WindowShape, x: &[f32], y: &mut [f32]) {
    for (out, pixels) in s.windows() {
        let share = simd.splat(1.0 / pixels.clone().count() as f32);
        for c in (0..s.c).step_by(LANES) {
            let lanes = c..s.c.min(c + LANES);
            let mut sum = simd.zero();
            for pixel in pixels.clone() {
                sum = sum + simd.load_first(&x[pixel * s.c..][lanes.clone()]);
            }
            (sum * share).store_first(&mut y[out * s.c..][lanes]);
        }
    }
}

/// dx of a pixel = the sum of dy / (the window's number of pixels) over the windows that contain it, for one image.
#[inline(always)]
pub fn average_pool_gradient<S: Simd>(simd: S, s: &WindowShape, dy: &[f32], dx: &mut [f32]) {
    dx.fill(0.0);
    for (out, pixels) in s.windows() {
        let share = simd.splat(1.0 / pixels.clone().count() as f32);
        for c in (0..s.c).step_by(LANES) {
            let lanes = c..s.c.min(c + LANES);
            let part = simd.load_first(&dy[out * s.c..][lanes.clone()]) * share;
            for pixel in pixels.clone() {
                let dx = &mut dx[pixel * s.c..][lanes.clone()];
                (simd.load_first(dx) + part).store_first(dx);
            }
        }
    }
}
