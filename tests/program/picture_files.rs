//! Picture files of every kind as the network sees them: formats, orientation, transparency, damage.

use std::{
    fs,
    path::{Path, PathBuf},
};

use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage, codecs::gif::GifEncoder};
use thawline::{
    failure::Kind,
    own_pictures::{Pixels, file},
};

use crate::invocation::Place;

const SIDE: usize = 32;
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const GREY: [u8; 3] = [100, 100, 100];

fn pixel(pixels: &Pixels, x: usize, y: usize) -> [u8; 3] {
    [0, 1, 2].map(|channel| pixels[channel * SIDE * SIDE + y * SIDE + x])
}

/// The colours in the middle of the quarters: top left, top right, bottom left, bottom right.
fn quarters(pixels: &Pixels) -> [[u8; 3]; 4] {
    [(8, 8), (24, 8), (8, 24), (24, 24)].map(|(x, y)| pixel(pixels, x, y))
}

/// A picture of four quarters, none of which is like another.
fn asymmetric(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => GREY,
        })
    })
}

fn saved(place: &Place, name: &str, picture: impl Into<DynamicImage>, format: ImageFormat) -> PathBuf {
    let path = place.path(name);
    picture.into().save_with_format(&path, format).unwrap();
    path
}

fn assert_close(found: [[u8; 3]; 4], expected: [[u8; 3]; 4], what: &str) {
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!(found.abs_diff(*expected) <= 6, "{what}: {found:?} is not {expected:?}");
    }
}

fn refusal(path: &Path) -> String {
    let failure = file::read(path).unwrap_err();
    assert_eq!(failure.kind, Kind::Usage, "{failure}");
    failure.message
}

#[test]
fn every_format_is_told_by_its_bytes_whatever_the_name() {
    let place = Place::new();
    for (format, exact) in [
        (ImageFormat::Png, true),
        (ImageFormat::Bmp, true),
        (ImageFormat::Gif, true),
        (ImageFormat::WebP, true),
        (ImageFormat::Jpeg, false),
    ] {
        for side in [16, 32, 200] {
            let path = saved(&place, "picture.txt", asymmetric(side, side), format);
            let found = quarters(&file::read(&path).unwrap());
            assert_close(found, [RED, GREEN, BLUE, GREY], &format!("{format:?}, {side}"));
            assert!(!exact || found == [RED, GREEN, BLUE, GREY], "{format:?}, {side}: {found:?}");
        }
    }
}

#[test]
fn a_picture_of_the_right_size_keeps_every_bit() {
    let place = Place::new();
    let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([(x * 7 + y) as u8, (y * 8) as u8, (x ^ y) as u8]));
    let pixels = file::read(&saved(&place, "x.png", picture.clone(), ImageFormat::Png)).unwrap();
    for (x, y, Rgb(expected)) in picture.enumerate_pixels() {
        assert_eq!(pixel(&pixels, x as usize, y as usize), *expected, "column {x}, row {y}");
    }
}

#[test]
fn of_a_long_picture_the_middle_counts() {
    let place = Place::new();
    let bands = |along: u32| Rgb([RED, GREEN, BLUE][(along / 50) as usize]);
    let wide = RgbImage::from_fn(150, 50, |x, _| bands(x));
    let tall = RgbImage::from_fn(50, 150, |_, y| bands(y));
    for picture in [wide, tall] {
        let pixels = file::read(&saved(&place, "x.png", picture, ImageFormat::Png)).unwrap();
        for (x, y) in [(0, 0), (31, 0), (0, 31), (31, 31), (16, 16)] {
            assert_eq!(pixel(&pixels, x, y), GREEN, "column {x}, row {y}");
        }
    }
    // As narrow as can be.
    let line = RgbImage::from_pixel(1, 900, Rgb(BLUE));
    let pixels = file::read(&saved(&place, "x.png", line, ImageFormat::Png)).unwrap();
    assert_eq!(quarters(&pixels), [BLUE; 4]);
}

/// An EXIF block that holds an orientation and nothing else.
fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    tiff
}

