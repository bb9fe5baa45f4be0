//! The layout of transformed tiles, and the matrix products that read it: one for each of the 36 positions.
//!
//! Tiles are numbered in row order, image after image. A panel is fourteen consecutive tiles (the rows of a register
//! tile) by sixteen channels. A transform writes all panels of the same tiles side by side, so that other tiles can be
//! transformed in parallel; a product writes the panels of the same position side by side:
//!
//! ```text
//!     transform: tiles 0-13:  position 0: channels 0-15, 16-31, ... | padding | position 1 ... | tiles 14-27 ...
//!     product:   position 0:  tiles 0-13: channels 0-15, 16-31, ... | tiles 14-27 ... | position 1 ...
//! ```

use std::ops::Range;

use crate::simd::{Grid, GridMut, LANES, Lanes, Simd, Vector, vectors_mut};
use crate::threads;
use crate::vectorize;

use super::super::super::tile::{
    Accumulators, Product, ROWS, cover, load_rows, multiply_accumulate, store_rows, take, widest,
};
use super::{ConvShape, POSITIONS, SIDE, TILE};

/// Sixteen channels of fourteen tiles at one position.
pub type Panel = [Lanes; ROWS];

/// Consecutive tiles: all of several images, or some of one.
#[derive(Clone, Copy)]
pub struct Tiles {
    first: usize,
    count: usize,
    /// Tiles in a row of an image, and in an image.
    across: usize,
    per_image: usize,
    images: usize,
}

/// The row and column of a tile's first output in its image.
pub type Origin = [usize; 2];

/// Tiles of an image.
pub fn tiles_of(s: &ConvShape) -> usize {
    s.out_h.div_ceil(TILE) * s.out_w.div_ceil(TILE)
}

/// Cuts an image into blocks of up to `most` tiles; several images are one block.
#[inline(always)]
pub fn blocks_of_tiles(s: &ConvShape, images: usize, most: usize) -> impl Iterator<Item = Tiles> {
    let (across, per_image) = (s.out_w.div_ceil(TILE), tiles_of(s));
    let total = images * per_image;
    let most = if images > 1 { total } else { most };
    (0..total).step_by(most).map(move |first| {
        let count = (total - first).min(most);
        Tiles { first, count, across, per_image, images }
    })
}

impl Tiles {
    /// Tiles of the block, each with the position of its first output.
    #[inline(always)]
    pub fn within(self, tiles: Range<usize>) -> impl Iterator<Item = (usize, Origin)> {
        tiles.map(move |tile| (tile, self.origin(tile)))
    }

    /// The tiles of one of the images.
    #[inline(always)]
    pub fn of_image(self, image: usize) -> Range<usize> {
        match self.images {
            1 => 0..self.count,
            _ => image * self.per_image..(image + 1) * self.per_image,
        }
    }

    /// The image that a tile belongs to.
    #[inline(always)]
    pub fn image(self, tile: usize) -> usize {
        (self.first + tile) / self.per_image
    }

    #[inline(always)]
    pub fn origin(self, tile: usize) -> Origin {
        let number = (self.first + tile) % self.per_image;
        [number / self.across * TILE, number % self.across * TILE]
    }

    /// Divides `scratch` into two transformed tensors of these tiles, with the given numbers of blocks of sixteen
    /// channels.
    #[inline(always)]
    pub fn split(self, scratch: &mut [f32], blocks: [usize; 2]) -> [&mut [Panel]; 2] {
        let [a, b] = blocks.map(|blocks| panels_of(self.panels(), blocks));
        let (left, right) = vectors_mut(scratch).as_chunks_mut().0.split_at_mut(a);
        [left, &mut right[..b]]
    }

    #[inline(always)]
    fn panels(self) -> usize {
        self.count.div_ceil(ROWS)
    }

    /// The tiles of a panel; the last may have fewer.
    #[inline(always)]
    fn panel(self, panel: usize) -> Range<usize> {
        panel * ROWS..self.count.min((panel + 1) * ROWS)
    }
}

