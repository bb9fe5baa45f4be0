//! `Flatten`: an image becomes a vector. Channels are last and together, so nothing moves.

use crate::shape::Shape;

use super::layer::{Backward, BuildError, Layer, Role};

/// Forgets rows, columns and channels.
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
