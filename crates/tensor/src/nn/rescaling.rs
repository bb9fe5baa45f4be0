//! `Rescaling`: scales and shifts each channel by fixed numbers, so that pixels have the range that a network expects.

use crate::shape::Shape;

use super::layer::{Backward, BuildError, Layer};

/// y = x scale + offset, with one scale and offset for all channels, or one for each.
///
/// Pixels arrive between 0 and 1. A network trained on (pixel / 255 - mean) / deviation takes a scale of 1 / deviation
/// and an offset of -mean / deviation.
///
/// ```
/// use thawline_tensor::nn::{Layer, Rescaling};
///
/// let mut between_minus_one_and_one = Rescaling::new([2.0], [-1.0]);
/// between_minus_one_and_one.build(&[1, 1, 3].into(), 1)?;
/// let mut y = [0.0; 3];
/// between_minus_one_and_one.forward(&[0.0, 0.5, 1.0], &mut y);
/// assert_eq!(y, [-1.0, 0.0, 1.0]);
/// # Ok::<(), thawline_tensor::nn::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rescaling {
    scale: Vec<f32>,
    offset: Vec<f32>,
}

impl Rescaling {
    /// `scale` and `offset` each have one number, or one per channel.
    pub fn new(scale: impl Into<Vec<f32>>, offset: impl Into<Vec<f32>>) -> Self {
        Self { scale: scale.into(), offset: offset.into() }
    }
}

impl Layer for Rescaling {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        let channels = input.dims().last().copied().unwrap_or(1);
        for (what, numbers) in [("scale", &self.scale), ("offset", &self.offset)] {
            if numbers.len() != 1 && numbers.len() != channels {
                let found = numbers.len();
                return Err(
                    format!("its {what} has {found} numbers; expected 1, or {channels}: one per channel").into()
                );
            }
            if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
                return Err(format!("its {what} is {number}; expected a finite number").into());
            }
        }
        Ok(input.clone())
    }

    /// y = x scale + offset
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        // One number per channel, or a single number for all channels.
        let numbers = self.scale.iter().cycle().zip(self.offset.iter().cycle());
        for ((y, x), (scale, offset)) in y.iter_mut().zip(x).zip(numbers) {
            *y = x * scale + offset;
        }
    }

    /// dx = dy scale
    fn backward(&self, pass: Backward<'_>) {
        let Some(dx) = pass.dx else { return };
        for ((dx, dy), scale) in dx.iter_mut().zip(&*pass.dy).zip(self.scale.iter().cycle()) {
            *dx = dy * scale;
        }
    }
}
