//! A panel of B, some columns of it, times rows of A: the loops inside the blocks.

use crate::simd::{LANES, Lanes, Simd};

use super::super::tile::{Accumulators, Product, ROWS, cover, multiply_accumulate, take, to_memory};
use super::pack::a_panel_len;

/// A panel's vectors where A is read in place: few panels of B do not repay packing A.
pub const IN_PLACE: usize = 4;

/// A panel's vectors where A is packed.
pub const PACKED_A: usize = 2;

/// M rows of packed A times a panel of B; `c` says where the product goes.
#[inline(always)]
pub fn multiply_packed<S: Simd, C: Rows + ?Sized>(simd: S, m: usize, packed_a: &[f32], b: &[Lanes], c: Corner<'_, C>) {
    let b = b.as_chunks().0;
    let vectors = c.width.min(PACKED_A * LANES).div_ceil(LANES);
    for (panel, a) in packed_a.chunks_exact(a_panel_len(b.len())).enumerate() {
        let row = panel * ROWS;
        let c = Corner { c: &mut *c.c, row, ..c };
        cover(simd, ROWS.min(m - row), vectors, &mut Packed { a: a.as_chunks().0, b, c });
    }
}

/// M rows of A where they lie, in a matrix with that row stride, times a panel of B.
#[inline(always)]
pub fn multiply_in_place<S: Simd, C: Rows + ?Sized>(
    simd: S,
    m: usize,
    (a, stride): (&[f32], usize),
    b: &[Lanes],
    c: Corner<'_, C>,
) {
    let b = b.as_chunks().0;
    let vectors = c.width.min(IN_PLACE * LANES).div_ceil(LANES);
    cover(simd, m, vectors, &mut InPlace { a, stride, b, c });
}

/// A panel of packed A times a panel of B.
struct Packed<'a, C: ?Sized> {
    a: &'a [[f32; ROWS]],
    b: &'a [[Lanes; PACKED_A]],
    c: Corner<'a, C>,
}

/// Rows of A where they lie, times a panel of B.
struct InPlace<'a, C: ?Sized> {
    a: &'a [f32],
    stride: usize,
    b: &'a [[Lanes; IN_PLACE]],
    c: Corner<'a, C>,
}

/// Where in C a panel's product goes.
pub struct Corner<'a, C: ?Sized> {
    pub c: &'a mut C,
    pub row: usize,
    pub column: usize,
    /// Columns from there to the end of what is computed.
    pub width: usize,
    /// Whether the product is added to what is there.
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

impl<S: Simd, C: Rows + ?Sized> Product<S> for Packed<'_, C> {
    const WIDE: bool = false;

    #[inline(always)]
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        self.c.prefetch::<S, R, V>(simd, row, vector);
        for (a, b) in self.a.iter().zip(self.b) {
            multiply_accumulate(simd, &mut acc, |r| a[row + r], take(b, vector));
        }
        self.c.store(simd, acc, row, vector);
    }
}

impl<S: Simd, C: Rows + ?Sized> Product<S> for InPlace<'_, C> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        self.c.prefetch::<S, R, V>(simd, row, vector);
        let depth = self.b.len();
        let rows: [&[f32]; R] = std::array::from_fn(|r| &self.a[(row + r) * self.stride..][..depth]);
        for (k, b) in self.b.iter().enumerate().take(depth) {
            multiply_accumulate(simd, &mut acc, |r| rows[r][k], take(b, vector));
        }
        self.c.store(simd, acc, row, vector);
    }
}

impl<C: Rows + ?Sized> Corner<'_, C> {
    #[inline(always)]
    fn prefetch<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        for r in 0..R {
            let c = self.c.from(self.row + row + r, self.column + vector * LANES);
            for lanes in c.chunks(LANES).take(V) {
                simd.prefetch(lanes);
            }
        }
    }

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
            let c = &mut self.c.from(self.row + row + r, self.column + from)[..width];
            for (sum, c) in sums.iter().zip(c.chunks_mut(LANES)) {
                let sum = simd.load(sum);
                simd.store_first(if self.accumulate { simd.add(simd.load_first(c), sum) } else { sum }, c);
            }
        }
    }
}
