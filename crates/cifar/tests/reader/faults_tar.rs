use thawline_cifar::Format;

use crate::archives::{
    archive_with, assert_says, black_record, contents, entries, entry, files, gzip, header, names, read, tar,
};

const BATCH_1: &str = "cifar-10-batches-bin/data_batch_1.bin";

#[test]
fn a_wrong_header_checksum() {
    let mut bytes = tar(entries(&files(Format::Cifar10, 1)));
    bytes[0] = b'C';
    assert_says(&gzip(&bytes), "wrong header checksum at byte 0 of the unpacked data");
    let mut bytes = tar(entries(&files(Format::Cifar10, 1)));
    bytes[4096 + 100] ^= 1; // the second header's mode
    assert_says(&gzip(&bytes), "wrong header checksum at byte 4096 of the unpacked data");
}

#[test]
fn no_end_marker_or_half_of_one() {
    let entries = entries(&files(Format::Cifar10, 1));
    let end = entries.len();
    assert_says(&gzip(&entries), &format!("no end marker at byte {end} of the unpacked data"));
    assert_says(&gzip(&[entries.clone(), vec![0; 512]].concat()), "half an end marker");
    assert_says(&gzip(&[entries, vec![0; 100]].concat()), "no end marker");
}

#[test]
fn data_after_the_end_marker() {
    let whole = tar(entries(&files(Format::Cifar10, 1)));
    let hidden = [whole.clone(), whole.clone()].concat();
    assert_says(&gzip(&hidden), &format!("has data after the end of its tar archive, at byte {}", whole.len()));
}

#[test]
fn absurd_sizes() {
    for bytes in [1 << 40, u64::MAX / 2, u64::MAX] {
        let archive = gzip(&tar(header(BATCH_1.as_bytes(), b'0', bytes).as_bytes().to_vec()));
        assert_says(&archive, &format!("data_batch_1.bin has {bytes} bytes"));
        let archive = gzip(&tar(header(b"cifar-10-batches-bin/readme.html", b'0', bytes).as_bytes().to_vec()));
        assert_says(&archive, "readme.html");
        let archive = gzip(&tar(header(b"cifar-10-batches-bin/batches.meta.txt", b'0', bytes).as_bytes().to_vec()));
        assert_says(&archive, "expected at most 16384");
    }
    // A whole number of records, though far more than the release has.
    let bytes = Format::Cifar10.record_bytes() as u64 * 1_000_000_000;
    let archive = gzip(&tar(header(BATCH_1.as_bytes(), b'0', bytes).as_bytes().to_vec()));
    assert_says(&archive, "has 1000000000 records; expected at most 10000, as in the CIFAR-10 release");
    let mut header = header(BATCH_1.as_bytes(), b'0', 0);
    header.as_mut_bytes()[124..136].copy_from_slice(b"9z9z9z9z9z9\0");
    header.set_cksum();
    assert_says(&gzip(&tar(header.as_bytes().to_vec())), "unreadable entry size at byte 0");
}

#[test]
fn names_that_lead_elsewhere() {
    for (name, words) in [
        ("../data_batch_1.bin", "contains a name that leaves its folder, \"../data_batch_1.bin\""),
        ("cifar-10-batches-bin/../data_batch_1.bin", "a name that leaves its folder"),
        ("..", "a name that leaves its folder"),
        ("/data_batch_1.bin", "contains an absolute name, \"/data_batch_1.bin\""),
        ("/etc/passwd", "an absolute name"),
        ("other/data_batch_1.bin", "contains a file that no release has, \"other/data_batch_1.bin\""),
        ("cifar-10-batches-bin/more/data_batch_1.bin", "a file that no release has"),
        ("cifar-100-binary/data_batch_1.bin", "a file that no release has"),
        ("cifar-10-batches-bin/data_batch_6.bin", "a file that no release has"),
        ("cifar-10-batches-bin/data_batch_1.bin/", "a file that no release has"),
        ("cifar-10-batches-bin/.hidden", "a file that no release has"),
        ("", "a file that no release has"),
    ] {
        assert_says(&archive_with(entry(name, b'0', b"")), words);
    }
    assert_says(&archive_with(entry("elsewhere/", b'5', b"")), "contains a folder that no release has, \"elsewhere\"");
}

