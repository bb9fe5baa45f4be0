#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

// From the outside in: a path is an archive or a folder, an archive is gzip around tar around files.
mod archive;
mod entry;
mod folder;
mod gzip;

// What the files hold, and how they become a data set.
mod assembly;
mod format;
mod names;
mod records;

mod dataset;
mod error;
mod write;

pub use dataset::{Dataset, Image, Images, Source};
pub use error::{Error, Fault};
pub use format::{Format, PIXEL_BYTES, SIDE};
