//! A picture file of any size, as the 32 x 32 pixels that the network takes. `image` decodes all formats but PNG, and each
//! decoder's leniency is made up for here: a picture is read whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Cursor, Read, Seek},
    panic,
    path::Path,
};

use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
    imageops, metadata::Orientation,
};

use super::{
    budget,
    decoding::{damaged, on_white, reserve, unreadable},
    jpeg, kinds, png,
};
use crate::{
    models,
    record::run::Pixels,
    system::{
        failure::{Failure, Result},
        number,
    },
};

const SIDE: u32 = models::INPUT[0] as u32;

/// Decodes a picture, turns it as its EXIF orientation says, cuts the largest square out of its middle and resizes that.
/// Transparency is laid on white, grey becomes red, green and blue in equal parts; of an animation the first frame counts.
///
/// # Errors
/// In words that follow the file's name: there is none, it is not a picture, damaged, or too large.
pub fn read(path: &Path) -> Result<Box<Pixels>> {
    // A link that leads in a circle, a name that is too long: whatever keeps a path from leading to a file is its fault.
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::usage("no such file"),
        _ => Failure::usage(format!("cannot be found: {error}")),
    })?;
    if metadata.is_dir() {
        return Err(Failure::usage("is a folder; expected a picture"));
    }
    // Opening a pipe would wait for someone to write into it.
    if !metadata.is_file() {
        return Err(Failure::usage("is not a regular file; expected a picture"));
    }
    decode(BufReader::new(File::open(path).map_err(unreadable)?), metadata.len())
}

/// The same, of a file's contents and their length.
///
/// # Errors
/// As for [`read`].
pub fn decode(source: impl BufRead + Seek, length: u64) -> Result<Box<Pixels>> {
    if length == 0 {
        return Err(Failure::usage("is empty (0 bytes)"));
    }
    // A decoder that panics over a damaged file has harmed nothing: all that it had is gone.
    panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let (picture, orientation) = whole(source, length)?;
        Ok(pixels(&Upright::middle(&picture, orientation)))
    }))
    .unwrap_or_else(|_| Err(damaged("its decoder gave up")))
}

/// The whole picture, and how it must be turned.
fn whole(mut source: impl BufRead + Seek, length: u64) -> Result<(RgbImage, Orientation)> {
    let mut first = Vec::new();
    source.by_ref().take(64).read_to_end(&mut first).map_err(unreadable)?;
    source.rewind().map_err(unreadable)?;
    let format = kinds::format(&first)?;
    let file = |source: &mut dyn Read| {
        let mut bytes = Vec::new();
        source.take(length).read_to_end(&mut bytes).map(|_| bytes).map_err(unreadable)
    };
    if format == ImageFormat::Jpeg {
        // What decoding takes is known after the headers, and where those end is not.
        let too_long = || {
            Failure::usage(format!("has {}; expected at most {}", number::bytes(length), number::bytes(budget::BYTES)))
        };
        let reserved = budget::reserve(length).ok_or_else(too_long)?;
        let frame = jpeg::Frame::read(&file(&mut source)?)?;
        drop(reserved);
        let _reserved = reserve(frame.size(), 2 * length + frame.memory())?;
        source.rewind().map_err(unreadable)?;
        let bytes = file(&mut source)?;
        frame.check(&bytes)?;
        return decoded(decoder(Cursor::new(&bytes[..]), format)?);
    }
    if format == ImageFormat::Png {
        return png::decode(source);
    }
    kinds::check(format, &mut source, length)?;
    source.rewind().map_err(unreadable)?;
    let decoder = decoder(source, format)?;
    let size = decoder.dimensions().into();
    let memory = decoder.total_bytes().saturating_add(kinds::more_memory(format, &first, size, length));
    let _reserved = reserve(size, memory)?;
    decoded(decoder)
}

