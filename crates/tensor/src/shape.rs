//! Shapes, and the letters for dimensions that every other file uses.
//!
//! | letter | dimension |
//! |---|---|
//! | N | examples in a batch |
//! | H, W, C | rows, columns and channels of an image; memory order is N H W C, channels together |
//! | OH, OW, F | rows, columns and channels (filters) of a convolution's output |
//! | KH, KW | rows and columns of a convolution's kernel, or of a pooling window |
//! | M, N, K | of a matrix product: C (M x N) = A (M x K) times B (K x N) |
//!
//! So three letters have two meanings: N is also a number of columns, C also a product, and W (below) also weights.
//! In formulas, x' is the transpose of x, and x * W the convolution of an image x with a kernel W.

use std::fmt;

/// The dimensions of a tensor, outermost first; the last one is contiguous in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// A shape from its dimensions.
    pub fn new(dims: impl Into<Vec<usize>>) -> Self {
        Self(dims.into())
    }

    /// The dimensions.
    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    /// The number of elements, or `None` if it overflows.
    pub fn checked_size(&self) -> Option<usize> {
        self.0.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim))
    }

    /// The number of elements.
    ///
    /// # Panics
    /// If it overflows. Use [`Shape::checked_size`] for a shape that comes from outside.
    pub fn size(&self) -> usize {
        self.checked_size().expect("the number of elements fits in memory")
    }

    /// H, W, C, if this is the shape of an image.
    pub fn as_image(&self) -> Option<[usize; 3]> {
        self.0.as_slice().try_into().ok()
    }

    /// The length, if this is the shape of a vector.
    pub fn as_vector(&self) -> Option<usize> {
        match self.0[..] {
            [len] => Some(len),
            _ => None,
        }
    }
}

impl<const D: usize> From<[usize; D]> for Shape {
    fn from(dims: [usize; D]) -> Self {
        Self(dims.into())
    }
}

/// Written `32 x 32 x 3`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.pad(&dims.join(" x "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_sizes_and_a_text_form() {
        let image = Shape::from([32, 30, 3]);
        assert_eq!((image.size(), image.as_image(), image.as_vector()), (2880, Some([32, 30, 3]), None));
        assert_eq!((Shape::from([7]).as_vector(), Shape::from([7]).as_image()), (Some(7), None));
        assert_eq!(Shape::from([0; 0]).size(), 1, "a scalar");
        assert_eq!(Shape::from([usize::MAX, 2]).checked_size(), None);
        assert_eq!(
            format!("{image}; {:>8}; {:<6}|", Shape::from([5, 4]), Shape::from([9])),
            "32 x 30 x 3;    5 x 4; 9     |"
        );
    }
}
