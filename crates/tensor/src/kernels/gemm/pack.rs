//! Packing: copies the operands of a matrix product into the order in which its inner loop reads them.

use std::ops::Range;

use crate::simd::{LANES, Lanes, Simd};

use super::super::tile::ROWS;
use super::Matrix;

/// Floats of packed B, in panels of that many vectors.
pub fn b_len(k: usize, n: usize, panel: usize) -> usize {
    k * n.next_multiple_of(panel * LANES)
}

/// Floats of a panel of packed A: ROWS for each k. A whole vector is stored for each, so the last one needs more room.
pub fn a_panel_len(k: usize) -> usize {
    k * ROWS + (LANES - ROWS)
}

/// Floats of packed A.
pub fn a_len(m: usize, k: usize) -> usize {
    m.div_ceil(ROWS) * a_panel_len(k)
}

/// Packs panels of B, so many vectors of columns each, from column `col` on: for each k, the elements of a row. Columns
/// that B lacks are zero.
#[inline(always)]
pub fn pack_b<S: Simd>(simd: S, b: Matrix, col: usize, ks: Range<usize>, panel: usize, packed: &mut [f32]) {
    let (width, len) = (panel * LANES, ks.len() * panel * LANES);
    if b.col_stride == 1 {
        let columns = col..b.cols.min(col + packed.len() / ks.len());
        for (i, k) in ks.enumerate() {
            let ahead = (k + AHEAD) * b.row_stride;
            prefetch(simd, b.data.get(ahead + columns.start..ahead + columns.end).unwrap_or_default());
            let mut row = b.data[k * b.row_stride..][..b.cols][col..].chunks(LANES);
            for packed in packed.chunks_exact_mut(len) {
                for lanes in packed[i * width..][..width].as_chunks_mut().0 {
                    simd.store(simd.load_first(row.next().unwrap_or_default()), lanes);
                }
            }
        }
        return;
    }
    let columns = b.transposed();
    for (j, packed) in packed.chunks_exact_mut(len).enumerate() {
        for vector in 0..panel {
            let [from, to] = [vector, vector + 1].map(|vector| b.cols.min(col + j * width + vector * LANES));
            transpose_rows(
                simd,
                columns,
                from..to,
                ks.clone(),
                #[inline(always)]
                |k, column| {
                    let row = &mut packed[k * width + vector * LANES..];
                    *row.first_chunk_mut().expect("a row of whole vectors") = *column;
                },
            );
        }
    }
}

/// Packs rows of A in panels of ROWS: for each k, the elements of the panel's rows side by side. Either the rows or the
/// columns of A are contiguous. Rows that A lacks are arbitrary; nobody reads their products.
#[inline(always)]
pub fn pack_a<S: Simd>(simd: S, a: Matrix, rows: Range<usize>, ks: Range<usize>, packed: &mut [f32]) {
    let panel_len = a_panel_len(ks.len());
    // A vector is stored for each k. What of it is too much for a panel's row is overwritten by the next k's.
    if a.row_stride == 1 {
        for (i, k) in ks.enumerate() {
            let row = &a.data[k * a.col_stride..];
            let ahead = (k + AHEAD) * a.col_stride;
            prefetch(simd, a.data.get(ahead + rows.start..ahead + rows.end).unwrap_or_default());
            for (from, panel) in rows.clone().step_by(ROWS).zip(packed.chunks_exact_mut(panel_len)) {
                copy_lanes(&row[from..], panel[i * ROWS..].first_chunk_mut().expect("room for a vector"));
            }
        }
        return;
    }
    for (from, panel) in rows.clone().step_by(ROWS).zip(packed.chunks_exact_mut(panel_len)) {
        transpose_rows(
            simd,
            a,
            from..rows.end.min(from + ROWS),
            ks.clone(),
            #[inline(always)]
            |k, column| *panel[k * ROWS..].first_chunk_mut().expect("room for a vector") = *column,
        );
    }
}

/// Asks for the columns that a panel of B will be packed from, where they, and not the rows, are contiguous.
#[inline(always)]
pub fn prefetch_b<S: Simd>(simd: S, b: Matrix, columns: Range<usize>, ks: Range<usize>) {
    if b.row_stride == 1 {
        for column in columns {
            prefetch(simd, &b.data[column * b.col_stride..][ks.clone()]);
        }
    }
}

#[inline(always)]
fn prefetch<S: Simd>(simd: S, floats: &[f32]) {
    for lanes in floats.chunks(LANES) {
        simd.prefetch(lanes);
    }
}

/// Transposes at most sixteen rows of a row-major matrix: for each k, their elements side by side, and zeros where there
/// are fewer rows.
#[inline(always)]
fn transpose_rows<S: Simd>(
    simd: S,
    matrix: Matrix,
    rows: Range<usize>,
    ks: Range<usize>,
    mut put: impl FnMut(usize, &Lanes),
) {
    // Row after row into the first-level cache, so that memory is read in its order, and from there by columns.
    let mut squares = [[[0.0; LANES]; LANES]; SQUARES];
    for start in ks.clone().step_by(SQUARES * LANES) {
        let depth = (ks.end - start).min(SQUARES * LANES);
        for (r, row) in rows.clone().enumerate() {
            let row = &matrix.data[row * matrix.row_stride + start..][..depth];
            for (square, lanes) in squares.iter_mut().zip(row.chunks(LANES)) {
                simd.store(simd.load_first(lanes), &mut square[r]);
            }
        }
        for (square, k) in squares.iter().zip((0..depth).step_by(LANES)) {
            let columns = transpose_square(simd, square);
            for (i, column) in columns.iter().enumerate().take(depth - k) {
                put(start - ks.start + k + i, column);
            }
        }
    }
}

/// Rows of memory that are asked for before they are read.
const AHEAD: usize = 8;

/// Squares of 16 x 16 that are transposed together: 8 KB, a quarter of the first-level cache.
const SQUARES: usize = 8;

#[inline(always)]
fn transpose_square<S: Simd>(simd: S, square: &[Lanes; LANES]) -> [Lanes; LANES] {
    let mut rows = [simd.zero(); LANES];
    for i in 0..LANES {
        rows[i] = simd.load(&square[i]);
    }
    let transposed = simd.transpose(rows);
    let mut columns = [[0.0; LANES]; LANES];
    for i in 0..LANES {
        simd.store(transposed[i], &mut columns[i]);
    }
    columns
}

/// Copies up to sixteen floats; a whole vector at once where there is one.
#[inline(always)]
fn copy_lanes(source: &[f32], to: &mut Lanes) {
    match source.first_chunk() {
        Some(source) => *to = *source,
        None => to[..source.len()].copy_from_slice(source),
    }
}
