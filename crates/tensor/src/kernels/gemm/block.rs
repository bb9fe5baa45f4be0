//! A block of C: loops 4 and 2, and the choice between packed and in place.

use std::ops::Range;

use crate::simd::{LANES, Simd, vectors};

use super::super::tile::AVX512_REGISTERS;
use super::pack::{a_len, b_len, pack_a};
use super::panel::{self, Corner, Prefetch, RowMajor, Strided, multiply_and_pack, multiply_in_place, multiply_packed};
use super::prefetch;
use super::{KC, Matrix};

/// How the innermost loops read A and B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    /// Both are read in place: both have contiguous rows, and those of B are short and a whole number of vectors. Tiles
    /// are wide, as with AVX-512, or A has few rows, or B stays in the first-level cache.
    InPlace,
    /// A is read in place: its rows are contiguous, and either long or used by too few panels of B to be worth packing.
    PackedB,
    /// Both are packed, A before the first panel of B is multiplied.
    Packed,
    /// Both are packed, A while the first panel of B is multiplied: A has contiguous columns, and tiles of
    /// AVX-512 do enough arithmetic to hide that.
    PackedWhileMultiplying,
}

impl Operands {
    /// The choice for C = A B with the given number of vector registers. It makes no difference to the sums.
    pub fn of(registers: usize, a: Matrix, b: Matrix) -> Self {
        if a.col_stride == 1 && (b.cols <= 8 * LANES || a.cols > KC) {
            let short = b.cols <= 16 * LANES && b.cols.is_multiple_of(LANES);
            let wide_tiles = registers >= AVX512_REGISTERS;
            let little_gained = a.rows < ROWS_WORTH_PACKING || b.rows * b.cols <= SMALL_B;
            let in_place = b.col_stride == 1 && short && (wide_tiles || little_gained);
            if in_place { Self::InPlace } else { Self::PackedB }
        } else if registers >= AVX512_REGISTERS && a.row_stride == 1 {
            Self::PackedWhileMultiplying
        } else {
            Self::Packed
        }
    }

    /// Whether A is packed.
    pub fn packs_a(self) -> bool {
        matches!(self, Self::Packed | Self::PackedWhileMultiplying)
    }

    /// Vectors in a row of a panel of B, nr / 16.
    pub fn panel(self, registers: usize) -> usize {
        panel::width(registers, self.packs_a())
    }

    /// The number of floats that these columns of B take in panels; 0 if B is read in place.
    pub fn b_len(self, registers: usize, k: usize, columns: usize) -> usize {
        if self == Self::InPlace { 0 } else { b_len(k, columns, self.panel(registers)) }
    }
}

/// If tiles are one vector wide, multiplying by packed B takes a third less time. With fewer rows of A than this,
/// packing B costs more than that.
const ROWS_WORTH_PACKING: usize = 48;

/// A B of at most this many floats (16 KiB) stays in the first-level cache and is not worth packing.
const SMALL_B: usize = 1 << 12;

/// Loop 4: cuts ks into the fewest pieces of at most [`KC`] terms, nearly equal.
#[inline(always)]
pub fn terms(ks: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let depth = ks.len().div_ceil(ks.len().div_ceil(KC).max(1)).max(1);
    ks.clone().step_by(depth).map(move |k| k..ks.end.min(k + depth))
}

/// A block of C: rows of A times columns of B, over some terms.
pub struct Block<'a> {
    pub a: Matrix<'a>,
    pub b: Matrix<'a>,
    pub operands: Operands,
    pub rows: Range<usize>,
    pub ks: Range<usize>,
    pub columns: Range<usize>,
    /// The columns in panels, if B is packed.
    pub packed_b: &'a [f32],
}

impl Block<'_> {
    /// Overwrites the block in `c`, the whole rows of C. `packed_a` has room for kc terms of A.
    #[inline(always)]
    pub fn multiply<S: Simd>(&self, simd: S, packed_a: &mut [f32], c: &mut [f32]) {
        let Self { a, b, operands, .. } = *self;
        let (rows, columns) = (&self.rows, &self.columns);
        let [m, depth] = [&self.rows, &self.ks].map(|range| range.len());
        let nr = operands.panel(S::REGISTERS) * LANES;
        if depth == 0 {
            c.fill(0.0);
        }
        // Loop 4
        for ks in terms(self.ks.clone()) {
            let rest_of_a = &a.data[rows.start * a.row_stride + ks.start * a.col_stride..];
            let [rows_of_a, columns_of_a] =
                [a.row_stride, a.col_stride].map(|stride| Strided { data: rest_of_a, stride });
            let packed_a = &mut packed_a[..a_len(S::REGISTERS, m, ks.len())];
            if operands == Operands::Packed {
                pack_a(simd, a, rows.clone(), ks.clone(), packed_a);
            }
            // Loop 2
            for (j, column) in columns.clone().step_by(nr).enumerate() {
                let (width, accumulate) = (columns.end - column, ks.start > self.ks.start);
                let mut rows_of_c = RowMajor { data: c, columns: b.cols };
                let corner = Corner { c: &mut rows_of_c, row: 0, column, width, accumulate };
                let rows_of_b = if operands == Operands::InPlace {
                    Strided { data: &b.data[ks.start * b.row_stride + column..], stride: b.row_stride }
                } else {
                    let start = j * depth + ks.start - self.ks.start;
                    Strided { data: &self.packed_b[start * nr..][..ks.len() * nr], stride: nr }
                };
                // While the first panel of B is multiplied, A comes from memory; during the second, there is time to
                // prefetch the next block.
                match operands {
                    Operands::InPlace | Operands::PackedB => {
                        let next = match j {
                            0 => prefetch::next_tile_of_a(rows_of_a),
                            1 if operands == Operands::InPlace => prefetch::next_rows_of_b(b, ks.clone()),
                            _ => Strided::default(),
                        };
                        multiply_in_place(simd, [m, ks.len()], rows_of_a, rows_of_b, next, corner);
                    }
                    Operands::PackedWhileMultiplying if const { S::REGISTERS >= AVX512_REGISTERS } && j == 0 => {
                        multiply_and_pack(simd, m, columns_of_a, packed_a, vectors(rows_of_b.data), corner);
                    }
                    Operands::Packed | Operands::PackedWhileMultiplying => {
                        let next = match j {
                            1 if ks.end < self.ks.end => prefetch::next_block_of_a(S::REGISTERS, a, rows.start, ks.end),
                            1 => prefetch::next_block_of_a(S::REGISTERS, a, rows.end, self.ks.start),
                            _ => Prefetch::default(),
                        };
                        multiply_packed(simd, m, packed_a, vectors(rows_of_b.data), next, corner);
                    }
                }
            }
        }
    }
}