#[test]
fn names_that_no_terminal_should_see() {
    assert_says(&archive_with(entry(b"data_\xff.bin", b'0', b"")), "a name that is not UTF-8, \"data_\u{fffd}.bin\"");
    let line = crate::archives::message(&archive_with(entry("a\x1b[2Jb\nc", b'0', b"")));
    assert!(line.contains(r#""a\u{1b}[2Jb\nc""#), "{line}");
}

#[test]
fn kinds_other_than_plain_files_and_folders() {
    for (kind, what) in [
        (b'1', "a link"),
        (b'2', "a link"),
        (b'3', "a device or pipe"),
        (b'4', "a device or pipe"),
        (b'6', "a device or pipe"),
        (b'7', "an entry of unknown kind"),
        (b'K', "a GNU long name"),
        (b'L', "a GNU long name"),
        (b'S', "a sparse file"),
        (b'V', "an entry of unknown kind"),
        (b'g', "a global extended header"),
        (b'A', "an entry of unknown kind"),
        (0xff, "an entry of unknown kind"),
    ] {
        assert_says(&archive_with(entry("readme.html", kind, b"")), &format!("contains {what}, \"readme.html\""));
    }
    assert_says(&archive_with(entry("cifar-10-batches-bin/", b'5', b"x")), "a folder with contents of its own");
}

fn pax(records: &[u8]) -> Vec<u8> {
    let extended = entry("PaxHeaders/readme.html", b'x', records);
    archive_with([extended, entry("readme.html", b'0', b"")].concat())
}

#[test]
fn extended_headers_that_change_nothing() {
    for records in [
        &b""[..],
        b"28 mtime=1795515750.1234567\n",
        b"12 uid=1000\n12 gid=1000\n14 uname=\xc3\xa9\xc3\xa9\n",
        // One comment, which contains a line end; a length is a length.
        b"25 comment=\n13 size=9999\n",
    ] {
        assert!(read(&pax(records)).is_ok(), "{}", String::from_utf8_lossy(records));
    }
}

#[test]
fn extended_headers_that_play_tricks() {
    for (records, words) in [
        (&b"25 path=data_batch_1.bin\n"[..], "an extended header that sets \"path\" (make the archive with tar --"),
        (b"13 size=9999\n", "sets \"size\""),
        (b"15 linkpath=/x\n", "sets \"linkpath\""),
        (b"22 GNU.sparse.major=1\n", "sets \"GNU.sparse.major\""),
        (b"12 uid=1000\n13 size=9999\n", "sets \"size\""),
        (b"24 comment=\n13 size=9999\n", "a malformed extended header"),
        // A parser that stops at an empty line overlooks what follows.
        (b"\n13 size=9999\n", "a malformed extended header"),
        (b"12 uid=1000\n\n13 size=9999\n", "a malformed extended header"),
        (b"99 uid=1000\n", "a malformed extended header"),
        (b"0 uid=1000\n", "a malformed extended header"),
        (b"+13 uid=1000\n", "a malformed extended header"),
        (b"-1 uid=1000\n", "a malformed extended header"),
        (b"18446744073709551615 uid=1\n", "a malformed extended header"),
        (b"10 uid1000\n", "a malformed extended header"),
        (b"no record", "a malformed extended header"),
        (b"9 uid=\xff\xff\n", "an extended header that is not UTF-8"),
        (&[b' '; 5000], "an extended header of 5000 bytes"),
    ] {
        assert_says(&pax(records), words);
    }
    let twice = [entry("x", b'x', b"12 uid=1000\n"), entry("y", b'x', b"12 uid=1000\n")].concat();
    assert_says(&archive_with(twice), "an extended header of an extended header, \"y\"");
    assert_says(&archive_with(entry("x", b'x', b"12 uid=1000\n")), "an extended header of nothing, \"x\"");
}

#[test]
fn duplicates() {
    let black = black_record(Format::Cifar10);
    assert_says(
        &archive_with(entry(BATCH_1, b'0', &black)),
        "contains \"cifar-10-batches-bin/data_batch_1.bin\" twice",
    );
    for other in ["data_batch_1.bin", "./data_batch_1.bin"] {
        assert_says(&archive_with(entry(other, b'0', &black)), "contains \"data_batch_1.bin\" twice");
    }
    let readme = entry("readme.html", b'0', b"hello");
    assert_says(&archive_with([readme.clone(), readme].concat()), "contains \"readme.html\" twice");
    let folder = entry("cifar-10-batches-bin/", b'5', b"");
    assert_says(&archive_with(folder.repeat(2)), "contains \"cifar-10-batches-bin\" twice");
}

#[test]
fn what_other_tar_programs_write_is_welcome() {
    let mut bytes = entry("./", b'5', b"");
    bytes.extend(entry("./cifar-10-batches-bin/", b'5', b""));
    for (index, (name, contents)) in files(Format::Cifar10, 1).iter().enumerate() {
        // Version 7 wrote a zero for a plain file, and no magic; GNU tar has a magic of its own.
        let mut header = if index % 2 == 0 { tar::Header::new_old() } else { tar::Header::new_gnu() };
        header.set_path(format!("./{name}")).unwrap();
        header.set_size(contents.len() as u64);
        header.set_mode(0o755);
        header.set_uid(1000);
        if index % 2 == 1 {
            header.set_username("alex").unwrap();
        }
        header.set_cksum();
        bytes.extend(header.as_bytes());
        bytes.extend(contents);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.extend(entry("./cifar-10-batches-bin/readme.html", b'0', b"<html>"));
    let dataset = read(&gzip(&tar(bytes))).unwrap();
    assert_eq!(dataset.train().len(), 5);
    assert_eq!(dataset.classes(), names("class", 10));
}

#[test]
fn files_may_stand_without_a_folder() {
    let mut files = files(Format::Cifar10, 1);
    contents(&mut files, "batches.meta.txt").truncate(69);
    for (name, _) in &mut files {
        *name = name.rsplit_once('/').unwrap().1.into();
    }
    assert!(read(&crate::archives::archive(&files)).is_ok());
}
