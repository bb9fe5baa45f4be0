//! The matrix product C = A B, in the three forms that dense layers need: A B, A' B and A B'.
//!
//! Goto and van de Geijn (2008) put five loops around a register tile, so that each operand stays in the cache that
//! suits it. The loops are numbered as in BLIS (Van Zee and van de Geijn 2015):
//!
//! | loop | cuts | into pieces of | so that |
//! |---|---|---|---|
//! | 5 | columns of C | nc, by `nc` | columns of B are packed once for all threads, to memory or the last-level cache |
//! | 4 | terms of the sums | kc <= `KC` | a panel of B, kc x nr, fits in the second-level cache |
//! | 3 | rows of C | mc, by `block_rows` | a block of A, mc x kc, fits there as well; each block is a task |
//! | 2 | columns of B | nr, a panel | the panel stays there for all rows of the block |
//! | 1 | rows of A | mr = 14, 12 or 6 | C, mr x nr, is one or several tiles in registers: [`tile`](super::tile) |
//!
//! Loop 3 is outside loop 4: a task completes its rows of C, so threads write to nothing that they share. The enum
//! `Operands` says which operand is packed, and when. Packing makes every access of the innermost loop sequential, and
//! hides whether an operand is transposed.
//!
//! Two shapes give loop 3 too few tasks. A wide C with few rows (a dense layer's input gradient) is cut along N
//! instead, and each strip packs its own columns of B. A narrow C with long sums (a dense layer on a flattened image)
//! is cut along K, and the partial results are added in order. No cut depends on the number of threads.

use crate::simd::{LANES, Level, Simd, Vector, vectors};
use crate::threads::{self, STRIP_ROWS};
use crate::{dispatch, vectorize};

use super::activation::Fused;
use super::sums::add_to;
use block::{Block, Operands, terms};
use pack::{a_len, b_len, pack_a, pack_b, pack_rows_of_b};
use panel::{Corner, multiply_packed};

mod block;
mod pack;
mod panel;
mod prefetch;

/// kc, chosen so that a panel of B of 64 columns is 200 KiB, a fifth of a second-level cache of 1 MiB.
const KC: usize = 800;

/// mc x kc in floats: 256 KiB of A, a quarter of a second-level cache of 1 MiB.
const BLOCK_OF_A: usize = 1 << 16;

/// Columns of a strip of a wide C.
const STRIP: usize = 8 * LANES;

/// The shortest sum that is cut along K.
const LONG_K: usize = 4096;

