//! Decodes PNG row by row (an interlaced one as a whole) and checks both checksums, CRC-32 and Adler-32. The `image`
//! crate checks only the first, and stops after the pixels although the orientation may follow them.

use std::io::{BufRead, Seek};

use image::{RgbImage, metadata::Orientation};
use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Transformations};

use super::decoding::{Decoded, damaged, on_white, reserve, unreadable};
use crate::system::failure::{Failure, Result};

/// The maximum memory for one row, and for chunks other than pixels.
const MAX_BYTES: usize = 64 << 20;

/// Decodes a picture up to its end marker.
pub fn decode(source: impl BufRead + Seek) -> Result<Decoded> {
    let mut decoder = Decoder::new_with_limits(source, Limits { bytes: MAX_BYTES });
    decoder.ignore_checksums(false);
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(undecodable)?;
    let (width, height) = reader.info().size();
    let (color, depth) = reader.output_color_type();
    let channels = color.samples();
    let sample_bytes = if depth == BitDepth::Sixteen { 2 } else { 1 };
    let row_bytes = width as usize * channels * sample_bytes;
    let interlaced = reader.info().interlaced;
    // An interlaced picture must be decoded as a whole.
    let rows = if interlaced { u64::from(height) } else { 4 };
    let reserved = reserve([width, height], 3 * u64::from(width) * u64::from(height) + rows * row_bytes as u64)?;

    let mut pixels = Vec::with_capacity(3 * width as usize * height as usize);
    let mut append = |row: &[u8]| {
        let sample = |pixel: &[u8], channel: usize| match sample_bytes {
            1 => pixel[channel],
            _ => ((u32::from(u16::from_be_bytes([pixel[2 * channel], pixel[2 * channel + 1]])) + 128) / 257) as u8,
        };
        for pixel in row.chunks_exact(channels * sample_bytes) {
            let sample = |channel| sample(pixel, channel);
            let [red, green, blue] = match color {
                ColorType::Rgb | ColorType::Rgba => [0, 1, 2].map(sample),
                _ => [sample(0); 3],
            };
            let opacity = match color {
                ColorType::Rgba => sample(3),
                ColorType::GrayscaleAlpha => sample(1),
                _ => 255,
            };
            pixels.extend(on_white([red, green, blue, opacity]));
        }
    };
    if interlaced {
        let mut all = vec![0; row_bytes * height as usize];
        reader.next_frame(&mut all).map_err(undecodable)?;
        all.chunks_exact(row_bytes).for_each(append);
    } else {
        while let Some(row) = reader.next_row().map_err(undecodable)? {
            append(row.data());
        }
    }
    reader.finish().map_err(undecodable)?;
    let exif = reader.info().exif_metadata.as_ref();
    let orientation = exif.and_then(|exif| Orientation::from_exif_chunk(exif)).unwrap_or(Orientation::NoTransforms);
    let picture = RgbImage::from_raw(width, height, pixels).ok_or_else(|| damaged("rows are missing"))?;
    let profile = reader.info().icc_profile.as_ref().map(|profile| profile.to_vec());
    Ok(Decoded { picture, orientation, profile, _reserved: reserved })
}

fn undecodable(error: DecodingError) -> Failure {
    match error {
        DecodingError::IoError(error) => unreadable(error),
        DecodingError::LimitsExceeded => {
            Failure::usage("has a row or metadata of more than 64 MB; scale the picture down, or remove its metadata")
        }
        error => damaged(&error.to_string()),
    }
}
