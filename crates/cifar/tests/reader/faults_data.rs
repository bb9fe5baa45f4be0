use thawline_cifar::{Dataset, Fault, Format, Images};

use crate::archives::{
    CHECK_PATH, Files, archive, archive_with, assert_says, contents, entries, entry, files, gzip, message, names,
    record, records, tar,
};

/// Breaks a small set and checks what the reader says.
fn assert_broken(format: Format, count: usize, break_it: impl FnOnce(&mut Files), words: &str) {
    let mut files = files(format, count);
    break_it(&mut files);
    assert_says(&archive(&files), words);
}

#[test]
fn each_missing_file_is_named() {
    for format in Format::ALL {
        let whole = files(format, 1);
        for (index, (name, _)) in whole.iter().enumerate() {
            let mut files = whole.clone();
            files.remove(index);
            let file = name.rsplit_once('/').unwrap().1;
            assert_eq!(
                message(&archive(&files)),
                format!("a.tar.gz: has no {file}; a complete {} set was expected{CHECK_PATH}", format.name())
            );
        }
    }
    assert_broken(
        Format::Cifar10,
        1,
        |files| files.truncate(4),
        "has no data_batch_5.bin, test_batch.bin, batches.meta",
    );
}

#[test]
fn another_version_of_the_data_is_recognised() {
    for (name, words) in [
        (
            "cifar-10-batches-py/data_batch_4",
            "looks like the Python version of CIFAR-10; expected the binary version of ",
        ),
        ("cifar-100-python/train", "looks like the Python version of CIFAR-100"),
        ("cifar-10-batches-mat/data_batch_1.mat", "looks like the Matlab version of CIFAR-10"),
        ("cifar-100-matlab/train.mat", "looks like the Matlab version of CIFAR-100"),
        ("batches.meta", "looks like the Python version of CIFAR-10"),
    ] {
        assert_says(&gzip(&tar(entry(name, b'0', b"pickle"))), words);
    }
    assert_says(&gzip(&tar(entry("cifar-10-batches-py/", b'5', b""))), "looks like the Python version of CIFAR-10");
}

#[test]
fn both_sets_in_one_archive() {
    let mixture = archive_with(entries(&files(Format::Cifar100, 1)));
    assert_says(&mixture, "looks like a mixture of CIFAR-10 and CIFAR-100");
}

#[test]
fn the_other_set_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (format, other) in [(Format::Cifar10, Format::Cifar100), (Format::Cifar100, Format::Cifar10)] {
        let path = folder.path().join(format.name());
        std::fs::write(&path, archive(&files(format, 1))).unwrap();
        assert_eq!(Dataset::open_as(format, &path).unwrap().format(), format);
        let error = Dataset::open_as(other, &path).unwrap_err();
        let (found, expected) = (format.name(), other.name());
        let words = format!(": looks like {found}; expected the binary version of {expected}{CHECK_PATH}");
        assert!(error.to_string().ends_with(&words), "{error}");
    }
}

#[test]
fn a_length_that_is_no_whole_number_of_records() {
    assert_broken(
        Format::Cifar10,
        2,
        |files| contents(files, "data_batch_3.bin").truncate(6145),
        "data_batch_3.bin has 6145 bytes, which is 1 records of 3073 and 3072 bytes more; expected whole records",
    );
    assert_broken(
        Format::Cifar10,
        1,
        |files| contents(files, "test_batch.bin").push(0),
        "test_batch.bin has 3074 bytes",
    );
    assert_broken(Format::Cifar100, 1, |files| contents(files, "train.bin").push(0), "train.bin has 3075 bytes");
    assert_broken(
        Format::Cifar10,
        1,
        |files| contents(files, "test_batch.bin").clear(),
        "has 0 bytes, no record at all",
    );
}

#[test]
fn training_files_of_different_lengths() {
    assert_broken(
        Format::Cifar10,
        3,
        |files| contents(files, "data_batch_4.bin").truncate(2 * 3073),
        "data_batch_4.bin has 2 records; expected 3, as data_batch_1.bin has",
    );
    // The test set may have a number of its own.
    let mut uneven = files(Format::Cifar10, 1);
    contents(&mut uneven, "test_batch.bin").extend(records(Format::Cifar10, 0, 7));
    let dataset = crate::archives::read(&archive(&uneven)).unwrap();
    assert_eq!((dataset.train().len(), dataset.test().len()), (5, 8));
}

