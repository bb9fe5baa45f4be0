//! The matrix product C = A B, in the three forms that dense layers need: A B, A' B and A B'.
//!
//! The loops are those of Goto and van de Geijn (2008): B is packed once into panels of some vectors of columns, then blocks
//! of rows of C are computed in parallel, KC terms of their sums at a time. Packing makes every access of the inner loop
//! sequential, and hides whether B lies transposed. A is read where it lies if its rows are long or few panels of B would
//! repay packing it, and then so is a B of few columns; else A is packed, too, block by block, and if it lies transposed
//! while the first panel is multiplied.
//!
//! A narrow result with a long K (a dense layer on a flattened image) is cut along K instead; the partial results are
//! added in order. Both cuts depend on the shapes alone.

use std::ops::Range;

use crate::simd::{LANES, Simd, vectors};
use crate::threads::{self, STRIP_ROWS};

use super::activation::add_to;
use super::tile::{ROWS, WIDE_ROWS};
use pack::{a_len, b_len, pack_a, pack_b, pack_rows_of_b};
use panel::{Ahead, Corner, IN_PLACE, PACKED_A, RowMajor, multiply_and_pack, multiply_in_place, multiply_packed};

mod pack;
mod panel;

/// The greatest depth of a block: a panel of B, 200 KB, stays in the second-level cache while rows of A pass by.
const KC: usize = 800;

/// Terms of a sum that is worth being cut, where C is narrow.
const LONG_K: usize = 4096;

/// Columns of B that are packed at once: as many of the narrower panels as [`threads::for_strips`] takes side by side.
const NC: usize = STRIP_ROWS * PACKED_A * LANES;

/// Floats of a block of A, before it is packed.
const BLOCK_OF_A: usize = 1 << 16;

/// Columns of a strip of a wide C.
const STRIP: usize = 4 * PACKED_A * LANES;

/// Rows of C whose partial results are kept at the same time, where C is cut along K.
const MAX_ROWS_OF_PARTIALS: usize = 512;

/// A view of a matrix, possibly transposed.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix.
    ///
    /// # Panics
    /// If `data` does not have rows x cols elements.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} x {cols} matrix was given {} elements", data.len());
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// A matrix without elements, to ask what a product would take.
    pub fn outline(rows: usize, cols: usize) -> Self {
        Self { data: &[], rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transposed matrix; nothing moves.
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    fn rows_from(self, row: usize, rows: usize) -> Self {
        Self { data: &self.data[row * self.row_stride..], rows, ..self }
    }
}

/// What happens to the elements of C once their sum is complete.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a> {
    /// Nothing.
    None,
    /// A bias for each column is added.
    Bias(&'a [f32]),
    /// A bias for each column is added, and what is negative becomes zero.
    BiasRelu(&'a [f32]),
}

/// C = A B, then the epilogue. C is row-major, M x N. Parallel, with the same bits for any number of threads.
///
/// # Panics
/// If the shapes do not fit each other.
pub fn gemm<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(k, b.rows, "the product of {m} x {k} and {} x {n} matrices", b.rows);
    assert_eq!(c.len(), m * n, "a product of {m} x {n} was given {} elements", c.len());
    if let Epilogue::Bias(bias) | Epilogue::BiasRelu(bias) = epilogue {
        assert_eq!(bias.len(), n, "{n} columns were given {} biases", bias.len());
    }
    if c.is_empty() {
        return;
    }
    // How sums are cut, and so their order, must not depend on M: an example gives the same bits in any batch.
    if k >= LONG_K && n <= 16 * LANES {
        for (block, c) in c.chunks_mut(MAX_ROWS_OF_PARTIALS * n).enumerate() {
            cut_along_k(simd, a.rows_from(block * MAX_ROWS_OF_PARTIALS, c.len() / n), b, c, epilogue);
        }
    } else if m <= STRIP_ROWS && n >= 16 * STRIP && k > 0 {
        cut_along_n(simd, a, b, c, epilogue);
    } else {
        cut_along_m(simd, a, b, c, epilogue);
    }
}

/// Floats of scratch that a product takes: of the thread that calls, and of each thread at work.
pub fn scratch_lens(a: Matrix, b: Matrix) -> [usize; 2] {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    if k >= LONG_K && n <= 16 * LANES {
        let (m, depth) = (m.min(MAX_ROWS_OF_PARTIALS), (2 * KC).min(k.div_ceil(16)));
        [k.div_ceil(depth) * m * n, room_for_b(a, b, depth, n) + a_len(m, KC.min(depth))]
    } else if m <= STRIP_ROWS && n >= 16 * STRIP {
        [blocks(0..k).count() * a_len(m, KC.min(k)), b_len(KC.min(k), 1, PACKED_A)]
    } else {
        let rows = block_rows(m, k, panel_vectors(a, n)).min(m);
        [room_for_b(a, b, k, n.min(NC)), a_len(rows, KC.min(k))]
    }
}

/// Blocks of rows of C in parallel, for each NC columns of B, which are packed once.
fn cut_along_m<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let panel = panel_vectors(a, n);
    let mc = block_rows(m, k, panel);
    threads::with_scratch(room_for_b(a, b, k, n.min(NC)), |packed_b| {
        for jc in (0..n).step_by(NC) {
            let columns = jc..n.min(jc + NC);
            let packed_b = &mut packed_b[..room_for_b(a, b, k, columns.len())];
            pack_in_parallel(simd, b, jc, panel, packed_b);
            threads::for_chunks(c, mc * n, |block, c| {
                let rows = block * mc..block * mc + c.len() / n;
                threads::with_scratch(a_len(rows.len(), KC.min(k)), |packed_a| {
                    let part = Part { a, b, rows, ks: 0..k, columns: columns.clone(), packed_b };
                    simd.vectorize(
                        #[inline(always)]
                        || part.multiply(simd, packed_a, c),
                    );
                });
            });
        }
    });
    if !matches!(epilogue, Epilogue::None) {
        threads::for_chunks(c, mc * n, |_, c| {
            simd.vectorize(
                #[inline(always)]
                || {
                    c.chunks_exact_mut(n).for_each(
                        #[inline(always)]
                        |row| finish(simd, row, 0, epilogue),
                    )
                },
            );
        });
    }
}

