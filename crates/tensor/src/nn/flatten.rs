//! `Flatten`: an image becomes a vector. The order of the floats stays the same.

use crate::shape::Shape;

use super::layer::{Backward, BuildError, Layer, Role};

/// Turns an image, H x W x C, into a vector of H W C elements in the same order.
///
/// ```
/// use thawline_tensor::nn::{Flatten, Layer};
///
/// assert_eq!(Flatten.build(&[14, 14, 64].into(), 1)?.dims(), [12_544]);
/// # Ok::<(), thawline_tensor::nn::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

impl Layer for Flatten {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        Ok(Shape::from([input.size()]))
    }

    /// y = x
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(x);
    }

    /// dx = dy
    fn backward(&self, pass: Backward<'_>) {
        if let Some(dx) = pass.dx {
            dx.copy_from_slice(pass.dy);
        }
    }

    fn role(&self) -> Role {
        Role::Reshape
    }
}
