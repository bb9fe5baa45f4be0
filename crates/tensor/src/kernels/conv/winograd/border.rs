//! Reading and writing the tiles of Winograd's method: where tiles hang over the border, and where channels end.

use std::ops::Range;

use crate::simd::{LANES, Lanes, Simd};

use super::transform::{Sink, Source};
use super::{At, ConvShape};

/// Sixteen channels of a square of pixels that all exist: the common case, free of questions.
pub struct Square<'a> {
    from: &'a [f32],
    /// Floats from a row to the next, and from a pixel to the next.
    strides: [usize; 2],
}

/// As [`Square`]; what is put there is added.
pub struct SquareSum<'a> {
    to: &'a mut [f32],
    strides: [usize; 2],
}

impl Square<'_> {
    /// Asks for the 6 x 6 inputs of a tile, but for two columns: the tile left of it, if there is one, has read them.
    #[inline(always)]
    pub fn prefetch_inputs<S: Simd>(&self, simd: S) {
        for p in 0..6 {
            for q in 2..6 {
                simd.prefetch(&self.from[p * self.strides[0] + q * self.strides[1]..]);
            }
        }
    }
}

impl<S: Simd> Source<S> for Square<'_> {
    #[inline(always)]
    fn get(&self, simd: S, p: usize, q: usize) -> S::V {
        simd.load(lanes(&self.from[p * self.strides[0] + q * self.strides[1]..]))
    }
}

impl<S: Simd> Sink<S> for SquareSum<'_> {
    #[inline(always)]
    fn put(&mut self, simd: S, p: usize, q: usize, v: S::V) {
        let to = lanes_mut(&mut self.to[p * self.strides[0] + q * self.strides[1]..]);
        simd.store(simd.add(simd.load(to), v), to);
    }
}

#[inline(always)]
fn lanes(from: &[f32]) -> &Lanes {
    from.first_chunk().expect("a square of whole vectors")
}

#[inline(always)]
fn lanes_mut(to: &mut [f32]) -> &mut Lanes {
    to.first_chunk_mut().expect("a square of whole vectors")
}

/// Where a tile's inputs begin, if all 36 exist with sixteen channels.
#[inline(always)]
fn whole_input(s: &ConvShape, at: At, block: usize) -> Option<usize> {
    let [row, col] = [at[0].checked_sub(s.pad_top)?, at[1].checked_sub(s.pad_left)?];
    let whole = row + 6 <= s.h && col + 6 <= s.w && (block + 1) * LANES <= s.c;
    whole.then_some((row * s.w + col) * s.c + block * LANES)
}

/// Where a tile's outputs begin, if all 16 exist with sixteen filters.
#[inline(always)]
fn whole_output(s: &ConvShape, at: At, block: usize) -> Option<usize> {
    let whole = at[0] + 4 <= s.out_h && at[1] + 4 <= s.out_w && (block + 1) * LANES <= s.filters;
    whole.then_some((at[0] * s.out_w + at[1]) * s.filters + block * LANES)
}

/// The inputs under the tile of outputs at `at`, if all exist.
#[inline(always)]
pub fn whole_inputs<'a>(s: &ConvShape, x: &'a [f32], at: At, block: usize) -> Option<Square<'a>> {
    whole_input(s, at, block).map(|start| Square { from: &x[start..], strides: [s.w * s.c, s.c] })
}

/// The gradients of the inputs under the tile of outputs at `at`, if all exist.
#[inline(always)]
pub fn whole_input_sums<'a>(s: &ConvShape, dx: &'a mut [f32], at: At, block: usize) -> Option<SquareSum<'a>> {
    whole_input(s, at, block).map(|start| SquareSum { to: &mut dx[start..], strides: [s.w * s.c, s.c] })
}

/// The gradients of the outputs of a tile, if all exist.
#[inline(always)]
pub fn whole_outputs<'a>(s: &ConvShape, dy: &'a [f32], at: At, block: usize) -> Option<Square<'a>> {
    whole_output(s, at, block).map(|start| Square { from: &dy[start..], strides: [s.out_w * s.filters, s.filters] })
}

/// The 6 x 6 inputs under the tile of outputs at `at`, sixteen channels; zeros beyond the border.
#[inline(always)]
pub fn input_tile<S: Simd>(simd: S, s: &ConvShape, x: &[f32], at: At, block: usize) -> [[S::V; 6]; 6] {
    let channels = block * LANES..s.c.min((block + 1) * LANES);
    let mut tile = [[simd.zero(); 6]; 6];
    for (p, row) in tile.iter_mut().enumerate() {
        for (q, d) in row.iter_mut().enumerate() {
            if let Some(pixel) = input_pixel(s, at, p, q) {
                *d = simd.load_first(&x[pixel * s.c..][channels.clone()]);
            }
        }
    }
    tile
}

/// Adds a 6 x 6 tile of gradients to the inputs that it came from.
#[inline(always)]
pub fn add_input_tile<S: Simd>(simd: S, s: &ConvShape, dd: [[S::V; 6]; 6], at: At, block: usize, dx: &mut [f32]) {
    let channels = block * LANES..s.c.min((block + 1) * LANES);
    for (p, row) in dd.into_iter().enumerate() {
        for (q, dd) in row.into_iter().enumerate() {
            if let Some(pixel) = input_pixel(s, at, p, q) {
                let dx = &mut dx[pixel * s.c..][channels.clone()];
                simd.store_first(simd.add(simd.load_first(dx), dd), dx);
            }
        }
    }
}

