//! The one building block: C += A B on a tile of C that lives in registers.
//!
//! For each k, it broadcasts R scalars of A and multiplies each with NV vectors of B. R + NV loads feed R x NV fused
//! multiply-adds.
//!
//! | tile | of 32 registers | suits |
//! |---|---|---|
//! | 14 x 2 vectors | 28 sums, 2 of B, a scalar | packed rows: two loads of B serve 14 rows |
//! | 6 x 4 vectors | 24 sums, 4 of B, a scalar | rows read in place: six pointers are enough |
//!
//! The registers of AVX2 and NEON hold eight vectors: six sums, one of B, a scalar. The products of this crate differ
//! only in where scalars and vectors come from: packed panels in a matrix product, pixels in place in an implicit
//! convolution, transformed tiles in Winograd's.

use crate::simd::{LANES, Lanes, Simd, Vector};

/// Rows of the tallest register tile.
pub const ROWS: usize = 14;

/// Rows of the widest register tile, and of the tallest on AVX2 and NEON.
pub const WIDE_ROWS: usize = 6;

/// The vectors that AVX-512's registers hold; those of other levels hold fewer.
pub const AVX512_REGISTERS: usize = 32;

/// Vectors in a row of the widest tile of 6 rows.
pub const fn widest(registers: usize) -> usize {
    if registers >= AVX512_REGISTERS { 4 } else { 1 }
}

/// The index of a vector in a matrix of `rows` rows of `vectors` vectors. The matrix is stored in strips of columns, as
/// wide as the widest tile, so that what a tile reads is contiguous: from rows of sixteen vectors, AVX2's tiles of an
/// implicit convolution reached 46 GFLOP/s instead of 96 (256 filters, Zen 3).
#[inline(always)]
pub fn place_in_strips<S: Simd>(_: S, [rows, vectors]: [usize; 2], row: usize, vector: usize) -> usize {
    let first = vector / widest(S::REGISTERS) * widest(S::REGISTERS);
    first * rows + row * widest(S::REGISTERS).min(vectors - first) + vector - first
}

/// A tile of accumulators: R rows of NV vectors.
pub type Accumulators<S, const R: usize, const NV: usize> = [[<S as Simd>::Vector; NV]; R];

/// Adds the products of one k: `acc[r][v] += a(r) * b[v]`. Plain loops of constant length are always unrolled, so the
/// accumulators stay in registers.
#[inline(always)]
pub fn multiply_accumulate<S: Simd, const R: usize, const NV: usize>(
    simd: S,
    acc: &mut Accumulators<S, R, NV>,
    a: impl Fn(usize) -> f32,
    b: &[Lanes; NV],
) {
    let mut vectors = [simd.zero(); NV];
    for v in 0..NV {
        vectors[v] = simd.load(&b[v]);
    }
    for r in 0..R {
        let a = simd.splat(a(r));
        for v in 0..NV {
            acc[r][v] = a.mul_add(vectors[v], acc[r][v]);
        }
    }
}

/// Accumulators that start with the same vectors in every row.
#[inline(always)]
pub fn broadcast_rows<S: Simd, const R: usize, const NV: usize>(simd: S, row: &[Lanes; NV]) -> Accumulators<S, R, NV> {
    let mut acc = [[simd.zero(); NV]; R];
    for r in 0..R {
        for v in 0..NV {
            acc[r][v] = simd.load(&row[v]);
        }
    }
    acc
}

/// Accumulators that start with sums in memory, whose rows are `stride` vectors apart.
#[inline(always)]
pub fn load_rows<S: Simd, const R: usize, const NV: usize>(
    simd: S,
    sums: &[Lanes],
    stride: usize,
) -> Accumulators<S, R, NV> {
    let mut acc = [[simd.zero(); NV]; R];
    for r in 0..R {
        for v in 0..NV {
            acc[r][v] = simd.load(&sums[r * stride + v]);
        }
    }
    acc
}

