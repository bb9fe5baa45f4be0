//! The pictures that accompany a record.

use thawline_cifar::PIXEL_BYTES;

/// A square picture in the CIFAR layout: all red values row by row, then green, then blue.
pub type Pixels = [u8];

/// Sample pictures of both models' classes, in the order of the networks' outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportPictures {
    /// Of model_1's classes.
    pub source: Vec<ClassPictures>,
    /// Of model_2's classes.
    pub target: Vec<ClassPictures>,
}

/// Some pictures of one class, shown as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassPictures {
    pub class: String,
    pub pictures: Vec<[u8; PIXEL_BYTES]>,
}

/// What each position in a picture adds to a class's logit, row by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contributions {
    pub columns: usize,
    pub values: Vec<f32>,
}
