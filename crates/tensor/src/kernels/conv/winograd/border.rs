//! Reading and writing the tiles of Winograd's method: where tiles hang over the border, and where channels end.

use std::ops::Range;

use crate::simd::{LANES, Lanes, Simd};

use super::{At, ConvShape};

/// A run of a row of pixels: `pixels` of them from (row, col) on, sixteen channels each, `channels` apart.
#[inline(always)]
fn run(image: &[f32], [row, col]: At, columns: usize, channels: usize, block: usize, pixels: usize) -> &[f32] {
    &image[(row * columns + col) * channels + block * LANES..][..(pixels - 1) * channels + LANES]
}

/// As [`run`], to write.
#[inline(always)]
fn run_mut(image: &mut [f32], [row, col]: At, columns: usize, channels: usize, block: usize, pixels: usize) -> &mut [f32] {
    &mut image[(row * columns + col) * channels + block * LANES..][..(pixels - 1) * channels + LANES]
}

#[inline(always)]
fn lanes(run: &[f32], from: usize) -> &Lanes {
    run[from..].first_chunk().expect("a run ends with a whole vector")
}

#[inline(always)]
fn lanes_mut(run: &mut [f32], from: usize) -> &mut Lanes {
    run[from..].first_chunk_mut().expect("a run ends with a whole vector")
}

/// Where a tile's inputs begin, if all 36 exist with sixteen channels: the common case, free of questions.
#[inline(always)]
fn whole_input(s: &ConvShape, at: At, block: usize) -> Option<At> {
    let [row, col] = [at[0].checked_sub(s.pad_top)?, at[1].checked_sub(s.pad_left)?];
    (row + 6 <= s.h && col + 6 <= s.w && (block + 1) * LANES <= s.c).then_some([row, col])
}

/// Whether all 16 outputs of a tile exist with sixteen filters.
#[inline(always)]
fn whole_output(s: &ConvShape, at: At, block: usize) -> bool {
    at[0] + 4 <= s.out_h && at[1] + 4 <= s.out_w && (block + 1) * LANES <= s.filters
}

/// The 6 x 6 inputs under the tile of outputs at `at`, sixteen channels; zeros beyond the border.
#[inline(always)]
pub fn input_tile<S: Simd>(simd: S, s: &ConvShape, x: &[f32], at: At, block: usize) -> [[S::V; 6]; 6] {
    let mut tile = [[simd.zero(); 6]; 6];
    if let Some([row, col]) = whole_input(s, at, block) {
        for p in 0..6 {
            let run = run(x, [row + p, col], s.w, s.c, block, 6);
            for q in 0..6 {
                tile[p][q] = simd.load(lanes(run, q * s.c));
            }
        }
        return tile;
    }
    let channels = block * LANES..s.c.min((block + 1) * LANES);
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
    if let Some([row, col]) = whole_input(s, at, block) {
        for p in 0..6 {
            let run = run_mut(dx, [row + p, col], s.w, s.c, block, 6);
            for q in 0..6 {
                let dx = lanes_mut(run, q * s.c);
                simd.store(simd.add(simd.load(dx), dd[p][q]), dx);
            }
        }
        return;
    }
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
    if whole_output(s, at, block) {
        for p in 0..4 {
            let run = run_mut(y, [at[0] + p, at[1]], s.out_w, s.filters, block, 4);
            for q in 0..4 {
                simd.store(tile[p][q], lanes_mut(run, q * s.filters));
            }
        }
        return;
    }
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
    let mut tile = [[simd.zero(); 4]; 4];
    if whole_output(s, at, block) {
        for p in 0..4 {
            let run = run(dy, [at[0] + p, at[1]], s.out_w, s.filters, block, 4);
            for q in 0..4 {
                tile[p][q] = simd.load(lanes(run, q * s.filters));
            }
        }
        return tile;
    }
    let filters = block * LANES..s.filters.min((block + 1) * LANES);
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
