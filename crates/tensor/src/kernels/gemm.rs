//! The matrix product C = A B, in the three forms that dense layers need: A B, A' B and A B'.
//!
//! The loops are those of Goto and van de Geijn (2008), named after the BLIS papers: B is packed once into panels of
//! NR columns, then blocks of rows of C are computed in parallel, each packing KC columns of its rows of A at a time.
//! Packing makes every access of the inner loop sequential, and hides where the operands came from: a transposed
//! operand only changes the packing.
//!
//! A narrow result with a long K (a dense layer on a flattened image) is cut along K instead; the partial results are
//! added in order. Both cuts depend on the shapes alone.

use std::ops::Range;

use crate::simd::{LANES, Lanes, Simd, vectors};
use crate::threads;

use super::activation::add_to;
use super::tile::{Accumulators, Product, ROWS, cover, multiply_accumulate, take, to_memory};
use pack::{a_len, b_len, pack_a, pack_b};

mod pack;

/// Depth of a block: a panel of B, KC x 32 floats, stays in the first-level cache while rows of A pass by.
const KC: usize = 256;

/// Columns of B that are packed at once.
const NC: usize = 4096;

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
    // The choice, and so the order of the sums, must not depend on M: an example gives the same bits in any batch.
    if k >= 16 * KC && n <= 16 * LANES {
        for (block, c) in c.chunks_mut(MAX_ROWS_OF_PARTIALS * n).enumerate() {
            cut_along_k(simd, a.rows_from(block * MAX_ROWS_OF_PARTIALS, c.len() / n), b, c, epilogue);
        }
    } else {
        cut_along_m(simd, a, b, c, epilogue);
    }
}

/// For each NC columns of B, packed once: blocks of rows of C in parallel.
fn cut_along_m<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let panel = panel_vectors(a, n);
    // Enough blocks for many threads, but tall ones, since every block reads all of B.
    let mc = (m.div_ceil(16 * ROWS) * ROWS).clamp(ROWS, 4 * ROWS);
    threads::with_scratch(b_len(k, n.min(NC), panel), |packed_b| {
        for jc in (0..n).step_by(NC) {
            let columns = jc..n.min(jc + NC);
            let packed_b = &mut packed_b[..b_len(k, columns.len(), panel)];
            threads::for_chunks(packed_b, (k * panel * LANES).max(1), |j, packed| {
                simd.vectorize(
                    #[inline(always)]
                    || pack_b(b, jc + j * panel * LANES, 0..k, panel, packed),
                );
            });
            let packed_b = vectors(packed_b);
            threads::for_chunks(c, mc * n, |block, c| {
                let rows = block * mc..block * mc + c.len() / n;
                threads::with_scratch(a_len(rows.len(), KC.min(k)), |packed_a| {
                    let part = Part { a, rows, ks: 0..k, columns: columns.clone(), n };
                    simd.vectorize(
                        #[inline(always)]
                        || part.multiply(simd, packed_a, packed_b, c),
                    );
                });
            });
        }
    });
    if !matches!(epilogue, Epilogue::None) {
        threads::for_chunks(c, mc * n, |_, c| {
            simd.vectorize(
                #[inline(always)]
                || finish(simd, c, n, epilogue),
            );
        });
    }
}

