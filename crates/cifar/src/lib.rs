#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

// Start here: what a data set is (dataset.rs), the record format (records.rs), and how a record becomes a label and
// floats (`Images::get` and `Image::write_nhwc`, images.rs).
mod dataset;
mod format;
mod images;
mod names;
mod records;

// `Dataset::open`: finds an archive or folder and refuses everything that deviates from the release.
mod strict;

mod error;
mod write;

pub use dataset::{Dataset, Source};
pub use error::{Error, Fault};
pub use format::{Format, PIXEL_BYTES, SIDE};
pub use images::{Image, Images};
