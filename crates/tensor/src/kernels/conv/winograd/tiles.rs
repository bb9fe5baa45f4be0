//! The tiles of an image, and how they lie in memory once transformed: at each of the 36 positions panels of fourteen tiles
//! and sixteen channels, as the register tiles of the matrix products read them.

use crate::simd::{Simd, vectors_mut};

use super::transform::{Sink, Source};
use super::{ConvShape, POSITIONS, Panel, ROWS};

/// Some consecutive tiles of an image.
#[derive(Clone, Copy)]
pub struct Tiles {
    first: usize,
    count: usize,
    across: usize,
}

/// The row and column of a tile's first output.
pub type At = [usize; 2];

/// Panels from a position to the next, for so many panels of tiles and blocks of channels. An odd number: a transform
/// touches all 36 positions at once, and a panel is 7 x 128 bytes, so that at an odd distance they spread over half of the
/// first-level cache's 64 sets; four panels apart they share eight.
pub fn pitch(panels: usize, blocks: usize) -> usize {
    (panels * blocks) | 1
}

/// Cuts an image into blocks of tiles.
#[inline(always)]
pub fn tile_blocks(s: &ConvShape, panels: usize) -> impl Iterator<Item = Tiles> {
    let across = s.out_w.div_ceil(4);
    let total = s.out_h.div_ceil(4) * across;
    (0..total).step_by(panels * ROWS).map(move |first| Tiles {
        first,
        count: (total - first).min(panels * ROWS),
        across,
    })
}

impl Tiles {
    /// Cuts two transformed tensors of the block, of as many channel blocks, from scratch.
    #[inline(always)]
    pub fn split(self, scratch: &mut [f32], [left, right]: [usize; 2]) -> [&mut [Panel]; 2] {
        let (v, m) = vectors_mut(scratch).as_chunks_mut().0.split_at_mut(POSITIONS * pitch(self.panels(), left));
        [v, &mut m[..POSITIONS * pitch(self.panels(), right)]]
    }

    #[inline(always)]
    pub fn panels(self) -> usize {
        self.count.div_ceil(ROWS)
    }

    /// Tiles in a panel; the last one may not be full.
    #[inline(always)]
    pub fn height(self, panel: usize) -> usize {
        ROWS.min(self.count - panel * ROWS)
    }

    /// Each tile with the place of its first output.
    #[inline(always)]
    pub fn iter(self) -> impl Iterator<Item = (usize, At)> {
        (0..self.count).map(move |tile| (tile, self.at(tile)))
    }

    /// The place of a tile's first output. Those after the block have one, too, even beyond the image.
    #[inline(always)]
    pub fn at(self, tile: usize) -> At {
        let here = self.first + tile;
        [here / self.across * 4, here % self.across * 4]
    }

    /// The panels at each position.
    #[inline(always)]
    pub fn positions(self, panels: &[Panel], blocks: usize) -> impl Iterator<Item = &[Panel]> {
        let count = self.panels() * blocks;
        panels.chunks_exact(pitch(self.panels(), blocks)).map(
            #[inline(always)]
            move |position| &position[..count],
        )
    }

    /// As [`Tiles::positions`], to write.
    #[inline(always)]
    pub fn positions_mut(self, panels: &mut [Panel], blocks: usize) -> impl Iterator<Item = &mut [Panel]> {
        let count = self.panels() * blocks;
        panels.chunks_exact_mut(pitch(self.panels(), blocks)).map(
            #[inline(always)]
            move |position| &mut position[..count],
        )
    }

    /// The 36 positions of a transformed tile, to read.
    #[inline(always)]
    pub fn spread(self, panels: &[Panel], blocks: usize, tile: usize, block: usize) -> Spread<&[Panel]> {
        let place = tile / ROWS * blocks + block;
        Spread { panels: &panels[place..], stride: pitch(self.panels(), blocks), tile: tile % ROWS }
    }

    /// The 36 positions of a transformed tile, to write.
    #[inline(always)]
    pub fn spread_mut(self, panels: &mut [Panel], blocks: usize, tile: usize, block: usize) -> Spread<&mut [Panel]> {
        let place = tile / ROWS * blocks + block;
        Spread { panels: &mut panels[place..], stride: pitch(self.panels(), blocks), tile: tile % ROWS }
    }
}

/// The 36 positions of a transformed tile, in panels that hold other tiles too.
pub struct Spread<P> {
    panels: P,
    /// Panels from a position to the next.
    stride: usize,
    tile: usize,
}

impl<S: Simd> Source<S> for Spread<&[Panel]> {
    #[inline(always)]
    fn get(&self, simd: S, p: usize, q: usize) -> S::V {
        simd.load(&self.panels[(p * 6 + q) * self.stride][self.tile])
    }
}

impl<S: Simd> Sink<S> for Spread<&mut [Panel]> {
    #[inline(always)]
    fn put(&mut self, simd: S, p: usize, q: usize, v: S::V) {
        simd.store(v, &mut self.panels[(p * 6 + q) * self.stride][self.tile]);
    }
}
