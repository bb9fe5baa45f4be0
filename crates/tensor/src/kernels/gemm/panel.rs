//! A panel of B, kc terms of some columns, times rows of A: loop 1, over the register tiles of a panel of C.

use crate::simd::{LANES, Lanes, Simd, Vector};

use super::super::tile::{
    AVX512_REGISTERS, Accumulators, Product, ROWS, WIDE_ROWS, cover, multiply_accumulate, take, to_memory, widest,
};
use super::pack::{a_panel_len, copy_lanes};

/// nr / 16: the width of the tiles in use (tall ones if A is packed, else wide ones), so that what a tile reads of a
/// panel of B is contiguous. With AVX2 and panels of four vectors, a tall product reached 81 GFLOP/s instead of 89.
pub const fn width(registers: usize, a_is_packed: bool) -> usize {
    if a_is_packed && registers >= AVX512_REGISTERS { 2 } else { widest(registers) }
}

/// Rows of a panel of packed A: one tile of 14 rows or two of six.
pub const fn rows(registers: usize) -> usize {
    if registers >= AVX512_REGISTERS { ROWS } else { 2 * WIDE_ROWS }
}

/// Rows of floats that start `stride` apart.
#[derive(Clone, Copy, Default)]
pub struct Strided<'a> {
    pub data: &'a [f32],
    pub stride: usize,
}

/// What to prefetch: memory that will be packed later.
#[derive(Clone, Copy, Default)]
pub struct Prefetch<'a> {
    pub data: &'a [f32],
    /// The distance in floats between the first prefetches of one panel of A and of the next.
    pub per_panel: usize,
    /// The distance in floats between the prefetches of one step and of the next.
    pub per_step: usize,
}

/// M rows of packed A times a panel of B.
#[inline(always)]
pub fn multiply_packed<S: Simd, C: Rows + ?Sized>(
    simd: S,
    m: usize,
    packed_a: &[f32],
    b: &[Lanes],
    next: Prefetch,
    c: Corner<'_, C>,
) {
    let (mr, nr) = (rows(S::REGISTERS), width(S::REGISTERS, true));
    let vectors = c.vectors(nr);
    // Loop 1
    for (panel, a) in packed_a.chunks_exact(a_panel_len(b.len() / nr)).enumerate() {
        let row = panel * mr;
        let c = Corner { c: &mut *c.c, row, ..c };
        let (rows, a) = (mr.min(m - row), a.as_chunks().0);
        match next.data.get(panel * next.per_panel..) {
            Some(data) if !data.is_empty() => {
                cover(simd, rows, vectors, &mut Packed::<C, true> { a, b, next: Prefetch { data, ..next }, c });
            }
            _ => cover(simd, rows, vectors, &mut Packed::<C, false> { a, b, next, c }),
        }
    }
}

/// M rows of A, whose contiguous columns are `a.stride` apart, times a panel of B. Packs A at the same time: the
/// multiplications hide the cost.
#[inline(always)]
pub fn multiply_and_pack<S: Simd, C: Rows + ?Sized>(
    simd: S,
    m: usize,
    a: Strided<'_>,
    packed_a: &mut [f32],
    b: &[Lanes],
    c: Corner<'_, C>,
) {
    let (mr, nr) = (rows(S::REGISTERS), width(S::REGISTERS, true));
    let vectors = c.vectors(nr);
    // Loop 1
    for (panel, packed) in packed_a.chunks_exact_mut(a_panel_len(b.len() / nr)).enumerate() {
        let row = panel * mr;
        let c = Corner { c: &mut *c.c, row, ..c };
        let a = Strided { data: &a.data[row..], ..a };
        let packed = packed.as_chunks_mut().0;
        cover(simd, mr.min(m - row), vectors, &mut Packing { a, packed, b, c });
    }
}

/// M rows of A in place times a panel of B, packed or in place; both have `depth` terms.
///
/// | argument | rows | floats of a row that are read |
/// |---|---|---|
/// | `a` | m | depth |
/// | `b` | depth | the panel's, from the first |
/// | `next` | up to m | depth: prefetched while that row of A is multiplied |
#[inline(always)]
pub fn multiply_in_place<S: Simd, C: Rows + ?Sized>(
    simd: S,
    [m, depth]: [usize; 2],
    a: Strided<'_>,
    b: Strided<'_>,
    next: Strided<'_>,
    c: Corner<'_, C>,
) {
    let vectors = c.vectors(width(S::REGISTERS, false));
    // Loop 1 is inside `cover`.
    cover(simd, m, vectors, &mut InPlace { a, b, next, depth, c });
}

/// A panel of packed A times a panel of B. `PREFETCH` is known at compile time: a branch at run time would cost small
/// tiles more than the prefetch does.
struct Packed<'a, C: ?Sized, const PREFETCH: bool> {
    a: &'a [Lanes],
    b: &'a [Lanes],
    next: Prefetch<'a>,
    c: Corner<'a, C>,
}

/// A panel's rows of A, whose columns are contiguous, times a panel of B; and the panel of packed A to fill.
struct Packing<'a, C: ?Sized> {
    a: Strided<'a>,
    packed: &'a mut [Lanes],
    b: &'a [Lanes],
    c: Corner<'a, C>,
}

/// Rows of A in place times rows of B.
struct InPlace<'a, C: ?Sized> {
    a: Strided<'a>,
    b: Strided<'a>,
    next: Strided<'a>,
    depth: usize,
    c: Corner<'a, C>,
}

/// Where in C a panel's product goes.
pub struct Corner<'a, C: ?Sized> {
    pub c: &'a mut C,
    pub row: usize,
    pub column: usize,
    /// The number of columns from there to the end of the block.
    pub width: usize,
    /// Whether to add to C instead of overwriting it.
    pub accumulate: bool,
}

