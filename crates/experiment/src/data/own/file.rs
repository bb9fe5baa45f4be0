//! Decodes a picture file of any size into a square of the network's input size. The `image` crate decodes all formats
//! except PNG. Its decoders of JPEG, GIF and WebP accept truncated files, so these formats are checked here first.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Cursor, Read, Seek},
    path::Path,
};

use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
    imageops, metadata::Orientation,
};

use super::{
    budget::{self, Reserved},
    color,
    decoding::{Decoded, damaged, on_white, reserve, unreadable},
    jpeg, kinds, png,
};
use crate::{
    record::pictures::Pixels,
    system::{
        failure::{Failure, Result},
        number, panics,
    },
};

/// Decodes a picture, applies its EXIF orientation, crops the largest central square, resizes it to `size` rows and
/// columns and converts its colours to sRGB. Transparent pixels are blended with white, and only the first frame of an
/// animation is used.
///
/// # Errors
/// Worded to follow the file's name: it does not exist, cannot be read, is not a picture, is damaged, or is too large.
pub fn read(path: &Path, size: usize) -> Result<Box<Pixels>> {
    // A circular link or a name that is too long: all such errors are the path's fault, not the machine's.
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::usage("no such file"),
        _ => Failure::usage(format!("cannot be found: {error}")),
    })?;
    if metadata.is_dir() {
        return Err(Failure::usage("is a folder; expected a picture"));
    }
    // Opening a pipe would wait for a writer.
    if !metadata.is_file() {
        return Err(Failure::usage("is not a regular file; expected a picture"));
    }
    decode(BufReader::new(File::open(path).map_err(unreadable)?), metadata.len(), size)
}

/// Like [`read`], from the content and length of a file.
pub fn decode(source: impl BufRead + Seek, length: u64, size: usize) -> Result<Box<Pixels>> {
    if length == 0 {
        return Err(Failure::usage("is empty (0 bytes)"));
    }
    // Some decoders panic on damaged files.
    panics::contained(|| Ok(pixels(&decode_whole(source, length)?, size)))
        .unwrap_or_else(|| Err(damaged("the decoder panicked")))
}

pub(super) fn decode_whole(mut source: impl BufRead + Seek, length: u64) -> Result<Decoded> {
    let mut first = Vec::new();
    source.by_ref().take(64).read_to_end(&mut first).map_err(unreadable)?;
    source.rewind().map_err(unreadable)?;
    let format = kinds::format(&first)?;
    let file = |source: &mut dyn Read| {
        let mut bytes = Vec::new();
        source.take(length).read_to_end(&mut bytes).map(|_| bytes).map_err(unreadable)
    };
    if format == ImageFormat::Jpeg {
        // The memory for decoding is known only after the headers, and these can have any length.
        let too_long = || {
            Failure::usage(format!("has {}; expected at most {}", number::bytes(length), number::bytes(budget::BYTES)))
        };
        let reserved = budget::reserve(length).ok_or_else(too_long)?;
        let frame = jpeg::Frame::read(&file(&mut source)?)?;
        drop(reserved);
        let reserved = reserve(frame.size(), 2 * length + frame.memory())?;
        source.rewind().map_err(unreadable)?;
        let bytes = file(&mut source)?;
        frame.check(&bytes)?;
        return decoded(decoder(Cursor::new(&bytes[..]), format)?, reserved);
    }
    if format == ImageFormat::Png {
        return png::decode(source);
    }
    kinds::check(format, &mut source, length)?;
    source.rewind().map_err(unreadable)?;
    let decoder = decoder(source, format)?;
    let size = decoder.dimensions().into();
    let memory = decoder.total_bytes().saturating_add(kinds::more_memory(format, &first, size, length));
    let reserved = reserve(size, memory)?;
    decoded(decoder, reserved)
}

fn decoder<'a>(source: impl BufRead + Seek + 'a, format: ImageFormat) -> Result<impl ImageDecoder + 'a> {
    let mut reader = ImageReader::with_format(source, format);
    // Only the GIF decoder heeds this limit, for what it allocates in addition to the picture; the budget covers both.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(kinds::MAX_FRAME_BYTES);
    reader.limits(limits);
    reader.into_decoder().map_err(undecodable)
}

fn decoded(mut decoder: impl ImageDecoder, reserved: Reserved) -> Result<Decoded> {
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().unwrap_or_default();
    let picture = match DynamicImage::from_decoder(decoder).map_err(undecodable)? {
        DynamicImage::ImageRgba8(picture) => {
            // In place, because a copy would exceed the budget.
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
    Ok(Decoded { picture, orientation, profile, _reserved: reserved })
}

/// A view of the central square of a picture, upright.
struct Upright<'a> {
    picture: &'a RgbImage,
    /// Whether rows and columns are swapped; then whether columns and rows are reversed.
    swapped: bool,
    reversed: [bool; 2],
    corner: [u32; 2],
    side: u32,
}

impl<'a> Upright<'a> {
    fn middle(picture: &'a RgbImage, orientation: Orientation) -> Self {
        let (swapped, reversed) = match orientation {
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
        Upright { picture, swapped, reversed, corner: [(width - side) / 2, (height - side) / 2], side }
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
        let x = if self.reversed[0] { self.picture.width() - 1 - x } else { x };
        let y = if self.reversed[1] { self.picture.height() - 1 - y } else { y };
        *self.picture.get_pixel(x, y)
    }
}

/// Resizes the central square to `size` rows and columns.
fn pixels(decoded: &Decoded, size: usize) -> Box<Pixels> {
    let square = Upright::middle(&decoded.picture, decoded.orientation);
    // Catmull-Rom is sharp, and unlike Lanczos it needs no sine, whose bits depend on the platform.
    let mut small = imageops::resize(&square, size as u32, size as u32, imageops::FilterType::CatmullRom);
    if let Some(profile) = &decoded.profile {
        color::to_srgb(profile, &mut small);
    }
    let plane = size * size;
    let mut pixels = vec![0; 3 * plane].into_boxed_slice();
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
            "has a frame that needs more than {} to decode; scale the picture down",
            number::bytes(kinds::MAX_FRAME_BYTES)
        )),
        error => damaged(&error.to_string()),
    }
}