/// Stretches of K in parallel, each giving a partial C; then their sum, in order.
fn cut_along_k<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let panel = panel_vectors(a, n);
    let depth = (3 * KC).min(k.div_ceil(16));
    threads::with_scratch(k.div_ceil(depth) * m * n, |partials| {
        threads::for_chunks(partials, m * n, |stretch, partial| {
            let ks = stretch * depth..k.min((stretch + 1) * depth);
            threads::with_scratch(b_len(ks.len(), n, panel), |packed_b| {
                threads::with_scratch(a_len(m, KC.min(ks.len())), |packed_a| {
                    let part = Part { a, rows: 0..m, ks: ks.clone(), columns: 0..n, n };
                    simd.vectorize(
                        #[inline(always)]
                        || {
                            let width = panel * LANES;
                            for (j, packed) in packed_b.chunks_exact_mut(ks.len() * width).enumerate() {
                                pack_b(b, j * width, ks.clone(), panel, packed);
                            }
                            part.multiply(simd, packed_a, vectors(packed_b), partial);
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
                    finish(simd, c, n, epilogue);
                },
            );
        });
    });
}

/// Vectors in a row of a panel of B: as many as the tiles of the product have, which read A in place or packed.
fn panel_vectors(a: Matrix, n: usize) -> usize {
    if a.col_stride == 1 && (n <= 8 * LANES || a.cols > KC) { IN_PLACE } else { PACKED_A }
}

/// A panel's vectors where A is read in place: few panels of B, or long rows, do not repay packing A.
const IN_PLACE: usize = 4;

/// A panel's vectors where A is packed.
const PACKED_A: usize = 2;

/// A block of C: some rows of A over some ks, times some columns of B.
struct Part<'a> {
    a: Matrix<'a>,
    rows: Range<usize>,
    ks: Range<usize>,
    columns: Range<usize>,
    /// Columns of C.
    n: usize,
}

impl Part<'_> {
    /// Overwrites the block, in `c`, which has its rows whole. A is packed, where it is, KC columns at a time.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, packed_a: &mut [f32], packed_b: &[Lanes], c: &mut [f32]) {
        let Self { a, rows, n, .. } = self;
        let depth = self.ks.len();
        if depth == 0 {
            c.fill(0.0);
        }
        for start in (0..depth).step_by(KC) {
            let ks = self.ks.start + start..self.ks.start + (start + KC).min(depth);
            let packed_a = &mut packed_a[..a_len(rows.len(), ks.len())];
            if panel_vectors(*a, *n) == IN_PLACE {
                for (j, b) in packed_b.chunks_exact(depth * IN_PLACE).enumerate() {
                    let b = b[start * IN_PLACE..][..ks.len() * IN_PLACE].as_chunks::<IN_PLACE>().0;
                    for row in (0..rows.len()).step_by(ROWS) {
                        let (c, [height, width]) = self.corner(c, row, j * IN_PLACE, IN_PLACE, start > 0);
                        let a_rows = &a.data[(rows.start + row) * a.row_stride + ks.start..];
                        cover(simd, height, width, &mut InPlace { a: a_rows, stride: a.row_stride, b, c });
                    }
                }
                continue;
            }
            pack_a(*a, rows.clone(), ks.clone(), packed_a);
            for (j, b) in packed_b.chunks_exact(depth * PACKED_A).enumerate() {
                let b = b[start * PACKED_A..][..ks.len() * PACKED_A].as_chunks::<PACKED_A>().0;
                for (panel, packed_a) in packed_a.chunks_exact(a_len(1, ks.len())).enumerate() {
                    let (c, [height, width]) = self.corner(c, panel * ROWS, j * PACKED_A, PACKED_A, start > 0);
                    cover(simd, height, width, &mut Packed { a: packed_a.as_chunks().0, b, c });
                }
            }
        }
    }

    /// Where a panel's product goes, and its rows and vectors.
    #[inline(always)]
    fn corner<'c>(
        &self,
        c: &'c mut [f32],
        row: usize,
        vector: usize,
        panel: usize,
        accumulate: bool,
    ) -> (Corner<'c>, [usize; 2]) {
        let width = (panel * LANES).min(self.columns.len() - vector * LANES);
        let corner = row * self.n + self.columns.start + vector * LANES;
        let size = [ROWS.min(self.rows.len() - row), width.div_ceil(LANES)];
        (Corner { c, corner, n: self.n, width, accumulate }, size)
    }
}

/// A panel of packed A times a panel of B.
struct Packed<'a, const W: usize> {
    a: &'a [[f32; ROWS]],
    b: &'a [[Lanes; W]],
    c: Corner<'a>,
}

/// Rows of A where they lie, times a panel of B.
struct InPlace<'a, const W: usize> {
    a: &'a [f32],
    stride: usize,
    b: &'a [[Lanes; W]],
    c: Corner<'a>,
}

/// Where in C a panel's product goes.
struct Corner<'a> {
    c: &'a mut [f32],
    corner: usize,
    n: usize,
    /// Columns of C that the panel has.
    width: usize,
    accumulate: bool,
}

impl<S: Simd, const W: usize> Product<S> for Packed<'_, W> {
    const WIDE: bool = false;

    #[inline(always)]
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        for (a, b) in self.a.iter().zip(self.b) {
            multiply_accumulate(simd, &mut acc, |r| a[row + r], take(b, vector));
        }
        self.c.store(simd, acc, row, vector);
    }
}

impl<S: Simd, const W: usize> Product<S> for InPlace<'_, W> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        let depth = self.b.len();
        let rows: [&[f32]; R] = std::array::from_fn(|r| &self.a[(row + r) * self.stride..][..depth]);
        for (k, b) in self.b.iter().enumerate().take(depth) {
            multiply_accumulate(simd, &mut acc, |r| rows[r][k], take(b, vector));
        }
        self.c.store(simd, acc, row, vector);
    }
}

impl Corner<'_> {
    #[inline(always)]
    fn store<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        acc: Accumulators<S, R, V>,
        row: usize,
        vector: usize,
    ) {
        let from = vector * LANES;
        let width = self.width.min(from + V * LANES) - from;
        for (r, sums) in to_memory(simd, acc).iter().enumerate() {
            let c = &mut self.c[self.corner + (row + r) * self.n + from..][..width];
            for (sum, c) in sums.iter().zip(c.chunks_mut(LANES)) {
                let sum = simd.load(sum);
                simd.store_first(if self.accumulate { simd.add(simd.load_first(c), sum) } else { sum }, c);
            }
        }
    }
}

/// Applies the epilogue to rows of C, while they are in the cache.
#[inline(always)]
fn finish<S: Simd>(simd: S, c: &mut [f32], n: usize, epilogue: Epilogue) {
    let (bias, relu) = match epilogue {
        Epilogue::None => return,
        Epilogue::Bias(bias) => (bias, false),
        Epilogue::BiasRelu(bias) => (bias, true),
    };
    for row in c.chunks_exact_mut(n) {
        for (c, bias) in row.chunks_mut(LANES).zip(bias.chunks(LANES)) {
            let mut v = simd.add(simd.load_first(c), simd.load_first(bias));
            if relu {
                v = simd.max(simd.zero(), v);
            }
            simd.store_first(v, c);
        }
    }
}
