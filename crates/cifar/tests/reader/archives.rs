//! Builds small archives without the crate's writer.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use tar::Header;
use thawline_cifar::{Dataset, Error, Format, Images, PIXEL_BYTES};

/// The end of a message about wrong contents.
pub const CHECK_PATH: &str = "; check the path, or download the data from https://www.cs.toronto.edu/~kriz/cifar.html";

/// The names and contents of a set's files.
pub type Files = Vec<(String, Vec<u8>)>;

/// The byte of channel `c`, row `y`, column `x` in picture `n`. It differs along each axis, so that swapped axes are
/// noticed.
pub fn pixel(n: usize, c: usize, y: usize, x: usize) -> u8 {
    (n * 13 + c * 97 + y * 31 + x * 7) as u8
}

/// Record `n` of a file: labels that differ from record to record, and the pixels of [`pixel`].
pub fn record(format: Format, n: usize) -> Vec<u8> {
    let mut record = match format {
        Format::Cifar10 => vec![(n % 10) as u8],
        Format::Cifar100 => vec![(n % 20) as u8, (99 - n % 100) as u8],
    };
    for c in 0..3 {
        for y in 0..32 {
            record.extend((0..32).map(|x| pixel(n, c, y, x)));
        }
    }
    record
}

/// Records `first..first + count`.
pub fn records(format: Format, first: usize, count: usize) -> Vec<u8> {
    (first..first + count).flat_map(|n| record(format, n)).collect()
}

pub fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|label| format!("{prefix}{label}")).collect()
}

fn lines(names: &[String]) -> Vec<u8> {
    // The official files end with an empty line.
    (names.join("\n") + "\n\n").into_bytes()
}

/// A complete set with `count` records in each file, numbered across the files.
pub fn files(format: Format, count: usize) -> Files {
    let set: &[&str] = match format {
        Format::Cifar10 => &[
            "cifar-10-batches-bin/data_batch_1.bin",
            "cifar-10-batches-bin/data_batch_2.bin",
            "cifar-10-batches-bin/data_batch_3.bin",
            "cifar-10-batches-bin/data_batch_4.bin",
            "cifar-10-batches-bin/data_batch_5.bin",
            "cifar-10-batches-bin/test_batch.bin",
        ],
        Format::Cifar100 => &["cifar-100-binary/train.bin", "cifar-100-binary/test.bin"],
    };
    let pictures = set.iter().enumerate();
    let mut files: Files =
        pictures.map(|(index, name)| (name.to_string(), records(format, index * count, count))).collect();
    match format {
        Format::Cifar10 => files.push(("cifar-10-batches-bin/batches.meta.txt".into(), lines(&names("class", 10)))),
        Format::Cifar100 => {
            files.push(("cifar-100-binary/fine_label_names.txt".into(), lines(&names("fine", 100))));
            files.push(("cifar-100-binary/coarse_label_names.txt".into(), lines(&names("coarse", 20))));
        }
    }
    files
}

/// The contents of the file whose name ends with `name`.
pub fn contents<'a>(files: &'a mut Files, name: &str) -> &'a mut Vec<u8> {
    &mut files.iter_mut().find(|(file, _)| file.ends_with(name)).expect("the set has this file").1
}

/// A header with a correct checksum.
pub fn header(name: &[u8], kind: u8, bytes: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.as_mut_bytes()[156] = kind;
    header.set_mode(0o644);
    header.set_size(bytes);
    header.set_cksum();
    header
}

/// An entry: header, contents, padding.
pub fn entry(name: impl AsRef<[u8]>, kind: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = header(name.as_ref(), kind, contents.len() as u64).as_bytes().to_vec();
    bytes.extend(contents);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// The entries of plain files, without an end marker.
pub fn entries(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    files.iter().flat_map(|(name, contents)| entry(name, b'0', contents)).collect()
}

/// A tar archive: the entries and the end marker.
pub fn tar(entries: Vec<u8>) -> Vec<u8> {
    [entries, vec![0; 1024]].concat()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    gzip(&tar(entries(files)))
}

/// An archive of a complete small set followed by more entries.
pub fn archive_with(more: Vec<u8>) -> Vec<u8> {
    gzip(&tar([entries(&files(Format::Cifar10, 1)), more].concat()))
}

pub fn read(archive: &[u8]) -> Result<Dataset, Error> {
    Dataset::from_archive("a.tar.gz", archive)
}

/// The error message for a refused archive.
pub fn message(archive: &[u8]) -> String {
    let error = read(archive).expect_err("this archive must be refused");
    assert!(!error.is_environment_fault(), "{error}");
    let line = error.to_string();
    assert!(!line.contains('\n') && line.len() < 400, "one line: {line}");
    line
}

pub fn assert_says(archive: &[u8], words: &str) {
    let line = message(archive);
    assert!(line.starts_with("a.tar.gz") && line.contains(words), "\nexpected: {words}\n   found: {line}");
}

/// The set of [`files`], created in memory.
pub fn dataset(format: Format, count: usize) -> Dataset {
    let training_files = if format == Format::Cifar10 { 5 } else { 1 };
    let train = Images::from_records(format, records(format, 0, training_files * count)).unwrap();
    let test = Images::from_records(format, records(format, training_files * count, count)).unwrap();
    let (classes, coarse) = match format {
        Format::Cifar10 => (names("class", 10), vec![]),
        Format::Cifar100 => (names("fine", 100), names("coarse", 20)),
    };
    Dataset::new(format, train, test, classes, coarse).unwrap()
}

/// The set as an archive of the crate's writer.
pub fn written(dataset: &Dataset) -> Vec<u8> {
    let mut archive = Vec::new();
    dataset.write_archive_to(&mut archive).unwrap();
    archive
}

/// Asserts that two sets have equal labels, pixels and names.
pub fn assert_same_data(left: &Dataset, right: &Dataset) {
    assert_eq!(left.format(), right.format());
    assert_eq!(left.classes(), right.classes());
    assert_eq!(left.coarse_classes(), right.coarse_classes());
    assert!(left.train().iter().eq(right.train().iter()) && left.test().iter().eq(right.test().iter()));
}

/// One black picture with label 0.
pub fn black_record(format: Format) -> Vec<u8> {
    vec![0; format.label_bytes() + PIXEL_BYTES]
}