/// Rows of C, whole or a strip of them.
pub trait Rows {
    /// A row from a column on.
    fn from(&mut self, row: usize, column: usize) -> &mut [f32];
}

/// Whole rows.
pub struct RowMajor<'a> {
    pub data: &'a mut [f32],
    pub columns: usize,
}

impl Rows for RowMajor<'_> {
    #[inline(always)]
    fn from(&mut self, row: usize, column: usize) -> &mut [f32] {
        &mut self.data[row * self.columns + column..]
    }
}

impl Rows for [&mut [f32]] {
    #[inline(always)]
    fn from(&mut self, row: usize, column: usize) -> &mut [f32] {
        &mut self[row][column..]
    }
}

impl<S: Simd, C: Rows + ?Sized, const PREFETCH: bool> Product<S> for Packed<'_, C, PREFETCH> {
    const WIDE: bool = false;

    #[inline(always)]
    fn tile<const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, NV> = [[simd.zero(); NV]; R];
        let nr = width(S::REGISTERS, true);
        // Checked once, not in every step.
        assert!(row + R <= LANES && vector + NV <= nr);
        self.c.prefetch::<S, R, NV>(simd, row, vector);
        for (step, (a, b)) in self.a.iter().zip(self.b.chunks_exact(nr)).enumerate() {
            if PREFETCH && let Some(line) = self.next.data.get(step * self.next.per_step..) {
                simd.prefetch(line);
            }
            multiply_accumulate(simd, &mut acc, |r| a[row + r], take(b, vector));
        }
        self.c.store(simd, acc, row, vector);
    }
}

impl<S: Simd, C: Rows + ?Sized> Product<S> for Packing<'_, C> {
    const WIDE: bool = false;

    #[inline(always)]
    fn tile<const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, NV> = [[simd.zero(); NV]; R];
        let nr = width(S::REGISTERS, true);
        self.c.prefetch::<S, R, NV>(simd, row, vector);
        let first = [row, vector] == [0, 0];
        for (k, (packed, b)) in self.packed.iter_mut().zip(self.b.chunks_exact(nr)).enumerate() {
            let column = &self.a.data[k * self.a.stride..];
            let mut lanes = &*packed;
            if first {
                // The last element of the next panel; the others are on the same cache line or on this panel's.
                if let Some(next) = column.get(2 * ROWS - 1..) {
                    simd.prefetch(next);
                }
                copy_lanes(column, packed);
                lanes = column.first_chunk().unwrap_or(packed);
            }
            multiply_accumulate(simd, &mut acc, |r| lanes[row + r], take(b, vector));
        }
        self.c.store(simd, acc, row, vector);
    }
}

impl<S: Simd, C: Rows + ?Sized> Product<S> for InPlace<'_, C> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, NV> = [[simd.zero(); NV]; R];
        self.c.prefetch::<S, R, NV>(simd, row, vector);
        let Self { a, b, next, .. } = *self;
        let rows: [&[f32]; R] = std::array::from_fn(|r| &a.data[(row + r) * a.stride..][..self.depth]);
        let b = |k: usize| take(b.data[k * b.stride..].as_chunks().0, vector);
        let whole = self.depth / LANES * LANES;
        for start in (0..whole).step_by(LANES) {
            let [first, last] = [row, row + R - 1].map(|row| row * next.stride + start);
            if let Some(rows) = next.data.get(first..=last) {
                for r in 0..R {
                    simd.prefetch(&rows[r * next.stride..]);
                }
            }
            let rows: [&Lanes; R] = rows.map(|row| row[start..].first_chunk().expect("as deep as B"));
            for k in 0..LANES {
                multiply_accumulate(simd, &mut acc, |r| rows[r][k], b(start + k));
            }
        }
        for k in whole..self.depth {
            multiply_accumulate(simd, &mut acc, |r| rows[r][k], b(k));
        }
        self.c.store(simd, acc, row, vector);
    }
}

impl<C: Rows + ?Sized> Corner<'_, C> {
    /// Vectors per row of the product with a panel of B that is `panel` vectors wide.
    #[inline(always)]
    fn vectors(&self, panel: usize) -> usize {
        self.width.min(panel * LANES).div_ceil(LANES)
    }

    #[inline(always)]
    fn prefetch<S: Simd, const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize) {
        for r in 0..R {
            let c = self.c.from(self.row + row + r, self.column + vector * LANES);
            for lanes in c.chunks(LANES).take(NV) {
                simd.prefetch(lanes);
            }
        }
    }

    #[inline(always)]
    fn store<S: Simd, const R: usize, const NV: usize>(
        &mut self,
        simd: S,
        acc: Accumulators<S, R, NV>,
        row: usize,
        vector: usize,
    ) {
        let from = vector * LANES;
        let width = self.width.min(from + NV * LANES) - from;
        if width == NV * LANES {
            // Straight from the registers.
            for r in 0..R {
                let c = self.c.from(self.row + row + r, self.column + from);
                let c: &mut [Lanes; NV] = c.as_chunks_mut().0.first_chunk_mut().expect("whole vectors");
                for v in 0..NV {
                    let sum = acc[r][v];
                    (if self.accumulate { simd.load(&c[v]) + sum } else { sum }).store(&mut c[v]);
                }
            }
            return;
        }
        for (r, sums) in to_memory::<S, R, NV>(acc).iter().enumerate() {
            let c = &mut self.c.from(self.row + row + r, self.column + from)[..width];
            for (sum, c) in sums.iter().zip(c.chunks_mut(LANES)) {
                let sum = simd.load(sum);
                (if self.accumulate { simd.load_first(c) + sum } else { sum }).store_first(c);
            }
        }
    }
}
