//! im2col + matrix product: convolution with any stride, padding and dilation.
//!
//! Every patch under the kernel is copied into a row of a matrix (M = `out_h` x `out_w` rows, K = KH x KW x C columns);
//! then y = patches kernel, dkernel = patches' dy, and dx is dy kernel', scattered back by [`col2im`]. Each pixel is
//! copied KH x KW times, which is what the implicit rung saves. Chellapilla, Puri and Simard (2006).

use std::ops::Range;

use super::ConvShape;

/// Copies the patch under each output into a row of K floats; zeros where it lies on the border.
pub fn im2col(s: &ConvShape, x: &[f32], patches: &mut [f32]) {
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
pub fn col2im(s: &ConvShape, patches: &[f32], dx: &mut [f32]) {
    for (output, patch) in patches.chunks_exact(s.depth()).enumerate() {
        for (pixel, place) in patch_pixels(s, output) {
            let Some(pixel) = pixel else { continue };
            for (dx, &gradient) in dx[pixel * s.c..][..s.c].iter_mut().zip(&patch[place]) {
                *dx += gradient;
            }
        }
    }
}

/// The pixels under the kernel at one output, `None` on the border, with their place in the patch.
fn patch_pixels(s: &ConvShape, output: usize) -> impl Iterator<Item = (Option<usize>, Range<usize>)> {
    let [oh, ow] = [output / s.out_w, output % s.out_w];
    (0..s.kh * s.kw).map(move |tap| {
        let row = s.input_row(oh, tap / s.kw);
        let col = s.input_col(ow, tap % s.kw);
        (row.zip(col).map(|(row, col)| row * s.w + col), tap * s.c..(tap + 1) * s.c)
    })
}
