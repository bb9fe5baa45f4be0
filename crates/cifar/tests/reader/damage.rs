use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use thawline_cifar::{Dataset, Format};

use crate::archives::{Files, archive, assert_same_data, black_record, entries, entry, files, gzip, read, tar};

/// A complete set of black pictures, which compresses to a few hundred bytes.
fn black(format: Format) -> Files {
    let mut files = files(format, 1);
    for (_, contents) in files.iter_mut().filter(|(name, _)| name.ends_with(".bin")) {
        *contents = black_record(format);
    }
    files
}

/// Asserts that a damaged archive is refused or yields the intact archive's data. Returns whether it was accepted.
fn assert_no_harm(damaged: &[u8], whole: &Dataset, what: impl Fn() -> String) -> bool {
    match catch_unwind(AssertUnwindSafe(|| read(damaged))).unwrap_or_else(|_| panic!("panic at {}", what())) {
        Ok(dataset) => {
            assert_eq!(dataset.sha256(), whole.sha256(), "{}", what());
            assert_same_data(&dataset, whole);
            true
        }
        Err(error) => {
            assert!(!error.is_environment_fault() && !error.to_string().contains('\n'), "{}: {error}", what());
            false
        }
    }
}

/// Flips each bit of an archive. Returns how many flips were accepted; these did not change the data.
fn assert_no_flip_harms(archive: &[u8]) -> usize {
    let whole = read(archive).unwrap();
    let (mut damaged, mut accepted) = (archive.to_vec(), 0);
    for bit in 0..archive.len() * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        accepted += usize::from(assert_no_harm(&damaged, &whole, || format!("bit {} of byte {}", bit % 8, bit / 8)));
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    accepted
}

#[test]
fn every_truncated_archive_is_refused() {
    for archive in Format::ALL.into_iter().flat_map(|format| [archive(&black(format)), archive(&files(format, 1))]) {
        for length in 0..archive.len() {
            assert!(read(&archive[..length]).is_err(), "{length} of {} bytes were accepted", archive.len());
        }
    }
}

#[test]
fn no_flipped_bit_of_an_archive_changes_the_data() {
    for format in Format::ALL {
        // The accepted flips are in gzip's header: the time, the system, and flags that do not concern the data.
        assert!((1..=80).contains(&assert_no_flip_harms(&archive(&black(format)))));
    }
    // Every optional part of a gzip header.
    let header = GzBuilder::new().filename("cifar").comment("small").mtime(1).extra(vec![7; 4]);
    let mut encoder = header.write(Vec::new(), Compression::best());
    encoder.write_all(&tar(entries(&black(Format::Cifar10)))).unwrap();
    assert_no_flip_harms(&encoder.finish().unwrap());
}

#[test]
fn no_flipped_bit_of_a_tar_header_or_padding_changes_the_data() {
    // Damage from before compression: gzip's checksum is correct, so tar's must detect it.
    let files = black(Format::Cifar10);
    let mut bytes = tar([entry("cifar-10-batches-bin/", b'5', b""), entries(&files)].concat());
    let whole = read(&gzip(&bytes)).unwrap();
    let mut header = 0;
    let mut headers = vec![0];
    for (_, contents) in &files {
        header += 512;
        headers.push(header);
        header += contents.len().next_multiple_of(512);
    }
    let end = bytes.len() - 1024..bytes.len();
    for byte in headers.into_iter().flat_map(|start| start..start + 512).chain(end) {
        for bit in 0..8 {
            bytes[byte] ^= 1 << bit;
            assert_no_harm(&gzip_stored(&bytes), &whole, || format!("bit {bit} of unpacked byte {byte}"));
            bytes[byte] ^= 1 << bit;
        }
    }
}

#[test]
fn every_truncated_tar_archive_is_refused() {
    let bytes = tar(entries(&black(Format::Cifar100)));
    for length in 0..bytes.len() {
        assert!(read(&gzip_stored(&bytes[..length])).is_err(), "{length} unpacked bytes were accepted");
    }
}

/// gzip without compression, because that is fast.
fn gzip_stored(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&gzip_stored(&bytes)).is_err());
        let start = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], &bytes[..]].concat();
        prop_assert!(read(&start).is_err());
    }
}
