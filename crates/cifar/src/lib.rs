//! A strict, fast reader and writer of the CIFAR-10 and CIFAR-100 binary releases.
#![forbid(unsafe_code)]

mod archive;
mod assembly;
mod dataset;
mod entry;
mod error;
mod folder;
mod format;
mod gzip;
mod names;
mod records;
mod write;

pub use dataset::{Dataset, Image, Images, Source};
pub use error::{Error, Fault};
pub use format::{Format, PIXEL_BYTES, SIDE};
