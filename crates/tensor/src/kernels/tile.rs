//! The one building block: C += A B on a tile of C that lives in registers.
//!
//! For each k, R scalars of A are broadcast and multiplied with V vectors of B: R x V fused multiply-adds, R + V loads.
//! With 7 x 4 accumulators AVX-512's 32 registers are full, and 28 multiply-adds need 11 loads: the multipliers never
//! wait. Where the scalars and vectors come from is the whole difference between the products of this crate: packed
//! panels in a matrix product, the pixels themselves in an implicit convolution, transformed tiles in Winograd's.

use crate::simd::Simd;

/// Rows of the largest register tile.
pub const ROWS: usize = 7;

/// Vectors in a row of the largest register tile.
pub const VECTORS: usize = 4;

/// A tile of accumulators: R rows of V vectors.
pub type Accumulators<S, const R: usize, const V: usize> = [[<S as Simd>::V; V]; R];

/// One k: `acc[r][v] += a[r] * b[v]`.
#[inline(always)]
pub fn multiply_accumulate<S: Simd, const R: usize, const V: usize>(
    simd: S,
    acc: &mut Accumulators<S, R, V>,
    a: [f32; R],
    b: [S::V; V],
) {
    for r in 0..R {
        let a = simd.splat(a[r]);
        for v in 0..V {
            acc[r][v] = simd.fma(a, b[v], acc[r][v]);
        }
    }
}

/// A product that can compute any tile of its result.
pub trait Product<S: Simd> {
    /// Computes the R rows from `row` on, and the V vectors from `vector` on.
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize);
}

/// Covers `rows` x `vectors` of a result with tiles that fit the level's registers. Each element is the same sum in
/// the same order whatever tile it falls in.
#[inline(always)]
pub fn cover<S: Simd>(simd: S, rows: usize, vectors: usize, product: &mut impl Product<S>) {
    let mut vector = 0;
    if S::REGISTERS >= 32 {
        while vector + VECTORS <= vectors {
            cover_column::<S, VECTORS>(simd, rows, vector, product);
            vector += VECTORS;
        }
    }
    while vector < vectors {
        cover_column::<S, 1>(simd, rows, vector, product);
        vector += 1;
    }
}

#[inline(always)]
fn cover_column<S: Simd, const V: usize>(simd: S, rows: usize, vector: usize, product: &mut impl Product<S>) {
    let tallest = match S::REGISTERS {
        32.. => ROWS,
        8.. => 4,
        _ => 2,
    };
    let mut row = 0;
    while row < rows {
        row += match (rows - row).min(tallest) {
            7 => step::<S, 7, V>(simd, row, vector, product),
            4..=6 => step::<S, 4, V>(simd, row, vector, product),
            3 => step::<S, 3, V>(simd, row, vector, product),
            2 => step::<S, 2, V>(simd, row, vector, product),
            _ => step::<S, 1, V>(simd, row, vector, product),
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
