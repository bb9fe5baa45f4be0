//! The matrix product C = A B, in the three forms that dense layers need: A B, A' B and A B'.
//!
//! The loops are those of Goto and van de Geijn (2008), named after the BLIS papers: B is packed once into panels of
//! NR columns, then blocks of rows of C are computed in parallel, each packing KC columns of its rows of A at a time.
//! Packing makes every access of the inner loop sequential, and hides where the operands came from: a transposed
//! operand only changes the packing.
//!
//! A narrow result with a long K (a dense layer on a flattened image) is cut along K instead; the partial results are
//! added in order. Both cuts depend on the shapes alone.

use crate::simd::{LANES, Lanes, Simd, vectors};
use crate::threads;

use super::tile::{Accumulators, Product, ROWS, VECTORS, cover, multiply_accumulate, take, to_memory};

/// Columns of a packed panel of B: the width of a register tile.
const NR: usize = VECTORS * LANES;

/// Depth of a block: KC x NR floats of B stay in the second-level cache while rows of A pass by.
const KC: usize = 256;

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
    if k >= 16 * KC && n <= 4 * NR {
        for (block, c) in c.chunks_mut(MAX_ROWS_OF_PARTIALS * n).enumerate() {
            cut_along_k(simd, a.rows_from(block * MAX_ROWS_OF_PARTIALS, c.len() / n), b, c, epilogue);
        }
    } else {
        cut_along_m(simd, a, b, c, epilogue);
    }
}

/// Blocks of rows of C in parallel, over one packed B.
fn cut_along_m<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    // Enough blocks for many threads, but tall ones, since every block reads all of B.
    let mc = (m.div_ceil(6 * ROWS) * ROWS).clamp(ROWS, 8 * ROWS);
    threads::with_scratch(packed_b_len(k, n), |packed_b| {
        threads::for_chunks(packed_b, (k * NR).max(1), |panel, packed| {
            simd.vectorize(
                #[inline(always)]
                || pack_b(b, panel * NR, 0..k, packed),
            );
        });
        let packed_b = vectors(packed_b);
        threads::for_chunks(c, mc * n, |block, c| {
            let rows = block * mc..block * mc + c.len() / n;
            threads::with_scratch(packed_a_len(rows.len(), KC.min(k)), |packed_a| {
                simd.vectorize(
                    #[inline(always)]
                    || {
                        row_block(simd, a, rows, 0..k, packed_a, packed_b, c, n);
                        finish(simd, c, n, epilogue);
                    },
                );
            });
        });
    });
}

