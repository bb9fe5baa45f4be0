//! The pool that is fused into the output transform: ReLU and the maximum of each 2 x 2 window of a tile.

use std::ops::Range;

use crate::simd::{LANES, Simd, Vector};

use super::tiles::Origin;
use super::transform::Square;
use super::{ConvShape, TILE};

/// Rows and columns in a 2 x 2 square: of the windows in a tile, and of the outputs in a window.
const SQUARE: [[usize; 2]; 4] = [[0, 0], [0, 1], [1, 0], [1, 1]];

/// The floats of a window's sixteen filters in the pooled output, if the window exists.
#[inline(always)]
fn window(s: &ConvShape, at: Origin, [p, q]: [usize; 2], block: usize) -> Option<Range<usize>> {
    let [row, col] = [at[0] / 2 + p, at[1] / 2 + q];
    let first = (row * (s.out_w / 2) + col) * s.filters;
    (row < s.out_h / 2 && col < s.out_w / 2)
        .then_some(first + block * LANES..first + s.filters.min((block + 1) * LANES))
}

/// Writes ReLU of the maximum of each window, and its position if `winners` is given; the first wins if several are
/// equal.
#[inline(always)]
pub fn write_pooled<S: Simd>(
    simd: S,
    s: &ConvShape,
    tile: Square<S, TILE>,
    at: Origin,
    block: usize,
    y: &mut [f32],
    mut winners: Option<&mut [u8]>,
) {
    for [p, q] in SQUARE {
        let Some(place) = window(s, at, [p, q], block) else { continue };
        let window = [tile[2 * p][2 * q], tile[2 * p][2 * q + 1], tile[2 * p + 1][2 * q], tile[2 * p + 1][2 * q + 1]];
        // `max` returns its second operand if either is NaN. If any output of a window is NaN, so is the one in the
        // corner of the tile: a NaN in the first or last row of the input reaches only that row of the output, one in
        // any other row reaches all rows, and the same holds for columns. So that output comes last.
        let last = 2 * p + q;
        let [a, b, c] = [1, 2, 3].map(|i| window[last ^ i]);
        let best = a.max(b).max(c.max(window[last]));
        simd.zero().max(best).store_first(&mut y[place.clone()]);
        let Some(winners) = winners.as_deref_mut() else { continue };
        let mut winner = simd.splat(3.0);
        for i in [2, 1, 0] {
            winner = simd.splat(i as f32).where_eq(window[i], best, winner);
        }
        let winners = &mut winners[place];
        match winners.first_chunk_mut() {
            Some(winners) => winner.store_bytes(winners),
            None => {
                let mut bytes = [0; LANES];
                winner.store_bytes(&mut bytes);
                winners.copy_from_slice(&bytes[..winners.len()]);
            }
        }
    }
}

/// Prefetches the pooled gradients of a tile's outputs.
#[inline(always)]
pub fn prefetch_pooled<S: Simd>(simd: S, s: &ConvShape, dy: &[f32], at: Origin, block: usize) {
    for place in SQUARE {
        if let Some(place) = window(s, at, place, block) {
            simd.prefetch(&dy[place]);
        }
    }
}

/// The gradients of a tile's outputs: each window's gradient goes to its winner, the others are zero.
#[inline(always)]
pub fn read_pooled<S: Simd>(
    simd: S,
    s: &ConvShape,
    dy: &[f32],
    winners: &[u8],
    at: Origin,
    block: usize,
) -> Square<S, TILE> {
    let mut tile = [[simd.zero(); TILE]; TILE];
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
            let number = simd.splat((2 * i + j) as f32);
            tile[2 * p + i][2 * q + j] = dy.where_eq(winner, number, simd.zero());
        }
    }
    tile
}
