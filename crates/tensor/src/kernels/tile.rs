//! The one building block: C += A B on a tile of C that lives in registers.
//!
//! For each k, R scalars of A are broadcast and multiplied with V vectors of B: R x V fused multiply-adds, R + V loads.
//! Two shapes fill AVX-512's 32 registers and keep the multipliers busy. 14 x 2 passes B twice for 14 rows, which suits
//! rows packed side by side; 6 x 4 needs only six pointers where rows are read from where they lie. AVX2's registers hold
//! eight such vectors: six sums, one of B, and a scalar. Where the scalars and vectors come from is the whole difference
//! between the products of this crate: packed panels in a matrix product, the pixels themselves in an implicit convolution,
//! transformed tiles in Winograd's.

use crate::simd::{LANES, Lanes, Simd};

/// Rows of the tallest register tile.
pub const ROWS: usize = 14;

/// Rows of the widest register tile, and of AVX2's tallest.
pub const WIDE_ROWS: usize = 6;

/// Vectors in a row of the widest register tile.
pub const VECTORS: usize = 4;

/// A tile of accumulators: R rows of V vectors.
pub type Accumulators<S, const R: usize, const V: usize> = [[<S as Simd>::V; V]; R];

/// One k: `acc[r][v] += a(r) * b[v]`. Written so that the compiler unrolls it without fail: the accumulators then live
/// in registers. `a` only reads a scalar; `b` is the vectors of one row.
#[inline(always)]
pub fn multiply_accumulate<S: Simd, const R: usize, const V: usize>(
    simd: S,
    acc: &mut Accumulators<S, R, V>,
    a: impl Fn(usize) -> f32,
    b: &[Lanes; V],
) {
    let mut vectors = [simd.zero(); V];
    for v in 0..V {
        vectors[v] = simd.load(&b[v]);
    }
    for r in 0..R {
        let a = simd.splat(a(r));
        for v in 0..V {
            acc[r][v] = simd.fma(a, vectors[v], acc[r][v]);
        }
    }
}

/// Rows of accumulators that all begin with the same vectors.
#[inline(always)]
pub fn broadcast_rows<S: Simd, const R: usize, const V: usize>(simd: S, row: &[Lanes; V]) -> Accumulators<S, R, V> {
    let mut acc = [[simd.zero(); V]; R];
    for r in 0..R {
        for v in 0..V {
            acc[r][v] = simd.load(&row[v]);
        }
    }
    acc
}

/// The accumulators in memory. Whatever is asked about borders and edges is asked afterwards: a loop over accumulators with
/// questions in it is not unrolled, and then they never were in registers.
#[inline(always)]
pub fn to_memory<S: Simd, const R: usize, const V: usize>(simd: S, acc: Accumulators<S, R, V>) -> [[Lanes; V]; R] {
    let mut memory = [[[0.0; LANES]; V]; R];
    for r in 0..R {
        for v in 0..V {
            simd.store(acc[r][v], &mut memory[r][v]);
        }
    }
    memory
}

/// The V vectors of a row from one on.
///
/// # Panics
/// If the row has fewer.
#[inline(always)]
pub fn take<const V: usize>(row: &[Lanes], vector: usize) -> &[Lanes; V] {
    row[vector..].first_chunk().expect("a product covers no more than its result")
}

/// A product that can compute any tile of its result.
pub trait Product<S: Simd> {
    /// Whether wide tiles (6 x 4) suit it better than tall ones (14 x 2).
    const WIDE: bool;

    /// Computes the R rows from `row` on, and the V vectors from `vector` on.
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize);
}

/// Covers `rows` x `vectors` of a result with tiles that fit the level's registers. Each element is the same sum in
/// the same order whatever tile it falls in.
#[inline(always)]
pub fn cover<S: Simd, P: Product<S>>(simd: S, rows: usize, vectors: usize, product: &mut P) {
    let mut vector = 0;
    if const { S::REGISTERS >= 32 && P::WIDE } {
        while vector + 4 <= vectors {
            cover_column::<S, P, 4>(simd, rows, vector, product);
            vector += 4;
        }
    }
    if const { S::REGISTERS >= 32 && !P::WIDE } {
        while vector + 2 <= vectors {
            cover_column::<S, P, 2>(simd, rows, vector, product);
            vector += 2;
        }
    }
    while vector < vectors {
        cover_column::<S, P, 1>(simd, rows, vector, product);
        vector += 1;
    }
}

#[inline(always)]
fn cover_column<S: Simd, P: Product<S>, const V: usize>(simd: S, rows: usize, vector: usize, product: &mut P) {
    let mut row = 0;
    while row < rows {
        let left = rows - row;
        // As few tiles as possible, as equal as possible: 16 rows are 8 + 8, not 14 + 2.
        let height = |tallest: usize| left.div_ceil(left.div_ceil(tallest));
        row += if const { S::REGISTERS >= 32 && !P::WIDE } {
            match height(ROWS) {
                14.. => step::<S, 14, V>(simd, row, vector, product),
                10.. => step::<S, 10, V>(simd, row, vector, product),
                8.. => step::<S, 8, V>(simd, row, vector, product),
                7 => step::<S, 7, V>(simd, row, vector, product),
                5.. => step::<S, 5, V>(simd, row, vector, product),
                3.. => step::<S, 3, V>(simd, row, vector, product),
                2 => step::<S, 2, V>(simd, row, vector, product),
                _ => step::<S, 1, V>(simd, row, vector, product),
            }
        } else if const { S::REGISTERS >= 8 } {
            match height(WIDE_ROWS) {
                6.. => step::<S, 6, V>(simd, row, vector, product),
                4.. => step::<S, 4, V>(simd, row, vector, product),
                3 => step::<S, 3, V>(simd, row, vector, product),
                2 => step::<S, 2, V>(simd, row, vector, product),
                _ => step::<S, 1, V>(simd, row, vector, product),
            }
        } else {
            match left {
                2.. => step::<S, 2, V>(simd, row, vector, product),
                _ => step::<S, 1, V>(simd, row, vector, product),
            }
        };
    }
}

#[inline(always)]
fn step<S: Simd, const R: usize, const V: usize>(
    simd: S,
    row: usize,
    vector: usize,
    product: &mut impl Product<S>,
) -> usize {
    product.tile::<R, V>(simd, row, vector);
    R
}
