//! `Activation`: a function of each element. ReLU is usually fused into the layer before it.

use crate::dispatch;
use crate::kernels::activation::{relu, relu_gradient};

use super::layer::{Backward, Layer, Role};

/// An activation function, applied to each element.
///
/// ```
/// use thawline_tensor::nn::{Activation, Layer};
///
/// let mut y = [0.0; 3];
/// Activation::Relu.forward(&[-1.0, 0.0, 2.0], &mut y);
/// assert_eq!(y, [0.0, 0.0, 2.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The rectified linear unit, max(x, 0).
    Relu,
}

impl Layer for Activation {
    /// y = max(x, 0)
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        match self {
            Activation::Relu => dispatch!(simd => relu(simd, x, y)),
        }
    }

    /// dx = dy where y > 0, else 0
    fn backward(&self, pass: Backward<'_>) {
        let Some(dx) = pass.dx else { return };
        dx.copy_from_slice(pass.dy);
        match self {
            Activation::Relu => dispatch!(simd => relu_gradient(simd, pass.y, dx)),
        }
    }

    fn role(&self) -> Role {
        match self {
            Activation::Relu => Role::Relu,
        }
    }
}
