//! Winograd's convolution F(4x4, 3x3): the fastest rung, for 3 x 3 kernels with stride 1.
//!
//! A 4 x 4 tile of outputs depends on a 6 x 6 tile d of inputs and the 3 x 3 kernel g. Computed directly it takes
//! 144 products a channel pair; Winograd (1980) and, for networks, Lavin and Gray (2016) need 36:
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
//! They come from interpolating the product of two polynomials at 0, 1, -1, 2, -2 and infinity. Summed over channels,
//! the element-wise product becomes, for each of the 36 positions, a matrix product M = V U of (tiles x C) with
//! (C x filters): that is where the time goes, and it runs in [`tile`](crate::kernels::tile)s of registers.
//!
//! **The backward pass is the transpose.** The output is linear in V for fixed U and the other way round, and each
//! transform is linear. The gradient of a linear map is its transpose, so with dM = A dY A':
//!
//! ```text
//!     dx = overlap-add of B (dM U') B'          dg = G' (V' dM) G
//! ```
//!
//! Both cost a quarter of the direct method, like the forward pass. A block of tiles is transformed, multiplied and
//! transformed back before the next one, so that V, M and U stay in the core's second-level cache.
//!
//! [`Shrink`] folds ReLU and a 2 x 2 max-pool into the output transform: a 4 x 4 tile holds four whole pool windows, so
//! the large activation is never written; one byte per window keeps who won.

use crate::simd::{LANES, Lanes, Simd};

use super::super::tile::ROWS;
use super::ConvShape;

/// Positions of a transformed tile.
const POSITIONS: usize = 36;

/// Panels that are transformed before they are multiplied: all that fit in the second-level cache beside U, ...
const PANELS: usize = 1;

/// ... and more of them, enough for 28 x 28 outputs, where every product is added to dU, which is read and written each time.
const GRADIENT_PANELS: usize = 4;

/// Sixteen channels of as many tiles as a register tile has rows.
type Panel = [Lanes; ROWS];

/// What is done to a tile of outputs before it is written, and to the gradient that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrink {
    /// Nothing.
    None,
    /// ReLU.
    Relu,
    /// ReLU, then the maximum of each 2 x 2 window.
    ReluMaxPool,
}

/// Whether Winograd's method computes this convolution.
pub fn is_legal(s: &ConvShape) -> bool {
    s.is_dense() && [s.kh, s.kw] == [3, 3]
}

/// Vectors that hold the transformed kernel, and as many its transpose.
pub fn kernel_vectors(s: &ConvShape) -> [usize; 2] {
    let [c, f] = blocks(s);
    [POSITIONS * c * LANES * f, POSITIONS * f * LANES * c]
}

/// Blocks of sixteen channels: of the input and of the output.
fn blocks(s: &ConvShape) -> [usize; 2] {
    [s.c.div_ceil(LANES), s.filters.div_ceil(LANES)]
}

/// U = G g G' for every channel pair, and its transpose for the input gradient. Rows and columns that only fill up a
/// vector stay zero.
#[inline(always)]
pub fn transform_kernel<S: Simd>(simd: S, s: &ConvShape, kernel: &[f32], u: &mut [Lanes], u_transposed: &mut [Lanes]) {
    let [cb, fb] = blocks(s);
    for c in 0..s.c {
        for f in 0..fb {
            let mut g = [[simd.zero(); 3]; 3];
            for (tap, g) in g.as_flattened_mut().iter_mut().enumerate() {
                *g = simd.load_first(&kernel[(tap * s.c + c) * s.filters..][..s.filters][f * LANES..]);
            }
            let mut transformed = [[simd.zero(); 6]; 6];
            both_ways::<S, Kernel, 3, 6>(simd, &g, &mut transformed);
            for (v, u) in transformed.as_flattened().iter().zip(u.chunks_exact_mut(cb * LANES * fb)) {
                simd.store(*v, &mut u[c * fb + f]);
            }
        }
    }
    let pairs = u.chunks_exact(cb * LANES * fb).zip(u_transposed.chunks_exact_mut(fb * LANES * cb));
    for (u, transposed) in pairs {
        for (c, row) in u.chunks_exact(fb).enumerate() {
            for (f, &element) in row.as_flattened().iter().enumerate() {
                transposed[f * cb + c / LANES][c % LANES] = element;
            }
        }
    }
}

