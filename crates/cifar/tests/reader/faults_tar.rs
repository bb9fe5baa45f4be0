//! Damaged and hostile tar archives: each error names what is wrong and where.

use thawline_cifar::Format;

use crate::archives::{
    archive, archive_with, assert_says, black_record, entries, entry, files, gzip, header, names, read, tar,
};

const BATCH_1: &str = "cifar-10-batches-bin/data_batch_1.bin";

#[test]
fn a_wrong_tar_header_checksum_is_refused() {
    for (byte, header) in [(0, 0), (4096 + 100, 4096)] {
        let mut bytes = tar(entries(&files(Format::Cifar10, 1)));
        bytes[byte] ^= 1;
        assert_says(&gzip(&bytes), &format!("wrong header checksum at byte {header} of the decompressed data"));
    }
}

#[test]
fn a_missing_or_partial_end_marker_is_refused() {
    let entries = entries(&files(Format::Cifar10, 1));
    let end = entries.len();
    assert_says(&gzip(&entries), &format!("no end marker at byte {end} of the decompressed data"));
    assert_says(&gzip(&[entries.clone(), vec![0; 100]].concat()), "no end marker");
    assert_says(&gzip(&[entries.clone(), vec![0; 512]].concat()), "half an end marker");
    let words = format!("has data after the end of its tar archive, at byte {}", end + 1024);
    assert_says(&gzip(&tar(entries).repeat(2)), &words);
}

#[test]
fn entries_larger_than_in_the_release_are_refused() {
    let claiming = |name: &str, bytes| gzip(&tar(header(name.as_bytes(), b'0', bytes).as_bytes().to_vec()));
    for bytes in [1 << 40, u64::MAX / 2, u64::MAX] {
        assert_says(&claiming(BATCH_1, bytes), &format!("data_batch_1.bin has {bytes} bytes"));
        assert_says(&claiming("cifar-10-batches-bin/readme.html", bytes), "readme.html");
        assert_says(&claiming("cifar-10-batches-bin/batches.meta.txt", bytes), "expected at most 16384");
    }
    // A whole number of records, but far more than in the release.
    let words = "has 1000000000 records; expected at most 10000, as in the CIFAR-10 release";
    assert_says(&claiming(BATCH_1, 3073 * 1_000_000_000), words);
    let mut header = header(BATCH_1.as_bytes(), b'0', 0);
    header.as_mut_bytes()[124..136].copy_from_slice(b"9z9z9z9z9z9\0");
    header.set_cksum();
    assert_says(&gzip(&tar(header.as_bytes().to_vec())), "unreadable entry size at byte 0");
}