/// Panels from one position to the next; always odd. A panel is 14 cache lines, and a transform touches all 36
/// positions. An odd number of panels apart, they fall into 32 of the 64 sets of the first-level cache; four panels
/// apart they would fall into 8, and the gradients would be 4 % slower.
fn pitch(panels: usize) -> usize {
    panels | 1
}

/// Panels of a transformed tensor, in either order.
fn panels_of(panels: usize, blocks: usize) -> usize {
    POSITIONS * pitch(panels * pitch(blocks))
}

/// Floats of a transformed tensor of some tiles.
pub fn transformed_len(tiles: usize, blocks: usize) -> usize {
    panels_of(tiles.div_ceil(ROWS), blocks) * ROWS * LANES
}

/// A transformed tensor: at each position a matrix of tiles x channels, in panels.
#[derive(Clone, Copy)]
pub struct Transformed<'a> {
    panels: &'a [Panel],
    /// Panels from a position to the next, and from fourteen tiles to the next.
    pitch: [usize; 2],
    /// Blocks of sixteen channels.
    blocks: usize,
    tiles: Tiles,
}

impl<'a> Transformed<'a> {
    /// Calls `transform` for tiles and the place of their 36 positions, in parallel if there are several images.
    #[inline(always)]
    pub fn by_tiles<S: Simd>(
        simd: S,
        tiles: Tiles,
        panels: &'a mut [Panel],
        blocks: usize,
        transform: impl Fn(Range<usize>, &mut Slab) + Sync,
    ) -> Self {
        let pitch = pitch(blocks);
        let each = if tiles.images > 1 { 1 } else { tiles.panels() };
        let panels = &mut panels[..tiles.panels() * POSITIONS * pitch];
        threads::for_chunks(panels, each * POSITIONS * pitch, |task, panels| {
            let of_task = task * each * ROWS..tiles.count.min((task + 1) * each * ROWS);
            let first = of_task.start;
            vectorize!(simd => transform(of_task, &mut Slab { panels, pitch, first }));
        });
        Self { panels, pitch: [pitch, POSITIONS * pitch], blocks, tiles }
    }

    /// C = A B at each position; A is `self`, B is in strips. A strip is used for all tiles before the next, so B is
    /// read once, in order. Positions are computed in parallel if there are several images.
    #[inline(always)]
    pub fn multiply<'c, S: Simd>(self, simd: S, b: &[Lanes], c: &'c mut [Panel], blocks: usize) -> Transformed<'c> {
        let (tiles, pitch) = (self.tiles, pitch(self.tiles.panels() * blocks));
        let b_len = self.blocks * LANES * blocks;
        let each = if tiles.images > 1 { 1 } else { POSITIONS };
        threads::for_chunks(&mut c[..POSITIONS * pitch], each * pitch, |task, c| {
            vectorize!(simd => for (i, c) in c.chunks_exact_mut(pitch).enumerate() {
                let position = task * each + i;
                self.multiply_at(simd, position, &b[position * b_len..][..b_len], c, blocks);
            });
        });
        Transformed { panels: c, pitch: [pitch, blocks], blocks, tiles }
    }

    #[inline(always)]
    fn multiply_at<S: Simd>(self, simd: S, position: usize, b: &[Lanes], c: &mut [Panel], blocks: usize) {
        let rows = self.blocks * LANES;
        for first in (0..blocks).step_by(widest(S::REGISTERS)) {
            let columns = widest(S::REGISTERS).min(blocks - first);
            let b = &b[first * rows..][..columns * rows];
            for panel in 0..self.tiles.panels() {
                let (a, c) = (self.row(position, panel), &mut c[panel * blocks + first..][..columns]);
                cover(simd, self.tiles.panel(panel).len(), columns, &mut PanelProduct { a, b, c });
            }
        }
    }

    /// C += A' B at each position, as in dU += V' dM; A is `self`. Positions are computed in parallel if there are
    /// several images.
    #[inline(always)]
    pub fn correlate<S: Simd>(self, simd: S, b: Transformed, c: &mut [Lanes]) {
        let (rows, columns) = (self.blocks * LANES, b.blocks);
        let strip_len = widest(S::REGISTERS);
        let each = if self.tiles.images > 1 { 1 } else { POSITIONS };
        threads::for_chunks(c, each * rows * columns, |task, c| {
            vectorize!(simd => for (i, c) in c.chunks_exact_mut(rows * columns).enumerate() {
                for (strip, c) in c.chunks_mut(rows * strip_len).enumerate() {
                    let columns = c.len() / rows;
                    for (block, c) in c.chunks_exact_mut(LANES * columns).enumerate() {
                        let (a, b, at) = (self, b, [task * each + i, block, strip * strip_len]);
                        cover(simd, LANES, columns, &mut Correlation { a, b, at, columns, c });
                    }
                }
            });
        });
    }

    /// The 36 positions of a tile and a block of channels.
    #[inline(always)]
    pub fn tile(&self, tile: usize, block: usize) -> Grid<'a> {
        let panel = tile / ROWS * self.pitch[1] + block;
        let floats = &self.panels.as_flattened().as_flattened()[(panel * ROWS + tile % ROWS) * LANES..];
        Grid::new(floats, [SIDE; 2], pitch_of_square(self.pitch[0]))
    }

    /// The panels of fourteen tiles at a position.
    #[inline(always)]
    fn row(&self, position: usize, panel: usize) -> &'a [Panel] {
        &self.panels[position * self.pitch[0] + panel * self.pitch[1]..][..self.blocks]
    }
}

