//! Decoding picture files: formats, orientation, transparency, damage.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage, codecs::gif::GifEncoder};
use thawline::{
    data::own::file,
    record::pictures::Pixels,
    system::{failure::Kind, number::NBSP},
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

/// The colours at the centres of the quarters: top left, top right, bottom left, bottom right.
fn quarters(pixels: &Pixels) -> [[u8; 3]; 4] {
    [(8, 8), (24, 8), (8, 24), (24, 24)].map(|(x, y)| pixel(pixels, x, y))
}

/// A picture of four quarters of different colours.
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
    let failure = file::read(path, SIDE).unwrap_err();
    assert_eq!(failure.kind, Kind::Usage, "{failure}");
    failure.message
}

#[test]
fn formats_are_detected_by_content_not_by_name() {
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
            let found = quarters(&file::read(&path, SIDE).unwrap());
            assert_close(found, [RED, GREEN, BLUE, GREY], &format!("{format:?}, {side}"));
            assert!(!exact || found == [RED, GREEN, BLUE, GREY], "{format:?}, {side}: {found:?}");
        }
    }
}

#[test]
fn a_picture_of_the_right_size_keeps_every_bit() {
    let place = Place::new();
    let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([(x * 7 + y) as u8, (y * 8) as u8, (x ^ y) as u8]));
    let pixels = file::read(&saved(&place, "x.png", picture.clone(), ImageFormat::Png), SIDE).unwrap();
    for (x, y, Rgb(expected)) in picture.enumerate_pixels() {
        assert_eq!(pixel(&pixels, x as usize, y as usize), *expected, "column {x}, row {y}");
    }
}

#[test]
fn the_central_square_of_a_picture_is_used() {
    let place = Place::new();
    let bands = |along: u32| Rgb([RED, GREEN, BLUE][(along / 50) as usize]);
    let wide = RgbImage::from_fn(150, 50, |x, _| bands(x));
    let tall = RgbImage::from_fn(50, 150, |_, y| bands(y));
    for picture in [wide, tall] {
        let pixels = file::read(&saved(&place, "x.png", picture, ImageFormat::Png), SIDE).unwrap();
        for (x, y) in [(0, 0), (31, 0), (0, 31), (31, 31), (16, 16)] {
            assert_eq!(pixel(&pixels, x, y), GREEN, "column {x}, row {y}");
        }
    }
    // A single column.
    let line = RgbImage::from_pixel(1, 900, Rgb(BLUE));
    let pixels = file::read(&saved(&place, "x.png", line, ImageFormat::Png), SIDE).unwrap();
    assert_eq!(quarters(&pixels), [BLUE; 4]);
}

/// An EXIF block with only an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    tiff
}

#[test]
fn all_eight_orientations_are_applied() {
    let place = Place::new();
    // The stored quarters are [RED GREEN / BLUE GREY]; these are the upright ones for each EXIF orientation.
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
        assert_close(quarters(&file::read(&path, SIDE).unwrap()), expected, &format!("orientation {orientation}"));
    }
}

#[test]
fn transparency_is_blended_with_white() {
    let place = Place::new();
    let picture = image::RgbaImage::from_fn(64, 64, |x, y| match (x < 32, y < 32) {
        (true, true) => image::Rgba([0, 0, 0, 0]),
        (false, true) => image::Rgba([255, 0, 0, 128]),
        (true, false) => image::Rgba([0, 0, 255, 255]),
        (false, false) => image::Rgba([0, 200, 0, 1]),
    });
    let expected = [[255; 3], [255, 127, 127], BLUE, [254, 255, 254]];
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let pixels = file::read(&saved(&place, "x", picture.clone(), format), SIDE).unwrap();
        assert_eq!(quarters(&pixels), expected, "{format:?}");
    }
}

#[test]
fn grey_and_16_bit_pictures_become_8_bit_rgb() {
    let place = Place::new();
    let grey = image::GrayImage::from_pixel(50, 40, image::Luma([77]));
    let grey_alpha = image::GrayAlphaImage::from_pixel(50, 40, image::LumaA([77, 255]));
    let deep = image::ImageBuffer::from_pixel(50, 40, Rgb([77_u16 * 257, 77 * 257, 77 * 257]));
    let pictures: [DynamicImage; 3] = [grey.into(), grey_alpha.into(), deep.into()];
    for picture in pictures {
        let color = picture.color();
        let pixels = file::read(&saved(&place, "x.png", picture, ImageFormat::Png), SIDE).unwrap();
        assert_eq!(quarters(&pixels), [[77; 3]; 4], "{color:?}");
    }
}

