//! ReLU, and sums: over rows, which is the gradient of every bias, and of partial gradients.

use crate::simd::{LANES, Lanes, Simd};

/// y = max(x, 0); NaN stays NaN, so that a broken network can be seen.
#[inline(always)]
pub fn relu<S: Simd>(simd: S, x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
        simd.store_first(simd.max(simd.zero(), simd.load_first(x)), y);
    }
}

/// dy where y > 0, else zero; in place. The output suffices: it is positive exactly where the input was.
#[inline(always)]
pub fn relu_gradient<S: Simd>(simd: S, y: &[f32], dy: &mut [f32]) {
    for (y, dy) in y.chunks(LANES).zip(dy.chunks_mut(LANES)) {
        simd.store_first(simd.keep_where_gt(simd.load_first(y), simd.zero(), simd.load_first(dy)), dy);
    }
}

/// Adds every row of a matrix to `sums`, whose last vector is filled up.
#[inline(always)]
pub fn add_rows<S: Simd>(simd: S, matrix: &[f32], columns: usize, sums: &mut [Lanes]) {
    for row in matrix.chunks_exact(columns) {
        for (sum, row) in sums.iter_mut().zip(row.chunks(LANES)) {
            simd.store(simd.add(simd.load(sum), simd.load_first(row)), sum);
        }
    }
}

/// Adds one slice to another of the same length.
#[inline(always)]
pub fn add_to<S: Simd>(simd: S, addend: &[f32], sum: &mut [f32]) {
    for (addend, sum) in addend.chunks(LANES).zip(sum.chunks_mut(LANES)) {
        simd.store_first(simd.add(simd.load_first(sum), simd.load_first(addend)), sum);
    }
}