/// Some panels of a transformed tensor, to write.
pub struct Slab<'a> {
    panels: &'a mut [Panel],
    pitch: usize,
    /// The first tile.
    first: usize,
}

impl Slab<'_> {
    /// The 36 positions of a tile and a block of channels.
    #[inline(always)]
    pub fn tile_mut(&mut self, tile: usize, block: usize) -> GridMut<'_> {
        let tile = tile - self.first;
        let panel = tile / ROWS * POSITIONS * self.pitch + block;
        let floats = &mut self.panels.as_flattened_mut().as_flattened_mut()[(panel * ROWS + tile % ROWS) * LANES..];
        GridMut::new(floats, [SIDE; 2], pitch_of_square(self.pitch))
    }
}

/// Floats from a row of a transformed tile to the next, and from a column to the next.
#[inline(always)]
fn pitch_of_square(panels: usize) -> [usize; 2] {
    let pitch = panels * ROWS * LANES;
    [SIDE * pitch, pitch]
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
            let a: &[Lanes; R] = take(a, row);
            for (channel, b) in b.chunks_exact(columns).enumerate() {
                multiply_accumulate(simd, &mut acc, |r| a[r][channel % LANES], take(b, vector));
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
    a: Transformed<'a>,
    b: Transformed<'a>,
    /// The position, the block of channels of A, and the first of `columns` of B.
    at: [usize; 3],
    columns: usize,
    c: &'a mut [Lanes],
}

impl<S: Simd> Product<S> for Correlation<'_> {
    const WIDE: bool = true;

    #[inline(always)]
    fn tile<const R: usize, const NV: usize>(&mut self, simd: S, row: usize, vector: usize) {
        let start = row * self.columns + vector;
        let mut acc: Accumulators<S, R, NV> = load_rows(simd, &self.c[start..], self.columns);
        let [position, block, first] = self.at;
        for panel in 0..self.a.tiles.panels() {
            let (a, b) = (&self.a.row(position, panel)[block], &self.b.row(position, panel)[first + vector..][..NV]);
            for tile in 0..self.a.tiles.panel(panel).len() {
                let mut of_tile = [[0.0; LANES]; NV];
                for v in 0..NV {
                    of_tile[v] = b[v][tile];
                }
                let of_row: &[f32; R] = a[tile][row..].first_chunk().expect("a product covers only its result");
                multiply_accumulate(simd, &mut acc, |r| of_row[r], &of_tile);
            }
        }
        store_rows::<S, R, NV>(acc, &mut self.c[start..], self.columns);
    }
}
