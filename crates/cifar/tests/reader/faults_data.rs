use thawline_cifar::{Dataset, Fault, Format, Images};

use crate::archives::{
    CHECK_PATH, archive, archive_with, assert_says, contents, entries, entry, files, gzip, message, names, read,
    records, tar,
};

/// Breaks one file of a small set with `count` records in each, and checks what the reader says.
fn assert_broken(format: Format, count: usize, file: &str, break_it: impl FnOnce(&mut Vec<u8>), words: &str) {
    let mut files = files(format, count);
    break_it(contents(&mut files, file));
    assert_says(&archive(&files), words);
}

#[test]
fn each_missing_file_is_named() {
    for format in Format::ALL {
        let whole = files(format, 1);
        for (index, (name, _)) in whole.iter().enumerate() {
            let mut files = whole.clone();
            files.remove(index);
            let (file, set) = (name.rsplit_once('/').unwrap().1, format.name());
            let words = format!("a.tar.gz: {file} missing; expected a complete {set} set{CHECK_PATH}");
            assert_eq!(message(&archive(&files)), words);
        }
    }
    let four = archive(&files(Format::Cifar10, 1)[..4]);
    assert_says(&four, "data_batch_5.bin, test_batch.bin, batches.meta.txt missing");
}

#[test]
fn another_version_of_the_data_is_recognized() {
    for (name, kind, found) in [
        ("cifar-10-batches-py/data_batch_4", b'0', "the Python version of CIFAR-10"),
        ("cifar-10-batches-py/", b'5', "the Python version of CIFAR-10"),
        ("cifar-100-python/train", b'0', "the Python version of CIFAR-100"),
        ("cifar-10-batches-mat/data_batch_1.mat", b'0', "the Matlab version of CIFAR-10"),
        ("cifar-100-matlab/train.mat", b'0', "the Matlab version of CIFAR-100"),
        ("batches.meta", b'0', "the Python version of CIFAR-10"),
        ("x/data_batch_5", b'0', "the Python version of CIFAR-10"),
        ("test_batch.mat", b'0', "the Matlab version of CIFAR-10"),
    ] {
        let words = format!("looks like {found}; expected the binary version of CIFAR-10 or CIFAR-100{CHECK_PATH}");
        assert_says(&gzip(&tar(entry(name, kind, b""))), &words);
    }
    let mixture = archive_with(entries(&files(Format::Cifar100, 1)));
    assert_says(&mixture, "looks like a mixture of CIFAR-10 and CIFAR-100");
}

#[test]
fn a_partial_record_is_refused() {
    let words = "batch_3.bin has 6145 bytes, which is 1 records of 3073 and 3072 extra bytes; expected whole records";
    assert_broken(Format::Cifar10, 2, "data_batch_3.bin", |file| file.truncate(6145), words);
    assert_broken(Format::Cifar100, 1, "train.bin", |file| file.push(0), "train.bin has 3075 bytes");
    assert_broken(Format::Cifar10, 1, "test_batch.bin", Vec::clear, "has 0 bytes; expected at least one record");
}

#[test]
fn training_files_of_different_lengths_are_refused() {
    let words = "data_batch_4.bin has 2 records; expected 3, as data_batch_1.bin has";
    assert_broken(Format::Cifar10, 3, "data_batch_4.bin", |file| file.truncate(2 * 3073), words);
    // The test set may be longer.
    let mut uneven = files(Format::Cifar10, 1);
    contents(&mut uneven, "test_batch.bin").extend(records(Format::Cifar10, 0, 7));
    let dataset = read(&archive(&uneven)).unwrap();
    assert_eq!((dataset.train().len(), dataset.test().len()), (5, 8));
}

#[test]
fn labels_out_of_range_are_refused() {
    for value in [10, 11, 127, 255] {
        let words = format!("data_batch_2.bin, record 3 (byte 9219): label {value}, expected 0 to 9");
        assert_broken(Format::Cifar10, 4, "data_batch_2.bin", |file| file[9219] = value, &words);
    }
    let coarse = "test.bin, record 2 (byte 6148): coarse label 20, expected 0 to 19";
    assert_broken(Format::Cifar100, 4, "test.bin", |file| file[6148] = 20, coarse);
    let fine = "test.bin, record 2 (byte 6149): fine label 100, expected 0 to 99";
    assert_broken(Format::Cifar100, 4, "test.bin", |file| file[6149] = 100, fine);
    // One byte lost at the start, one added at the end: the length is right, and the labels are pixels.
    let shifted = "data_batch_1.bin, record 1 (byte 3073): label 13, expected 0 to 9";
    assert_broken(Format::Cifar10, 4, "data_batch_1.bin", |file| file.rotate_left(1), shifted);
}

