use std::io::{self, Read, Write};

use flate2::{Compression, Crc, write::GzEncoder};
use thawline_cifar::{Dataset, Format};

use crate::archives::{archive, assert_says, entries, files, gzip, header, message, read, tar};

fn small() -> Vec<u8> {
    archive(&files(Format::Cifar10, 1))
}

#[test]
fn other_formats_are_recognized() {
    assert_eq!(message(b""), "a.tar.gz: is empty (0 bytes); download it again");
    for (bytes, words) in [
        (&b"<!DOCTYPE html><html>"[..], "starts with 3c 21 44 4f (a saved web page?); expected 1f 8b"),
        (b"\r\n <html>", "starts with 0d 0a 20 3c (a saved web page?)"),
        (b"PK\x03\x04....", "(a zip file?)"),
        (b"BZh91AY&SY", "(a bzip2 file?)"),
        (b"\xfd7zXZ\0....", "(an xz file?)"),
        (b"\x28\xb5\x2f\xfd....", "(a zstd file?)"),
        (b"version https://git-lfs.github.com/spec/v1", "(a Git LFS pointer?); expected 1f 8b; check the path"),
        (b"{\"error\": 1}", "(a server's error message?)"),
        (b"x", "starts with 78; expected 1f 8b; check the path, or download"),
    ] {
        assert_says(bytes, words);
    }
}

#[test]
fn gzip_without_a_tar_archive_is_refused() {
    assert_says(&gzip(b"no tar archive"), "no end marker at byte 14 of the decompressed data");
    assert_says(&gzip(&[b'x'; 2048]), "unreadable header checksum at byte 0 of the decompressed data");
    assert_says(&gzip(&[]), "no end marker at byte 0");
    assert_says(&gzip(&[0; 10240]), "an archive without any CIFAR file");
}

#[test]
fn a_wrong_gzip_checksum_or_length_is_refused() {
    let whole = small();
    for back in 1..=8 {
        let mut damaged = whole.clone();
        let position = damaged.len() - back;
        damaged[position] ^= 1;
        assert_says(&damaged, "is damaged: its compressed data or their checksum are wrong, before byte ");
        assert_says(&whole[..position], &format!("ends too early: after {position} bytes"));
    }
}

#[test]
fn data_after_the_archive_is_refused() {
    let whole = small();
    let end = whole.len();
    let trailing =
        format!("continues after the end of its gzip data, at byte {end}, with other bytes; expected the end of");
    for (more, words) in [
        (vec![0; 512], trailing.as_str()),
        (b"\n".to_vec(), &trailing),
        (whole.clone(), "has data after the end of its tar archive"),
        (b"\x1f".to_vec(), "ends too early"),
        (b"\x1f\x8bno header".to_vec(), "is damaged: "),
        (gzip(b"").repeat(1 << 14), "with more gzip members than any archive needs"),
    ] {
        assert_says(&[whole.clone(), more].concat(), words);
    }
}

#[test]
fn several_gzip_members_are_one_file() {
    let tar = tar(entries(&files(Format::Cifar10, 1)));
    let expected = read(&gzip(&tar)).unwrap().sha256();
    for size in [1000, 5000, tar.len() / 2, tar.len()] {
        let mut members: Vec<Vec<u8>> = tar.chunks(size).map(gzip).collect();
        members.push(gzip(b""));
        assert_eq!(read(&members.concat()).unwrap().sha256(), expected, "{size}");
        let last = members.len() - 2;
        let trailer = members[last].len() - 8;
        members[last][trailer] ^= 1;
        assert_says(&members.concat(), "is damaged: ");
    }
}

#[test]
fn every_part_of_a_gzip_header_is_skipped() {
    let whole = small();
    // Flags: checksum of the header, extra field, name, comment.
    let header = [&whole[..3], &[2 + 4 + 8 + 16], &whole[4..10], b"\x03\0abcname\0a comment\0"].concat();
    let mut checksum = Crc::new();
    checksum.update(&header);
    let header = [&header[..], &checksum.sum().to_le_bytes()[..2]].concat();
    let archive = [&header, &whole[10..]].concat();
    assert_eq!(read(&archive).unwrap().sha256(), read(&whole).unwrap().sha256());
    for length in 10..header.len() {
        assert_says(&archive[..length], "ends too early");
    }
    for (position, value) in [(2, 7), (3, 0x20), (3, 0x80)] {
        let mut other = whole.clone();
        other[position] = value;
        assert_says(&other, "is damaged: ");
    }
}

