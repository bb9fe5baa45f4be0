//! What all decoders of a user's pictures share: their memory, the ground behind transparency, and what they refuse.

use std::io;

use super::budget::{self, Reserved};
use crate::system::{
    failure::{Failure, Kind, Result},
    number,
};

/// The most pixels of a picture: as many as the largest cameras give. What announces more would fill the memory.
const MOST_PIXELS: u64 = 150_000_000;

/// Memory for a picture of some width and height, when there is enough.
pub(super) fn reserve(size: [u32; 2], memory: u64) -> Result<Reserved> {
    let [width, height] = size;
    let found = format!("announces {width} x {height} pixels");
    if size.contains(&0) {
        return Err(Failure::usage(format!("{found}; expected at least one")));
    }
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        let most = MOST_PIXELS / 1_000_000;
        return Err(Failure::usage(format!("{found}; expected at most {most} million; scale the picture down")));
    }
    budget::reserve(memory).ok_or_else(|| {
        let [takes, most] = [memory, budget::BYTES].map(number::bytes);
        Failure::usage(format!(
            "{found}, which take {takes} to decode; expected at most {most}; scale the picture down"
        ))
    })
}

/// A color with its opacity, on a white ground.
pub(super) fn on_white(color: [u8; 4]) -> [u8; 3] {
    let [red, green, blue, opacity] = color.map(u32::from);
    [red, green, blue].map(|channel| ((channel * opacity + 255 * (255 - opacity) + 127) / 255) as u8)
}

pub(super) fn damaged(what: &str) -> Failure {
    Failure::usage(format!("is damaged: {}", what.trim_end().replace('\n', " ")))
}

/// What the system says is a fault of the machine; a decoder's own word for a file that is too short, of the file.
pub(super) fn unreadable(error: io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::UnexpectedEof => return damaged("the file ends before the picture does"),
        io::ErrorKind::PermissionDenied => Kind::Usage,
        _ if error.raw_os_error().is_none() => return damaged(&error.to_string()),
        _ => Kind::Environment,
    };
    Failure::new(kind, format!("cannot be read: {error}"))
}
