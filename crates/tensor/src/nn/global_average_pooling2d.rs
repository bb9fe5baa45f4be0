//! `GlobalAveragePooling2D`: the mean of each channel over all pixels.

use crate::dispatch;
use crate::kernels::sums::add_rows;
use crate::shape::Shape;
use crate::simd::{LANES, vectors_mut};
use crate::threads::with_scratch;

use super::layer::{Backward, BuildError, Layer};
use super::windowed::require_image;

/// An image H x W x C becomes a vector of its C means: `y[c] = (sum of x[h, w, c] over h and w) / (H W)`.
///
/// ```
/// use thawline_tensor::nn::{GlobalAveragePooling2D, Layer};
///
/// let mut mean = GlobalAveragePooling2D::new();
/// assert_eq!(mean.build(&[2, 1, 3].into(), 1)?.dims(), [3]);
/// let mut y = [0.0; 3];
/// mean.forward(&[1.0, 2.0, 3.0, 5.0, 6.0, 7.0], &mut y);
/// assert_eq!(y, [3.0, 4.0, 5.0]);
/// # Ok::<(), thawline_tensor::nn::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalAveragePooling2D {
    pixels: usize,
    channels: usize,
}

impl GlobalAveragePooling2D {
    /// For images of any size.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Layer for GlobalAveragePooling2D {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        let image = require_image(input)?;
        (self.pixels, self.channels) = (image[0] * image[1], image[2]);
        Ok(Shape::from([self.channels]))
    }

    /// y = the sum of x over the pixels / (H W)
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        let (channels, share) = (self.channels, 1.0 / self.pixels as f32);
        for (x, y) in x.chunks_exact(self.pixels * channels).zip(y.chunks_exact_mut(channels)) {
            with_scratch(channels.next_multiple_of(LANES), |sums| {
                sums.fill(0.0);
                dispatch!(simd => add_rows(simd, x, channels, vectors_mut(sums)));
                y.iter_mut().zip(&*sums).for_each(|(y, sum)| *y = sum * share);
            });
        }
    }

    /// dx = dy / (H W) at every pixel
    fn backward(&self, pass: Backward<'_>) {
        let Some(dx) = pass.dx else { return };
        let (channels, share) = (self.channels, 1.0 / self.pixels as f32);
        for (dx, dy) in dx.chunks_exact_mut(self.pixels * channels).zip(pass.dy.chunks_exact_mut(channels)) {
            dy.iter_mut().for_each(|dy| *dy *= share);
            dx.chunks_exact_mut(channels).for_each(|dx| dx.copy_from_slice(dy));
        }
    }

    fn flops(&self) -> u64 {
        (self.pixels * self.channels) as u64
    }
}