#[test]
fn a_tar_archive_without_gzip_is_read() {
    let tar = tar(entries(&files(Format::Cifar10, 1)));
    let dataset = read(&tar).unwrap();
    assert_eq!(dataset.sha256(), read(&gzip(&tar)).unwrap().sha256());
    assert_eq!(dataset.source().to_string(), "a.tar.gz (unpacked from gzip, not verified to be the official release)");
    assert_says(&tar[..tar.len() - 1024], "no end marker");
    assert_says(&[&tar[..], b"x"].concat(), "has data after the end of its tar archive");
}

/// Compresses zeros without having them in memory.
fn zeros(before: &[u8], count: u64) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(before).unwrap();
    io::copy(&mut io::repeat(0).take(count), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_decompression_bomb_is_refused() {
    // The header claims 8 GiB - 1, the most that its octal digits can hold.
    let header = header(b"cifar-10-batches-bin/data_batch_1.bin", b'0', 0o77777777777);
    for (before, words) in [
        (&[][..], "more than 1048576 zeros after the end of its tar archive, at byte 512"),
        (header.as_bytes(), "data_batch_1.bin has 8589934591 bytes"),
    ] {
        let bomb = zeros(before, 1 << 27);
        let mut rest = &bomb[..];
        let error = Dataset::from_archive("bomb", &mut rest).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        let read = bomb.len() - rest.len();
        // Little more than the first buffer.
        assert!(read < 300 << 10 && read < bomb.len() / 4, "{read} bytes of {} were read", bomb.len());
    }
}

#[test]
fn more_than_a_megabyte_of_padding_is_refused() {
    let entries = entries(&files(Format::Cifar10, 1));
    for padding in [1024, 10240, 1 << 20] {
        assert!(read(&zeros(&entries, padding)).is_ok());
    }
    assert_says(&zeros(&entries, 2 << 20), "more than 1048576 zeros after the end of its tar archive");
}

#[test]
fn an_endless_gzip_stream_is_refused() {
    // A deflate stream of empty stored blocks: it never yields a byte, and never ends.
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            for byte in out.iter_mut() {
                *byte = [0, 0, 0, 0xff, 0xff][(self.0 % 5) as usize];
                self.0 += 1;
            }
            Ok(out.len())
        }
    }
    let error = Dataset::from_archive("endless", header.chain(Endless(0))).unwrap_err();
    let words = "endless: is longer than 268435456 bytes, more than any CIFAR archive needs; check the path";
    assert_eq!(error.to_string(), words);
}

/// Fails after some bytes, like a failing disk.
struct Failing<'a> {
    bytes: &'a [u8],
    error: io::ErrorKind,
}

impl Read for Failing<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.bytes.read(out)? {
            0 => Err(self.error.into()),
            count => Ok(count),
        }
    }
}

#[test]
fn a_read_error_at_any_offset_is_an_environment_fault() {
    let whole = small();
    for length in 0..whole.len() {
        // From the decoder, `UnexpectedEof` would mean a truncated archive; from the disk it does not.
        for kind in [io::ErrorKind::Other, io::ErrorKind::UnexpectedEof, io::ErrorKind::TimedOut] {
            let error = Dataset::from_archive("a", Failing { bytes: &whole[..length], error: kind }).unwrap_err();
            assert!(error.is_environment_fault(), "after {length} bytes: {error}");
            assert!(error.to_string().starts_with("a: cannot read"), "{error}");
        }
    }
}

#[test]
fn short_and_interrupted_reads_make_no_difference() {
    struct Trickle<'a>(&'a [u8], bool);
    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(io::ErrorKind::Interrupted.into()) } else { self.0.read(&mut out[..1]) }
        }
    }
    let plain = tar(entries(&files(Format::Cifar10, 1)));
    for whole in [small(), plain] {
        let dataset = Dataset::from_archive("trickle", Trickle(&whole, false)).unwrap();
        assert_eq!(dataset.sha256(), read(&whole).unwrap().sha256());
    }
}
