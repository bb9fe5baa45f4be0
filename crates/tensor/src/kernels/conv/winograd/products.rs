//! The matrix products of Winograd's method, one for each of the 36 positions.

use crate::simd::{LANES, Lanes, Simd};

use super::super::super::tile::{Accumulators, Product, cover, multiply_accumulate, take};
use super::Panel;
use super::tiles::Tiles;

impl Tiles {
    /// dU = V' dM at each position, added to `du` or in its place.
    #[inline(always)]
    pub fn correlate<S: Simd>(
        self,
        simd: S,
        v: &[Panel],
        dm: &[Panel],
        du: &mut [Lanes],
        [cb, fb]: [usize; 2],
        accumulate: bool,
    ) {
        let positions = du.chunks_exact_mut(cb * LANES * fb).zip(self.positions(v, cb)).zip(self.positions(dm, fb));
        for ((du, v), dm) in positions {
            for (block, du) in du.chunks_exact_mut(LANES * fb).enumerate() {
                cover(simd, LANES, fb, &mut Correlation { tiles: self, accumulate, v, block, blocks: cb, dm, du, fb });
            }
        }
    }

    /// The 36 matrix products.
    #[inline(always)]
    pub fn multiply<S: Simd>(self, simd: S, v: &[Panel], u: &[Lanes], m: &mut [Panel], [left, right]: [usize; 2]) {
        let u = u.chunks_exact(left * LANES * right);
        for ((v, u), m) in self.positions(v, left).zip(u).zip(self.positions_mut(m, right)) {
            for (panel, (a, out)) in v.chunks_exact(left).zip(m.chunks_exact_mut(right)).enumerate() {
                cover(simd, self.height(panel), right, &mut PanelProduct { a, u, out });
            }
        }
    }
}

/// V' dM of some panels at one position, for sixteen channels of the input.
struct Correlation<'a> {
    tiles: Tiles,
    accumulate: bool,
    v: &'a [Panel],
    block: usize,
    blocks: usize,
    dm: &'a [Panel],
    du: &'a mut [Lanes],
    fb: usize,
}

impl<S: Simd> Product<S> for Correlation<'_> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let fb = self.fb;
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        if self.accumulate {
            for r in 0..R {
                for v in 0..V {
                    acc[r][v] = simd.load(&self.du[(row + r) * fb + vector + v]);
                }
            }
        }
        for (panel, (v, dm)) in self.v.chunks_exact(self.blocks).zip(self.dm.chunks_exact(fb)).enumerate() {
            let (v, dm) = (&v[self.block], &dm[vector..vector + V]);
            for tile in 0..self.tiles.height(panel) {
                let mut b = [[0.0; LANES]; V];
                for v in 0..V {
                    b[v] = dm[v][tile];
                }
                multiply_accumulate(simd, &mut acc, |r| v[tile][row + r], &b);
            }
        }
        for r in 0..R {
            for v in 0..V {
                simd.store(acc[r][v], &mut self.du[(row + r) * fb + vector + v]);
            }
        }
    }
}

/// One panel at one position, times the transformed kernel there.
struct PanelProduct<'a> {
    a: &'a [Panel],
    u: &'a [Lanes],
    out: &'a mut [Panel],
}

impl<S: Simd> Product<S> for PanelProduct<'_> {
    const WIDE: bool = false;

    #[inline(always)]
    fn tile<const R: usize, const V: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let width = self.out.len();
        let mut acc: Accumulators<S, R, V> = [[simd.zero(); V]; R];
        for (a, u) in self.a.iter().zip(self.u.chunks_exact(LANES * width)) {
            for (lane, u) in u.chunks_exact(width).enumerate() {
                multiply_accumulate(simd, &mut acc, |r| a[row + r][lane % LANES], take(u, vector));
            }
        }
        for v in 0..V {
            let out = &mut self.out[vector + v];
            for r in 0..R {
                simd.store(acc[r][v], &mut out[row + r]);
            }
        }
    }
}
