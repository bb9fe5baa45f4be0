//! The tensor: dense floats with a shape. No strides, views, broadcasting, dtypes or devices.

use crate::buffer::Buffer;
use crate::shape::Shape;

/// Dense `f32` in row-major order. In a batch, the first dimension counts the examples.
#[derive(Clone, Debug)]
pub struct Tensor {
    shape: Shape,
    /// All dimensions but the first.
    example: Shape,
    data: Buffer,
}

impl Tensor {
    /// All zeros.
    ///
    /// # Panics
    /// If the size overflows or memory runs out.
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let data = Buffer::zeros(shape.size());
        Self::new(shape, data)
    }

    /// A tensor of the given elements.
    ///
    /// # Panics
    /// If their number does not match the shape, the shape's size overflows, or memory runs out.
    pub fn from_slice(shape: impl Into<Shape>, elements: &[f32]) -> Self {
        let shape = shape.into();
        assert_eq!(shape.size(), elements.len(), "a tensor of shape {shape} was given {} elements", elements.len());
        Self::new(shape, elements.into())
    }

    fn new(shape: Shape, data: Buffer) -> Self {
        Self { example: Shape::new(shape.dims().get(1..).unwrap_or_default()), shape, data }
    }

    /// The dimensions.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The dimensions of one example: all but the first.
    pub fn example_shape(&self) -> &Shape {
        &self.example
    }

    /// The elements.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The elements, to write.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// All zeros, or `None` if the size overflows or memory runs out.
    pub fn try_zeros(shape: impl Into<Shape>) -> Option<Self> {
        let shape = shape.into();
        let data = Buffer::try_zeros(shape.checked_size()?).ok()?;
        Some(Self::new(shape, data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_examples_in_row_major_order() {
        let mut tensor = Tensor::from_slice([2, 1, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((tensor.shape().dims(), tensor.example_shape().dims()), (&[2, 1, 3][..], &[1, 3][..]));
        tensor.data_mut()[5] = 7.0;
        assert_eq!(tensor.clone().data(), [1.0, 2.0, 3.0, 4.0, 5.0, 7.0]);
        assert_eq!(Tensor::zeros([3]).data(), [0.0; 3]);
    }

    #[test]
    fn a_tensor_larger_than_memory_is_none() {
        assert!(Tensor::try_zeros([usize::MAX, 2]).is_none());
        assert!(Tensor::try_zeros([usize::MAX / 8]).is_none());
        assert_eq!(Tensor::try_zeros([2, 2]).expect("four floats").data(), [0.0; 4]);
    }

    #[test]
    #[should_panic(expected = "a tensor of shape 2 x 3 was given 5 elements")]
    fn a_wrong_number_of_elements_is_refused() {
        Tensor::from_slice([2, 3], &[0.0; 5]);
    }
}
