//! The layout of transformed tiles, and the matrix products that read it: one for each of the 36 positions.
//!
//! Tiles are numbered in row order. A panel is fourteen consecutive tiles (the rows of a register tile) by sixteen
//! channels:
//!
//! ```text
//!     position 0                                          | room | position 1 ...
//!     tiles 0-13: channels 0-15, 16-31, ... | tiles 14-27 | for  |
//!                 14 x 16 floats each       |             | one  |
//! ```

use crate::simd::{LANES, Lanes, Simd, Vector, vectors_mut};

use super::super::super::tile::{Accumulators, Product, ROWS, cover, load_rows, multiply_accumulate, store_rows, take};
use super::transform::Stored;
use super::{ConvShape, POSITIONS, SIDE, TILE};

/// Sixteen channels of fourteen tiles at one position.
type Panel = [Lanes; ROWS];

/// Consecutive tiles of an image.
#[derive(Clone, Copy)]
pub struct Tiles {
    first: usize,
    count: usize,
    /// Tiles in a row of the image.
    across: usize,
}

/// The row and column of a tile's first output.
pub type At = [usize; 2];

/// Cuts an image into blocks of `panels` panels of tiles.
#[inline(always)]
pub fn blocks_of_tiles(s: &ConvShape, panels: usize) -> impl Iterator<Item = Tiles> {
    let across = s.out_w.div_ceil(TILE);
    let total = s.out_h.div_ceil(TILE) * across;
    let most = panels * ROWS;
    (0..total).step_by(most).map(move |first| Tiles { first, count: (total - first).min(most), across })
}

impl Tiles {
    /// Each tile with the position of its first output.
    #[inline(always)]
    pub fn iter(self) -> impl Iterator<Item = (usize, At)> {
        (0..self.count).map(move |tile| (tile, self.at(tile)))
    }

    /// The position of a tile's first output, also for tiles after the block, and beyond the image.
    #[inline(always)]
    pub fn at(self, tile: usize) -> At {
        let number = self.first + tile;
        [number / self.across * TILE, number % self.across * TILE]
    }

    /// Two transformed tensors of these tiles in scratch, with the given blocks of channels.
    #[inline(always)]
    pub fn split(self, scratch: &mut [f32], [left, right]: [usize; 2]) -> [Transformed<'_>; 2] {
        let panels = self.count.div_ceil(ROWS);
        let [left_pitch, right_pitch] = [left, right].map(|blocks| pitch(panels, blocks));
        let (a, b) = vectors_mut(scratch).as_chunks_mut().0.split_at_mut(POSITIONS * left_pitch);
        let b = &mut b[..POSITIONS * right_pitch];
        [
            Transformed { panels: a, pitch: left_pitch, blocks: left, tiles: self },
            Transformed { panels: b, pitch: right_pitch, blocks: right, tiles: self },
        ]
    }

    /// Tiles in a panel; the last panel may have fewer.
    #[inline(always)]
    fn height(self, panel: usize) -> usize {
        ROWS.min(self.count - panel * ROWS)
    }
}

/// Panels from a position to the next, an odd number: a transform touches all 36 positions, and a panel is 7 x 128
/// bytes, so at an odd distance they spread over half of the first-level cache's 64 sets. Four panels apart they share
/// eight sets, which makes the gradients 4 % slower.
fn pitch(panels: usize, blocks: usize) -> usize {
    (panels * blocks) | 1
}

/// Floats of a transformed tensor.
pub fn panels_len(panels: usize, blocks: usize) -> usize {
    POSITIONS * pitch(panels, blocks) * ROWS * LANES
}

/// A transformed tensor: at each position a matrix of tiles x channels, in panels.
pub struct Transformed<'a> {
    panels: &'a mut [Panel],
    /// Panels from a position to the next.
    pitch: usize,
    /// Blocks of sixteen channels.
    blocks: usize,
    tiles: Tiles,
}

