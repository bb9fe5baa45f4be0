//! Detects the format of a file by its first bytes, and checks that GIF and WebP files are complete.

use std::io::{self, BufRead, Read, Seek};

use image::ImageFormat;

use super::decoding::{damaged, unreadable};
use crate::system::failure::{Failure, Result};

/// The supported formats. File names are ignored.
const FORMATS: [ImageFormat; 5] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif];

/// The maximum memory for a GIF frame that is smaller than its canvas.
pub const MAX_FRAME_BYTES: u64 = 100_000_000;

const CONVERT: &str = "which is not supported; convert it to JPEG or PNG";
const NOT_A_PICTURE: &str = "not a picture";

/// Other files found among pictures: position of the magic bytes, the bytes, what the file is, and what to do.
const OTHERS: [(usize, &[u8], &str, &str); 25] = [
    (0, b"II*\0", "a TIFF file", CONVERT),
    (0, b"MM\0*", "a TIFF file", CONVERT),
    (0, b"II+\0", "a TIFF file", CONVERT),
    (4, b"ftypavif", "an AVIF file", CONVERT),
    (4, b"ftypavis", "an AVIF file", CONVERT),
    (4, b"ftyphei", "a HEIC file", CONVERT),
    (4, b"ftyphev", "a HEIC file", CONVERT),
    (4, b"ftypmif1", "a HEIC file", CONVERT),
    (4, b"ftypmsf1", "a HEIC file", CONVERT),
    (4, b"ftyp", "a video", NOT_A_PICTURE),
    (4, b"jP  \r\n\x87\n", "a JPEG 2000 file", CONVERT),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 file", CONVERT),
    (4, b"JXL \r\n\x87\n", "a JPEG XL file", CONVERT),
    (0, b"\xff\x0a", "a JPEG XL file", CONVERT),
    (0, b"8BPS", "a Photoshop file", CONVERT),
    (0, b"\0\0\x01\0", "an icon", CONVERT),
    (0, b"%PDF", "a PDF file", CONVERT),
    (0, b"P5", "a PGM file", CONVERT),
    (0, b"P6", "a PPM file", CONVERT),
    (0, b"<svg", "an SVG file", CONVERT),
    (0, b"<", "an HTML or XML file", NOT_A_PICTURE),
    (0, b"version https://git-lfs", "a Git LFS pointer", "not the picture itself; get it with `git lfs pull`"),
    (0, b"\0\x05\x16\x07", "a macOS metadata file", NOT_A_PICTURE),
    (0, b"\xd0\xcf\x11\xe0", "a Windows or Office file", NOT_A_PICTURE),
    (0, b"PK\x03\x04", "a zip file", "not a picture; unpack it"),
];

/// The format of a file with these first bytes. The error is worded to follow the file's name.
pub fn format(first: &[u8]) -> Result<ImageFormat> {
    if let Some(format) = image::guess_format(first).ok().filter(|format| FORMATS.contains(format)) {
        return Ok(format);
    }
    let other = OTHERS.iter().find(|(at, mark, ..)| first.get(*at..).is_some_and(|rest| rest.starts_with(mark)));
    let what = match other {
        Some((_, _, what, advice)) => format!("is {what}, {advice}"),
        None if first.iter().all(|&byte| byte == 0) => "is not a picture; it starts with zeros".to_owned(),
        None => "is not a PNG, JPEG, WebP, BMP or GIF file".to_owned(),
    };
    Err(Failure::usage(what))
}

/// Checks that a GIF has all its blocks and a WebP its full length. A truncated BMP fails in its decoder.
pub fn check(format: ImageFormat, source: &mut (impl BufRead + Seek), length: u64) -> Result<()> {
    match format {
        ImageFormat::Gif => gif(source).map_err(unreadable),
        ImageFormat::WebP => {
            let [_, announced] = read::<8>(source)
                .map(|head| [0, 4].map(|at| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])))
                .map_err(unreadable)?;
            let announced = u64::from(announced) + 8;
            if length < announced {
                return Err(damaged(&format!("it has {length} of {announced} bytes")));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn read<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes).map(|()| bytes)
}

/// Walks through the blocks of a GIF.
fn gif(source: &mut (impl BufRead + Seek)) -> io::Result<()> {
    let color_table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 6 << (flags & 7) };
    let screen: [u8; 13] = read(source)?;
    source.seek_relative(color_table(screen[10]))?;
    let mut frames = 0;
    loop {
        // Some complete files lack only the end marker.
        if frames > 0 && source.fill_buf()?.is_empty() {
            return Ok(());
        }
        match read(source)? {
            // An extension; skip its label.
            [0x21] => source.seek_relative(1)?,
            [0x2c] => {
                let frame: [u8; 9] = read(source)?;
                source.seek_relative(color_table(frame[8]) + 1)?;
                frames += 1;
            }
            [0x3b] => return Ok(()),
            [other] => return Err(io::Error::other(format!("a block starts with {other:#04x}"))),
        }
        loop {
            match read(source)? {
                [0] => break,
                [length] => source.seek_relative(length.into())?,
            }
        }
    }
}

/// Bytes that a decoder allocates in addition to the picture.
pub fn more_memory(format: ImageFormat, first: &[u8], [width, height]: [u32; 2], length: u64) -> u64 {
    let pixels = u64::from(width) * u64::from(height);
    match (format, first.get(12..16), first.get(20)) {
        (ImageFormat::Gif, ..) => MAX_FRAME_BYTES,
        // VP8: luma and chroma planes. VP8L: RGBA. Extended: planes, RGBA and alpha; animated also a canvas and frames.
        (ImageFormat::WebP, Some(b"VP8 "), _) => length.saturating_mul(2) + 2 * pixels,
        (ImageFormat::WebP, Some(b"VP8L"), _) => length.saturating_mul(2) + 5 * pixels,
        (ImageFormat::WebP, _, Some(flags)) if flags & 2 > 0 => length.saturating_mul(2) + 15 * pixels,
        (ImageFormat::WebP, ..) => length.saturating_mul(2) + 9 * pixels,
        _ => 0,
    }
}
