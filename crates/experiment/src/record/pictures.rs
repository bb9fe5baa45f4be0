//! Pictures that a record comes with.

use thawline_cifar::PIXEL_BYTES;

/// A picture as the network takes it, 32 x 32 pixels: rows of red from the top left, then green, then blue.
pub type Pixels = [u8; PIXEL_BYTES];

/// Sample pictures of both halves of the experiment; the classes are in the order of the networks' outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportPictures {
    /// Of model_1's classes.
    pub source: Vec<ClassPictures>,
    /// Of model_2's classes.
    pub target: Vec<ClassPictures>,
}

/// Some pictures of one class; ten make a good row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassPictures {
    /// Its name.
    pub class: String,
    /// The pictures.
    pub pictures: Vec<Pixels>,
}
