//! What the picture decoders share: memory limits, the white background of transparent pictures, and errors.

use std::io;

use image::{RgbImage, metadata::Orientation};

use super::budget::{self, Reserved};
use crate::system::{
    failure::{Failure, Kind, Result},
    number,
};

/// The maximum number of pixels of a picture, more than nearly all cameras take. A header may claim more to exhaust
/// the memory.
const MAX_PIXELS: u64 = 150_000_000;

/// A whole picture as its file holds it.
pub(super) struct Decoded {
    pub picture: RgbImage,
    pub orientation: Orientation,
    /// The ICC profile.
    pub profile: Option<Vec<u8>>,
    /// Memory of the budget, held as long as the picture.
    pub _reserved: Reserved,
}

/// Reserves the memory to decode a picture, waiting until it is free.
pub(super) fn reserve(size: [u32; 2], memory: u64) -> Result<Reserved> {
    let [width, height] = size;
    let found = format!("claims {width} x {height} pixels");
    if size.contains(&0) {
        return Err(Failure::usage(format!("{found}; expected at least one")));
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let most = MAX_PIXELS / 1_000_000;
        return Err(Failure::usage(format!("{found}; expected at most {most} million; scale the picture down")));
    }
    budget::reserve(memory).ok_or_else(|| {
        let [takes, most] = [memory, budget::BYTES].map(number::bytes);
        Failure::usage(format!(
            "{found}, which need {takes} to decode; expected at most {most}; scale the picture down"
        ))
    })
}

/// Blends an RGBA colour with white.
pub(super) fn on_white(color: [u8; 4]) -> [u8; 3] {
    let [red, green, blue, opacity] = color.map(u32::from);
    [red, green, blue].map(|channel| ((channel * opacity + 255 * (255 - opacity) + 127) / 255) as u8)
}

pub(super) fn damaged(what: &str) -> Failure {
    Failure::usage(format!("is damaged: {}", what.trim_end().replace('\n', " ")))
}

/// An I/O error. One from the operating system is the machine's fault, except a lack of permission; one from a decoder
/// means a damaged file.
pub(super) fn unreadable(error: io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof => return damaged("the file ends before the picture does"),
        io::ErrorKind::PermissionDenied => Kind::Usage,
        _ if error.raw_os_error().is_none() => return damaged(&error.to_string()),
        _ => Kind::Environment,
    };
    Failure::new(kind, format!("cannot be read: {error}"))
}