/// The maximum number of rows of C that have partial results at the same time, if C is cut along K.
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

    /// A matrix without elements, for [`scratch_lens`].
    pub fn outline(rows: usize, cols: usize) -> Self {
        Self { data: &[], rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transposed matrix; no element moves.
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
    /// Adds a bias to each column, then applies a fused activation. A matrix has no pool: [`Fused::ReluPool`] counts as
    /// ReLU.
    Bias(&'a [f32], Fused),
}

/// C = A B, then the epilogue. A is M x K, B is K x N, C is M x N and row-major. Parallel, with the same bits for any
/// number of threads; a row of C has the same bits whatever rows are computed with it.
///
/// # Panics
/// If the shapes do not fit each other, or the CPU lacks the level.
///
/// ```
/// use thawline_tensor::{kernels::gemm::{Epilogue, Matrix, gemm}, simd::Level};
///
/// let (a, b) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
/// let mut c = [0.0; 4];
/// gemm(Level::current(), Matrix::new(&a, 2, 2), Matrix::new(&b, 2, 2), &mut c, Epilogue::None);
/// assert_eq!(c, [19.0, 22.0, 43.0, 50.0]);
/// ```
pub fn gemm(level: Level, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(k, b.rows, "the product of {m} x {k} and {} x {n} matrices", b.rows);
    assert_eq!(c.len(), m * n, "a product of {m} x {n} was given {} elements", c.len());
    if let Epilogue::Bias(bias, _) = epilogue {
        assert_eq!(bias.len(), n, "{n} columns were given {} biases", bias.len());
    }
    if !c.is_empty() {
        dispatch!(level, simd => multiply(simd, a, b, c, epilogue));
    }
}

/// The dimension along which a product is cut into tasks.
enum Cut {
    M,
    N,
    K,
}

impl Cut {
    /// The choice by shape. The order of a sum must not depend on M: an example gives the same bits in any batch.
    fn of(m: usize, n: usize, k: usize) -> Self {
        if k >= LONG_K && n <= 16 * LANES {
            Cut::K
        } else if m <= STRIP_ROWS && n >= 16 * STRIP && k > 0 {
            Cut::N
        } else {
            Cut::M
        }
    }
}

#[inline(always)]
fn multiply<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    match Cut::of(m, n, k) {
        Cut::M => cut_along_m(simd, a, b, c, epilogue),
        Cut::N => cut_along_n(simd, a, b, c, epilogue),
        Cut::K => {
            for (block, c) in c.chunks_mut(MAX_ROWS_OF_PARTIALS * n).enumerate() {
                cut_along_k(simd, a.rows_from(block * MAX_ROWS_OF_PARTIALS, c.len() / n), b, c, epilogue);
            }
        }
    }
}

/// Floats of scratch that a product needs: on the calling thread, and on each working thread.
pub fn scratch_lens(a: Matrix, b: Matrix) -> [usize; 2] {
    dispatch!(simd => scratch_lens_at(simd, a, b))
}

#[inline(always)]
fn scratch_lens_at<S: Simd>(_: S, a: Matrix, b: Matrix) -> [usize; 2] {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let a_len = |m, k| a_len(S::REGISTERS, m, k);
    let operands = Operands::of(S::REGISTERS, a, b);
    match Cut::of(m, n, k) {
        Cut::M => {
            let mc = block_rows(S::REGISTERS, m, k, operands);
            [operands.b_len(S::REGISTERS, k, n.min(nc(S::REGISTERS))), a_len(mc, KC.min(k))]
        }
        Cut::N => [terms(0..k).count() * a_len(m, KC.min(k)), b_len(KC.min(k), 1, panel::width(S::REGISTERS, true))],
        Cut::K => {
            let (m, depth) = (m.min(MAX_ROWS_OF_PARTIALS), stretch_depth(k));
            [k.div_ceil(depth) * m * n, operands.b_len(S::REGISTERS, depth, n) + a_len(m, KC.min(depth))]
        }
    }
}

/// Computes blocks of rows of C in parallel.
fn cut_along_m<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let operands = Operands::of(S::REGISTERS, a, b);
    let (mc, nc) = (block_rows(S::REGISTERS, m, k, operands), nc(S::REGISTERS));
    threads::with_scratch(operands.b_len(S::REGISTERS, k, n.min(nc)), |packed_b| {
        // Loop 5
        for jc in (0..n).step_by(nc) {
            let columns = jc..n.min(jc + nc);
            let packed_b = &mut packed_b[..operands.b_len(S::REGISTERS, k, columns.len())];
            if operands != Operands::InPlace {
                pack_in_parallel(simd, b, jc, operands.panel(S::REGISTERS), packed_b);
            }
            // Loop 3
            threads::for_chunks(c, mc * n, |ic, c| {
                let rows = ic * mc..ic * mc + c.len() / n;
                threads::with_scratch(a_len(S::REGISTERS, rows.len(), KC.min(k)), |packed_a| {
                    let block = Block { a, b, operands, rows, ks: 0..k, columns: columns.clone(), packed_b };
                    vectorize!(simd => block.multiply(simd, packed_a, c));
                });
            });
        }
    });
    if !matches!(epilogue, Epilogue::None) {
        threads::for_chunks(c, mc * n, |_, c| vectorize!(simd => finish_rows(simd, c, n, epilogue)));
    }
}

/// Packs panels of B from a column on. A task packs rows or columns, whichever are contiguous.
fn pack_in_parallel<S: Simd>(simd: S, b: Matrix, col: usize, panel: usize, packed: &mut [f32]) {
    let (k, nr) = (b.rows, panel * LANES);
    if packed.is_empty() {
        return;
    }
    if b.col_stride == 1 {
        threads::for_strips(packed, k * nr, k.div_ceil(16) * nr, |start, panels| {
            let ks = start / nr..(start + panels[0].len()) / nr;
            vectorize!(simd => pack_rows_of_b(simd, b, col, ks, panel, panels));
        });
    } else {
        threads::for_chunks(packed, k * nr, |j, packed| {
            vectorize!(simd => pack_b(simd, b, col + j * nr, 0..k, panel, packed));
        });
    }
}

/// nc, the width of as many of the narrower panels as [`threads::for_strips`] can pack side by side.
fn nc(registers: usize) -> usize {
    STRIP_ROWS * panel::width(registers, true) * LANES
}

/// mc. If A is packed, its packed copy and the next block are in the cache as well, so a block takes half the space.
/// More than eight blocks are rounded up to a multiple of sixteen, so that the threads end together.
fn block_rows(registers: usize, m: usize, k: usize, operands: Operands) -> usize {
    let mr = panel::rows(registers);
    let floats = if operands.packs_a() { BLOCK_OF_A / 2 } else { BLOCK_OF_A };
    let most = (floats / k.clamp(1, KC)).next_multiple_of(mr);
    let blocks = m.div_ceil(most).max(m.div_ceil(4 * mr).min(16));
    m.div_ceil(if blocks > 8 { blocks.next_multiple_of(16) } else { blocks })
}

