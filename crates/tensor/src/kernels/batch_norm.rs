//! Batch normalization: means and variances of columns, and what follows from them. The columns are channels; a row is a
//! pixel of an example, or an example.

use crate::simd::{LANES, Lanes, Simd};

/// Adds, for every row, the squares of its distances from `mean` to `sums`, whose last vector is filled up.
#[inline(always)]
pub fn add_squared_distances<S: Simd>(simd: S, x: &[f32], columns: usize, mean: &[Lanes], sums: &mut [Lanes]) {
    for row in x.chunks_exact(columns) {
        for ((sum, mean), x) in sums.iter_mut().zip(mean).zip(row.chunks(LANES)) {
            let distance = simd.sub(simd.load_first(x), simd.load(mean));
            simd.store(simd.fma(distance, distance, simd.load(sum)), sum);
        }
    }
}

/// y = max((x - mean) scale + shift, floor) in every column.
#[inline(always)]
pub fn normalize<S: Simd>(
    simd: S,
    x: &[f32],
    columns: usize,
    [mean, scale, shift]: [&[Lanes]; 3],
    floor: f32,
    y: &mut [f32],
) {
    let floor = simd.splat(floor);
    for (x, y) in x.chunks_exact(columns).zip(y.chunks_exact_mut(columns)) {
        let column = mean.iter().zip(scale).zip(shift);
        for ((x, y), ((mean, scale), shift)) in x.chunks(LANES).zip(y.chunks_mut(LANES)).zip(column) {
            let distance = simd.sub(simd.load_first(x), simd.load(mean));
            let normal = simd.fma(distance, simd.load(scale), simd.load(shift));
            simd.store_first(simd.max(floor, normal), y);
        }
    }
}

/// Adds, for every row, dy to the first sums and dy (x - mean) to the second.
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
            let distance = simd.sub(simd.load_first(x), simd.load(mean));
            simd.store(simd.add(simd.load(sum), dy), sum);
            simd.store(simd.fma(dy, distance, simd.load(product)), product);
        }
    }
}

/// dx = scale (dy - lift - (x - mean) slope) in every column.
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
            let distance = simd.sub(simd.load_first(x), simd.load(&mean[i]));
            let lifted = simd.sub(simd.load_first(dy), simd.load(&lift[i]));
            let expected = simd.mul(distance, simd.load(&slope[i]));
            simd.store_first(simd.mul(simd.load(&scale[i]), simd.sub(lifted, expected)), dx);
        }
    }
}
