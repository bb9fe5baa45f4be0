//! Rung 4, Winograd's convolution F(4x4, 3x3): usually the fastest for 3 x 3 kernels with stride 1.
//!
//! A 4 x 4 tile of outputs depends on a 6 x 6 tile d of inputs and the 3 x 3 kernel g. The definition takes 144
//! products per pair of channels; Winograd (1980) and, for networks, Lavin and Gray (2016) need 36:
//!
//! ```text
//!     Y = A' [ (G g G') . (B' d B) ] A          (. is element-wise, ' transposes)
//!
//!          | 4  0 -5  0  1  0 |       |  1/4    0     0  |        | 1  1  1  1  1  0 |
//!          | 0 -4 -4  1  1  0 |       | -1/6  -1/6  -1/6 |   A' = | 0  1 -1  2 -2  0 |
//!     B' = | 0  4 -4 -1  1  0 |   G = | -1/6   1/6  -1/6 |        | 0  1  1  4  4  0 |
//!          | 0 -2 -1  2  1  0 |       | 1/24   1/12  1/6 |        | 0  1 -1  8 -8  1 |
//!          | 0  2 -1 -2  1  0 |       | 1/24  -1/12  1/6 |
//!          | 0  4  0 -5  0  1 |       |   0     0     1  |
//! ```
//!
//! The matrices come from interpolating the product of two polynomials at 0, 1, -1, 2, -2 and infinity. Summed over
//! channels, the element-wise product becomes one matrix product M = V U of (tiles x C) with (C x filters) for each of
//! the 36 positions. Most of the time goes there, in register [`tile`](crate::kernels::tile)s.
//!
//! **The backward pass is the transpose.** The output is linear in V for a fixed U and in U for a fixed V, and each
//! transform is linear. The gradient of a linear map is its transpose, so with dM = A dY A':
//!
//! ```text
//!     dx = overlap-add of B (dM U') B'          dg = G' (V' dM) G
//! ```
//!
//! Both need a quarter of the direct method's products, like the forward pass. Each block of tiles is transformed,
//! multiplied and transformed back before the next. Blocks are small, so that V, M and U stay in the core's
//! second-level cache, or large if U does not fit there or an image has few tiles.
//!
//! [`Fused::ReluPool`] fuses ReLU and a 2 x 2 max-pool into the output transform: a 4 x 4 tile holds four whole
//! windows, so the large activation is never written. One byte per window keeps the winner.
//!
//! Next, read `transform` (the three maps and their transposes), `tiles` (the layout of V and M, and the products that
//! read it), `kernel` (U, and the gradient from dU), `edges` (tiles at the image's edges) and `pool` (the fused pool).
//! docs/winograd.md derives the method.

mod edges;
mod kernel;
mod pool;
mod tiles;
mod transform;

use std::ops::Range;

use crate::simd::{LANES, Lanes, Level, Simd, vectors, vectors_mut};
use crate::threads::{self, Chunks, with_scratch};
use crate::{dispatch, vectorize};

use super::super::activation::Fused;
use super::super::tile::ROWS;
use super::{ConvShape, OutputGradient, Rung, Weights, product};
use edges::Image;
use kernel::{transform_kernel, transform_kernel_gradient, transpose_kernel};
use pool::{prefetch_pooled, read_pooled, write_pooled};
pub use tiles::tiles_of;
use tiles::{Origin, Panel, Slab, Tiles, Transformed, blocks_of_tiles, transformed_len};
use transform::{Input, InputTransposed, Output, OutputTransposed, both_ways};

/// Rows and columns of outputs in a tile.
pub const TILE: usize = 4;

/// Rows and columns of the inputs under a tile (TILE + 3 - 1), and of a transformed tile.
const SIDE: usize = TILE + 2;

/// Elements of a transformed tile, and products per tile and pair of channels.
pub const POSITIONS: usize = SIDE * SIDE;

/// Panels in a block of tiles: only one fits in the second-level cache next to U (590 KB for 64 channels and 64
/// filters).
const PANELS: usize = 1;

/// Panels in a block where dU is summed. dU is read and written once per block, so a block is large: an image of 28 x
/// 28 outputs is one block.
const GRADIENT_PANELS: usize = 4;

