//! The transforms of the kernel, once per step: U, U' and the gradient from dU.

use crate::simd::{Grid, GridMut, LANES, Lanes, Simd, Vector};

use super::super::super::tile::place_in_strips;
use super::transform::{Kernel, KernelTransposed, both_ways};
use super::{ConvShape, SIDE, blocks};

/// U = G g G' for every pair of channels, in strips. Padding stays zero.
#[inline(always)]
pub fn transform_kernel<S: Simd>(simd: S, s: &ConvShape, kernel: &[f32], u: &mut [f32]) {
    let [cb, fb] = blocks(s);
    let pitch = cb * LANES * fb * LANES;
    for c in 0..s.c {
        for f in 0..fb {
            let mut g = [[simd.zero(); 3]; 3];
            for (tap, g) in g.as_flattened_mut().iter_mut().enumerate() {
                *g = simd.load_first(&kernel[(tap * s.c + c) * s.filters..][..s.filters][f * LANES..]);
            }
            let place = place_in_strips(simd, [cb * LANES, fb], c, f) * LANES;
            let mut u = GridMut::new(&mut u[place..], [SIDE; 2], [SIDE * pitch, pitch]);
            both_ways::<S, Kernel, 3, SIDE>(simd, &g, &mut u);
        }
    }
}

/// U' at each position.
#[inline(always)]
pub fn transpose_kernel<S: Simd>(simd: S, s: &ConvShape, u: &[Lanes], transposed: &mut [Lanes]) {
    let [cb, fb] = blocks(s);
    let pairs = u.chunks_exact(cb * LANES * fb).zip(transposed.chunks_exact_mut(fb * LANES * cb));
    for (u, transposed) in pairs {
        for f in 0..fb {
            for c in 0..cb {
                let mut square = [simd.zero(); LANES];
                for i in 0..LANES {
                    square[i] = simd.load(&u[place_in_strips(simd, [cb * LANES, fb], c * LANES + i, f)]);
                }
                let columns = simd.transpose(square);
                for i in 0..LANES {
                    columns[i].store(&mut transposed[place_in_strips(simd, [fb * LANES, cb], f * LANES + i, c)]);
                }
            }
        }
    }
}

/// dg = G' dU G for every pair of channels.
#[inline(always)]
pub fn transform_kernel_gradient<S: Simd>(simd: S, s: &ConvShape, du: &[f32], dkernel: &mut [f32]) {
    let [cb, fb] = blocks(s);
    let pitch = cb * LANES * fb * LANES;
    for c in 0..s.c {
        for f in 0..fb {
            let place = place_in_strips(simd, [cb * LANES, fb], c, f) * LANES;
            let du = Grid::new(&du[place..], [SIDE; 2], [SIDE * pitch, pitch]);
            let mut dg = [[simd.zero(); 3]; 3];
            both_ways::<S, KernelTransposed, SIDE, 3>(simd, &du, &mut dg);
            for (tap, dg) in dg.as_flattened().iter().enumerate() {
                let row = &mut dkernel[(tap * s.c + c) * s.filters..][..s.filters];
                let end = s.filters.min((f + 1) * LANES);
                dg.store_first(&mut row[f * LANES..end]);
            }
        }
    }
}
