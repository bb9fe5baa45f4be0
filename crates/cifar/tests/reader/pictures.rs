use thawline_cifar::{Dataset, Format, Image, Images, PIXEL_BYTES};

use crate::archives::{archive, files, names, pixel, read, record, records, written};

/// Checks every pixel of picture `n`, as a byte and as a float.
fn assert_is_picture(image: Image<'_>, n: usize) {
    let mut floats = vec![f32::NAN; PIXEL_BYTES];
    image.write_nhwc(&mut floats);
    for y in 0..32 {
        for x in 0..32 {
            for c in 0..3 {
                let expected = pixel(n, c, y, x);
                assert_eq!(image.pixels[c * 1024 + y * 32 + x], expected);
                assert_eq!(floats[(y * 32 + x) * 3 + c].to_bits(), (f32::from(expected) / 255.0).to_bits());
            }
        }
    }
}

#[test]
fn records_are_in_the_order_of_the_files() {
    for (format, train) in [(Format::Cifar10, 15), (Format::Cifar100, 3)] {
        let dataset = read(&archive(&files(format, 3))).unwrap();
        assert_eq!((dataset.format(), dataset.train().len(), dataset.test().len()), (format, train, 3));
        for (n, image) in dataset.train().iter().chain(dataset.test().iter()).enumerate() {
            let labels = match format {
                Format::Cifar10 => (n % 10, None),
                Format::Cifar100 => (99 - n, Some(n as u8)),
            };
            assert_eq!((usize::from(image.label), image.coarse_label), labels);
            assert_is_picture(image, n);
        }
        let (class, coarse) = if format == Format::Cifar10 { ("class", 0) } else { ("fine", 20) };
        assert_eq!(dataset.classes(), names(class, format.classes()));
        assert_eq!(dataset.coarse_classes(), names("coarse", coarse));
    }
}

#[test]
fn every_byte_is_divided_by_255() {
    let mut record = record(Format::Cifar10, 0);
    for (byte, value) in record[1..].iter_mut().zip((0..=255).cycle()) {
        *byte = value;
    }
    let images = Images::from_records(Format::Cifar10, record).unwrap();
    let mut floats = [0.0; PIXEL_BYTES];
    images.get(0).write_nhwc(&mut floats);
    // Red is the first plane, so its first 256 pixels are the bytes in order.
    assert!((0..=255u8).all(|byte| floats[usize::from(byte) * 3] == f32::from(byte) / 255.0));
}

#[test]
fn sha256_depends_only_on_the_records() {
    use sha2::{Digest, Sha256};
    let all = records(Format::Cifar10, 0, 12);
    let expected: String = Sha256::digest(&all).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(read(&archive(&files(Format::Cifar10, 2))).unwrap().sha256(), expected);
    let (train, test) = all.split_at(10 * Format::Cifar10.record_bytes());
    let images = |records: &[u8]| Images::from_records(Format::Cifar10, records.to_vec()).unwrap();
    let dataset = Dataset::new(Format::Cifar10, images(train), images(test), names("other", 10), vec![]).unwrap();
    assert_eq!(dataset.sha256(), expected);
}

#[test]
#[should_panic(expected = "no picture 5: there are 5")]
fn an_index_past_the_end_panics() {
    read(&archive(&files(Format::Cifar10, 1))).unwrap().train().get(5);
}

#[test]
fn cifar_100_can_be_labelled_coarsely() {
    let fine = read(&archive(&files(Format::Cifar100, 3))).unwrap();
    let coarse = fine.clone().with_coarse_labels().unwrap();
    // A new data set has fine labels, whatever its pictures were used with.
    let (train, test) = (coarse.train().clone(), fine.test().clone());
    let [classes, coarse_classes] = [fine.classes(), fine.coarse_classes()].map(<[String]>::to_vec);
    let mixed = Dataset::new(Format::Cifar100, train, test, classes, coarse_classes).unwrap();
    assert_eq!(mixed.classes(), fine.classes());
    assert!(mixed.train().iter().zip(fine.train().iter()).all(|(a, b)| a.label == b.label));
    assert_eq!(coarse.classes(), names("coarse", 20));
    for (n, image) in coarse.train().iter().enumerate() {
        assert_eq!((usize::from(image.label), image.coarse_label), (n, Some(n as u8)));
        assert_is_picture(image, n);
    }
    // The data are the same.
    assert_eq!(coarse.sha256(), fine.sha256());
    assert!(written(&coarse) == written(&fine), "the archives differ");
    assert!(read(&archive(&files(Format::Cifar10, 3))).unwrap().with_coarse_labels().is_none());
}