/// A pass takes several images if each has at most this many tiles, too few to fill its panels (16 tiles are 14 + 2).
const FEW_TILES: usize = 20;

/// A pass also takes several images if U is larger than this, so that U is read from memory once for all of them.
const U_BYTES: usize = 1 << 20;

/// Tiles in a block of several images, or of one image if U is larger than `U_BYTES`.
const BLOCK_TILES: usize = 256;

/// F(4x4, 3x3), for 3 x 3 kernels with stride 1 and no dilation.
///
/// The kernel's form is U, a C x filters matrix for each position, both padded to whole vectors; for the input gradient
/// it is U'.
#[derive(Debug)]
pub struct Winograd;

impl Rung for Winograd {
    fn check(&self, s: &ConvShape) -> Result<(), &'static str> {
        let applies = s.is_dense() && [s.kh, s.kw] == [3, 3];
        applies.then_some(()).ok_or("Winograd's method needs a 3 x 3 kernel, stride 1 and no dilation")?;
        let [c, f] = blocks(s).map(|blocks| blocks * LANES);
        product(&[POSITIONS, c, f]).map(drop).ok_or("Winograd's method needs more memory than any machine has")
    }

    fn fuses_pool(&self) -> bool {
        true
    }

    /// As many as fill a block of tiles if the tiles of one are few, or U does not stay in the second-level cache; else
    /// one.
    fn images_at_once(&self, s: &ConvShape) -> usize {
        match tiles_of(s) {
            tiles if tiles > FEW_TILES && fits_cache(s) => 1,
            tiles => (BLOCK_TILES / tiles).max(1),
        }
    }

    /// [`POSITIONS`] products per tile and pair of channels; a tile that reaches over the edge costs as much as any
    /// other.
    fn flops(&self, s: &ConvShape) -> u64 {
        2 * (POSITIONS * tiles_of(s) * s.c * s.filters) as u64
    }

    fn kernel_lens(&self, s: &ConvShape) -> [usize; 2] {
        [POSITIONS * s.c.next_multiple_of(LANES) * s.filters.next_multiple_of(LANES); 2]
    }

    /// Two transformed tensors of a block of tiles.
    fn scratch_len(&self, s: &ConvShape, images: usize) -> usize {
        let tiles = match images {
            1 => block_tiles(s, GRADIENT_PANELS).min(tiles_of(s)),
            _ => images * tiles_of(s),
        };
        blocks(s).iter().map(|&blocks| transformed_len(tiles, blocks)).sum()
    }

    /// U = G g G', and U'
    fn prepare(&self, level: Level, kernel: &[f32], weights: &mut Weights) {
        let Weights { shape, kernel: u, transposed, .. } = weights;
        dispatch!(level, simd => transform_kernel(simd, shape, kernel, u));
        dispatch!(level, simd => transpose_kernel(simd, shape, vectors(u), vectors_mut(transposed)));
    }

    /// Y = A' [ U . (B' d B) ] A
    fn forward(&self, level: Level, w: &Weights, x: &[f32], fused: Fused, y: &mut [f32], winners: Option<&mut [u8]>) {
        with_scratch(self.scratch_len(&w.shape, w.shape.images(x)), |scratch| {
            dispatch!(level, simd => forward(simd, w, x, fused, y, winners, scratch));
        });
    }

    /// dx = overlap-add of B (dM U') B'
    fn input_gradient(&self, level: Level, w: &Weights, dy: OutputGradient, dx: &mut [f32]) {
        self.gradients(level, w, dy, Some(dx), None);
    }

    /// dU += V' dM
    fn kernel_gradient(&self, level: Level, w: &Weights, x: &[f32], dy: OutputGradient, dkernel: &mut [f32]) {
        self.gradients(level, w, dy, None, Some((x, dkernel)));
    }

    /// Both need dM = A dY A', computed once.
    fn gradients(
        &self,
        level: Level,
        w: &Weights,
        dy: OutputGradient,
        dx: Option<&mut [f32]>,
        dkernel: Option<(&[f32], &mut [f32])>,
    ) {
        let dkernel = dkernel.map(|(x, du)| (x, vectors_mut(du)));
        with_scratch(self.scratch_len(&w.shape, dy.images(&w.shape)), |scratch| {
            dispatch!(level, simd => gradients(simd, w, dy, dx, dkernel, scratch));
        });
    }

    /// dg = G' dU G
    fn finish(&self, level: Level, s: &ConvShape, sum: &[f32], dkernel: &mut [f32]) {
        dispatch!(level, simd => transform_kernel_gradient(simd, s, sum, dkernel));
    }
}

