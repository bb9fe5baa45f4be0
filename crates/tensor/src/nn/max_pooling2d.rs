//! `MaxPooling2D`: the largest element of each window. Ties go to the first in row order.

use crate::dispatch;
use crate::kernels::pool::{max_pool, max_pool_gradient};
use crate::kernels::window::Padding;
use crate::shape::Shape;

use super::layer::{Backward, BuildError, Layer, Role};
use super::windowed::Windowed;

/// Max-pooling, for any window and stride: `y[h, w, c]` is the largest element of channel c in its window,
/// and the whole gradient goes to that element. Windows of 2 x 2 turn H x W x C into H/2 x W/2 x C, rounded down.
///
/// ```
/// use thawline_tensor::nn::{Layer, MaxPooling2D};
///
/// let mut pool = MaxPooling2D::new([2, 2]);
/// assert_eq!(pool.build(&[2, 4, 1].into(), 1)?.dims(), [1, 2, 1]);
/// let mut y = [0.0; 2];
/// pool.forward(&[1.0, 2.0, 8.0, 7.0, 4.0, 3.0, 5.0, 6.0], &mut y);
/// assert_eq!(y, [4.0, 8.0]);
/// # Ok::<(), thawline_tensor::nn::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MaxPooling2D {
    windows: Windowed,
}

impl MaxPooling2D {
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

impl Layer for MaxPooling2D {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        self.windows.build(input)
    }

    /// y = max of each window
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        let s = self.windows.shape();
        for (x, y) in x.chunks_exact(s.input_len()).zip(y.chunks_exact_mut(s.output_len())) {
            dispatch!(simd => max_pool(simd, s, x, y));
        }
    }

    /// dx of a pixel = the sum of dy over the windows that it wins
    fn backward(&self, pass: Backward<'_>) {
        let (s, Some(dx)) = (self.windows.shape(), pass.dx) else { return };
        let examples = pass.x.chunks_exact(s.input_len()).zip(dx.chunks_exact_mut(s.input_len()));
        let outputs = pass.y.chunks_exact(s.output_len()).zip(pass.dy.chunks_exact(s.output_len()));
        for ((x, dx), (y, dy)) in examples.zip(outputs) {
            dispatch!(simd => max_pool_gradient(simd, s, x, y, dy, dx));
        }
    }

    fn role(&self) -> Role {
        match self.windows {
            Windowed { size: [2, 2], stride: [2, 2], padding: Padding::Valid, .. } => Role::MaxPool2x2,
            _ => Role::Other,
        }
    }
}
