//! Packing: copies the operands of a matrix product into the order in which its inner loop reads them.

use std::ops::Range;

use crate::simd::LANES;

use super::super::tile::ROWS;
use super::Matrix;

/// Floats of packed B, in panels of that many vectors.
pub fn b_len(k: usize, n: usize, panel: usize) -> usize {
    k * n.next_multiple_of(panel * LANES)
}

/// Floats of packed A.
pub fn a_len(m: usize, k: usize) -> usize {
    k * m.next_multiple_of(ROWS)
}

/// Packs a panel of B, so many vectors of columns from `col` on: for each k, the elements of a row. Columns that B lacks
/// are zero.
#[inline(always)]
pub fn pack_b(b: Matrix, col: usize, ks: Range<usize>, panel: usize, packed: &mut [f32]) {
    let width = (panel * LANES).min(b.cols - col);
    if b.col_stride == 1 {
        for (row, k) in packed.chunks_exact_mut(panel * LANES).zip(ks) {
            let source = &b.data[k * b.row_stride + col..][..width];
            for (row, source) in row.as_chunks_mut::<LANES>().0.iter_mut().zip(source.chunks(LANES)) {
                copy_lanes(source, row);
            }
            row[width..].fill(0.0);
        }
        return;
    }
    packed.fill(0.0);
    for j in 0..width {
        let column = &b.data[(col + j) * b.col_stride + ks.start..][..ks.len()];
        for (row, &element) in packed.chunks_exact_mut(panel * LANES).zip(column) {
            row[j] = element;
        }
    }
}

/// Packs rows of A in panels of ROWS: for each k, the elements of the panel's rows side by side. Either the rows or the
/// columns of A are contiguous. Rows that A lacks are left as they are; nobody reads their products.
#[inline(always)]
pub fn pack_a(a: Matrix, rows: Range<usize>, ks: Range<usize>, packed: &mut [f32]) {
    for (panel, packed) in packed.chunks_exact_mut(a_len(1, ks.len())).enumerate() {
        let packed = packed.as_chunks_mut::<ROWS>().0;
        let row = rows.start + panel * ROWS;
        let height = ROWS.min(rows.end - row);
        if a.row_stride == 1 {
            for (packed, k) in packed.iter_mut().zip(ks.clone()) {
                let source = &a.data[k * a.col_stride + row..][..height];
                match source.first_chunk() {
                    Some(source) => *packed = *source,
                    None => packed[..height].copy_from_slice(source),
                }
            }
            continue;
        }
        for r in 0..height {
            let source = &a.data[(row + r) * a.row_stride + ks.start..][..ks.len()];
            for (packed, &element) in packed.iter_mut().zip(source) {
                packed[r] = element;
            }
        }
    }
}

/// Copies up to sixteen floats; a whole vector at once where there is one.
#[inline(always)]
fn copy_lanes(source: &[f32], to: &mut [f32; LANES]) {
    match source.first_chunk() {
        Some(source) => *to = *source,
        None => to[..source.len()].copy_from_slice(source),
    }
}