/// Whether U stays in the second-level cache from a block of tiles to the next.
fn fits_cache(s: &ConvShape) -> bool {
    size_of::<f32>() * Winograd.kernel_lens(s)[0] <= U_BYTES
}

/// Tiles in a block of one image: some panels, or more if U is read from memory for each block.
fn block_tiles(s: &ConvShape, panels: usize) -> usize {
    if fits_cache(s) { panels * ROWS } else { BLOCK_TILES }
}

/// Blocks of sixteen channels: of the input and of the output.
fn blocks(s: &ConvShape) -> [usize; 2] {
    [s.c.div_ceil(LANES), s.filters.div_ceil(LANES)]
}

/// V = B' d B, M = V U, Y = A' M A, block by block.
#[inline(always)]
fn forward<S: Simd>(
    simd: S,
    w: &Weights,
    x: &[f32],
    fused: Fused,
    y: &mut [f32],
    winners: Option<&mut [u8]>,
    scratch: &mut [f32],
) {
    let mut winners = winners.filter(|_| fused == Fused::ReluPool);
    let (s, u) = (&w.shape, vectors(&w.kernel));
    let [cb, fb] = blocks(s);
    let images = s.images(x);
    let (y_len, winners_len) = (y.len() / images, winners.as_deref().map_or(1, |winners| winners.len() / images));
    for tiles in blocks_of_tiles(s, images, block_tiles(s, PANELS)) {
        let [v, m] = tiles.split(scratch, [cb, fb]);
        let v = transform_input(simd, s, x, tiles, v);
        let m = v.multiply(simd, u, m, fb);
        let winners = winners.as_deref_mut().map(|winners| Chunks(winners, winners_len));
        threads::for_each((Chunks(y, y_len), winners), |image, (y, winners)| {
            vectorize!(simd => transform_output(simd, w, m, tiles.within(tiles.of_image(image)), fused, y, winners));
        });
    }
}

/// Y = A' M A of some tiles, and what is fused.
#[inline(always)]
fn transform_output<S: Simd>(
    simd: S,
    w: &Weights,
    m: Transformed,
    tiles: impl Iterator<Item = (usize, Origin)>,
    fused: Fused,
    y: &mut [f32],
    mut winners: Option<&mut [u8]>,
) {
    let (s, bias) = (&w.shape, vectors(&w.bias));
    for (tile, at) in tiles {
        for (f, bias) in bias.iter().enumerate() {
            let bias = simd.load(bias);
            let mut outputs = [[simd.zero(); TILE]; TILE];
            both_ways::<S, Output, SIDE, TILE>(simd, &m.tile(tile, f), &mut outputs);
            for output in outputs.as_flattened_mut() {
                *output = *output + bias;
                // The pool has its own ReLU.
                if fused != Fused::ReluPool {
                    *output = fused.apply(simd, *output);
                }
            }
            match fused {
                Fused::None | Fused::Relu | Fused::Relu6 => Image::outputs(s).write(simd, outputs, at, f, y),
                Fused::ReluPool => write_pooled(simd, s, outputs, at, f, y, winners.as_deref_mut()),
            }
        }
    }
}

/// dM = A dY A'; then dV = dM U' and dx = overlap-add of B dV B', or dU += V' dM, or both.
#[inline(always)]
fn gradients<S: Simd>(
    simd: S,
    w: &Weights,
    dy: OutputGradient,
    mut dx: Option<&mut [f32]>,
    mut dkernel: Option<(&[f32], &mut [Lanes])>,
    scratch: &mut [f32],
) {
    let (s, u_transposed) = (&w.shape, vectors(&w.transposed));
    let [cb, fb] = blocks(s);
    if let Some(dx) = &mut dx {
        dx.fill(0.0);
    }
    let panels = if dkernel.is_some() { GRADIENT_PANELS } else { PANELS };
    for tiles in blocks_of_tiles(s, dy.images(s), block_tiles(s, panels)) {
        // First dV, then V.
        let [dm, v] = tiles.split(scratch, [fb, cb]);
        let dm = transform_output_gradient(simd, s, dy, tiles, dm);
        if let Some(dx) = &mut dx {
            let dv = dm.multiply(simd, u_transposed, v, cb);
            threads::for_chunks(dx, s.input_len(), |image, dx| {
                vectorize!(simd => add_input_gradient(simd, s, dv, tiles.within(tiles.of_image(image)), dx));
            });
        }
        if let Some((x, du)) = &mut dkernel {
            transform_input(simd, s, x, tiles, v).correlate(simd, dm, du);
        }
    }
}

