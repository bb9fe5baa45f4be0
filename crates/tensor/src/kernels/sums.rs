//! Sums of rows (the gradient of a bias, a mean over pixels) and of whole slices (partial gradients, a residual).

use crate::simd::{LANES, Lanes, Simd, Vector};

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
