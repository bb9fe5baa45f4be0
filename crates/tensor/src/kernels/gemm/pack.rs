//! Packing: copies operands to the order in which the innermost loop reads them.

use std::ops::Range;

use crate::simd::{LANES, Lanes, Simd, Vector};

use super::{Matrix, panel};

/// Prefetch distance in B, in floats.
const FLOATS_AHEAD: usize = 1024;

/// Prefetch distance in A, in terms.
const TERMS_AHEAD: usize = 16;

/// Floats of packed B: K x N in panels of `panel` vectors.
pub fn b_len(k: usize, n: usize, panel: usize) -> usize {
    k * n.next_multiple_of(panel * LANES)
}

/// The number of floats in a panel of packed A: for each k one vector, on one cache line, of which mr lanes are used.
pub fn a_panel_len(k: usize) -> usize {
    k * LANES
}

/// Floats of packed A.
pub fn a_len(registers: usize, m: usize, k: usize) -> usize {
    m.div_ceil(panel::rows(registers)) * a_panel_len(k)
}

/// Packs a panel of B, `panel` vectors of columns from column `col` on: for each k, the elements of a row. Columns past
/// the end of B are zero.
#[inline(always)]
pub fn pack_b<S: Simd>(simd: S, b: Matrix, col: usize, ks: Range<usize>, panel: usize, packed: &mut [f32]) {
    if b.col_stride == 1 {
        return pack_rows_of_b(simd, b, col, ks, panel, &mut [packed]);
    }
    let (columns, width) = (b.transposed(), panel * LANES);
    for vector in 0..panel {
        let [from, to] = [vector, vector + 1].map(|vector| b.cols.min(col + vector * LANES));
        transpose_rows(
            simd,
            columns,
            from..to,
            ks.clone(),
            #[inline(always)]
            |k, column| {
                let row = &mut packed[k * width + vector * LANES..];
                column.store(row.first_chunk_mut().expect("a row of whole vectors"));
            },
        );
    }
}

/// Packs panels of B side by side, if its rows are contiguous. Reading memory in longer pieces saves 1 % of the time of
/// a square product.
#[inline(always)]
pub fn pack_rows_of_b<S: Simd>(
    simd: S,
    b: Matrix,
    col: usize,
    ks: Range<usize>,
    panel: usize,
    panels: &mut [&mut [f32]],
) {
    let width = panel * LANES;
    let columns = col..b.cols.min(col + panels.len() * width);
    let rows_ahead = (FLOATS_AHEAD / columns.len().max(1)).max(1);
    for (i, k) in ks.enumerate() {
        let ahead = (k + rows_ahead) * b.row_stride;
        prefetch(simd, b.data.get(ahead + columns.start..ahead + columns.end).unwrap_or_default());
        let mut row = b.data[k * b.row_stride..][..b.cols][col..].chunks(LANES);
        for packed in &mut *panels {
            for lanes in packed[i * width..][..width].as_chunks_mut().0 {
                simd.load_first(row.next().unwrap_or_default()).store(lanes);
            }
        }
    }
}

/// Packs rows of A in panels of mr: for each k, the elements of the panel's rows side by side. The rows or the columns
/// of A are contiguous. Padding lanes are arbitrary, since their products are not stored.
#[inline(always)]
pub fn pack_a<S: Simd>(simd: S, a: Matrix, rows: Range<usize>, ks: Range<usize>, packed: &mut [f32]) {
    let (mr, panel_len) = (panel::rows(S::REGISTERS), a_panel_len(ks.len()));
    if a.row_stride == 1 {
        for (from, panel) in rows.step_by(mr).zip(packed.chunks_exact_mut(panel_len)) {
            for (k, to) in ks.clone().zip(panel.as_chunks_mut().0) {
                if let Some(ahead) = a.data.get((k + TERMS_AHEAD) * a.col_stride + from..) {
                    simd.prefetch(ahead);
                }
                copy_lanes(&a.data[k * a.col_stride + from..], to);
            }
        }
        return;
    }
    for (from, panel) in rows.clone().step_by(mr).zip(packed.chunks_exact_mut(panel_len)) {
        transpose_rows(
            simd,
            a,
            from..rows.end.min(from + mr),
            ks.clone(),
            #[inline(always)]
            |k, column| column.store(panel[k * LANES..].first_chunk_mut().expect("room for a vector")),
        );
    }
}

#[inline(always)]
fn prefetch<S: Simd>(simd: S, floats: &[f32]) {
    for lanes in floats.chunks(LANES) {
        simd.prefetch(lanes);
    }
}

/// Transposes at most sixteen rows of a row-major matrix: for each k, their elements side by side, then zeros.
#[inline(always)]
fn transpose_rows<S: Simd>(
    simd: S,
    matrix: Matrix,
    rows: Range<usize>,
    ks: Range<usize>,
    mut put: impl FnMut(usize, S::Vector),
) {
    for k in ks.clone().step_by(LANES) {
        let depth = LANES.min(ks.end - k);
        let row = |r: usize| &matrix.data[(rows.start + r) * matrix.row_stride + k..];
        let mut square = [simd.zero(); LANES];
        if depth == LANES && rows.len() == LANES {
            for r in 0..LANES {
                square[r] = simd.load(row(r).first_chunk().expect("a row of whole vectors"));
            }
        } else {
            // Through memory: a loop that branches is not unrolled, and then `square` is never in registers.
            let mut lanes = [[0.0; LANES]; LANES];
            for (r, lanes) in lanes.iter_mut().enumerate().take(rows.len()) {
                lanes[..depth].copy_from_slice(&row(r)[..depth]);
            }
            for r in 0..LANES {
                square[r] = simd.load(&lanes[r]);
            }
        }
        let columns = simd.transpose(square);
        if depth == LANES {
            for i in 0..LANES {
                put(k - ks.start + i, columns[i]);
            }
        } else {
            let mut lanes = [[0.0; LANES]; LANES];
            for i in 0..LANES {
                columns[i].store(&mut lanes[i]);
            }
            for (i, column) in lanes.iter().enumerate().take(depth) {
                put(k - ks.start + i, simd.load(column));
            }
        }
    }
}

/// Copies up to sixteen floats; sixteen as one vector.
#[inline(always)]
pub fn copy_lanes(source: &[f32], to: &mut Lanes) {
    match source.first_chunk() {
        Some(source) => *to = *source,
        None => to[..source.len()].copy_from_slice(source),
    }
}
