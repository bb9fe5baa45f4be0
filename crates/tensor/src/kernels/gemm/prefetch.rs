//! What a matrix product prefetches, so that memory accesses overlap with arithmetic.
//!
//! A tile of packed operands prefetches one cache line in each step of its inner loop. This makes the three products of
//! a dense layer 3 to 10 % faster, and the tall product of a convolution 8 %. A tile that reads rows in place
//! prefetches, every sixteen terms, one line of each row that comes next.

use std::ops::Range;

use crate::simd::LANES;

use super::super::tile::WIDE_ROWS;
use super::Matrix;
use super::panel::{self, Prefetch, Strided};

/// The next panel of B, from `column` and `k` on, if its columns are contiguous: during panel p of A, step i prefetches
/// terms 16 p to 16 p + 15 of column i.
#[inline(always)]
pub fn next_panel_of_b(registers: usize, b: Matrix<'_>, column: usize, k: usize) -> Prefetch<'_> {
    let columns = (panel::width(registers, true) * LANES).min(b.cols.saturating_sub(column));
    if b.row_stride > 1 || columns == 0 {
        return Prefetch::default();
    }
    let data = &b.data[column * b.col_stride..][..columns * b.col_stride];
    Prefetch { data: &data[k..], per_panel: LANES, per_step: b.col_stride }
}

/// The next block of A, from `row` and `k` on, if its columns are contiguous: in each panel, step i prefetches term i
/// of the panel's rows.
#[inline(always)]
pub fn next_block_of_a(registers: usize, a: Matrix<'_>, row: usize, k: usize) -> Prefetch<'_> {
    if a.row_stride > 1 || row >= a.rows {
        return Prefetch::default();
    }
    Prefetch { data: &a.data[k * a.col_stride + row..], per_panel: panel::rows(registers), per_step: a.col_stride }
}

/// The rows of A after those of a tile, if A is read in place.
#[inline(always)]
pub fn next_tile_of_a(a: Strided<'_>) -> Strided<'_> {
    Strided { data: a.data.get(WIDE_ROWS * a.stride..).unwrap_or_default(), ..a }
}

/// The rows of B after `ks`, as many as `ks` has, if B is read in place: one piece per row of A.
#[inline(always)]
pub fn next_rows_of_b(b: Matrix<'_>, ks: Range<usize>) -> Strided<'_> {
    let rows = &b.data[ks.end * b.row_stride..];
    Strided { data: &rows[..rows.len().min(ks.len() * b.row_stride)], stride: ks.len() }
}