#[test]
fn each_of_the_eight_orientations_is_turned_upright() {
    let place = Place::new();
    // Stored are [RED GREEN / BLUE GREY]; this is what EXIF says shall be seen.
    let upright = [
        [RED, GREEN, BLUE, GREY],
        [GREEN, RED, GREY, BLUE],
        [GREY, BLUE, GREEN, RED],
        [BLUE, GREY, RED, GREEN],
        [RED, BLUE, GREEN, GREY],
        [BLUE, RED, GREY, GREEN],
        [GREY, GREEN, BLUE, RED],
        [GREEN, GREY, RED, BLUE],
    ];
    let plain = fs::read(saved(&place, "plain.jpg", asymmetric(64, 64), ImageFormat::Jpeg)).unwrap();
    for (orientation, expected) in (1..).zip(upright) {
        let block = [b"Exif\0\0".to_vec(), exif(orientation)].concat();
        let length = (block.len() as u16 + 2).to_be_bytes();
        let jpeg = [&plain[..2], &[0xff, 0xe1], &length, &block, &plain[2..]].concat();
        let path = place.path("turned.jpg");
        fs::write(&path, jpeg).unwrap();
        assert_close(quarters(&file::read(&path).unwrap()), expected, &format!("orientation {orientation}"));
    }
}

#[test]
fn transparency_lies_on_white() {
    let place = Place::new();
    let picture = image::RgbaImage::from_fn(64, 64, |x, y| match (x < 32, y < 32) {
        (true, true) => image::Rgba([0, 0, 0, 0]),
        (false, true) => image::Rgba([255, 0, 0, 128]),
        (true, false) => image::Rgba([0, 0, 255, 255]),
        (false, false) => image::Rgba([0, 200, 0, 1]),
    });
    let expected = [[255; 3], [255, 127, 127], BLUE, [254, 255, 254]];
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let pixels = file::read(&saved(&place, "x", picture.clone(), format)).unwrap();
        assert_eq!(quarters(&pixels), expected, "{format:?}");
    }
}

#[test]
fn grey_and_deep_pictures_become_red_green_and_blue() {
    let place = Place::new();
    let grey = image::GrayImage::from_pixel(50, 40, image::Luma([77]));
    let grey_alpha = image::GrayAlphaImage::from_pixel(50, 40, image::LumaA([77, 255]));
    let deep = image::ImageBuffer::from_pixel(50, 40, Rgb([77_u16 * 257, 77 * 257, 77 * 257]));
    let pictures: [DynamicImage; 3] = [grey.into(), grey_alpha.into(), deep.into()];
    for picture in pictures {
        let color = picture.color();
        let pixels = file::read(&saved(&place, "x.png", picture, ImageFormat::Png)).unwrap();
        assert_eq!(quarters(&pixels), [[77; 3]; 4], "{color:?}");
    }
}

#[test]
fn what_is_no_picture_says_so() {
    let place = Place::new();
    fs::write(place.path("empty.png"), "").unwrap();
    fs::write(place.path("text.jpg"), "not a picture at all").unwrap();
    fs::write(place.path("tiff"), b"II*\0\x08\0\0\0").unwrap();
    fs::create_dir(place.path("folder.png")).unwrap();
    for (name, words) in [
        ("missing.png", "no such file"),
        ("empty.png", "is empty (0 bytes)"),
        ("text.jpg", "is no PNG, JPEG, WebP, BMP or GIF file"),
        ("tiff", "is no PNG, JPEG, WebP, BMP or GIF file"),
        ("folder.png", "is a folder"),
    ] {
        assert!(refusal(&place.path(name)).contains(words), "{name}: {}", refusal(&place.path(name)));
    }
}

#[test]
fn damage_is_told_and_never_a_panic() {
    let place = Place::new();
    let path = place.path("damaged");
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif] {
        let whole = fs::read(saved(&place, "whole", asymmetric(20, 20), format)).unwrap();
        // A header alone is no picture.
        fs::write(&path, &whole[..whole.len().min(26)]).unwrap();
        assert!(refusal(&path).starts_with("is damaged: "), "{format:?}: {}", refusal(&path));
        for position in (0..whole.len()).step_by(1 + whole.len() / 60) {
            let mut flipped = whole.clone();
            flipped[position] ^= 0x55;
            fs::write(&path, flipped).unwrap();
            // Some damage shows in no checksum; what counts is that there is an answer.
            if let Err(failure) = file::read(&path) {
                assert_eq!(failure.kind, Kind::Usage, "{format:?}, byte {position}: {failure}");
            }
        }
    }
    let whole = fs::read(saved(&place, "whole", asymmetric(20, 20), ImageFormat::Png)).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(refusal(&path).starts_with("is damaged: "), "{}", refusal(&path));
}