/// Fills the room for panels of B from a column on, if there is any. A task reads rows or columns, whichever lie in one piece.
fn pack_in_parallel<S: Simd>(simd: S, b: Matrix, col: usize, panel: usize, packed: &mut [f32]) {
    let (k, width) = (b.rows, panel * LANES);
    if packed.is_empty() {
        return;
    }
    if b.col_stride == 1 {
        threads::for_strips(packed, k * width, k.div_ceil(16) * width, |start, panels| {
            let ks = start / width..(start + panels[0].len()) / width;
            simd.vectorize(
                #[inline(always)]
                || pack_rows_of_b(simd, b, col, ks, panel, panels),
            );
        });
    } else {
        threads::for_chunks(packed, k * width, |j, packed| {
            simd.vectorize(
                #[inline(always)]
                || pack_b(simd, b, col + j * width, 0..k, panel, packed),
            );
        });
    }
}

/// Rows of C that a task computes: as many as a quarter of the second-level cache holds of A, or half of that where a packed
/// copy and the next block need room as well. Where enough blocks are left for many threads, their number is even, so that
/// two or more threads end together.
fn block_rows(m: usize, k: usize, panel: usize) -> usize {
    let floats = if panel == PACKED_A { BLOCK_OF_A / 2 } else { BLOCK_OF_A };
    let most = (floats / k.clamp(1, KC)).next_multiple_of(ROWS);
    let blocks = m.div_ceil(most).max(m.div_ceil(4 * ROWS).min(16));
    m.div_ceil(if blocks > 8 { blocks.next_multiple_of(16) } else { blocks })
}

/// A wide C with few rows: strips of its columns in parallel, each packing its own columns of B.
fn cut_along_n<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let block = a_len(m, KC.min(k));
    threads::with_scratch(blocks(0..k).count() * block, |packed_a| {
        for (ks, packed) in blocks(0..k).zip(packed_a.chunks_exact_mut(block)) {
            simd.vectorize(
                #[inline(always)]
                || pack_a(simd, a, 0..m, ks, packed),
            );
        }
        threads::for_strips(c, n, STRIP, |column, rows| {
            let width = rows[0].len();
            threads::with_scratch(b_len(KC.min(k), 1, PACKED_A), |packed_b| {
                simd.vectorize(
                    #[inline(always)]
                    || {
                        for (ks, packed_a) in blocks(0..k).zip(packed_a.chunks_exact(block)) {
                            let packed_a = &packed_a[..a_len(m, ks.len())];
                            for j in (0..width).step_by(PACKED_A * LANES) {
                                let packed_b = &mut packed_b[..b_len(ks.len(), 1, PACKED_A)];
                                pack_b(simd, b, column + j, ks.clone(), PACKED_A, packed_b);
                                let ahead = next_b(b, column + j + PACKED_A * LANES, ks.start);
                                let (width, accumulate) = (width - j, ks.start > 0);
                                let corner = Corner { c: rows, row: 0, column: j, width, accumulate };
                                multiply_packed(simd, m, packed_a, vectors(packed_b), ahead, corner);
                            }
                        }
                        rows.iter_mut().for_each(
                            #[inline(always)]
                            |row| finish(simd, row, column, epilogue),
                        );
                    },
                );
            });
        });
    });
}