#[test]
fn entry_names_outside_the_release_are_refused() {
    for (name, kind, words) in [
        ("../data_batch_1.bin", b'0', "contains a path that leaves its folder, \"../data_batch_1.bin\""),
        ("cifar-10-batches-bin/../data_batch_1.bin", b'0', "a path that leaves its folder"),
        ("..", b'0', "a path that leaves its folder"),
        ("/etc/passwd", b'0', "contains an absolute path, \"/etc/passwd\""),
        ("other/data_batch_1.bin", b'0', "contains a file that is in neither release, \"other/data_batch_1.bin\""),
        ("cifar-10-batches-bin/more/data_batch_1.bin", b'0', "a file that is in neither release"),
        ("cifar-100-binary/data_batch_1.bin", b'0', "a file that is in neither release"),
        ("cifar-10-batches-bin/data_batch_6.bin", b'0', "a file that is in neither release"),
        ("cifar-10-batches-bin/data_batch_1.bin/", b'0', "a file that is in neither release"),
        ("cifar-10-batches-bin/.hidden", b'0', "a file that is in neither release"),
        ("", b'0', "a file that is in neither release"),
        ("elsewhere/", b'5', "contains a folder that is in neither release, \"elsewhere\""),
        // Control characters are escaped.
        ("a\x1b[2Jb\nc", b'0', r#""a\u{1b}[2Jb\nc""#),
    ] {
        assert_says(&archive_with(entry(name, kind, b"")), words);
    }
    assert_says(&archive_with(entry(b"data_\xff.bin", b'0', b"")), "a name that is not UTF-8, \"data_\u{fffd}.bin\"");
}

#[test]
fn links_devices_and_unknown_entry_kinds_are_refused() {
    for (kinds, what) in [
        (&b"12"[..], "a link"),
        (b"346", "a device or pipe"),
        (b"KL", "a GNU long name"),
        (b"S", "a sparse file"),
        (b"g", "a global extended header"),
        (b"7VA\xff", "an entry of unknown kind"),
    ] {
        for &kind in kinds {
            assert_says(&archive_with(entry("readme.html", kind, b"")), &format!("contains {what}, \"readme.html\""));
        }
    }
    assert_says(&archive_with(entry("cifar-10-batches-bin/", b'5', b"x")), "a folder with unexpected contents");
}

fn pax(records: &[u8]) -> Vec<u8> {
    let extended = entry("PaxHeaders/readme.html", b'x', records);
    archive_with([extended, entry("readme.html", b'0', b"")].concat())
}

#[test]
fn extended_headers_may_set_only_harmless_keys() {
    for records in
        [&b""[..], b"28 mtime=1795515750.1234567\n", b"12 uid=1000\n12 gid=1000\n14 uname=\xc3\xa9\xc3\xa9\n"]
    {
        assert!(read(&pax(records)).is_ok(), "{}", String::from_utf8_lossy(records));
    }
    for (records, words) in [
        (&b"25 path=data_batch_1.bin\n"[..], "an extended header that sets \"path\" (make the archive with tar --"),
        (b"13 size=9999\n", "sets \"size\""),
        (b"15 linkpath=/x\n", "sets \"linkpath\""),
        (b"22 GNU.sparse.major=1\n", "sets \"GNU.sparse.major\""),
        (b"12 uid=1000\n13 size=9999\n", "sets \"size\""),
        (b"9 uid=\xff\xff\n", "an extended header that is not UTF-8"),
        (&[b' '; 5000], "an extended header of 5000 bytes"),
    ] {
        assert_says(&pax(records), words);
    }
    for records in [
        // One comment with a line end, or two records: a parser that stops at an empty line misses the second.
        &b"25 comment=\n13 size=9999\n"[..],
        b"24 comment=\n13 size=9999\n",
        b"\n13 size=9999\n",
        b"12 uid=1000\n\n13 size=9999\n",
        b"99 uid=1000\n",
        b"0 uid=1000\n",
        b"+13 uid=1000\n",
        b"-1 uid=1000\n",
        b"18446744073709551615 uid=1\n",
        b"10 uid1000\n",
        b"no record",
    ] {
        assert_says(&pax(records), "a malformed extended header");
    }
    let harmless = |name: &str| entry(name, b'x', b"12 uid=1000\n");
    let twice = [harmless("x"), harmless("y")].concat();
    assert_says(&archive_with(twice), "an extended header of an extended header, \"y\"");
    assert_says(&archive_with(harmless("x")), "an extended header without an entry, \"x\"");
}

#[test]
fn repeated_files_and_folders_are_refused() {
    let black = black_record(Format::Cifar10);
    for name in [BATCH_1, "data_batch_1.bin", "./data_batch_1.bin"] {
        assert_says(&archive_with(entry(name, b'0', &black)), "contains \"data_batch_1.bin\" twice");
    }
    assert_says(&archive_with(entry("readme.html", b'0', b"hello").repeat(2)), "contains \"readme.html\" twice");
    let folder = entry("cifar-10-batches-bin/", b'5', b"");
    assert_says(&archive_with(folder.repeat(2)), "contains \"cifar-10-batches-bin\" twice");
}

#[test]
fn archives_from_other_tar_programs_are_read() {
    let mut bytes = entry("./", b'5', b"");
    bytes.extend(entry("./cifar-10-batches-bin/", b'5', b""));
    for (index, (name, contents)) in files(Format::Cifar10, 1).iter().enumerate() {
        // Version 7 tar wrote a zero byte for a plain file and no magic; GNU tar has its own magic.
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
    // The folder may be missing.
    let mut files = files(Format::Cifar10, 1);
    for (name, _) in &mut files {
        *name = name.rsplit_once('/').unwrap().1.into();
    }
    assert!(read(&archive(&files)).is_ok());
}