#[test]
fn a_picture_that_would_fill_the_memory_is_refused_by_its_header() {
    let place = Place::new();
    // Each is a small file that announces a large picture.
    let bmp = fs::read(saved(&place, "x.bmp", asymmetric(4, 4), ImageFormat::Bmp)).unwrap();
    let side = 40_000_u32.to_le_bytes();
    let bmp = [&bmp[..18], &side, &side, &bmp[26..]].concat();
    let gif = fs::read(saved(&place, "x.gif", asymmetric(4, 4), ImageFormat::Gif)).unwrap();
    let gif = [&gif[..6], &[0xff; 4], &gif[10..]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend(60_000_u32.to_be_bytes().repeat(2));
    png.extend(b"\x08\x02\0\0\0");
    png.extend(0x0fb0_e215_u32.to_be_bytes());
    png.extend(b"\0\0\0\x04IDAT\x78\x9c\x63\0");
    for (name, bytes) in [("bmp", bmp), ("gif", gif), ("png", png)] {
        let path = place.path(name);
        fs::write(&path, bytes).unwrap();
        let text = refusal(&path);
        assert!(text.contains("announces") && text.contains("expected at most 150 million"), "{name}: {text}");
    }
}

#[test]
fn the_program_predicts_what_is_a_picture_and_tells_what_is_none() {
    let place = Place::new();
    let run = place.run("");
    fs::write(place.path("model"), run.weights()[0]).unwrap();
    let picture = asymmetric(20, 20);
    // Mislabelled, grey, deep, animated: the same picture, or as good.
    saved(&place, "right.png", picture.clone(), ImageFormat::Png);
    saved(&place, "mislabelled.jpg", picture.clone(), ImageFormat::Png);
    saved(&place, "grey.png", DynamicImage::from(picture.clone()).into_luma8(), ImageFormat::Png);
    saved(&place, "deep.png", DynamicImage::from(picture.clone()).into_rgb16(), ImageFormat::Png);
    let mut frames = GifEncoder::new(fs::File::create(place.path("animated.gif")).unwrap());
    let second = DynamicImage::from(RgbImage::from_pixel(20, 20, Rgb(GREEN)));
    for frame in [DynamicImage::from(picture.clone()), second] {
        frames.encode_frame(Frame::new(frame.into_rgba8())).unwrap();
    }
    drop(frames);
    let first = file::read(&place.path("animated.gif")).unwrap();
    assert_eq!(quarters(&first), [RED, GREEN, BLUE, GREY], "the first frame counts");

    let mut huge = fs::read(saved(&place, "huge.bmp", picture, ImageFormat::Bmp)).unwrap();
    huge[18..26].copy_from_slice(&[0x40, 0x9c, 0, 0, 0x40, 0x9c, 0, 0]);
    fs::write(place.path("huge.bmp"), huge).unwrap();
    let whole = fs::read(place.path("right.png")).unwrap();
    fs::write(place.path("cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(place.path("text.png"), "no picture").unwrap();
    fs::write(place.path("empty.png"), "").unwrap();
    let good = ["right.png", "mislabelled.jpg", "grey.png", "deep.png", "animated.gif"];
    let bad = [
        ("huge.bmp", "announces 40000 x 40000 pixels"),
        ("cut.png", "is damaged: "),
        ("text.png", "is no PNG, JPEG, WebP, BMP or GIF file"),
        ("empty.png", "is empty (0 bytes)"),
    ];
    let predict = ["predict", "--from", "model", "--format", "csv"];
    let call = place.prompt(&[&predict[..], &good, &bad.map(|(name, _)| name)].concat());
    assert_eq!(call.code, Some(2), "{}", call.stderr);
    let rows: Vec<Vec<&str>> = call.stdout.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), good);
    for same in [1, 3, 4] {
        assert_eq!(rows[same][2..], rows[0][2..], "{} is the same picture", good[same]);
    }
    for (name, words) in bad {
        assert!(call.stderr.contains(&format!("skipped {name}: {words}")), "{name}: {}", call.stderr);
    }
    assert!(call.stderr.ends_with("error: 4 of 9 pictures could not be read\n"), "{}", call.stderr);
    assert_eq!(call.stderr.lines().count(), 5, "{}", call.stderr);
}