/// Writes accumulators to rows that are `stride` vectors apart.
#[inline(always)]
pub fn store_rows<S: Simd, const R: usize, const NV: usize>(
    acc: Accumulators<S, R, NV>,
    to: &mut [Lanes],
    stride: usize,
) {
    for r in 0..R {
        for v in 0..NV {
            acc[r][v].store(&mut to[r * stride + v]);
        }
    }
}

/// Copies the accumulators to memory, for results with edges. A loop over accumulators with a branch in it is not
/// unrolled, so they would never be in registers: three times slower. The branches come after this copy.
#[inline(always)]
pub fn to_memory<S: Simd, const R: usize, const NV: usize>(acc: Accumulators<S, R, NV>) -> [[Lanes; NV]; R] {
    let mut memory = [[[0.0; LANES]; NV]; R];
    for r in 0..R {
        for v in 0..NV {
            acc[r][v].store(&mut memory[r][v]);
        }
    }
    memory
}

/// The NV vectors of a row that start at the given one.
///
/// # Panics
/// If fewer than NV are left.
#[inline(always)]
pub fn take<const NV: usize>(row: &[Lanes], vector: usize) -> &[Lanes; NV] {
    row[vector..].first_chunk().expect("a product covers only its result")
}

/// A product that can compute any tile of its result.
pub trait Product<S: Simd> {
    /// Whether wide tiles (6 x 4) suit it better than tall ones (14 x 2).
    const WIDE: bool;

    /// Computes the R rows from `row` on, and the NV vectors from `vector` on.
    fn tile<const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize);
}

/// Covers `rows` x `vectors` of a result with tiles that fit the level's registers. Every element is the same sum in
/// the same order in any tile.
#[inline(always)]
pub fn cover<S: Simd, P: Product<S>>(simd: S, rows: usize, vectors: usize, product: &mut P) {
    let mut vector = 0;
    if const { S::REGISTERS >= AVX512_REGISTERS && P::WIDE } {
        while vector + 4 <= vectors {
            cover_column::<S, P, 4>(simd, rows, vector, product);
            vector += 4;
        }
    }
    if const { S::REGISTERS >= AVX512_REGISTERS && !P::WIDE } {
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
fn cover_column<S: Simd, P: Product<S>, const NV: usize>(simd: S, rows: usize, vector: usize, product: &mut P) {
    let mut row = 0;
    while row < rows {
        let left = rows - row;
        // The fewest tiles, of nearly equal height: 16 rows are 8 + 8, not 14 + 2.
        let height = |tallest: usize| left.div_ceil(left.div_ceil(tallest));
        row += if const { S::REGISTERS >= AVX512_REGISTERS && !P::WIDE } {
            match height(ROWS) {
                14.. => step::<S, 14, NV>(simd, row, vector, product),
                10.. => step::<S, 10, NV>(simd, row, vector, product),
                8.. => step::<S, 8, NV>(simd, row, vector, product),
                7 => step::<S, 7, NV>(simd, row, vector, product),
                5.. => step::<S, 5, NV>(simd, row, vector, product),
                3.. => step::<S, 3, NV>(simd, row, vector, product),
                2 => step::<S, 2, NV>(simd, row, vector, product),
                _ => step::<S, 1, NV>(simd, row, vector, product),
            }
        } else if const { S::REGISTERS >= 8 } {
            match height(WIDE_ROWS) {
                6.. => step::<S, 6, NV>(simd, row, vector, product),
                4.. => step::<S, 4, NV>(simd, row, vector, product),
                3 => step::<S, 3, NV>(simd, row, vector, product),
                2 => step::<S, 2, NV>(simd, row, vector, product),
                _ => step::<S, 1, NV>(simd, row, vector, product),
            }
        } else {
            match left {
                2.. => step::<S, 2, NV>(simd, row, vector, product),
                _ => step::<S, 1, NV>(simd, row, vector, product),
            }
        };
    }
}

#[inline(always)]
fn step<S: Simd, const R: usize, const NV: usize>(
    simd: S,
    row: usize,
    vector: usize,
    product: &mut impl Product<S>,
) -> usize {
    product.tile::<R, NV>(simd, row, vector);
    R
}
