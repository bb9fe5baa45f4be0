//! Sample pictures as one PNG: a row per class, every pixel enlarged to a square.
//!
//! The names of the classes are not in the pixels: the page sets them beside the rows, as text.

use super::number;
use crate::record::DataKind;

/// Sample pictures of both halves of the experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportPictures {
    /// The classes that model_1 learned, in the order of its outputs.
    pub source: Vec<ClassPictures>,
    /// The classes that model_2 learned, in the order of its outputs.
    pub target: Vec<ClassPictures>,
}

/// Some pictures of one class; ten make a good row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassPictures {
    /// The name of the class.
    pub class: String,
    /// 32 x 32 pixels each, as a CIFAR record has them: rows of red from the top left, then green, then blue.
    pub pictures: Vec<[u8; 3072]>,
}

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
/// A picture's pixel is a square of this side: small pictures stay sharp on dense screens.
const ENLARGED: usize = 3;
/// Transparent pixels around each picture.
const MARGIN: usize = 3;
const CELL: usize = SIDE * ENLARGED + 2 * MARGIN;
const CHANNELS: usize = 4;

/// What the pictures are, for those who cannot see them and for the PNG's own text.
pub(super) fn describe(rows: &[ClassPictures], kind: DataKind) -> String {
    format!(
        "Sample pictures, from the top: {} ({})",
        number::listed(rows.iter().map(|row| row.class.as_str())),
        kind.name()
    )
}

/// The rows as PNG, or nothing where there are no pictures; `description` goes into the file as its text.
pub(super) fn grid(rows: &[ClassPictures], description: &str) -> Option<Vec<u8>> {
    let columns = rows.iter().map(|row| row.pictures.len()).max().filter(|&columns| columns > 0)?;
    let (width, height) = (columns * CELL, rows.len() * CELL);
    let mut pixels = vec![0; width * height * CHANNELS];
    for (r, row) in rows.iter().enumerate() {
        for (c, picture) in row.pictures.iter().enumerate() {
            let (left, top) = (c * CELL + MARGIN, r * CELL + MARGIN);
            for y in 0..SIDE * ENLARGED {
                let line = ((top + y) * width + left) * CHANNELS;
                let line = &mut pixels[line..line + SIDE * ENLARGED * CHANNELS];
                for (x, pixel) in line.chunks_exact_mut(CHANNELS).enumerate() {
                    let from = y / ENLARGED * SIDE + x / ENLARGED;
                    pixel.copy_from_slice(&[picture[from], picture[PLANE + from], picture[2 * PLANE + from], u8::MAX]);
                }
            }
        }
    }
    Some(encode(&pixels, width, height, description).expect("a Vec takes every byte"))
}

/// One picture as the bytes of a PNG, pixel for pixel; it comes as planes of red, green and blue.
///
/// # Panics
/// Never: there is no file behind it.
pub fn picture(planes: &[u8; 3072]) -> Vec<u8> {
    let pixel = |at: usize| [planes[at], planes[PLANE + at], planes[2 * PLANE + at], u8::MAX];
    let pixels: Vec<u8> = (0..PLANE).flat_map(pixel).collect();
    encode(&pixels, SIDE, SIDE, "a picture").expect("a Vec takes every byte")
}

/// Red, green, blue and opacity of each pixel as a PNG with a text inside.
pub(super) fn encode(
    pixels: &[u8],
    width: usize,
    height: usize,
    description: &str,
) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    // Ten columns and a hundred rows make 10,000 pixels a side: far below what a PNG can hold.
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.add_itxt_chunk("Description".to_owned(), description.to_owned())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture with another value at every place of its first row, column and plane: no flip leaves it as it is.
    fn asymmetric() -> [u8; 3072] {
        std::array::from_fn(|i| (i % 251) as u8)
    }

    #[test]
    fn every_pixel_becomes_a_square_of_its_colour() {
        let row = ClassPictures { class: "cat".to_owned(), pictures: vec![[9; 3072], asymmetric()] };
        let rows = [ClassPictures { class: "dog".to_owned(), pictures: vec![[7; 3072]] }, row];
        let bytes = grid(&rows, "two classes").unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        assert_eq!(reader.info().size(), (2 * CELL as u32, 2 * CELL as u32));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let at = |x: usize, y: usize| &pixels[(y * 2 * CELL + x) * CHANNELS..][..CHANNELS];
        let picture = asymmetric();
        for y in 0..SIDE {
            for x in 0..SIDE {
                let from = y * SIDE + x;
                let want = [picture[from], picture[from + PLANE], picture[from + 2 * PLANE], 255];
                for (dx, dy) in [(0, 0), (ENLARGED - 1, 0), (0, ENLARGED - 1), (ENLARGED - 1, ENLARGED - 1)] {
                    let place = (CELL + MARGIN + x * ENLARGED + dx, CELL + MARGIN + y * ENLARGED + dy);
                    assert_eq!(at(place.0, place.1), want, "column {x}, row {y}");
                }
            }
        }
        assert_eq!(at(MARGIN, MARGIN), [7, 7, 7, 255]);
        assert_eq!(at(CELL + MARGIN, MARGIN), [0; 4], "a missing picture is transparent");
        assert_eq!(at(0, 0), [0; 4], "so is the margin");
    }

    #[test]
    fn no_pictures_no_file() {
        assert_eq!(grid(&[], ""), None);
        assert_eq!(grid(&[ClassPictures { class: "cat".to_owned(), pictures: Vec::new() }], ""), None);
    }
}