/// dg = G' dU G: the gradient of the kernel from the sum of [`kernel_gradient`]s.
#[inline(always)]
pub fn transform_kernel_gradient<S: Simd>(simd: S, s: &ConvShape, du: &[Lanes], dkernel: &mut [f32]) {
    let [cb, fb] = blocks(s);
    for c in 0..s.c {
        for f in 0..fb {
            let mut tile = [[simd.zero(); 6]; 6];
            for (tile, du) in tile.as_flattened_mut().iter_mut().zip(du.chunks_exact(cb * LANES * fb)) {
                *tile = simd.load(&du[c * fb + f]);
            }
            let mut dg = [[simd.zero(); 3]; 3];
            both_ways::<S, KernelTransposed, 6, 3>(simd, &tile, &mut dg);
            for (tap, dg) in dg.as_flattened().iter().enumerate() {
                let row = &mut dkernel[(tap * s.c + c) * s.filters..][..s.filters];
                let end = s.filters.min((f + 1) * LANES);
                simd.store_first(*dg, &mut row[f * LANES..end]);
            }
        }
    }
}

/// Forward: y of one image. `bias` has a vector for each sixteen filters. Where a pool is folded in, `winners` gets
/// the place of each window's largest element, 2 * row + column, if it is as long as y and not empty.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the operands of a convolution")]
pub fn forward<S: Simd>(
    simd: S,
    s: &ConvShape,
    x: &[f32],
    u: &[Lanes],
    bias: &[Lanes],
    shrink: Shrink,
    y: &mut [f32],
    winners: &mut [u8],
    scratch: &mut [f32],
) {
    let [cb, fb] = blocks(s);
    for tiles in tile_blocks(s, PANELS) {
        let [v, m] = tiles.split(scratch, [cb, fb]);
        tiles.transform_input(simd, s, x, v);
        tiles.multiply(simd, v, u, m, [cb, fb]);
        for (tile, at) in tiles.iter() {
            for (f, bias) in bias.iter().enumerate() {
                let bias = simd.load(bias);
                let mut outputs = [[simd.zero(); 4]; 4];
                both_ways::<S, Output, 6, 4>(simd, &tiles.spread(m, fb, tile, f), &mut outputs);
                for output in outputs.as_flattened_mut() {
                    *output = simd.add(*output, bias);
                    if shrink == Shrink::Relu {
                        *output = simd.max(simd.zero(), *output);
                    }
                }
                match shrink {
                    Shrink::None | Shrink::Relu => write_tile(simd, s, outputs, at, f, y),
                    Shrink::ReluMaxPool => write_pooled(simd, s, outputs, at, f, y, winners),
                }
            }
        }
    }
}

/// The gradient for the input of one image, which it overwrites.
#[inline(always)]
pub fn input_gradient<S: Simd>(
    simd: S,
    s: &ConvShape,
    dy: OutputGradient,
    u_transposed: &[Lanes],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    gradients(simd, s, dy, Some((u_transposed, dx)), None, scratch);
}

/// The gradient for the transformed kernel, dU = V' dM of one image; added to `du`, or in its place.
#[inline(always)]
pub fn kernel_gradient<S: Simd>(
    simd: S,
    s: &ConvShape,
    x: &[f32],
    dy: OutputGradient,
    du: &mut [Lanes],
    accumulate: bool,
    scratch: &mut [f32],
) {
    gradients(simd, s, dy, None, Some((x, du, accumulate)), scratch);
}

/// Either gradient or both: [`input_gradient`] from the transposed transformed kernel, [`kernel_gradient`] from the input.
/// Both need dM, which is made once.
#[inline(always)]
pub fn gradients<S: Simd>(
    simd: S,
    s: &ConvShape,
    dy: OutputGradient,
    mut for_input: Option<(&[Lanes], &mut [f32])>,
    mut for_kernel: Option<(&[f32], &mut [Lanes], bool)>,
    scratch: &mut [f32],
) {
    let [cb, fb] = blocks(s);
    if let Some((_, dx)) = &mut for_input {
        dx.fill(0.0);
    }
    let panels = if for_kernel.is_some() { GRADIENT_PANELS } else { PANELS };
    for (index, tiles) in tile_blocks(s, panels).enumerate() {
        let [dm, v] = tiles.split(scratch, [fb, cb]);
        tiles.transform_output_gradient(simd, s, dy, dm);
        if let Some((u_transposed, dx)) = &mut for_input {
            tiles.multiply(simd, dm, u_transposed, v, [fb, cb]);
            tiles.add_input_gradient(simd, s, v, dx);
        }
        if let Some((x, du, accumulate)) = &mut for_kernel {
            tiles.transform_input(simd, s, x, v);
            tiles.correlate(simd, v, dm, du, [cb, fb], *accumulate || index > 0);
        }
    }
}

