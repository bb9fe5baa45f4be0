//! Encodes pictures as PNG files.

use crate::record::pictures::{Contributions, Pixels};

const CHANNELS: usize = 4;

const ORANGE: [u8; 3] = [0xFF, 0x6A, 0x00];
const BLUE: [u8; 3] = [0x00, 0x80, 0xFF];
/// Below 255, so that the picture shows through even where a contribution is largest.
const MAX_OPACITY: f32 = 200.0;

/// An RGBA image to draw pictures on, initially transparent.
pub struct Sheet {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Sheet {
    pub fn new(width: usize, height: usize) -> Self {
        Sheet { width, height, pixels: vec![0; width * height * CHANNELS] }
    }

    /// Fills a square of `side` pixels.
    pub fn square(&mut self, left: usize, top: usize, side: usize, color: [u8; CHANNELS]) {
        for y in top..top + side {
            let row = (y * self.width + left) * CHANNELS;
            for pixel in self.pixels[row..row + side * CHANNELS].chunks_exact_mut(CHANNELS) {
                pixel.copy_from_slice(&color);
            }
        }
    }

    /// Draws a picture, each of its pixels enlarged to a square of `scale` pixels.
    pub fn picture(&mut self, left: usize, top: usize, scale: usize, picture: &Pixels) {
        let (plane, side) = (picture.len() / 3, side(picture));
        for at in 0..plane {
            let color = [picture[at], picture[plane + at], picture[2 * plane + at], u8::MAX];
            self.square(left + at % side * scale, top + at / side * scale, scale, color);
        }
    }

    /// The bytes of a PNG file with an embedded description.
    pub fn encode(&self, description: &str) -> Vec<u8> {
        self.try_encode(description).expect("writing to a Vec does not fail")
    }

    fn try_encode(&self, description: &str) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        // The cast cannot overflow: even 60,000 pictures of 102 pixels in one row take only six million.
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        encoder.add_itxt_chunk("Description".to_owned(), description.to_owned())?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }
}

/// The bytes of a PNG file with one picture at its original size.
pub fn picture(picture: &Pixels) -> Vec<u8> {
    let mut sheet = Sheet::new(side(picture), side(picture));
    sheet.picture(0, 0, 1, picture);
    sheet.encode("a picture")
}

/// The bytes of a transparent PNG file to lay over a picture, with a pixel per position: orange where it adds to the
/// logit, blue where it takes away, and more opaque where the contribution is larger.
pub fn heat(map: &Contributions) -> Vec<u8> {
    let largest = map.values.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    let mut sheet = Sheet::new(map.columns, map.values.len() / map.columns);
    for (at, value) in map.values.iter().enumerate() {
        let [red, green, blue] = if *value > 0.0 { ORANGE } else { BLUE };
        let opacity = (MAX_OPACITY * value.abs() / largest) as u8;
        sheet.square(at % map.columns, at / map.columns, 1, [red, green, blue, opacity]);
    }
    sheet.encode("what each position adds to the logit")
}

/// Rows and columns of a picture.
fn side(picture: &Pixels) -> usize {
    (picture.len() / 3).isqrt()
}
