//! Rung 2, im2col + matrix product: convolution with any stride, padding and dilation.
//!
//! Every patch under the kernel is copied to a row of a matrix (M = `out_h` x `out_w` rows, K = KH x KW x C columns).
//! Then y and dkernel are products with it; for dx, a product gives its gradient, whose rows are added to the pixels.
//! The implicit rung saves the copies: KH x KW of each pixel. Chellapilla, Puri and Simard (2006).

use std::ops::Range;

use crate::simd::Level;
use crate::threads::{self, with_scratch};

use super::super::activation::Fused;
use super::super::gemm::{Epilogue, Matrix, gemm, scratch_lens};
use super::{ConvShape, OutputGradient, Rung, Weights};

/// A matrix of patches, for any convolution.
#[derive(Debug)]
pub struct Im2col;

impl Rung for Im2col {
    /// As many as have at most `PATCHES` patches together, and at least one.
    fn images_at_once(&self, s: &ConvShape) -> usize {
        (PATCHES / (s.out_h * s.out_w)).max(1)
    }

    fn scratch_len(&self, s: &ConvShape, images: usize) -> usize {
        let outputs = images * s.out_h * s.out_w;
        let (patches, y) = (Matrix::outline(outputs, s.depth()), Matrix::outline(outputs, s.filters));
        let kernel = Matrix::outline(s.depth(), s.filters);
        let products = [(patches, kernel), (y, kernel.transposed()), (patches.transposed(), y)];
        let of_product = products.map(|(a, b)| scratch_lens(a, b).iter().sum::<usize>());
        // The pixels of a pointwise convolution are its patches.
        let patches_len = if s.is_pointwise() { 0 } else { outputs * s.depth() };
        patches_len + s.kernel_len() + of_product.into_iter().max().unwrap_or(0)
    }

    /// y = patches kernel + bias
    fn forward(&self, level: Level, w: &Weights, x: &[f32], fused: Fused, y: &mut [f32], _: Option<&mut [u8]>) {
        let s = &w.shape;
        with_patches(s, x, |patches| {
            gemm(level, patches, kernel_matrix(w), y, Epilogue::Bias(&w.bias[..s.filters], fused));
        });
    }

    /// dx = dy kernel', each row added to its patch
    fn input_gradient(&self, level: Level, w: &Weights, dy: OutputGradient, dx: &mut [f32]) {
        let (s, dy) = (&w.shape, output_matrix(&w.shape, dy.full()));
        let kernel = kernel_matrix(w).transposed();
        if s.is_pointwise() {
            return gemm(level, dy, kernel, dx, Epilogue::None);
        }
        let len = s.out_h * s.out_w * s.depth();
        with_scratch(s.images(dx) * len, |patches| {
            gemm(level, dy, kernel, patches, Epilogue::None);
            threads::for_chunks(dx, s.input_len(), |image, dx| {
                dx.fill(0.0);
                col2im(s, &patches[image * len..][..len], dx);
            });
        });
    }

    /// dkernel += patches' dy
    fn kernel_gradient(&self, level: Level, w: &Weights, x: &[f32], dy: OutputGradient, dkernel: &mut [f32]) {
        let s = &w.shape;
        with_patches(s, x, |patches| {
            with_scratch(dkernel.len(), |sum| {
                gemm(level, patches.transposed(), output_matrix(s, dy.full()), sum, Epilogue::None);
                dkernel.iter_mut().zip(&*sum).for_each(|(dkernel, &sum)| *dkernel += sum);
            });
        });
    }
}

/// Patches in a product of several images: with fewer, packing the kernel would take too large a share of the time.
const PATCHES: usize = 1024;

/// Calls `work` with the matrix of patches.
fn with_patches(s: &ConvShape, x: &[f32], work: impl FnOnce(Matrix)) {
    let outputs = s.out_h * s.out_w;
    let (rows, len) = (s.images(x) * outputs, outputs * s.depth());
    if s.is_pointwise() {
        return work(Matrix::new(x, rows, s.depth()));
    }
    with_scratch(rows * s.depth(), |patches| {
        threads::for_chunks(patches, len, |image, patches| {
            im2col(s, &x[image * s.input_len()..][..s.input_len()], patches);
        });
        work(Matrix::new(patches, rows, s.depth()));
    });
}

fn kernel_matrix(w: &Weights) -> Matrix<'_> {
    Matrix::new(&w.kernel, w.shape.depth(), w.shape.filters)
}

fn output_matrix<'a>(s: &ConvShape, y: &'a [f32]) -> Matrix<'a> {
    Matrix::new(y, y.len() / s.filters, s.filters)
}

/// Copies the patch under each output to a row of K floats; zeros on the border.
fn im2col(s: &ConvShape, x: &[f32], patches: &mut [f32]) {
    for (output, patch) in patches.chunks_exact_mut(s.depth()).enumerate() {
        for (pixel, place) in patch_pixels(s, output) {
            match pixel {
                Some(pixel) => patch[place].copy_from_slice(&x[pixel * s.c..][..s.c]),
                None => patch[place].fill(0.0),
            }
        }
    }
}

/// The transpose of [`im2col`]: adds the rows of `patches` to the pixels they came from.
fn col2im(s: &ConvShape, patches: &[f32], dx: &mut [f32]) {
    for (output, patch) in patches.chunks_exact(s.depth()).enumerate() {
        for (pixel, place) in patch_pixels(s, output) {
            let Some(pixel) = pixel else { continue };
            for (dx, &gradient) in dx[pixel * s.c..][..s.c].iter_mut().zip(&patch[place]) {
                *dx += gradient;
            }
        }
    }
}

/// The pixels under the kernel at one output, `None` on the border, and their places in the patch.
fn patch_pixels(s: &ConvShape, output: usize) -> impl Iterator<Item = (Option<usize>, Range<usize>)> {
    let [oh, ow] = [output / s.out_w, output % s.out_w];
    (0..s.kh * s.kw).map(move |tap| {
        let row = s.input_row(oh, tap / s.kw);
        let col = s.input_col(ow, tap % s.kw);
        (row.zip(col).map(|(row, col)| row * s.w + col), tap * s.c..(tap + 1) * s.c)
    })
}
