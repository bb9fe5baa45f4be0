//! `AveragePooling2D`: the mean of each window. Padded positions are left out, as in Keras.

use crate::dispatch;
use crate::kernels::pool::{average_pool, average_pool_gradient};
use crate::kernels::window::Padding;
use crate::shape::Shape;

use super::layer::{Backward, BuildError, Layer};
use super::windowed::Windowed;

/// Average pooling of H x W x C images, for any window and stride.
///
/// ```
/// use thawline_tensor::nn::{AveragePooling2D, Network, Padding};
///
/// let pool = AveragePooling2D::new([2, 2]).padding(Padding::Same);
/// let network = Network::builder([5, 4, 8]).layer("pool", pool).build(1)?;
/// assert_eq!(network.output().dims(), [3, 2, 8]);
/// # Ok::<(), thawline_tensor::nn::NetworkError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AveragePooling2D {
    windows: Windowed,
}

impl AveragePooling2D {
    /// Non-overlapping windows of this many rows and columns, without padding.
    pub fn new(window: [usize; 2]) -> Self {
        Self { windows: Windowed::new(window, window) }
    }

    /// Sets the stride, which by default is the window's size.
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.windows.stride = stride;
        self
    }

    /// Sets the padding, by default none: how far windows may extend past the edge of the image.
    pub fn padding(mut self, padding: Padding) -> Self {
        self.windows.padding = padding;
        self
    }
}

impl Layer for AveragePooling2D {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        self.windows.build(input)
    }

    /// y = the sum of each window / its number of pixels
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        let s = self.windows.shape();
        for (x, y) in x.chunks_exact(s.input_len()).zip(y.chunks_exact_mut(s.output_len())) {
            dispatch!(simd => average_pool(simd, s, x, y));
        }
    }

    /// dx of a pixel = the sum of dy / (the window's number of pixels) over the windows that contain it
    fn backward(&self, pass: Backward<'_>) {
        let (s, Some(dx)) = (self.windows.shape(), pass.dx) else { return };
        for (dy, dx) in pass.dy.chunks_exact(s.output_len()).zip(dx.chunks_exact_mut(s.input_len())) {
            dispatch!(simd => average_pool_gradient(simd, s, dy, dx));
        }
    }

    fn flops(&self) -> u64 {
        let s = self.windows.shape();
        (s.output_len() * s.window[0] * s.window[1]) as u64
    }
}
