//! Rung 2, im2col + matrix product: convolution with any stride, padding and dilation.
//!
//! Every patch under the kernel is copied to a row of a matrix (M = `out_h` x `out_w` rows, K = KH x KW x C columns),
//! and all three passes are products with it. The implicit rung saves the copies: KH x KW of each pixel. Chellapilla,
//! Puri and Simard (2006).

use std::ops::Range;

use crate::simd::Level;
use crate::threads::with_scratch;

use super::super::activation::Fused;
use super::super::gemm::{Epilogue, Matrix, gemm, scratch_lens};
use super::{ConvShape, OutputGradient, Rung, Weights};

/// A matrix of patches, for any convolution.
#[derive(Debug)]
pub struct Im2col;

impl Rung for Im2col {
    fn scratch_len(&self, s: &ConvShape) -> usize {
        let outputs = s.out_h * s.out_w;
        let (patches, y) = (Matrix::outline(outputs, s.depth()), Matrix::outline(outputs, s.filters));
        let kernel = Matrix::outline(s.depth(), s.filters);
        let products = [(patches, kernel), (y, kernel.transposed()), (patches.transposed(), y)];
        let of_product = products.map(|(a, b)| scratch_lens(a, b).iter().sum::<usize>());
        outputs * s.depth() + s.kernel_len() + of_product.into_iter().max().unwrap_or(0)
    }

    /// y = patches kernel + bias
    fn forward(&self, level: Level, w: &Weights, x: &[f32], fused: Fused, y: &mut [f32], _: Option<&mut [u8]>) {
        let s = &w.shape;
        with_patches(s, |patches| {
            im2col(s, x, patches);
            let epilogue = Epilogue::Bias(&w.bias[..s.filters], fused);
            gemm(level, patch_matrix(s, patches), kernel_matrix(w), y, epilogue);
        });
    }

    /// dx = dy kernel', each row added to its patch
    fn input_gradient(&self, level: Level, w: &Weights, dy: OutputGradient, dx: &mut [f32]) {
        let s = &w.shape;
        with_patches(s, |patches| {
            let dy = output_matrix(s, dy.full());
            gemm(level, dy, kernel_matrix(w).transposed(), patches, Epilogue::None);
            dx.fill(0.0);
            col2im(s, patches, dx);
        });
    }

    /// dkernel += patches' dy
    fn kernel_gradient(&self, level: Level, w: &Weights, x: &[f32], dy: OutputGradient, dkernel: &mut [f32]) {
        let s = &w.shape;
        with_patches(s, |patches| {
            im2col(s, x, patches);
            with_scratch(dkernel.len(), |of_image| {
                let (patches, dy) = (patch_matrix(s, patches).transposed(), output_matrix(s, dy.full()));
                gemm(level, patches, dy, of_image, Epilogue::None);
                dkernel.iter_mut().zip(&*of_image).for_each(|(sum, &gradient)| *sum += gradient);
            });
        });
    }
}

/// Calls `work` with scratch for the matrix of patches.
fn with_patches(s: &ConvShape, work: impl FnOnce(&mut [f32])) {
    with_scratch(s.out_h * s.out_w * s.depth(), work);
}

fn patch_matrix<'a>(s: &ConvShape, patches: &'a [f32]) -> Matrix<'a> {
    Matrix::new(patches, s.out_h * s.out_w, s.depth())
}

fn kernel_matrix(w: &Weights) -> Matrix<'_> {
    Matrix::new(&w.kernel, w.shape.depth(), w.shape.filters)
}

fn output_matrix<'a>(s: &ConvShape, y: &'a [f32]) -> Matrix<'a> {
    Matrix::new(y, s.out_h * s.out_w, s.filters)
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
