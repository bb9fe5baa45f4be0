use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use thawline_cifar::Format;

use crate::archives::{CHECK_PATH, entry, header, message, names, read};

/// The order of the files in the official archive.
const OFFICIAL_ORDER: [&str; 8] = [
    "data_batch_1.bin",
    "batches.meta.txt",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "test_batch.bin",
    "readme.html",
    "data_batch_5.bin",
    "data_batch_2.bin",
];

/// The first label of each file identifies it.
fn first_label(file: &str) -> u8 {
    file.bytes().find(u8::is_ascii_digit).map_or(0, |digit| digit - b'0')
}

/// A full-size archive of black pictures; `count` gives each file's number of records.
fn archive(count: impl Fn(&str) -> usize) -> Vec<u8> {
    let mut archive = GzEncoder::new(Vec::new(), Compression::fast());
    archive.write_all(&entry("cifar-10-batches-bin/", b'5', b"")).unwrap();
    for file in OFFICIAL_ORDER {
        let name = format!("cifar-10-batches-bin/{file}");
        match file {
            "batches.meta.txt" => {
                let lines = names("class", 10).join("\n") + "\n\n";
                archive.write_all(&entry(name, b'0', lines.as_bytes())).unwrap();
            }
            "readme.html" => archive.write_all(&entry(name, b'0', b"<html>see the page</html>")).unwrap(),
            _ => {
                let mut contents = vec![0; count(file) * 3073];
                contents[0] = first_label(file);
                archive.write_all(header(name.as_bytes(), b'0', contents.len() as u64).as_bytes()).unwrap();
                contents.resize(contents.len().next_multiple_of(512), 0);
                archive.write_all(&contents).unwrap();
            }
        }
    }
    archive.write_all(&[0; 10240]).unwrap();
    archive.finish().unwrap()
}

#[test]
fn files_in_the_official_order_are_sorted() {
    let complete = read(&archive(|_| 10_000)).unwrap();
    assert_eq!((complete.train().len(), complete.test().len()), (50_000, 10_000));
    let labels: Vec<u8> = (0..5).map(|file| complete.train().get(file * 10_000).label).collect();
    assert_eq!(labels, [1, 2, 3, 4, 5]);
    assert_eq!(complete.test().get(0).label, 0);
    assert_eq!(complete.train().iter().filter(|image| image.label != 0).count(), 5);
    // The right size alone does not make it official.
    assert!(!complete.source().is_official());
}

#[test]
fn one_record_too_few_or_too_many_is_refused() {
    for (file, complete) in [
        ("data_batch_3.bin", "data_batch_1.bin"),
        ("data_batch_1.bin", "data_batch_2.bin"),
        ("test_batch.bin", "data_batch_1.bin"),
    ] {
        let words = format!(
            "a.tar.gz: {file} has 9999 records; expected 10000, as in the CIFAR-10 release, since {complete} is complete{CHECK_PATH}"
        );
        assert_eq!(message(&archive(|name| if name == file { 9_999 } else { 10_000 })), words);
    }
    let more = archive(|file| if file == "data_batch_3.bin" { 10_001 } else { 1 });
    let words = "data_batch_3.bin has 10001 records; expected at most 10000, as in the CIFAR-10 release";
    assert_eq!(message(&more), format!("a.tar.gz: {words}{CHECK_PATH}"));
}

#[test]
fn a_full_size_cifar_100_archive_is_read() {
    let mut bytes = GzEncoder::new(Vec::new(), Compression::fast());
    let lines = |prefix, count| names(prefix, count).join("\n").into_bytes();
    for (name, contents) in [
        ("fine_label_names.txt", lines("fine", 100)),
        ("train.bin", vec![0; 50_000 * 3_074]),
        ("test.bin", vec![0; 10_000 * 3_074]),
        ("coarse_label_names.txt", lines("coarse", 20)),
    ] {
        bytes.write_all(&entry(format!("cifar-100-binary/{name}"), b'0', &contents)).unwrap();
    }
    bytes.write_all(&[0; 1024]).unwrap();
    let dataset = read(&bytes.finish().unwrap()).unwrap();
    assert_eq!(dataset.format(), Format::Cifar100);
    assert_eq!((dataset.train().len(), dataset.test().len()), (50_000, 10_000));
}