impl Transformed<'_> {
    /// The 36 positions of a tile and a block of channels, to read.
    #[inline(always)]
    pub fn tile(&self, tile: usize, block: usize) -> Stored<&[f32]> {
        let (start, pitch) = self.place(tile, block);
        Stored { floats: &self.panels.as_flattened().as_flattened()[start..], pitch }
    }

    /// The 36 positions of a tile and a block of channels, to write.
    #[inline(always)]
    pub fn tile_mut(&mut self, tile: usize, block: usize) -> Stored<&mut [f32]> {
        let (start, pitch) = self.place(tile, block);
        Stored { floats: &mut self.panels.as_flattened_mut().as_flattened_mut()[start..], pitch }
    }

    #[inline(always)]
    fn place(&self, tile: usize, block: usize) -> (usize, [usize; 2]) {
        let panel = tile / ROWS * self.blocks + block;
        let pitch = self.pitch * ROWS * LANES;
        ((panel * ROWS + tile % ROWS) * LANES, [SIDE * pitch, pitch])
    }

    /// C = A B at each position; A is `self`.
    #[inline(always)]
    pub fn multiply<S: Simd>(&self, simd: S, b: &[Lanes], c: &mut Transformed) {
        let (a_blocks, c_blocks) = (self.blocks, c.blocks);
        let c_at = c.panels.chunks_exact_mut(c.pitch);
        for ((a, b), c) in self.matrices().zip(b.chunks_exact(a_blocks * LANES * c_blocks)).zip(c_at) {
            for (panel, (a, c)) in a.chunks_exact(a_blocks).zip(c.chunks_exact_mut(c_blocks)).enumerate() {
                cover(simd, self.tiles.height(panel), c_blocks, &mut PanelProduct { a, b, c });
            }
        }
    }

    /// C += A' B at each position; A is `self`.
    #[inline(always)]
    pub fn correlate<S: Simd>(&self, simd: S, b: &Transformed, c: &mut [Lanes]) {
        let (tiles, blocks, columns) = (self.tiles, self.blocks, b.blocks);
        let positions = self.matrices().zip(b.matrices()).zip(c.chunks_exact_mut(blocks * LANES * columns));
        for ((a, b), c) in positions {
            for (block, c) in c.chunks_exact_mut(LANES * columns).enumerate() {
                cover(simd, LANES, columns, &mut Correlation { tiles, a, block, blocks, b, columns, c });
            }
        }
    }

    /// The panels at each position.
    #[inline(always)]
    fn matrices(&self) -> impl Iterator<Item = &[Panel]> {
        let count = self.tiles.count.div_ceil(ROWS) * self.blocks;
        self.panels.chunks_exact(self.pitch).map(
            #[inline(always)]
            move |position| &position[..count],
        )
    }
}

/// C = A B for a panel of tiles: A and C have a panel for each sixteen channels.
struct PanelProduct<'a> {
    a: &'a [Panel],
    b: &'a [Lanes],
    c: &'a mut [Panel],
}

impl<S: Simd> Product<S> for PanelProduct<'_> {
    const WIDE: bool = false;

    #[inline(always)]
    fn tile<const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let columns = self.c.len();
        let mut acc: Accumulators<S, R, NV> = [[simd.zero(); NV]; R];
        for (a, b) in self.a.iter().zip(self.b.chunks_exact(LANES * columns)) {
            for (channel, b) in b.chunks_exact(columns).enumerate() {
                multiply_accumulate(simd, &mut acc, |r| a[row + r][channel % LANES], take(b, vector));
            }
        }
        for v in 0..NV {
            let c = &mut self.c[vector + v];
            for r in 0..R {
                acc[r][v].store(&mut c[row + r]);
            }
        }
    }
}

/// C += A' B over all panels, for sixteen channels of A.
struct Correlation<'a> {
    tiles: Tiles,
    a: &'a [Panel],
    /// The block of sixteen channels, of `blocks`.
    block: usize,
    blocks: usize,
    b: &'a [Panel],
    columns: usize,
    c: &'a mut [Lanes],
}

impl<S: Simd> Product<S> for Correlation<'_> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let start = row * self.columns + vector;
        let mut acc: Accumulators<S, R, NV> = load_rows(simd, &self.c[start..], self.columns);
        for (panel, (a, b)) in self.a.chunks_exact(self.blocks).zip(self.b.chunks_exact(self.columns)).enumerate() {
            let (a, b) = (&a[self.block], &b[vector..vector + NV]);
            for tile in 0..self.tiles.height(panel) {
                let mut of_tile = [[0.0; LANES]; NV];
                for v in 0..NV {
                    of_tile[v] = b[v][tile];
                }
                multiply_accumulate(simd, &mut acc, |r| a[tile][row + r], &of_tile);
            }
        }
        store_rows::<S, R, NV>(acc, &mut self.c[start..], self.columns);
    }
}