/// Stretches of K in parallel, each giving a partial C; then their sum, in order.
fn cut_along_k<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let panel = panel_vectors(a, n);
    let depth = (2 * KC).min(k.div_ceil(16));
    threads::with_scratch(k.div_ceil(depth) * m * n, |partials| {
        threads::for_chunks(partials, m * n, |stretch, partial| {
            let ks = stretch * depth..k.min((stretch + 1) * depth);
            threads::with_scratch(room_for_b(a, b, ks.len(), n), |packed_b| {
                threads::with_scratch(a_len(m, KC.min(ks.len())), |packed_a| {
                    simd.vectorize(
                        #[inline(always)]
                        || {
                            for (j, packed) in packed_b.chunks_exact_mut(b_len(ks.len(), 1, panel)).enumerate() {
                                pack_b(simd, b, j * panel * LANES, ks.clone(), panel, packed);
                            }
                            let part = Part { a, b, rows: 0..m, ks: ks.clone(), columns: 0..n, packed_b };
                            part.multiply(simd, packed_a, partial);
                        },
                    );
                });
            });
        });
        let rows_at_once = m.div_ceil(16);
        threads::for_chunks(c, rows_at_once * n, |block, c| {
            let start = block * rows_at_once * n;
            simd.vectorize(
                #[inline(always)]
                || {
                    c.fill(0.0);
                    for partial in partials.chunks_exact(m * n) {
                        add_to(simd, &partial[start..start + c.len()], c);
                    }
                    c.chunks_exact_mut(n).for_each(
                        #[inline(always)]
                        |row| finish(simd, row, 0, epilogue),
                    );
                },
            );
        });
    });
}

/// Cuts ks into as few blocks of at most KC as possible, as equal as possible.
#[inline(always)]
fn blocks(ks: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let depth = ks.len().div_ceil(ks.len().div_ceil(KC).max(1)).max(1);
    ks.clone().step_by(depth).map(move |k| k..ks.end.min(k + depth))
}

/// Vectors in a row of a panel of B: as many as the tiles of the product have, which read A in place or packed.
fn panel_vectors(a: Matrix, n: usize) -> usize {
    if a.col_stride == 1 && (n <= 8 * LANES || a.cols > KC) { IN_PLACE } else { PACKED_A }
}

/// Floats of so many columns of B in panels. None where B is read where it lies, like A: its rows are contiguous, short and
/// whole vectors.
fn room_for_b(a: Matrix, b: Matrix, k: usize, columns: usize) -> usize {
    let panel = panel_vectors(a, b.cols);
    let short = b.cols <= 16 * LANES && b.cols.is_multiple_of(LANES);
    if panel == IN_PLACE && b.col_stride == 1 && short { 0 } else { b_len(k, columns, panel) }
}