#[test]
fn labels_out_of_range() {
    for value in [10, 11, 127, 255] {
        assert_broken(
            Format::Cifar10,
            4,
            |files| contents(files, "data_batch_2.bin")[3 * 3073] = value,
            &format!("data_batch_2.bin, record 3 (byte 9219): label {value}, expected 0 to 9"),
        );
    }
    let labels = [(0, "coarse label 20, expected 0 to 19"), (1, "fine label 100, expected 0 to 99")];
    for (position, words) in labels {
        assert_broken(
            Format::Cifar100,
            4,
            |files| contents(files, "test.bin")[2 * 3074 + position] = if position == 0 { 20 } else { 100 },
            &format!("test.bin, record 2 (byte {}): {words}", 2 * 3074 + position),
        );
    }
}

#[test]
fn a_shifted_file_is_betrayed_by_its_labels() {
    // One byte lost at the start, one added at the end: the length is right.
    assert_broken(
        Format::Cifar10,
        4,
        |files| contents(files, "data_batch_1.bin").rotate_left(1),
        "data_batch_1.bin, record 1 (byte 3073): label 13, expected 0 to 9",
    );
}

#[test]
fn class_names() {
    let check = |text: &[u8], words: &str| {
        assert_broken(Format::Cifar10, 1, |files| *contents(files, "batches.meta.txt") = text.to_vec(), words);
    };
    check(b"", "batches.meta.txt: 0 class names, expected 10");
    check(b"\n\n\n", "batches.meta.txt: 0 class names, expected 10");
    check(b"a\nb\nc\nd\ne\nf\ng\nh\ni\n", "batches.meta.txt: 9 class names, expected 10");
    check(b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n", "batches.meta.txt: 11 class names, expected 10");
    check(b"a\nb\n\nd\ne\nf\ng\nh\ni\nj\n", "batches.meta.txt: line 3 is empty");
    check(b"a\nb\nc\nd\ne\nf\ng\na\ni\nj\n", "batches.meta.txt: line 8 repeats line 1, \"a\"");
    check(b"a\nb\xff\nc\n", "batches.meta.txt: not UTF-8 at byte 3");
    check(b"a\n\x1b[31m\nc\n", "batches.meta.txt: line 2 contains a control character, \"\\u{1b}[31m\"");
    check(b"a\n b\nc\n", "batches.meta.txt: line 2 begins or ends with a blank");
    check(&[b'a'; 65], "batches.meta.txt: line 1 is longer than 64 bytes");
    check(&[b'a'; 16385], "batches.meta.txt has 16385 bytes; expected at most 16384");
    let mut windows = files(Format::Cifar10, 1);
    *contents(&mut windows, "batches.meta.txt") = format!("\u{feff}{}", names("c", 10).join("\r\n")).into_bytes();
    assert_eq!(crate::archives::read(&archive(&windows)).unwrap().classes(), names("c", 10));
}

#[test]
fn pictures_in_memory_meet_the_same_checks() {
    let images = |format, count| Images::from_records(format, records(format, 0, count));
    let make = |train, test, classes, coarse| {
        let train = images(Format::Cifar10, train).unwrap();
        let test = images(Format::Cifar10, test).unwrap();
        Dataset::new(Format::Cifar10, train, test, classes, coarse).map_err(|error| error.to_string())
    };
    let (ten, none) = (names("c", 10), Vec::new());
    assert!(make(5, 1, ten.clone(), none.clone()).is_ok());
    for (result, words) in [
        (make(6, 1, ten.clone(), none.clone()), "6 training pictures do not divide evenly among 5 files"),
        (make(5, 1, names("c", 9), none.clone()), "batches.meta.txt: 9 class names, expected 10"),
        (make(5, 1, ten.clone(), names("d", 1)), "1 class names, expected 0"),
        (make(5, 10_001, ten.clone(), none.clone()), "test_batch.bin has 10001 records; expected at most 10000"),
        (make(5, 10_000, ten.clone(), none), "data_batch_1.bin has 1 records; expected 10000"),
    ] {
        let line = result.unwrap_err();
        assert!(line.starts_with("pictures in memory: ") && line.contains(words), "{line}");
    }
    let (train, test) = (images(Format::Cifar100, 5).unwrap(), images(Format::Cifar10, 1).unwrap());
    let error = Dataset::new(Format::Cifar10, train, test, ten, vec![]).unwrap_err();
    assert!(matches!(error.fault(), Fault::OtherFormat { .. }), "{error}");

    let error = Images::from_records(Format::Cifar10, vec![0; 3072]).unwrap_err();
    assert!(matches!(error.fault(), Fault::Length { bytes: 3072, .. }), "{error}");
    assert!(matches!(images(Format::Cifar10, 0).unwrap_err().fault(), Fault::Length { bytes: 0, .. }));
    let mut wrong = record(Format::Cifar10, 0);
    wrong[0] = 10;
    let error = Images::from_records(Format::Cifar10, wrong).unwrap_err();
    assert!(matches!(error.fault(), Fault::Label { record: 0, offset: 0, value: 10, .. }), "{error}");
}
