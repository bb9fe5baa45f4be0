//! A picture file of any size, as the 32 x 32 pixels that the network takes. The only file that names `image`.

use std::{
    fs::{self, File},
    io::{self, BufReader},
    panic,
    path::Path,
};

use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage, imageops, metadata::Orientation,
};

use super::Pixels;
use crate::{
    failure::{Failure, Kind, Result},
    models,
};

/// The formats that are read, told by a file's first bytes, whatever its name is.
const FORMATS: [ImageFormat; 5] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif];

/// The most pixels of a picture: as many as the largest cameras give. What announces more would fill the memory.
const MOST_PIXELS: u64 = 150_000_000;

/// The most memory that decoding one picture may take.
const MOST_BYTES: u64 = 1 << 30;

const SIDE: u32 = models::INPUT[0] as u32;

/// Decodes a picture, turns it as its EXIF orientation says, cuts the largest square out of its middle and resizes that.
/// Transparency is laid on white, grey becomes red, green and blue in equal parts; of an animation the first frame counts.
///
/// # Errors
/// In words that follow the file's name: there is none, it is no picture, damaged, or too large.
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
        return Err(Failure::usage("is no regular file; expected a picture"));
    }
    if metadata.len() == 0 {
        return Err(Failure::usage("is empty (0 bytes)"));
    }
    let file = BufReader::new(File::open(path).map_err(unreadable)?);
    // A decoder that gives up on a damaged file in this way has harmed nothing: all that it had is gone.
    panic::catch_unwind(|| Ok(pixels(&upright(file)?)))
        .unwrap_or_else(|_| Err(Failure::usage("is damaged: its decoder gave up")))
}

/// The whole picture, as it is meant to be seen.
fn upright(file: BufReader<File>) -> Result<DynamicImage> {
    let mut reader = ImageReader::new(file).with_guessed_format().map_err(unreadable)?;
    if !reader.format().is_some_and(|format| FORMATS.contains(&format)) {
        return Err(Failure::usage("is no PNG, JPEG, WebP, BMP or GIF file"));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(undecodable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS || decoder.total_bytes() > MOST_BYTES {
        return Err(Failure::usage(format!(
            "announces {width} x {height} pixels; expected at most {} million",
            MOST_PIXELS / 1_000_000
        )));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(undecodable)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// The middle of the picture, small.
fn pixels(picture: &DynamicImage) -> Box<Pixels> {
    let (width, height) = (picture.width(), picture.height());
    let side = width.min(height);
    let square = on_white(picture.crop_imm((width - side) / 2, (height - side) / 2, side, side));
    // Catmull and Rom's cubic, as wide as the reduction asks for: sharp, and without a system's sine, as Lanczos's has.
    let small = imageops::resize(&square, SIDE, SIDE, imageops::FilterType::CatmullRom);
    let plane = (SIDE * SIDE) as usize;
    let mut pixels = Box::new([0; _]);
    for (index, pixel) in small.pixels().enumerate() {
        for channel in 0..3 {
            pixels[channel * plane + index] = pixel.0[channel];
        }
    }
    pixels
}

/// Red, green and blue of a picture on a white ground.
fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, opacity] = picture.get_pixel(x, y).0.map(u32::from);
        let mix = |channel: u32| ((channel * opacity + 255 * (255 - opacity) + 127) / 255) as u8;
        image::Rgb([red, green, blue].map(mix))
    })
}

fn unreadable(error: io::Error) -> Failure {
    let kind = if error.kind() == io::ErrorKind::PermissionDenied { Kind::Usage } else { Kind::Environment };
    Failure::new(kind, format!("cannot be read: {error}"))
}

fn undecodable(error: ImageError) -> Failure {
    match error {
        // Too short for what it announces, or nonsense: a fault of the file, which decoders tell as they like.
        ImageError::IoError(error) if error.raw_os_error().is_some() => unreadable(error),
        ImageError::Limits(_) => Failure::usage("would take more than 1 GB of memory to decode"),
        error => Failure::usage(format!("is damaged: {}", error.to_string().trim_end().replace('\n', " "))),
    }
}
