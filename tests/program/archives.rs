//! Damaged and hostile archives and folders, each with the one line that it must be refused with.

use std::{
    fs,
    io::{Read, Write},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::invocation::{Place, archive};

const FOLDER: &str = "cifar-10-batches-bin";
const BATCH_1: &str = "cifar-10-batches-bin/data_batch_1.bin";
const RECORD: usize = 3073;

/// That both the look at the data and the run refuse a file or folder with these words, and leave nothing.
fn assert_refused(place: &Place, path: &str, words: &str) {
    let before = place.names();
    for line in [["data", "verify", path], ["run", "--data", path]] {
        let call = place.prompt(&line);
        assert_eq!((call.code, &*call.stdout), (Some(2), ""), "{line:?}: {}", call.stderr);
        assert_eq!(call.stderr.lines().count(), 1, "{line:?}: {}", call.stderr);
        assert!(call.stderr.starts_with("error: ") && call.stderr.contains(path), "{line:?}: {}", call.stderr);
        assert!(call.stderr.contains(words), "{line:?}\nexpected: {words}\n   found: {}", call.stderr);
        assert_eq!(place.names(), before, "{line:?} left something");
    }
}

fn refuse(bytes: &[u8], words: &str) {
    let place = Place::new();
    fs::write(place.path("given.tar.gz"), bytes).unwrap();
    assert_refused(&place, "given.tar.gz", words);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A header and its contents, as tar has them.
fn entry(name: &[u8], kind: u8, size: u64, contents: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name);
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend(contents);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

fn file(name: &str, contents: &[u8]) -> Vec<u8> {
    entry(name.as_bytes(), b'0', contents.len() as u64, contents)
}

/// The small archive without its compression.
fn unpacked() -> Vec<u8> {
    let mut tar = Vec::new();
    GzDecoder::new(&*fs::read(archive()).unwrap()).read_to_end(&mut tar).unwrap();
    tar
}

/// The small archive with entries before its end.
fn with(more: &[u8]) -> Vec<u8> {
    let tar = unpacked();
    let end = tar.len() - 1024;
    gzip(&[&tar[..end], more, &tar[end..]].concat())
}

/// The small archive after a change of what is compressed in it.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut tar = unpacked();
    change(&mut tar);
    gzip(&tar)
}

/// Where the header of a file is.
fn position(tar: &[u8], name: &str) -> usize {
    (0..tar.len()).step_by(512).find(|&at| tar[at..].starts_with(name.as_bytes())).unwrap()
}

#[test]
fn what_is_wrong_with_the_compression() {
    let whole = fs::read(archive()).unwrap();
    for length in [1, 2, 9, 10, 11, 100, whole.len() / 2, whole.len() - 9, whole.len() - 8, whole.len() - 1] {
        refuse(&whole[..length], "ends too early");
    }
    // The checksum, then the length, in the last eight bytes.
    for back in [8, 5, 4, 1] {
        let mut bytes = whole.clone();
        let at = bytes.len() - back;
        bytes[at] ^= 1;
        refuse(&bytes, "is damaged");
    }
    refuse(&[&whole[..], &whole].concat(), "has data after the end of its tar archive");
    refuse(&[&whole[..], b"\0"].concat(), "with other bytes; the end of the file was expected");
    refuse(&gzip(&vec![0; 64 << 20]), "zeros after the end of its tar archive");
    refuse(&gzip(&[&unpacked()[..], &vec![0; 2 << 20]].concat()), "more than 1048576 zeros after the end");
    refuse(&gzip(&[&unpacked()[..], &[1; 512]].concat()), "has data after the end of its tar archive");
    refuse(&gzip(b"no archive at all"), "is not a tar archive inside");
}

#[test]
fn what_is_wrong_with_the_container() {
    refuse(&changed(|tar| tar[0] ^= 1), "wrong header checksum at byte 0 of the unpacked data");
    refuse(&changed(|tar| tar.truncate(tar.len() - 1024)), "no end marker");
    let bomb = entry(BATCH_1.as_bytes(), b'0', 0o77777777777, &[0; 1 << 20]);
    refuse(&gzip(&bomb), "data_batch_1.bin has 8589934591 bytes");
    for (name, words) in [
        (&b"../data_batch_1.bin"[..], "a name that leaves its folder"),
        (b"/etc/passwd", "an absolute name"),
        (b"data_\xff.bin", "a name that is not UTF-8"),
        (b"cifar-10-batches-bin/run.sh", "a file that no release has"),
    ] {
        refuse(&with(&entry(name, b'0', 0, b"")), words);
    }
    for (kind, words) in [
        (b'1', "a link"),
        (b'2', "a link"),
        (b'3', "a device or pipe"),
        (b'S', "a sparse file"),
        (b'L', "a GNU long name"),
        (b'g', "a global extended header"),
    ] {
        refuse(&with(&entry(b"readme.html", kind, 0, b"")), words);
    }
    let pax = [entry(b"x", b'x', 13, b"13 size=9999\n"), file("readme.html", b"")].concat();
    refuse(&with(&pax), "an extended header that sets \"size\"");
    refuse(&with(&file(BATCH_1, &[0; RECORD])), "contains \"cifar-10-batches-bin/data_batch_1.bin\" twice");
}

#[test]
fn what_is_wrong_with_the_set() {
    let missing = |tar: &mut Vec<u8>| {
        let at = position(tar, "cifar-10-batches-bin/data_batch_3.bin");
        let next = position(tar, "cifar-10-batches-bin/data_batch_4.bin");
        tar.drain(at..next);
    };
    refuse(&changed(missing), "data_batch_3.bin");
    let pickles = [file("cifar-10-batches-py/data_batch_1", b"x"), vec![0; 1024]].concat();
    refuse(&gzip(&pickles), "the Python version of CIFAR-10");
    let records = |count: usize| vec![0; count * RECORD];
    refuse(&gzip(&[file(BATCH_1, &records(2)[1..]), vec![0; 1024]].concat()), "3073");
    refuse(&gzip(&[file(BATCH_1, &[]), vec![0; 1024]].concat()), "data_batch_1.bin has 0 bytes");
    let label = |tar: &mut Vec<u8>| {
        let at = position(tar, "cifar-10-batches-bin/test_batch.bin") + 512;
        tar[at + 7 * RECORD] = 10;
    };
    refuse(&changed(label), &format!("test_batch.bin, record 7 (byte {}): label 10, expected 0 to 9", 7 * RECORD));
}

#[test]
fn records_in_files_of_the_releases_own_size() {
    let place = Place::new();
    let folder = place.path(FOLDER);
    fs::create_dir(&folder).unwrap();
    // All zeros: black pictures of the first class. Holes, so that nothing is written.
    let sized = |name: &str, records: usize| {
        fs::File::create(folder.join(name)).unwrap().set_len((records * RECORD) as u64).unwrap();
    };
    for batch in 1..=5 {
        sized(&format!("data_batch_{batch}.bin"), 10_000);
    }
    sized("test_batch.bin", 10_000);
    let names: String = (0..10).map(|label| format!("class{label}\n")).collect();
    fs::write(folder.join("batches.meta.txt"), names).unwrap();
    let verified = place.call(["data", "verify", FOLDER]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    for records in [9_999, 10_001] {
        sized("data_batch_2.bin", records);
        assert_refused(&place, FOLDER, &format!("data_batch_2.bin has {records} records; expected"));
    }
    sized("data_batch_2.bin", 10_000);
    let offset = 7_341 * RECORD;
    let mut bytes = vec![0; 10_000 * RECORD];
    bytes[offset] = 10;
    fs::write(folder.join("data_batch_4.bin"), bytes).unwrap();
    let words = format!("data_batch_4.bin, record 7341 (byte {offset}): label 10, expected 0 to 9");
    assert_refused(&place, FOLDER, &words);
}
