//! tar, the inner layer of an archive. Only the kinds of entries that a release needs are accepted.
//!
//! Headers are read one by one instead of through `tar::Archive`, so that every error names a byte or an entry, the end
//! marker is checked, and no extension (PAX, long names, sparse files) takes effect.

use std::io::{ErrorKind, Read};

use tar::{EntryType, Header};

use super::gzip::Unpacked;
use crate::error::{Fault, printable};

/// The length of a header. Contents are padded to a multiple of it.
const BLOCK: usize = 512;

/// The longest PAX header that is skipped; Python's, with one time, has 28 bytes.
const MAX_PAX: u64 = 4 << 10;

/// What a PAX header may set: nothing that changes a file's contents or name.
const HARMLESS_PAX: [&str; 8] = ["atime", "ctime", "mtime", "uid", "gid", "uname", "gname", "comment"];

/// The maximum number of zeros after the last entry. GNU tar and Python pad to a multiple of 10 KiB.
const MAX_PADDING: u64 = 1 << 20;

/// A plain file or a folder with a checked header.
pub(super) struct Entry {
    pub name: String,
    pub is_folder: bool,
    pub bytes: u64,
}

impl Entry {
    /// Reads the next header, or returns `None` at the first block of the end marker.
    pub fn read(archive: &mut Unpacked<'_>) -> Result<Option<Entry>, Fault> {
        let Some(mut header) = RawHeader::read(archive)? else { return Ok(None) };
        if header.kind == EntryType::XHeader {
            header.skip_harmless_pax(archive)?;
            header =
                RawHeader::read(archive)?.ok_or_else(|| header.forbidden("an extended header without an entry"))?;
        }
        let is_folder = match header.kind {
            EntryType::Regular => false,
            EntryType::Directory if header.bytes == 0 => true,
            kind => return Err(header.forbidden(describe(kind))),
        };
        let what = match str::from_utf8(&header.name) {
            Err(_) => "a name that is not UTF-8",
            Ok(name) if name.starts_with('/') => "an absolute path",
            Ok(name) if name.split('/').any(|part| part == "..") => "a path that leaves its folder",
            Ok(name) => return Ok(Some(Entry { name: name.into(), is_folder, bytes: header.bytes })),
        };
        Err(header.forbidden(what))
    }
}

fn describe(forbidden: EntryType) -> &'static str {
    match forbidden {
        EntryType::Directory => "a folder with unexpected contents",
        EntryType::XHeader => "an extended header of an extended header",
        EntryType::XGlobalHeader => "a global extended header",
        EntryType::GNULongName | EntryType::GNULongLink => "a GNU long name",
        EntryType::GNUSparse => "a sparse file",
        EntryType::Link | EntryType::Symlink => "a link",
        EntryType::Char | EntryType::Block | EntryType::Fifo => "a device or pipe",
        _ => "an entry of unknown kind",
    }
}

/// A header of any kind with a correct checksum.
struct RawHeader {
    kind: EntryType,
    name: Vec<u8>,
    bytes: u64,
}

impl RawHeader {
    fn read(archive: &mut Unpacked<'_>) -> Result<Option<RawHeader>, Fault> {
        let offset = archive.position;
        let mut header = Header::new_old();
        read_block(archive, header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let sum = header.cksum().map_err(|_| malformed("unreadable header checksum", offset))?;
        if sum != checksum(header.as_bytes()) {
            return Err(malformed("wrong header checksum", offset));
        }
        let bytes = header.entry_size().map_err(|_| malformed("unreadable entry size", offset))?;
        Ok(Some(RawHeader { kind: header.entry_type(), name: header.path_bytes().into_owned(), bytes }))
    }

    fn forbidden(&self, what: impl std::fmt::Display) -> Fault {
        Fault::forbidden(what, &String::from_utf8_lossy(&self.name))
    }

    /// Skips an extended header if it sets only times, owners and comments. (Python's `tarfile` writes one for every
    /// file with a fractional time.)
    fn skip_harmless_pax(&self, archive: &mut Unpacked<'_>) -> Result<(), Fault> {
        if self.bytes > MAX_PAX {
            return Err(self.forbidden(format!("an extended header of {} bytes", self.bytes)));
        }
        let mut records = vec![0; self.bytes as usize];
        read_block(archive, &mut records)?;
        let records = str::from_utf8(&records).map_err(|_| self.forbidden("an extended header that is not UTF-8"))?;
        for record in records.split_inclusive('\n') {
            let key = pax_key(record).ok_or_else(|| self.forbidden("a malformed extended header"))?;
            if !HARMLESS_PAX.contains(&key) {
                return Err(self.forbidden(format!(
                    "an extended header that sets \"{}\" (make the archive with tar --format=ustar)",
                    printable(key)
                )));
            }
        }
        read_padding(archive, self.bytes)
    }
}

/// The key of a record "LENGTH KEY=VALUE\n"; the length is that of the whole line. (The standard allows line breaks in
/// a value. They are refused, because such a value could hide another record.)
fn pax_key(record: &str) -> Option<&str> {
    let (length, field) = record.strip_suffix('\n')?.split_once(' ')?;
    let (key, _) = field.split_once('=')?;
    (length == record.len().to_string()).then_some(key)
}

/// The sum of the header's bytes, with the checksum field counted as spaces.
fn checksum(header: &[u8; BLOCK]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    sum(&header[..148]) + 8 * u32::from(b' ') + sum(&header[156..])
}

/// Reads the padding after contents of this length.
pub(super) fn read_padding(archive: &mut Unpacked<'_>, bytes: u64) -> Result<(), Fault> {
    let padding = (bytes.next_multiple_of(BLOCK as u64) - bytes) as usize;
    read_block(archive, &mut [0; BLOCK][..padding])
}

/// Fills `block`; fails if the tar archive was truncated before it was compressed.
fn read_block(archive: &mut Unpacked<'_>, block: &mut [u8]) -> Result<(), Fault> {
    archive.read_exact(block).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => malformed("no end marker", archive.position),
        _ => Fault::io("read", error),
    })
}

/// Reads the rest of the archive: at least one block of zeros (the second of the end marker), and nothing but zeros.
pub(super) fn read_end(archive: &mut Unpacked<'_>) -> Result<(), Fault> {
    let (start, mut chunk) = (archive.position, [0; 8192]);
    let after_end = |what: &str, offset: u64| {
        Fault::Tar(format!("has {what} after the end of its tar archive, at byte {offset} of the decompressed data"))
    };
    loop {
        let offset = archive.position;
        let count = archive.read(&mut chunk).map_err(|error| Fault::io("read", error))?;
        let padding = archive.position - start;
        if count == 0 && padding < BLOCK as u64 {
            return Err(malformed("half an end marker", offset));
        } else if count == 0 {
            return Ok(());
        } else if let Some(at) = chunk[..count].iter().position(|&byte| byte != 0) {
            return Err(after_end("data", offset + at as u64));
        } else if padding > MAX_PADDING {
            return Err(after_end(&format!("more than {MAX_PADDING} zeros"), start));
        }
    }
}

fn malformed(detail: &str, offset: u64) -> Fault {
    Fault::Tar(format!("does not contain a valid tar archive: {detail} at byte {offset} of the decompressed data"))
}