fn decoder<'a>(source: impl BufRead + Seek + 'a, format: ImageFormat) -> Result<impl ImageDecoder + 'a> {
    let mut reader = ImageReader::with_format(source, format);
    // For what a decoder asks for beside the picture; the budget has both.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(kinds::MOST_FRAME_BYTES);
    reader.limits(limits);
    reader.into_decoder().map_err(undecodable)
}

fn decoded(mut decoder: impl ImageDecoder) -> Result<(RgbImage, Orientation)> {
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = match DynamicImage::from_decoder(decoder).map_err(undecodable)? {
        DynamicImage::ImageRgba8(picture) => {
            // In place: a copy would not fit the budget.
            let (width, height) = picture.dimensions();
            let mut pixels = picture.into_raw();
            for pixel in 0..pixels.len() / 4 {
                let color = on_white([0, 1, 2, 3].map(|channel| pixels[4 * pixel + channel]));
                pixels[3 * pixel..3 * pixel + 3].copy_from_slice(&color);
            }
            RgbImage::from_raw(width, height, pixels).ok_or_else(|| damaged("rows are missing"))?
        }
        picture => picture.into_rgb8(),
    };
    Ok((picture, orientation))
}

/// The middle square of a picture as it is meant to be seen, read where the picture is.
struct Upright<'a> {
    picture: &'a RgbImage,
    /// Whether columns and rows change places, then whether columns and rows run backwards.
    swapped: bool,
    backwards: [bool; 2],
    corner: [u32; 2],
    side: u32,
}

impl<'a> Upright<'a> {
    fn middle(picture: &'a RgbImage, orientation: Orientation) -> Self {
        let (swapped, backwards) = match orientation {
            Orientation::NoTransforms => (false, [false, false]),
            Orientation::Rotate90 => (true, [false, true]),
            Orientation::Rotate180 => (false, [true, true]),
            Orientation::Rotate270 => (true, [true, false]),
            Orientation::FlipHorizontal => (false, [true, false]),
            Orientation::FlipVertical => (false, [false, true]),
            Orientation::Rotate90FlipH => (true, [false, false]),
            Orientation::Rotate270FlipH => (true, [true, true]),
        };
        let (width, height) = picture.dimensions();
        let side = width.min(height);
        let [width, height] = if swapped { [height, width] } else { [width, height] };
        Upright { picture, swapped, backwards, corner: [(width - side) / 2, (height - side) / 2], side }
    }
}

impl GenericImageView for Upright<'_> {
    type Pixel = Rgb<u8>;

    fn dimensions(&self) -> (u32, u32) {
        (self.side, self.side)
    }

    fn get_pixel(&self, x: u32, y: u32) -> Rgb<u8> {
        let [x, y] = [x + self.corner[0], y + self.corner[1]];
        let [x, y] = if self.swapped { [y, x] } else { [x, y] };
        let x = if self.backwards[0] { self.picture.width() - 1 - x } else { x };
        let y = if self.backwards[1] { self.picture.height() - 1 - y } else { y };
        *self.picture.get_pixel(x, y)
    }
}

/// A square, small.
fn pixels(square: &Upright) -> Box<Pixels> {
    // Catmull and Rom's cubic, as wide as the reduction asks for: sharp, and without a system's sine, as Lanczos's has.
    let small = imageops::resize(square, SIDE, SIDE, imageops::FilterType::CatmullRom);
    let plane = (SIDE * SIDE) as usize;
    let mut pixels = Box::new([0; _]);
    for (index, pixel) in small.pixels().enumerate() {
        for channel in 0..3 {
            pixels[channel * plane + index] = pixel.0[channel];
        }
    }
    pixels
}

fn undecodable(error: ImageError) -> Failure {
    match error {
        ImageError::IoError(error) => unreadable(error),
        ImageError::Limits(_) => Failure::usage(format!(
            "has a frame that takes more than {} to decode; scale the picture down",
            number::bytes(kinds::MOST_FRAME_BYTES)
        )),
        error => damaged(&error.to_string()),
    }
}
