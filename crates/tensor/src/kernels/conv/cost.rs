//! What [`Method::Auto`] chooses: the method with the least cost by a model of the time that a training step takes.
//!
//! A cost is the time of a pass over an image, in multiply-adds of whole vectors at the peak, so it does not depend on
//! the clock or the width of a register. The constants are from one thread of an AMD EPYC (Zen 3) with AVX2, where the
//! chosen method was compared with the others over 200 shapes (`tests/speed`). Only the shape counts, not the batch: an
//! example must have the same bits in any batch.

use crate::simd::{LANES, Lanes};

use super::winograd::{POSITIONS, tiles_of};
use super::{ConvShape, Method};

/// Images over which the transforms of a kernel are spread.
const BATCH: f64 = 64.0;

/// The method with the least cost among those that apply.
pub fn fastest(s: &ConvShape) -> Method {
    let methods = [(Method::Winograd, winograd(s)), (Method::Implicit, implicit(s)), (Method::Im2col, im2col(s))];
    let applicable = methods.into_iter().filter(|(method, _)| method.rung(s).is_ok());
    applicable.min_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(Method::Im2col, |(method, _)| method)
}

/// Blocks of sixteen channels.
fn blocks(channels: usize) -> f64 {
    channels.div_ceil(LANES) as f64
}

/// Vectors of products by the direct method.
fn products(s: &ConvShape) -> f64 {
    (s.out_h * s.out_w * s.depth()) as f64 * blocks(s.filters)
}

/// A product, with a share for packing its operands, a share for copying patches, and a cost for each vector of C.
fn im2col(s: &ConvShape) -> f64 {
    let filters = blocks(s.filters);
    let copies = if s.is_pointwise() { 0.0 } else { 0.23 + 0.32 / filters };
    let outputs = (s.out_h * s.out_w) as f64 * filters;
    products(s) * (1.1 + 0.78 / filters + copies) + 12.0 * outputs
}

/// Products that read the kernel for each tile of outputs, from memory if it is large; for each image, the kernel's
/// gradient is read and written, and some 100 ns go to the rest.
fn implicit(s: &ConvShape) -> f64 {
    let kernel = s.depth() as f64 * blocks(s.filters);
    let megabytes = kernel * size_of::<Lanes>() as f64 / 1e6;
    products(s) * (1.38 + 0.046 * megabytes) + 2.7 * kernel + 260.0
}

/// The products at 36 positions of each tile, the transforms of each tile, and those of the kernel.
fn winograd(s: &ConvShape) -> f64 {
    let [c, f] = [blocks(s.c), blocks(s.filters)];
    let products = (POSITIONS * LANES) as f64 * c * f;
    tiles_of(s) as f64 * (products + 735.0 * (c + f)) + 88.0 * (LANES * LANES) as f64 * c * f / BATCH
}