/// V = B' d B
#[inline(always)]
fn transform_input<'a, S: Simd>(
    simd: S,
    s: &ConvShape,
    x: &[f32],
    tiles: Tiles,
    v: &'a mut [Panel],
) -> Transformed<'a> {
    let (image, blocks) = (Image::inputs(s), s.c.div_ceil(LANES));
    Transformed::by_tiles(
        simd,
        tiles,
        v,
        blocks,
        #[inline(always)]
        |of_task: Range<usize>, v: &mut Slab| {
            for (tile, at) in tiles.within(of_task) {
                let x = &x[tiles.image(tile) * s.input_len()..][..s.input_len()];
                let next = tiles.origin(tile + 1);
                for c in 0..blocks {
                    image.prefetch(simd, x, next, c);
                    let mut v = v.tile_mut(tile, c);
                    match image.whole(x, at, c) {
                        Some(d) => both_ways::<S, Input, SIDE, SIDE>(simd, &d, &mut v),
                        None => both_ways::<S, Input, SIDE, SIDE>(simd, &image.read(simd, x, at, c), &mut v),
                    }
                }
            }
        },
    )
}

/// dM = A dY A'
#[inline(always)]
fn transform_output_gradient<'a, S: Simd>(
    simd: S,
    s: &ConvShape,
    dy: OutputGradient,
    tiles: Tiles,
    dm: &'a mut [Panel],
) -> Transformed<'a> {
    type A = OutputTransposed;
    let (image, blocks) = (Image::outputs(s), s.filters.div_ceil(LANES));
    Transformed::by_tiles(
        simd,
        tiles,
        dm,
        blocks,
        #[inline(always)]
        |of_task: Range<usize>, dm: &mut Slab| {
            for (tile, at) in tiles.within(of_task) {
                let (dy, next) = (dy.of_image(s, tiles.image(tile)), tiles.origin(tile + 1));
                for f in 0..blocks {
                    let mut dm = dm.tile_mut(tile, f);
                    match dy {
                        OutputGradient::Full(dy) => match image.whole(dy, at, f) {
                            Some(dy) => both_ways::<S, A, TILE, SIDE>(simd, &dy, &mut dm),
                            None => both_ways::<S, A, TILE, SIDE>(simd, &image.read(simd, dy, at, f), &mut dm),
                        },
                        OutputGradient::Pooled(dy, winners) => {
                            prefetch_pooled(simd, s, dy, next, f);
                            both_ways::<S, A, TILE, SIDE>(simd, &read_pooled(simd, s, dy, winners, at, f), &mut dm);
                        }
                    }
                }
            }
        },
    )
}

/// dx = overlap-add of B dV B', of some tiles
#[inline(always)]
fn add_input_gradient<S: Simd>(
    simd: S,
    s: &ConvShape,
    dv: Transformed,
    tiles: impl Iterator<Item = (usize, Origin)>,
    dx: &mut [f32],
) {
    let image = Image::inputs(s);
    for (tile, at) in tiles {
        for c in 0..s.c.div_ceil(LANES) {
            let dv = dv.tile(tile, c);
            if let Some(mut dx) = image.whole_sum(dx, at, c) {
                both_ways::<S, InputTransposed, SIDE, SIDE>(simd, &dv, &mut dx);
            } else {
                let mut dd = [[simd.zero(); SIDE]; SIDE];
                both_ways::<S, InputTransposed, SIDE, SIDE>(simd, &dv, &mut dd);
                image.add(simd, dd, at, c, dx);
            }
        }
    }
}
