//! `Activation`: a function of each element. It is usually fused into the layer before it.

use crate::dispatch;
use crate::kernels::activation::{Fused, activate, activation_gradient};

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
    /// min(max(x, 0), 6), the activation of mobile networks.
    Relu6,
}

impl Activation {
    pub(super) fn function(self) -> Fused {
        match self {
            Activation::Relu => Fused::Relu,
            Activation::Relu6 => Fused::Relu6,
        }
    }
}

impl Layer for Activation {
    /// y = max(x, 0), or min(max(x, 0), 6)
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        dispatch!(simd => activate(simd, self.function(), x, y));
    }

    /// dx = dy where y > 0 (and y < 6), else 0
    fn backward(&self, pass: Backward<'_>) {
        let Some(dx) = pass.dx else { return };
        dx.copy_from_slice(pass.dy);
        dispatch!(simd => activation_gradient(simd, self.function(), pass.y, dx));
    }

    fn role(&self) -> Role {
        Role::Activation(*self)
    }
}