#[inline(always)]
fn input_pixel(s: &ConvShape, [row, col]: At, p: usize, q: usize) -> Option<usize> {
    let row = (row + p).checked_sub(s.pad_top).filter(|&row| row < s.h)?;
    let col = (col + q).checked_sub(s.pad_left).filter(|&col| col < s.w)?;
    Some(row * s.w + col)
}

/// Writes the outputs of a tile that exist.
#[inline(always)]
pub fn write_tile<S: Simd>(simd: S, s: &ConvShape, tile: [[S::V; 4]; 4], at: At, block: usize, y: &mut [f32]) {
    let filters = block * LANES..s.filters.min((block + 1) * LANES);
    for (p, row) in tile.into_iter().enumerate() {
        for (q, out) in row.into_iter().enumerate() {
            if at[0] + p < s.out_h && at[1] + q < s.out_w {
                let pixel = (at[0] + p) * s.out_w + at[1] + q;
                simd.store_first(out, &mut y[pixel * s.filters..][filters.clone()]);
            }
        }
    }
}

/// Reads the gradients of a tile's outputs; zeros for those that don't exist.
#[inline(always)]
pub fn read_tile<S: Simd>(simd: S, s: &ConvShape, dy: &[f32], at: At, block: usize) -> [[S::V; 4]; 4] {
    let filters = block * LANES..s.filters.min((block + 1) * LANES);
    let mut tile = [[simd.zero(); 4]; 4];
    for (p, row) in tile.iter_mut().enumerate() {
        for (q, out) in row.iter_mut().enumerate() {
            if at[0] + p < s.out_h && at[1] + q < s.out_w {
                let pixel = (at[0] + p) * s.out_w + at[1] + q;
                *out = simd.load_first(&dy[pixel * s.filters..][filters.clone()]);
            }
        }
    }
    tile
}

/// The places in a 2 x 2 square, in row order: of the windows in a tile, and of the outputs in a window.
const SQUARE: [[usize; 2]; 4] = [[0, 0], [0, 1], [1, 0], [1, 1]];

/// Where a window of a tile has its sixteen filters in the pooled output, if the window exists.
#[inline(always)]
fn window(s: &ConvShape, at: At, [p, q]: [usize; 2], block: usize) -> Option<Range<usize>> {
    let [row, col] = [at[0] / 2 + p, at[1] / 2 + q];
    let pixel = row * (s.out_w / 2) + col;
    (row < s.out_h / 2 && col < s.out_w / 2)
        .then_some(pixel * s.filters + block * LANES..pixel * s.filters + s.filters.min((block + 1) * LANES))
}

/// ReLU and the maximum of each 2 x 2 window, with the winner's byte; the first wins where several are equal.
#[inline(always)]
pub fn write_pooled<S: Simd>(
    simd: S,
    s: &ConvShape,
    tile: [[S::V; 4]; 4],
    at: At,
    block: usize,
    y: &mut [f32],
    winners: &mut [u8],
) {
    for [p, q] in SQUARE {
        let Some(place) = window(s, at, [p, q], block) else { continue };
        let window = [tile[2 * p][2 * q], tile[2 * p][2 * q + 1], tile[2 * p + 1][2 * q], tile[2 * p + 1][2 * q + 1]];
        let best = simd.max(simd.max(window[0], window[1]), simd.max(window[2], window[3]));
        let mut winner = simd.splat(3.0);
        for i in [2, 1, 0] {
            winner = simd.select_eq(window[i], best, simd.splat(i as f32), winner);
        }
        simd.store_first(simd.max(simd.zero(), best), &mut y[place.clone()]);
        // Inference wants no winners.
        let Some(winners) = winners.get_mut(place) else { continue };
        match winners.first_chunk_mut() {
            Some(winners) => simd.store_bytes(winner, winners),
            None => {
                let mut bytes = [0; LANES];
                simd.store_bytes(winner, &mut bytes);
                winners.copy_from_slice(&bytes[..winners.len()]);
            }
        }
    }
}

/// Asks for the pooled gradients of a tile's outputs.
#[inline(always)]
pub fn prefetch_pooled<S: Simd>(simd: S, s: &ConvShape, dy: &[f32], at: At, block: usize) {
    for place in SQUARE {
        if let Some(place) = window(s, at, place, block) {
            simd.prefetch(&dy[place]);
        }
    }
}

/// The gradients of a tile's outputs: each window's goes to its winner, the others get none.
#[inline(always)]
pub fn read_pooled<S: Simd>(
    simd: S,
    s: &ConvShape,
    dy: &[f32],
    winners: &[u8],
    at: At,
    block: usize,
) -> [[S::V; 4]; 4] {
    let mut tile = [[simd.zero(); 4]; 4];
    for [p, q] in SQUARE {
        let Some(place) = window(s, at, [p, q], block) else { continue };
        let dy = simd.load_first(&dy[place.clone()]);
        let winners = &winners[place];
        let winner = match winners.first_chunk() {
            Some(winners) => simd.load_bytes(winners),
            None => {
                let mut bytes = [0; LANES];
                bytes[..winners.len()].copy_from_slice(winners);
                simd.load_bytes(&bytes)
            }
        };
        for [i, j] in SQUARE {
            let here = simd.splat((2 * i + j) as f32);
            tile[2 * p + i][2 * q + j] = simd.select_eq(winner, here, dy, simd.zero());
        }
    }
    tile
}