/// Where the gradient of a tile of outputs comes from.
#[derive(Clone, Copy, Debug)]
pub enum OutputGradient<'a> {
    /// From the gradient of the outputs themselves.
    Full(&'a [f32]),
    /// From the gradient of the pool folded in (already zero where ReLU let nothing through), and each window's winner.
    Pooled(&'a [f32], &'a [u8]),
}

/// Floats of scratch that each function on an image needs.
pub fn scratch_len(s: &ConvShape) -> usize {
    let panels = PANELS.max(GRADIENT_PANELS);
    blocks(s).iter().map(|&blocks| POSITIONS * pitch(panels, blocks) * ROWS * LANES).sum()
}

impl Tiles {
    /// V = B' d B.
    #[inline(always)]
    fn transform_input<S: Simd>(self, simd: S, s: &ConvShape, x: &[f32], v: &mut [Panel]) {
        let cb = s.c.div_ceil(LANES);
        for (tile, at) in self.iter() {
            for c in 0..cb {
                let mut v = self.spread_mut(v, cb, tile, c);
                if let Some(next) = whole_inputs(s, x, self.at(tile + 1), c) {
                    next.prefetch_inputs(simd);
                }
                match whole_inputs(s, x, at, c) {
                    Some(d) => both_ways::<S, Input, 6, 6>(simd, &d, &mut v),
                    None => both_ways::<S, Input, 6, 6>(simd, &input_tile(simd, s, x, at, c), &mut v),
                }
            }
        }
    }

    /// dM = A dY A'.
    #[inline(always)]
    fn transform_output_gradient<S: Simd>(self, simd: S, s: &ConvShape, dy: OutputGradient, dm: &mut [Panel]) {
        let fb = s.filters.div_ceil(LANES);
        for (tile, at) in self.iter() {
            for f in 0..fb {
                let mut dm = self.spread_mut(dm, fb, tile, f);
                match dy {
                    OutputGradient::Full(dy) => match whole_outputs(s, dy, at, f) {
                        Some(dy) => both_ways::<S, OutputTransposed, 4, 6>(simd, &dy, &mut dm),
                        None => {
                            both_ways::<S, OutputTransposed, 4, 6>(simd, &read_tile(simd, s, dy, at, f), &mut dm);
                        }
                    },
                    OutputGradient::Pooled(dy, winners) => {
                        prefetch_pooled(simd, s, dy, self.at(tile + 1), f);
                        let dy = read_pooled(simd, s, dy, winners, at, f);
                        both_ways::<S, OutputTransposed, 4, 6>(simd, &dy, &mut dm);
                    }
                }
            }
        }
    }

    /// dx = overlap-add of B dV B'.
    #[inline(always)]
    fn add_input_gradient<S: Simd>(self, simd: S, s: &ConvShape, dv: &[Panel], dx: &mut [f32]) {
        let cb = s.c.div_ceil(LANES);
        for (tile, at) in self.iter() {
            for c in 0..cb {
                let dv = self.spread(dv, cb, tile, c);
                if let Some(mut sums) = whole_input_sums(s, dx, at, c) {
                    both_ways::<S, InputTransposed, 6, 6>(simd, &dv, &mut sums);
                } else {
                    let mut dd = [[simd.zero(); 6]; 6];
                    both_ways::<S, InputTransposed, 6, 6>(simd, &dv, &mut dd);
                    add_input_tile(simd, s, dd, at, c, dx);
                }
            }
        }
    }
}

mod border;
mod products;
mod tiles;
mod transform;

use border::{
    add_input_tile, input_tile, prefetch_pooled, read_pooled, read_tile, whole_input_sums, whole_inputs, whole_outputs,
    write_pooled, write_tile,
};
use tiles::{At, Tiles, pitch, tile_blocks};
use transform::{Input, InputTransposed, Kernel, KernelTransposed, Output, OutputTransposed, both_ways};
