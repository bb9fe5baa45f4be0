use thawline_cifar::{Dataset, Format, Image, Images, PIXEL_BYTES};

use crate::archives::{archive, files, pixel, read, record, records};

/// Checks every pixel of picture `n` on its way from the archive to a tensor and to a PNG.
fn assert_is_picture(image: Image<'_>, n: usize) {
    let (mut floats, mut bytes) = (vec![f32::NAN; PIXEL_BYTES], vec![0; PIXEL_BYTES]);
    image.write_nhwc(&mut floats);
    image.write_rgb8(&mut bytes);
    for y in 0..32 {
        for x in 0..32 {
            for c in 0..3 {
                let (expected, index) = (pixel(n, c, y, x), (y * 32 + x) * 3 + c);
                assert_eq!(image.pixels[c * 1024 + y * 32 + x], expected);
                assert_eq!(floats[index].to_bits(), (f32::from(expected) / 255.0).to_bits());
                assert_eq!(bytes[index], expected);
            }
        }
    }
}

#[test]
fn an_asymmetric_picture_stays_upright() {
    let dataset = read(&archive(&files(Format::Cifar10, 2))).unwrap();
    assert_is_picture(dataset.train().get(0), 0);
    // A picture whose only white pixel is red, in the first row and the last column.
    let mut record = vec![0; Format::Cifar10.record_bytes()];
    record[1 + 31] = 255;
    let images = Images::from_records(Format::Cifar10, record).unwrap();
    let mut nhwc = [0.0; PIXEL_BYTES];
    images.get(0).write_nhwc(&mut nhwc);
    let white: Vec<usize> = (0..PIXEL_BYTES).filter(|&index| nhwc[index] == 1.0).collect();
    assert_eq!(white, [31 * 3]);
}

#[test]
fn every_record_arrives_in_the_order_of_the_files() {
    let dataset = read(&archive(&files(Format::Cifar10, 3))).unwrap();
    assert_eq!((dataset.train().len(), dataset.test().len()), (15, 3));
    for n in 0..18 {
        let image = if n < 15 { dataset.train().get(n) } else { dataset.test().get(n - 15) };
        assert_eq!((usize::from(image.label), image.coarse_label), (n % 10, None));
        assert_is_picture(image, n);
    }
    assert_eq!(dataset.classes()[9], "class9");
    assert!(dataset.coarse_classes().is_empty());
}

#[test]
fn cifar_100_has_two_labels() {
    let dataset = read(&archive(&files(Format::Cifar100, 3))).unwrap();
    assert_eq!((dataset.format(), dataset.train().len(), dataset.test().len()), (Format::Cifar100, 3, 3));
    for n in 0..3 {
        let image = dataset.train().get(n);
        assert_eq!((usize::from(image.label), image.coarse_label), (99 - n, Some(n as u8)));
        assert_is_picture(image, n);
        assert_is_picture(dataset.test().get(n), n + 3);
    }
    assert_eq!((dataset.classes()[99].as_str(), dataset.coarse_classes()[19].as_str()), ("fine99", "coarse19"));
}

#[test]
fn every_byte_becomes_its_quotient() {
    let mut record = record(Format::Cifar10, 0);
    for (byte, value) in record[1..].iter_mut().zip((0..=255).cycle()) {
        *byte = value;
    }
    let images = Images::from_records(Format::Cifar10, record).unwrap();
    let mut floats = [0.0; PIXEL_BYTES];
    images.get(0).write_nhwc(&mut floats);
    // Red is the first plane, so its 256 first pixels are the bytes in order.
    assert!((0..=255u8).all(|byte| floats[usize::from(byte) * 3] == f32::from(byte) / 255.0));
}

#[test]
fn the_identity_is_the_hash_of_the_records_wherever_they_come_from() {
    use sha2::{Digest, Sha256};
    let all = records(Format::Cifar10, 0, 12);
    let expected: String = Sha256::digest(&all).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(read(&archive(&files(Format::Cifar10, 2))).unwrap().sha256(), expected);
    let (train, test) = all.split_at(10 * Format::Cifar10.record_bytes());
    let images = |records: &[u8]| Images::from_records(Format::Cifar10, records.to_vec()).unwrap();
    let classes = crate::archives::names("other", 10);
    let dataset = Dataset::new(Format::Cifar10, images(train), images(test), classes, vec![]).unwrap();
    assert_eq!(dataset.sha256(), expected);
}

#[test]
#[should_panic(expected = "picture 5 of 5")]
fn there_is_no_picture_past_the_end() {
    read(&archive(&files(Format::Cifar10, 1))).unwrap().train().get(5);
}

#[test]
fn cifar_100_can_be_labelled_coarsely() {
    let fine = read(&archive(&files(Format::Cifar100, 3))).unwrap();
    let mut written = Vec::new();
    fine.write_archive_to(&mut written).unwrap();
    let coarse = fine.clone().by_coarse_label().unwrap();
    assert_eq!((coarse.classes().len(), coarse.classes()[19].as_str()), (20, "coarse19"));
    for (n, image) in coarse.train().iter().enumerate() {
        assert_eq!((usize::from(image.label), image.coarse_label), (n, Some(n as u8)));
        assert_is_picture(image, n);
    }
    // It is the same data.
    assert_eq!(coarse.sha256(), fine.sha256());
    let mut again = Vec::new();
    coarse.write_archive_to(&mut again).unwrap();
    assert!(again == written, "the archive has other bytes");
    assert!(read(&archive(&files(Format::Cifar10, 3))).unwrap().by_coarse_label().is_none());
}