/// Stretches of K in parallel, each giving a partial C; then their sum, in order.
fn cut_along_k<S: Simd>(simd: S, a: Matrix, b: Matrix, c: &mut [f32], epilogue: Epilogue) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let depth = (3 * KC).min(k.div_ceil(16));
    threads::with_scratch(k.div_ceil(depth) * m * n, |partials| {
        threads::for_chunks(partials, m * n, |stretch, partial| {
            let ks = stretch * depth..k.min((stretch + 1) * depth);
            threads::with_scratch(packed_b_len(ks.len(), n), |packed_b| {
                threads::with_scratch(packed_a_len(m, KC.min(ks.len())), |packed_a| {
                    simd.vectorize(
                        #[inline(always)]
                        || {
                            for (panel, packed) in packed_b.chunks_exact_mut(ks.len() * NR).enumerate() {
                                pack_b(b, panel * NR, ks.clone(), packed);
                            }
                            row_block(simd, a, 0..m, ks, packed_a, vectors(packed_b), partial, n);
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
                        for (c, &p) in c.iter_mut().zip(&partial[start..]) {
                            *c += p;
                        }
                    }
                    finish(simd, c, n, epilogue);
                },
            );
        });
    });
}

fn packed_b_len(k: usize, n: usize) -> usize {
    k * n.div_ceil(NR) * NR
}

fn packed_a_len(m: usize, k: usize) -> usize {
    k * m.div_ceil(ROWS) * ROWS
}

/// Packs NR columns of B from `col` on: for each k, the NR elements in a row. Columns that B lacks are zero.
#[inline(always)]
fn pack_b(b: Matrix, col: usize, ks: std::ops::Range<usize>, packed: &mut [f32]) {
    let width = NR.min(b.cols - col);
    if b.col_stride == 1 {
        for (row, k) in packed.chunks_exact_mut(NR).zip(ks) {
            let source = &b.data[k * b.row_stride + col..][..width];
            match (source.first_chunk::<NR>(), row.first_chunk_mut::<NR>()) {
                (Some(source), Some(row)) => *row = *source,
                _ => {
                    row[..width].copy_from_slice(source);
                    row[width..].fill(0.0);
                }
            }
        }
        return;
    }
    packed.fill(0.0);
    for j in 0..width {
        let column = b.data[(col + j) * b.col_stride..].iter().step_by(b.row_stride).skip(ks.start);
        for (row, &element) in packed.chunks_exact_mut(NR).zip(column) {
            row[j] = element;
        }
    }
}

/// Packs rows of A in panels of ROWS: for each k, the elements of the panel's rows side by side. Either the rows or the
/// columns of A are contiguous.
#[inline(always)]
fn pack_a(a: Matrix, rows: std::ops::Range<usize>, ks: std::ops::Range<usize>, packed: &mut [f32]) {
    for (panel, packed) in packed.chunks_exact_mut(ks.len() * ROWS).enumerate() {
        let row = rows.start + panel * ROWS;
        let height = ROWS.min(rows.end.saturating_sub(row));
        if a.row_stride == 1 {
            for (packed, k) in packed.as_chunks_mut::<ROWS>().0.iter_mut().zip(ks.clone()) {
                let source = &a.data[k * a.col_stride + row..][..height];
                match source.first_chunk() {
                    Some(source) => *packed = *source,
                    None => {
                        packed[..height].copy_from_slice(source);
                        packed[height..].fill(0.0);
                    }
                }
            }
            continue;
        }
        if height < ROWS {
            packed.fill(0.0);
        }
        for r in 0..height {
            let source = &a.data[(row + r) * a.row_stride + ks.start..][..ks.len()];
            for (packed, &element) in packed.as_chunks_mut::<ROWS>().0.iter_mut().zip(source) {
                packed[r] = element;
            }
        }
    }
}

/// Some rows of C = A B over some ks, with A packed KC columns at a time.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the operands of a product and where to pack them")]
fn row_block<S: Simd>(
    simd: S,
    a: Matrix,
    rows: std::ops::Range<usize>,
    ks: std::ops::Range<usize>,
    packed_a: &mut [f32],
    packed_b: &[Lanes],
    c: &mut [f32],
    n: usize,
) {
    let (depth, stride) = (ks.len(), a.row_stride);
    if depth == 0 {
        c.fill(0.0);
    }
    for start in (0..depth).step_by(KC) {
        let kc = KC.min(depth - start);
        let block = ks.start + start..ks.start + start + kc;
        // A few panels of B do not repay packing A.
        let in_place = a.col_stride == 1 && n <= 4 * NR;
        let packed_a = &mut packed_a[..packed_a_len(rows.len(), kc)];
        if !in_place {
            pack_a(a, rows.clone(), block.clone(), packed_a);
        }
        for (jr, b) in packed_b.chunks_exact(depth * VECTORS).enumerate() {
            let b = b[start * VECTORS..][..kc * VECTORS].as_chunks::<VECTORS>().0;
            let width = NR.min(n - jr * NR);
            for (panel, packed_a) in packed_a.chunks_exact(kc * ROWS).enumerate() {
                let row = panel * ROWS;
                let (rows_left, vectors) = (ROWS.min(rows.len() - row), width.div_ceil(LANES));
                let c = Corner { c, corner: row * n + jr * NR, n, width, accumulate: start > 0 };
                if in_place {
                    let a = &a.data[(rows.start + row) * a.row_stride + block.start..];
                    cover(simd, rows_left, vectors, &mut InPlace { a, stride, b, c });
                } else {
                    cover(simd, rows_left, vectors, &mut Packed { a: packed_a.as_chunks().0, b, c });
                }
            }
        }
    }
}

/// A panel of packed A times a panel of packed B.
struct Packed<'a> {
    a: &'a [[f32; ROWS]],
    b: &'a [[Lanes; VECTORS]],
    c: Corner<'a>,
}

/// Rows of A where they lie, times a panel of packed B.
struct InPlace<'a> {
    a: &'a [f32],
    stride: usize,
    b: &'a [[Lanes; VECTORS]],
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

impl<S: Simd> Product<S> for Packed<'_> {
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

impl<S: Simd> Product<S> for InPlace<'_> {
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