#[test]
fn other_files_are_refused_with_what_they_are() {
    let place = Place::new();
    fs::create_dir(place.path("folder.png")).unwrap();
    assert!(refusal(&place.path("missing.png")).contains("no such file"));
    assert!(refusal(&place.path("folder.png")).contains("is a folder"));
    for (bytes, words) in [
        (&b""[..], "is empty (0 bytes)"),
        (b"not a picture at all", "is not a PNG, JPEG, WebP, BMP or GIF file"),
        (b"II*\0\x08\0\0\0", "is a TIFF file, which is not supported; convert it"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC file"),
        (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1", "is an AVIF file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull`"),
        (&[0; 100], "starts with zeros"),
        (&sample("arithmetic.jpg"), "is an arithmetic-coded JPEG, which is not supported; save it as a baseline"),
        (&sample("lossless.jpg"), "is a lossless JPEG"),
        (&sample("no-screen.gif"), "claims 0 x 0 pixels"),
    ] {
        let text = decoded(bytes).unwrap_err();
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// A picture of the fuzzing corpus.
fn sample(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/picture").join(name)).unwrap()
}

fn decoded(bytes: &[u8]) -> Result<Box<Pixels>, String> {
    file::decode(Cursor::new(bytes), bytes.len() as u64, SIDE).map_err(|failure| {
        assert_eq!(failure.kind, Kind::Usage, "{failure}");
        failure.message
    })
}

#[test]
fn truncated_pictures_are_refused() {
    for name in [
        "baseline.jpg",
        "progressive.jpg",
        "grey.jpg",
        "turned-cmyk.jpg",
        "lossy.webp",
        "lossless.webp",
        "alpha.webp",
        "animated.webp",
        "animated.gif",
        "deep.png",
        "interlaced.png",
        "plain.bmp",
        "rle.bmp",
    ] {
        let whole = sample(name);
        assert!(decoded(&whole).is_ok(), "{name}");
        for percent in 1..100 {
            let at = whole.len() * percent / 100;
            assert!(decoded(&whole[..at]).is_err(), "{name}: {percent} %");
            // A failing memory card leaves zeros; some programs append an end marker to partial data.
            if name.ends_with("jpg") {
                let zeros = [&whole[..at], &vec![0; whole.len() - at]].concat();
                assert!(decoded(&zeros).is_err(), "{name}: zeros after {percent} %");
                let ended = [&whole[..at], b"\xff\xd9"].concat();
                assert!(decoded(&ended).is_err() || name == "progressive.jpg", "{name}: ended after {percent} %");
            }
        }
    }
}

#[test]
fn common_deviations_of_cameras_and_programs_are_accepted() {
    let jpeg = sample("baseline.jpg");
    let end = jpeg.len() - 2;
    let frame = jpeg.windows(2).position(|two| two == b"\xff\xc0").unwrap();
    let gif = sample("animated.gif");
    for (what, whole, changed) in [
        ("a trailer", &jpeg, [&jpeg, &b"SEFT\x01\x02"[..]].concat()),
        ("a second picture", &jpeg, [&jpeg[..], &sample("grey.jpg")].concat()),
        ("no end marker", &jpeg, jpeg[..end].to_vec()),
        ("fill bytes", &jpeg, [&jpeg[..frame], b"\xff\xff", &jpeg[frame..]].concat()),
        ("extraneous bytes", &jpeg, [&jpeg[..end], &[0x12; 99], &jpeg[end..]].concat()),
        ("a thumbnail", &jpeg, [&jpeg[..2], b"\xff\xe5\0\x0a\xff\xd8\xff\xda\0\x02\xff\xd9", &jpeg[2..]].concat()),
        ("no end marker", &gif, gif[..gif.len() - 1].to_vec()),
    ] {
        assert_eq!(decoded(&changed), decoded(whole), "{what}");
        assert!(decoded(whole).is_ok(), "{what}");
    }
}

#[test]
fn a_scan_that_lists_a_component_twice_is_refused() {
    let whole = sample("progressive.jpg");
    let starts = || whole.windows(5).enumerate().filter(|(_, five)| five[..2] == *b"\xff\xda");
    let (at, _) = starts().find(|(_, five)| five[4] == 1).unwrap();
    let [component, tables] = [whole[at + 5], whole[at + 6]];
    let header = [0xff, 0xda, 0, 10, 2, component, tables, component, tables];
    let twice = [&whole[..at], &header, &whole[at + 7..]].concat();
    assert_eq!(decoded(&twice).unwrap_err(), "is damaged: a scan header is invalid");
}

#[test]
fn both_checksums_of_a_png_are_checked_and_a_late_orientation_is_applied() {
    let place = Place::new();
    let whole = fs::read(saved(&place, "x.png", asymmetric(64, 64), ImageFormat::Png)).unwrap();
    let chunk = |kind: &[u8], data: &[u8]| {
        let checked = [kind, data].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&checked);
        [&(data.len() as u32).to_be_bytes(), &checked[..], &crc.sum().to_be_bytes()].concat()
    };
    let late = [&whole[..whole.len() - 12], &chunk(b"eXIf", &exif(6)), &whole[whole.len() - 12..]].concat();
    assert_eq!(quarters(&decoded(&late).unwrap()), [BLUE, RED, GREY, GREEN]);

    let data = whole.windows(4).position(|four| four == b"IDAT").unwrap();
    let length = u32::from_be_bytes(whole[data - 4..data].try_into().unwrap()) as usize;
    let mut wrong = whole[data + 4..data + 4 + length].to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    let wrong = [&whole[..data - 4], &chunk(b"IDAT", &wrong), &whole[data + 8 + length..]].concat();
    assert!(decoded(&wrong).unwrap_err().starts_with("is damaged: "));
}

#[test]
fn pictures_that_need_too_much_memory_are_refused_by_their_headers() {
    let place = Place::new();
    // Each is a small file that claims to be a large picture.
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
        assert!(text.contains("claims") && text.contains("expected at most 150 million"), "{name}: {text}");
    }
    // Few enough pixels, but too much memory to decode.
    let text = decoded(&sample("large-progressive.jpg")).unwrap_err();
    let text = text.replace(NBSP, " ");
    assert!(text.contains("12000 x 12000 pixels, which need 1.04 GB to decode; expected at most 750 MB"), "{text}");
    assert!(decoded(&sample("wide.png")).unwrap_err().contains("a row or metadata of more than 64 MB"));
    assert!(decoded(&sample("profile-of-16-MB.png")).is_ok());
}

#[test]
fn colours_of_a_profile_become_srgb() {
    // Quarters of Display P3, and what LittleCMS makes of them.
    for name in ["display-p3.jpg", "display-p3.png"] {
        let found = quarters(&decoded(&sample(name)).unwrap());
        assert_close(found, [[216, 81, 48], [0, 183, 49], [54, 82, 197], [128, 128, 128]], name);
    }
}

#[test]
fn predict_skips_unreadable_files_and_reports_them() {
    let place = Place::new();
    let run = place.run("");
    fs::write(place.path("model"), run.weights()[0]).unwrap();
    let picture = asymmetric(20, 20);
    // The same picture with a wrong extension, in grey, with 16 bits, animated.
    saved(&place, "right.png", picture.clone(), ImageFormat::Png);
    saved(&place, "wrong-extension.jpg", picture.clone(), ImageFormat::Png);
    saved(&place, "grey.png", DynamicImage::from(picture.clone()).into_luma8(), ImageFormat::Png);
    saved(&place, "deep.png", DynamicImage::from(picture.clone()).into_rgb16(), ImageFormat::Png);
    let mut frames = GifEncoder::new(fs::File::create(place.path("animated.gif")).unwrap());
    let second = DynamicImage::from(RgbImage::from_pixel(20, 20, Rgb(GREEN)));
    for frame in [DynamicImage::from(picture.clone()), second] {
        frames.encode_frame(Frame::new(frame.into_rgba8())).unwrap();
    }
    drop(frames);
    let first = file::read(&place.path("animated.gif"), SIDE).unwrap();
    assert_eq!(quarters(&first), [RED, GREEN, BLUE, GREY], "the first frame is used");

    let mut huge = fs::read(saved(&place, "huge.bmp", picture, ImageFormat::Bmp)).unwrap();
    huge[18..26].copy_from_slice(&[0x40, 0x9c, 0, 0, 0x40, 0x9c, 0, 0]);
    fs::write(place.path("huge.bmp"), huge).unwrap();
    let whole = fs::read(place.path("right.png")).unwrap();
    fs::write(place.path("cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(place.path("text.png"), "no picture").unwrap();
    fs::write(place.path("empty.png"), "").unwrap();
    let good = ["right.png", "wrong-extension.jpg", "grey.png", "deep.png", "animated.gif"];
    let bad = [
        ("huge.bmp", "claims 40000 x 40000 pixels"),
        ("cut.png", "is damaged: "),
        ("text.png", "is not a PNG, JPEG, WebP, BMP or GIF file"),
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