/// Computes strips of the columns of a wide C in parallel. All of A is packed first; a strip packs one panel of B at a
/// time.
fn cut_along_n<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let (block, width) = (a_len(S::REGISTERS, m, KC.min(k)), panel::width(S::REGISTERS, true));
    threads::with_scratch(terms(0..k).count() * block, |packed_a| {
        for (ks, packed) in terms(0..k).zip(packed_a.chunks_exact_mut(block)) {
            vectorize!(simd => pack_a(simd, a, 0..m, ks, packed));
        }
        // Loop 5; loop 3 has a single block.
        threads::for_strips(c, n, STRIP, |column, rows| {
            threads::with_scratch(b_len(KC.min(k), 1, width), |packed_b| {
                vectorize!(simd => {
                    // Loop 4
                    for (ks, packed_a) in terms(0..k).zip(packed_a.chunks_exact(block)) {
                        let packed_a = &packed_a[..a_len(S::REGISTERS, m, ks.len())];
                        let packed_b = &mut packed_b[..b_len(ks.len(), 1, width)];
                        // Loop 2
                        for j in (0..rows[0].len()).step_by(width * LANES) {
                            pack_b(simd, b, column + j, ks.clone(), width, packed_b);
                            let next = prefetch::next_panel_of_b(S::REGISTERS, b, column + j + width * LANES, ks.start);
                            let (width, accumulate) = (rows[0].len() - j, ks.start > 0);
                            let corner = Corner { c: rows, row: 0, column: j, width, accumulate };
                            multiply_packed(simd, m, packed_a, vectors(packed_b), next, corner);
                        }
                    }
                    for row in rows {
                        finish(simd, row, column, epilogue);
                    }
                });
            });
        });
    });
}

/// Multiplies stretches of K in parallel, each into a partial C, and adds these in order.
fn cut_along_k<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let operands = Operands::of(S::REGISTERS, a, b);
    let depth = stretch_depth(k);
    threads::with_scratch(k.div_ceil(depth) * m * n, |partials| {
        threads::for_chunks(partials, m * n, |stretch, partial| {
            let ks = stretch * depth..k.min((stretch + 1) * depth);
            threads::with_scratch(operands.b_len(S::REGISTERS, ks.len(), n), |packed_b| {
                threads::with_scratch(a_len(S::REGISTERS, m, KC.min(ks.len())), |packed_a| {
                    vectorize!(simd => {
                        let panel = operands.panel(S::REGISTERS);
                        for (j, packed) in packed_b.chunks_exact_mut(b_len(ks.len(), 1, panel)).enumerate() {
                            pack_b(simd, b, j * panel * LANES, ks.clone(), panel, packed);
                        }
                        let block = Block { a, b, operands, rows: 0..m, ks: ks.clone(), columns: 0..n, packed_b };
                        block.multiply(simd, packed_a, partial);
                    });
                });
            });
        });
        let rows_at_once = m.div_ceil(16);
        threads::for_chunks(c, rows_at_once * n, |block, c| {
            let start = block * rows_at_once * n;
            vectorize!(simd => {
                c.fill(0.0);
                for partial in partials.chunks_exact(m * n) {
                    add_to(simd, &partial[start..start + c.len()], c);
                }
                finish_rows(simd, c, n, epilogue);
            });
        });
    });
}

/// The number of terms in a stretch of K: at most 2 kc, and such that there are at least sixteen stretches.
fn stretch_depth(k: usize) -> usize {
    (2 * KC).min(k.div_ceil(16))
}

/// Applies the epilogue to whole rows of C.
#[inline(always)]
fn finish_rows<S: Simd>(simd: S, c: &mut [f32], n: usize, epilogue: Epilogue) {
    for row in c.chunks_exact_mut(n) {
        finish(simd, row, 0, epilogue);
    }
}

/// Applies the epilogue to a row of C, or to the piece of it that starts at a column.
#[inline(always)]
fn finish<S: Simd>(simd: S, row: &mut [f32], column: usize, epilogue: Epilogue) {
    let Epilogue::Bias(bias, fused) = epilogue else { return };
    for (c, bias) in row.chunks_mut(LANES).zip(bias[column..].chunks(LANES)) {
        fused.apply(simd, simd.load_first(c) + simd.load_first(bias)).store_first(c);
    }
}
