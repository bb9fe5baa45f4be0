//! ReLU, alone or fused into another kernel; sums of rows (the gradient of a bias) and of partial gradients.

use crate::simd::{LANES, Lanes, Simd, Vector};

/// What a kernel does to its results before it writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fused {
    /// Nothing.
    #[default]
    None,
    /// ReLU.
    Relu,
    /// ReLU, then the maximum of each 2 x 2 window. Only Winograd's convolution supports it.
    ReluPool,
}

impl Fused {
    /// Fuses a ReLU unless something is fused already; returns whether it did.
    pub fn take_relu(&mut self) -> bool {
        let takes = *self == Fused::None;
        if takes {
            *self = Fused::Relu;
        }
        takes
    }

    /// ReLU of a result if it is fused, else the result.
    #[inline(always)]
    pub fn apply<S: Simd>(self, simd: S, x: S::Vector) -> S::Vector {
        if self == Fused::None { x } else { simd.zero().max(x) }
    }
}

/// y = max(x, 0); NaN stays NaN, so that a broken network can be seen.
#[inline(always)]
pub fn relu<S: Simd>(simd: S, x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
        simd.zero().max(simd.load_first(x)).store_first(y);
    }
}

/// dy where y > 0, else zero; in place. y is positive exactly where x was.
#[inline(always)]
pub fn relu_gradient<S: Simd>(simd: S, y: &[f32], dy: &mut [f32]) {
    for (y, dy) in y.chunks(LANES).zip(dy.chunks_mut(LANES)) {
        // y is loaded first: the other order takes 7 % more instructions with AVX2.
        let y = simd.load_first(y);
        simd.load_first(dy).where_gt(y, simd.zero()).store_first(dy);
    }
}

/// More rows than this are summed in parts. One after the other, rounding errors grow with the sum: over eight images of
/// 224 x 224 equal pixels to as much as 4e-3 of it; in parts they stay below 2e-5.
const PART: usize = 1024;

/// Adds every row of a matrix to `sums`, which is padded to whole vectors.
#[inline(always)]
pub fn add_rows<S: Simd>(simd: S, matrix: &[f32], columns: usize, sums: &mut [Lanes]) {
    let (fours, others) = sums[..columns.div_ceil(LANES)].as_chunks_mut::<4>();
    let first_other = fours.len() * 4 * LANES;
    for (index, sums) in fours.iter_mut().enumerate() {
        add_columns(simd, matrix, columns, index * 4 * LANES, sums);
    }
    for (index, sum) in others.iter_mut().enumerate() {
        add_columns(simd, matrix, columns, first_other + index * LANES, std::array::from_mut(sum));
    }
}

/// Adds the columns from `first` on of every row.
#[inline(always)]
fn add_columns<S: Simd, const V: usize>(simd: S, matrix: &[f32], columns: usize, first: usize, sums: &mut [Lanes; V]) {
    let last = columns.min(first + V * LANES);
    let in_parts = matrix.len() > PART * columns;
    for rows in matrix.chunks(PART * columns) {
        let before = sums.each_ref().map(|sum| simd.load(sum));
        let mut added = if in_parts { [simd.zero(); V] } else { before };
        for row in rows.chunks_exact(columns) {
            for (sum, row) in added.iter_mut().zip(row[first..last].chunks(LANES)) {
                *sum = *sum + simd.load_first(row);
            }
        }
        for ((sum, before), added) in sums.iter_mut().zip(before).zip(added) {
            (if in_parts { before + added } else { added }).store(sum);
        }
    }
}

/// Adds one slice to another of the same length.
#[inline(always)]
pub fn add_to<S: Simd>(simd: S, addend: &[f32], sum: &mut [f32]) {
    for (addend, sum) in addend.chunks(LANES).zip(sum.chunks_mut(LANES)) {
        (simd.load_first(sum) + simd.load_first(addend)).store_first(sum);
    }
}
