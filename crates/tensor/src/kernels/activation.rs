//! ReLU and ReLU6, alone or fused into another kernel; sums of rows (the gradient of a bias) and of partial gradients.

use crate::simd::{LANES, Lanes, Simd, Vector};

/// What a kernel does to its results before it writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fused {
    /// Nothing.
    #[default]
    None,
    /// ReLU: max(x, 0).
    Relu,
    /// ReLU6: min(max(x, 0), 6).
    Relu6,
    /// ReLU, then the maximum of each 2 x 2 window. Only Winograd's convolution supports it.
    ReluPool,
}

impl Fused {
    /// The activation of a result if one is fused, else the result.
    #[inline(always)]
    pub fn apply<S: Simd>(self, simd: S, x: S::Vector) -> S::Vector {
        match self {
            Fused::None => x,
            Fused::Relu | Fused::ReluPool => simd.zero().max(x),
            Fused::Relu6 => simd.splat(6.0).min(simd.zero().max(x)),
        }
    }
}

/// y = the activation of x; NaN stays NaN, so that a broken network can be seen.
#[inline(always)]
pub fn activate<S: Simd>(simd: S, activation: Fused, x: &[f32], y: &mut [f32]) {
    for (x, y) in x.chunks(LANES).zip(y.chunks_mut(LANES)) {
        activation.apply(simd, simd.load_first(x)).store_first(y);
    }
}

/// Sets dy to zero, in place, where the slope of the activation is 0. Its output y shows where that is.
#[inline(always)]
pub fn activation_gradient<S: Simd>(simd: S, activation: Fused, y: &[f32], dy: &mut [f32]) {
    match activation {
        Fused::None => {}
        Fused::Relu | Fused::ReluPool => {
            for (y, dy) in y.chunks(LANES).zip(dy.chunks_mut(LANES)) {
                // y is loaded first: the other order takes 7 % more instructions with AVX2.
                let y = simd.load_first(y);
                simd.load_first(dy).where_gt(y, simd.zero()).store_first(dy);
            }
        }
        Fused::Relu6 => {
            for (y, dy) in y.chunks(LANES).zip(dy.chunks_mut(LANES)) {
                let y = simd.load_first(y);
                simd.load_first(dy).where_gt(y, simd.zero()).where_gt(simd.splat(6.0), y).store_first(dy);
            }
        }
    }
}

/// More rows than this are summed in parts, because rounding errors grow with the sum. If the pixels of eight uniform
/// images of 224 x 224 are added one after the other, the error reaches 4e-3 of the sum; in parts it stays below 2e-5.
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

/// Adds V vectors of every row, from column `first` on, to `sums`.
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
