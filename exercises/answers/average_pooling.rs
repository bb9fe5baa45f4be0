//! 7. Average pooling and its gradient, as a layer.

use thawline_tensor::Shape;
use thawline_tensor::nn::{Backward, BuildError, Layer};

/// The mean of each window of 2 x 2, stride 2. An odd last row or column is left out.
#[derive(Clone, Debug, Default)]
pub struct AveragePooling {
    /// H, W and C of the input.
    input: [usize; 3],
}

impl Layer for AveragePooling {
    /// Remembers the input's shape and returns the output's; refuses what is not an image.
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        todo!()
    }

    /// y = the mean of the window
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        todo!()
    }

    /// dx = a quarter of the dy of the window that the pixel is in
    fn backward(&self, pass: Backward<'_>) {
        todo!()
    }
}
