//! `Dropout`: training drops each element with a given probability and scales up the others.

use crate::dispatch;
use crate::kernels::dropout::{dropout, rounded};
use crate::random::Purpose;
use crate::shape::Shape;

use super::layer::{Backward, BuildError, Layer, Step};

/// Inverted dropout: training scales up the elements that it keeps, so inference changes nothing. The masks depend only
/// on the seed, the layer's position, the step and the example's position in the batch.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    rate: f32,
    position: usize,
    len: usize,
}

impl Dropout {
    /// Drops elements with probability `rate`, from 0 to 1. It is rounded to a multiple of 1/65536; a rate that is
    /// rounded to 0 drops nothing, and the layer is not random.
    ///
    /// ```
    /// use thawline_tensor::nn::{Dropout, Layer, Step};
    ///
    /// let mut dropout = Dropout::new(0.25);
    /// dropout.build(&[1000].into(), 1)?;
    /// let mut y = vec![0.0; 1000];
    /// dropout.forward_training(&[3.0; 1000], &mut y, &mut [], Step { seed: 1, step: 0, example: 0 });
    /// assert!(y.iter().all(|&y| y == 0.0 || y == 4.0));
    /// let dropped = y.iter().filter(|&&y| y == 0.0).count();
    /// assert!((200..300).contains(&dropped));
    ///
    /// dropout.forward(&[3.0; 1000], &mut y); // inference drops nothing
    /// assert_eq!(y, [3.0; 1000]);
    /// # Ok::<(), thawline_tensor::nn::BuildError>(())
    /// ```
    pub fn new(rate: f32) -> Self {
        Self { rate, position: 0, len: 1 }
    }

    fn apply(&self, step: Step, elements: &mut [f32]) {
        for (example, elements) in elements.chunks_exact_mut(self.len).enumerate() {
            let mask = step.address(Purpose::Dropout(self.position), example);
            dispatch!(simd => dropout(simd, self.rate, mask, elements));
        }
    }
}

impl Layer for Dropout {
    fn build(&mut self, input: &Shape, position: usize) -> Result<Shape, BuildError> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(format!("its rate is {}; it must be between 0 and 1", self.rate).into());
        }
        (self.position, self.len) = (position, input.size());
        Ok(input.clone())
    }

    /// y = x
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(x);
    }

    /// y = x / (1 - rate) where the element is kept, else 0
    fn forward_training(&self, x: &[f32], y: &mut [f32], _saved: &mut [f32], step: Step) {
        y.copy_from_slice(x);
        self.apply(step, y);
    }

    /// dx = dy / (1 - rate) where the element was kept, else 0
    fn backward(&self, pass: Backward<'_>) {
        if let Some(dx) = pass.dx {
            dx.copy_from_slice(pass.dy);
            self.apply(pass.step, dx);
        }
    }

    fn is_random(&self) -> bool {
        rounded(self.rate) > 0
    }
}