/// What a panel of B from that column and k on is packed from, if columns are contiguous: step i of a tile asks for column
/// i, panel p of A for its p-th sixteen terms. Rows need no asking; the hardware sees where they lead.
#[inline(always)]
fn next_b(b: Matrix<'_>, column: usize, k: usize) -> Ahead<'_> {
    let columns = (PACKED_A * LANES).min(b.cols.saturating_sub(column));
    if b.row_stride > 1 || columns == 0 {
        return Ahead::default();
    }
    let data = &b.data[column * b.col_stride..][..columns * b.col_stride];
    Ahead { data: &data[k..], per_panel: LANES, per_step: b.col_stride }
}

/// What rows of A from that row and k on are packed from, if columns are contiguous: step i of a tile asks for the i-th term
/// of a panel's rows.
#[inline(always)]
fn next_a(a: Matrix<'_>, row: usize, k: usize) -> Ahead<'_> {
    if a.row_stride > 1 || row >= a.rows {
        return Ahead::default();
    }
    Ahead { data: &a.data[k * a.col_stride + row..], per_panel: ROWS, per_step: a.col_stride }
}

/// The rows that follow those in a B that is read where it lies, and as many, as one piece.
#[inline(always)]
fn next_rows(b: Matrix<'_>, ks: Range<usize>) -> &[f32] {
    let rows = &b.data[ks.end * b.row_stride..];
    &rows[..rows.len().min(ks.len() * b.row_stride)]
}

/// A block of C: some rows of A over some ks, times some columns of B.
struct Part<'a> {
    a: Matrix<'a>,
    b: Matrix<'a>,
    rows: Range<usize>,
    ks: Range<usize>,
    columns: Range<usize>,
    /// Those columns over those ks in panels, or nothing where B is read where it lies.
    packed_b: &'a [f32],
}

impl Part<'_> {
    /// Overwrites the block, in `c`, which has its rows whole. Where A is packed, it is so a block of ks at a time.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, packed_a: &mut [f32], c: &mut [f32]) {
        let Self { a, b, rows, columns, .. } = self;
        let [m, depth] = [&self.rows, &self.ks].map(|range| range.len());
        if depth == 0 {
            c.fill(0.0);
        }
        let panel = panel_vectors(*a, b.cols);
        let width = panel * LANES;
        let b_in_place = self.packed_b.is_empty();
        // A tile of few registers has no time to pack.
        let on_the_way = S::REGISTERS >= 32 && a.row_stride == 1;
        for ks in blocks(self.ks.clone()) {
            let a_here = &a.data[rows.start * a.row_stride + ks.start * a.col_stride..];
            let packed_a = &mut packed_a[..a_len(m, ks.len())];
            if panel == PACKED_A && !on_the_way {
                pack_a(simd, *a, rows.clone(), ks.clone(), packed_a);
            }
            for (j, column) in columns.clone().step_by(width).enumerate() {
                let (b_here, b_stride) = if b_in_place {
                    (&b.data[ks.start * b.row_stride + column..], b.row_stride)
                } else {
                    let k = j * depth + ks.start - self.ks.start;
                    (&self.packed_b[k * width..][..ks.len() * width], width)
                };
                let (width, accumulate) = (columns.end - column, ks.start > self.ks.start);
                let mut rows_of_c = RowMajor { data: c, columns: b.cols };
                let corner = Corner { c: &mut rows_of_c, row: 0, column, width, accumulate };
                // The first panel brings A from memory; the second one has time to ask for what is needed after this block.
                if panel == IN_PLACE {
                    let ahead = match j {
                        0 => (a_here.get(WIDE_ROWS * a.row_stride..).unwrap_or_default(), a.row_stride),
                        1 if b_in_place => (next_rows(*b, ks.clone()), ks.len()),
                        _ => Default::default(),
                    };
                    let sizes = [m, ks.len()];
                    multiply_in_place(simd, sizes, (a_here, a.row_stride), (b_here, b_stride), ahead, corner);
                } else if on_the_way && j == 0 {
                    multiply_and_pack(simd, m, (a_here, a.col_stride), packed_a, vectors(b_here), corner);
                } else {
                    let ahead = match j {
                        1 if ks.end < self.ks.end => next_a(*a, rows.start, ks.end),
                        1 => next_a(*a, rows.end, self.ks.start),
                        _ => Ahead::default(),
                    };
                    multiply_packed(simd, m, packed_a, vectors(b_here), ahead, corner);
                }
            }
        }
    }
}

/// Applies the epilogue to a row of C, or to the piece of it that begins at a column, while it is in the cache.
#[inline(always)]
fn finish<S: Simd>(simd: S, row: &mut [f32], column: usize, epilogue: Epilogue) {
    let (bias, relu) = match epilogue {
        Epilogue::None => return,
        Epilogue::Bias(bias) => (bias, false),
        Epilogue::BiasRelu(bias) => (bias, true),
    };
    for (c, bias) in row.chunks_mut(LANES).zip(bias[column..].chunks(LANES)) {
        let mut v = simd.add(simd.load_first(c), simd.load_first(bias));
        if relu {
            v = simd.max(simd.zero(), v);
        }
        simd.store_first(v, c);
    }
}
