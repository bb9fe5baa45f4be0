//! What the layers that slide a window over an image share: its settings and, once built, all sizes.

use crate::kernels::window::{Padding, WindowShape};
use crate::shape::Shape;

use super::layer::BuildError;

/// A window over an image. It passes over each channel separately.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windowed {
    pub size: [usize; 2],
    pub stride: [usize; 2],
    pub padding: Padding,
    shape: Option<WindowShape>,
}

impl Windowed {
    /// Without padding.
    pub fn new(size: [usize; 2], stride: [usize; 2]) -> Self {
        Self { size, stride, padding: Padding::Valid, shape: None }
    }

    /// The shape of the output: OH x OW x C.
    pub fn build(&mut self, input: &Shape) -> Result<Shape, BuildError> {
        let s = WindowShape::new(require_image(input)?, self.size, self.stride, self.padding)?;
        self.shape = Some(s);
        Ok(Shape::from([s.out_h, s.out_w, s.c]))
    }

    pub fn shape(&self) -> &WindowShape {
        self.shape.as_ref().expect("a layer is built before it is used")
    }
}

/// H, W, C of a layer's input.
pub(super) fn require_image(input: &Shape) -> Result<[usize; 3], BuildError> {
    input.as_image().ok_or_else(|| format!("it takes an image (H x W x C) and was given {input}").into())
}