#[test]
fn invalid_class_names_are_refused() {
    let long = |length| String::from_utf8(vec![b'a'; length]).unwrap();
    for (text, words) in [
        (&b""[..], "batches.meta.txt: 0 class names, expected 10"),
        (b"\n\n\n", "batches.meta.txt: 0 class names, expected 10"),
        (b"a\nb\nc\nd\ne\nf\ng\nh\ni\n", "batches.meta.txt: 9 class names, expected 10"),
        (b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n", "batches.meta.txt: 11 class names, expected 10"),
        (b"a\nb\n\nd\ne\nf\ng\nh\ni\nj\n", "batches.meta.txt: line 3 is empty"),
        (b"a\nb\nc\nd\ne\nf\ng\na\ni\nj\n", "batches.meta.txt: line 8 repeats line 1, \"a\""),
        (b"a\nb\xff\nc\n", "batches.meta.txt: not UTF-8 at byte 3"),
        (b"a\n\x1b[31m\nc\n", "batches.meta.txt: line 2 contains a control character, \"\\u{1b}[31m\""),
        (b"a\n b\nc\n", "batches.meta.txt: line 2 starts or ends with a space"),
        ("a\n\u{feff}b\nc\n".as_bytes(), "batches.meta.txt: line 2 starts with a byte order mark"),
        (long(65).as_bytes(), "batches.meta.txt: line 1 is longer than 64 bytes"),
        (long(16385).as_bytes(), "batches.meta.txt has 16385 bytes; expected at most 16384"),
    ] {
        assert_broken(Format::Cifar10, 1, "batches.meta.txt", |file| *file = text.to_vec(), words);
    }
    let mut windows = files(Format::Cifar10, 1);
    *contents(&mut windows, "batches.meta.txt") = format!("\u{feff}{}", names("c", 10).join("\r\n")).into_bytes();
    assert_eq!(read(&archive(&windows)).unwrap().classes(), names("c", 10));
}

#[test]
fn pictures_in_memory_pass_the_same_checks() {
    use Format::{Cifar10, Cifar100};
    let make = |train: (Format, usize), test: usize, classes: usize, coarse: usize| {
        let train = Images::from_records(train.0, records(train.0, 0, train.1)).unwrap();
        let test = Images::from_records(Cifar10, records(Cifar10, 0, test)).unwrap();
        Dataset::new(Cifar10, train, test, names("c", classes), names("d", coarse))
    };
    assert!(make((Cifar10, 5), 1, 10, 0).is_ok());
    for (result, words) in [
        (make((Cifar10, 6), 1, 10, 0), "6 training pictures do not divide evenly among 5 files"),
        (make((Cifar10, 5), 1, 9, 0), "batches.meta.txt: 9 class names, expected 10"),
        (make((Cifar10, 5), 1, 10, 1), "1 class names, expected 0"),
        (make((Cifar10, 5), 10_001, 10, 0), "test_batch.bin has 10001 records; expected at most 10000"),
        (make((Cifar10, 5), 10_000, 10, 0), "data_batch_1.bin has 1 records; expected 10000"),
        (make((Cifar100, 5), 1, 10, 0), "the pictures are in CIFAR-100's format; expected CIFAR-10"),
    ] {
        let line = result.unwrap_err().to_string();
        assert!(line.starts_with("pictures in memory: ") && line.contains(words), "{line}");
    }
    for (records, words) in [
        (vec![], "has 0 bytes"),
        (vec![0; 3072], "has 3072 bytes"),
        (vec![10; 3073], "record 0 (byte 0): label 10, expected 0 to 9"),
    ] {
        let error = Images::from_records(Cifar10, records).unwrap_err();
        assert!(matches!(error.fault(), Fault::Records(text) if text.contains(words)), "{error}");
    }
}
