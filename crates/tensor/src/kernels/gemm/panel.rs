//! A panel of B, some columns of it, times rows of A: the loops inside the blocks.

use crate::simd::{LANES, Lanes, Simd};

use super::super::tile::{Accumulators, Product, ROWS, cover, multiply_accumulate, take, to_memory};
use super::pack::{a_panel_len, copy_lanes};

/// A panel's vectors where A is read in place: few panels of B do not repay packing A.
pub const IN_PLACE: usize = 4;

/// A panel's vectors where A is packed.
pub const PACKED_A: usize = 2;

/// M rows of packed A times a panel of B; `c` says where the product goes.
#[inline(always)]
pub fn multiply_packed<S: Simd, C: Rows + ?Sized>(
    simd: S,
    m: usize,
    packed_a: &[f32],
    b: &[Lanes],
    ahead: Ahead,
    c: Corner<'_, C>,
) {
    let b = b.as_chunks().0;
    let vectors = c.width.min(PACKED_A * LANES).div_ceil(LANES);
    for (panel, a) in packed_a.chunks_exact(a_panel_len(b.len())).enumerate() {
        let row = panel * ROWS;
        let c = Corner { c: &mut *c.c, row, ..c };
        let (rows, a) = (ROWS.min(m - row), a.as_chunks().0);
        match ahead.data.get(panel * ahead.per_panel..) {
            Some(data) if !data.is_empty() => {
                cover(simd, rows, vectors, &mut Packed::<C, true> { a, b, ahead: Ahead { data, ..ahead }, c });
            }
            _ => cover(simd, rows, vectors, &mut Packed::<C, false> { a, b, ahead, c }),
        }
    }
}

/// M rows of A, whose columns are contiguous and `stride` apart, times a panel of B. A is packed on the way, under cover of
/// the multiplications.
#[inline(always)]
pub fn multiply_and_pack<S: Simd, C: Rows + ?Sized>(
    simd: S,
    m: usize,
    (a, stride): (&[f32], usize),
    packed_a: &mut [f32],
    b: &[Lanes],
    c: Corner<'_, C>,
) {
    let b = b.as_chunks().0;
    let vectors = c.width.min(PACKED_A * LANES).div_ceil(LANES);
    for (panel, packed) in packed_a.chunks_exact_mut(a_panel_len(b.len())).enumerate() {
        let row = panel * ROWS;
        let c = Corner { c: &mut *c.c, row, ..c };
        let packed = packed.as_chunks_mut().0;
        cover(simd, ROWS.min(m - row), vectors, &mut Packing { a: &a[row..], stride, packed, b, c });
    }
}

/// M rows of A where they lie, to that depth, times a panel of B, packed or where it lies. A, B and what is read next, whose
/// row r is asked for while A's is multiplied, come with their row strides.
#[inline(always)]
pub fn multiply_in_place<S: Simd, C: Rows + ?Sized>(
    simd: S,
    [m, depth]: [usize; 2],
    a: (&[f32], usize),
    b: (&[f32], usize),
    ahead: (&[f32], usize),
    c: Corner<'_, C>,
) {
    let vectors = c.width.min(IN_PLACE * LANES).div_ceil(LANES);
    cover(simd, m, vectors, &mut InPlace { a, b, ahead, depth, c });
}

/// What will be packed later. Tiles ask for it while they are computed, a cache line in each step of their inner loop: memory
/// works while the multipliers do, and nobody waits for it.
#[derive(Clone, Copy, Default)]
pub struct Ahead<'a> {
    pub data: &'a [f32],
    /// Floats from what a panel of A asks for to what the next one does.
    pub per_panel: usize,
    /// Floats from what a step asks for to what the next one does.
    pub per_step: usize,
}

/// A panel of packed A times a panel of B. Whether there is anything ahead to ask for is known at compile time: a tile of
/// few registers would feel the question.
struct Packed<'a, C: ?Sized, const AHEAD: bool> {
    a: &'a [Lanes],
    b: &'a [[Lanes; PACKED_A]],
    ahead: Ahead<'a>,
    c: Corner<'a, C>,
}

/// Rows of A whose columns are contiguous, where they lie, times a panel of B; and a panel of packed A to fill.
struct Packing<'a, C: ?Sized> {
    a: &'a [f32],
    stride: usize,
    packed: &'a mut [Lanes],
    b: &'a [[Lanes; PACKED_A]],
    c: Corner<'a, C>,
}

/// Rows of A where they lie, times rows of B; each with its row stride.
struct InPlace<'a, C: ?Sized> {
    a: (&'a [f32], usize),
    b: (&'a [f32], usize),
    /// What is read next: while a row of A is multiplied, the row of that number here is asked for.
    ahead: (&'a [f32], usize),
    depth: usize,
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

impl<S: Simd, C: Rows + ?Sized, const AHEAD: bool> Product<S> for Packed<'_, C, AHEAD> {
    const WIDE: bool = false;

    #[inline(always)]
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        self.c.prefetch::<S, R, V>(simd, row, vector);
        for (step, (a, b)) in self.a.iter().zip(self.b).enumerate() {
            if AHEAD && let Some(line) = self.ahead.data.get(step * self.ahead.per_step..) {
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
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        self.c.prefetch::<S, R, V>(simd, row, vector);
        let first = [row, vector] == [0, 0];
        for (k, (packed, b)) in self.packed.iter_mut().zip(self.b).enumerate() {
            let column = &self.a[k * self.stride..];
            let mut lanes = &*packed;
            if first {
                // The last element of the next panel's; the others share its line or this one's.
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
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        self.c.prefetch::<S, R, V>(simd, row, vector);
        let ((a, a_stride), (b, b_stride), (ahead, ahead_stride)) = (self.a, self.b, self.ahead);
        let rows: [&[f32]; R] = std::array::from_fn(|r| &a[(row + r) * a_stride..][..self.depth]);
        let b = |k: usize| take(b[k * b_stride..].as_chunks().0, vector);
        let whole = self.depth / LANES * LANES;
        for start in (0..whole).step_by(LANES) {
            let [first, last] = [row, row + R - 1].map(|row| row * ahead_stride + start);
            if let Some(next) = ahead.get(first..=last) {
                for r in 0..R {
                    simd.prefetch(&next[r * ahead_stride..]);
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
        if width == V * LANES {
            // Straight from the registers.
            for r in 0..R {
                let c = self.c.from(self.row + row + r, self.column + from);
                let c: &mut [Lanes; V] = c.as_chunks_mut().0.first_chunk_mut().expect("whole vectors");
                for v in 0..V {
                    let sum = acc[r][v];
                    simd.store(if self.accumulate { simd.add(simd.load(&c[v]), sum) } else { sum }, &mut c[v]);
                }
            }
            return;
        }
        for (r, sums) in to_memory(simd, acc).iter().enumerate() {
            let c = &mut self.c.from(self.row + row + r, self.column + from)[..width];
            for (sum, c) in sums.iter().zip(c.chunks_mut(LANES)) {
                let sum = simd.load(sum);
                simd.store_first(if self.accumulate { simd.add(simd.load_first(c), sum) } else { sum }, c);
            }
        }
    }
}
