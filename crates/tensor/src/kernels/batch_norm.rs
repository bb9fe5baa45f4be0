//! Batch normalization of columns. A column is a channel; a row is a pixel of an image, or an example.

use crate::simd::{LANES, Lanes, Simd, Vector};

use super::activation::Fused;

/// Adds (x - mean)^2 of every row to `sums`, which is padded to whole vectors.
#[inline(always)]
pub fn add_squared_distances<S: Simd>(simd: S, x: &[f32], columns: usize, mean: &[Lanes], sums: &mut [Lanes]) {
    for row in x.chunks_exact(columns) {
        for ((sum, mean), x) in sums.iter_mut().zip(mean).zip(row.chunks(LANES)) {
            let distance = simd.load_first(x) - simd.load(mean);
            distance.mul_add(distance, simd.load(sum)).store(sum);
        }
    }
}

/// y = (x - mean) scale + shift in every column, then the fused activation.
#[inline(always)]
pub fn normalize<S: Simd>(
    simd: S,
    x: &[f32],
    columns: usize,
    [mean, scale, shift]: [&[Lanes]; 3],
    fused: Fused,
    y: &mut [f32],
) {
    for (x, y) in x.chunks_exact(columns).zip(y.chunks_exact_mut(columns)) {
        let column = mean.iter().zip(scale).zip(shift);
        for ((x, y), ((mean, scale), shift)) in x.chunks(LANES).zip(y.chunks_mut(LANES)).zip(column) {
            let distance = simd.load_first(x) - simd.load(mean);
            let normal = distance.mul_add(simd.load(scale), simd.load(shift));
            fused.apply(simd, normal).store_first(y);
        }
    }
}

/// Adds dy of every row to the first sums, and dy (x - mean) to the second.
#[inline(always)]
pub fn add_gradients<S: Simd>(
    simd: S,
    [x, dy]: [&[f32]; 2],
    columns: usize,
    mean: &[Lanes],
    [sums, products]: [&mut [Lanes]; 2],
) {
    for (x, dy) in x.chunks_exact(columns).zip(dy.chunks_exact(columns)) {
        let column = sums.iter_mut().zip(products.iter_mut()).zip(mean);
        for ((x, dy), ((sum, product), mean)) in x.chunks(LANES).zip(dy.chunks(LANES)).zip(column) {
            let dy = simd.load_first(dy);
            let distance = simd.load_first(x) - simd.load(mean);
            (simd.load(sum) + dy).store(sum);
            dy.mul_add(distance, simd.load(product)).store(product);
        }
    }
}

/// dx = scale (dy - lift - (x - mean) slope) in every column, where lift is the mean of dy, and slope the mean of
/// dy (x - mean) divided by variance + epsilon.
#[inline(always)]
pub fn input_gradient<S: Simd>(
    simd: S,
    [x, dy]: [&[f32]; 2],
    columns: usize,
    [mean, scale, lift, slope]: [&[Lanes]; 4],
    dx: &mut [f32],
) {
    let rows = x.chunks_exact(columns).zip(dy.chunks_exact(columns)).zip(dx.chunks_exact_mut(columns));
    for ((x, dy), dx) in rows {
        let row = x.chunks(LANES).zip(dy.chunks(LANES)).zip(dx.chunks_mut(LANES));
        for (i, ((x, dy), dx)) in row.enumerate() {
            let expected = (simd.load_first(x) - simd.load(&mean[i])) * simd.load(&slope[i]);
            let lifted = simd.load_first(dy) - simd.load(&lift[i]);
            (simd.load(&scale[i]) * (lifted - expected)).store_first(dx);
        }
    }
}
