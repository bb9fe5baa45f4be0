#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

// The reading path, all that a reader of the experiment needs: what `Dataset::open` promises (dataset.rs), what a file of
// records is (records.rs), and how a record becomes a label and floats (`Images::get` and `Image::write_nhwc`, images.rs).
mod dataset;
mod format;
mod images;
mod names;
mod records;

// The side tour: find an archive or folder, and refuse everything in it that deviates from the release.
mod strict;

mod error;
mod write;

pub use dataset::{Dataset, Source};
pub use error::{Error, Fault};
pub use format::{Format, PIXEL_BYTES, SIDE};
pub use images::{Image, Images};
