//! tar, the inner layer of an archive: headers of 512 bytes, of which only what a release needs is accepted.
//!
//! Headers are read one by one instead of through `tar::Archive`: every error then has an offset, the end marker
//! is checked, and no extension (PAX, long names, sparse files) is ever obeyed.

use std::io::Read;

use tar::{EntryType, Header};

use crate::error::{Fault, printable};
use crate::gzip::GzipReader;

/// Headers are this long, and contents are filled up to a multiple of it.
pub(crate) const BLOCK: usize = 512;

/// The longest PAX header that is read past; Python's, with a time in it, has 28 bytes.
const MOST_PAX: u64 = 4 << 10;

/// What a PAX header may say: nothing that changes which bytes are a file's contents or what it is called.
const HARMLESS_PAX: [&str; 8] = ["atime", "ctime", "mtime", "uid", "gid", "uname", "gname", "comment"];

/// A plain file or a folder, its header checked.
pub(crate) struct Entry {
    pub name: String,
    pub is_folder: bool,
    pub bytes: u64,
}

impl Entry {
    /// Reads the next header, or `None` at the first block of the end marker.
    pub fn read<R: Read>(unpacked: &mut GzipReader<R>) -> Result<Option<Entry>, Fault> {
        let Some(mut header) = CheckedHeader::read(unpacked)? else { return Ok(None) };
        if header.kind == EntryType::XHeader {
            header.read_harmless_pax(unpacked)?;
            header = CheckedHeader::read(unpacked)?.ok_or_else(|| header.forbidden("an extended header of nothing"))?;
        }
        let is_folder = match header.kind {
            EntryType::Regular => false,
            EntryType::Directory if header.bytes == 0 => true,
            kind => return Err(header.forbidden(describe(kind))),
        };
        match str::from_utf8(&header.name) {
            Err(_) => Err(header.forbidden("a name that is not UTF-8")),
            Ok(name) if name.starts_with('/') => Err(header.forbidden("an absolute name")),
            Ok(name) if name.split('/').any(|part| part == "..") => {
                Err(header.forbidden("a name that leaves its folder"))
            }
            Ok(name) => Ok(Some(Entry { name: name.into(), is_folder, bytes: header.bytes })),
        }
    }

    /// After the contents: reads up to the next header.
    pub fn read_padding<R: Read>(&self, unpacked: &mut GzipReader<R>) -> Result<(), Fault> {
        read_padding(unpacked, self.bytes)
    }
}

fn describe(forbidden: EntryType) -> &'static str {
    match forbidden {
        EntryType::Directory => "a folder with contents of its own",
        EntryType::XHeader => "an extended header of an extended header",
        EntryType::XGlobalHeader => "a global extended header",
        EntryType::GNULongName | EntryType::GNULongLink => "a GNU long name",
        EntryType::GNUSparse => "a sparse file",
        EntryType::Link | EntryType::Symlink => "a link",
        EntryType::Char | EntryType::Block | EntryType::Fifo => "a device or pipe",
        _ => "an entry of unknown kind",
    }
}

/// A header whose checksum is right, of whatever kind.
struct CheckedHeader {
    kind: EntryType,
    name: Vec<u8>,
    bytes: u64,
}

impl CheckedHeader {
    fn read<R: Read>(unpacked: &mut GzipReader<R>) -> Result<Option<CheckedHeader>, Fault> {
        let offset = unpacked.position;
        let mut header = Header::new_old();
        read_block(unpacked, header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let bad = |detail: &str| Fault::BadHeader { detail: detail.into(), offset };
        let sum = header.cksum().map_err(|_| bad("unreadable header checksum"))?;
        if sum != checksum(header.as_bytes()) {
            return Err(bad("wrong header checksum"));
        }
        let bytes = header.entry_size().map_err(|_| bad("unreadable entry size"))?;
        Ok(Some(CheckedHeader { kind: header.entry_type(), name: header.path_bytes().into_owned(), bytes }))
    }

    fn forbidden(&self, what: impl Into<String>) -> Fault {
        Fault::ForbiddenEntry { what: what.into(), name: printable(&String::from_utf8_lossy(&self.name)) }
    }

    /// Reads past an extended header if all that it gives are times, owners and comments. (Python's `tarfile`
    /// writes one for every file whose time has a fraction.)
    fn read_harmless_pax<R: Read>(&self, unpacked: &mut GzipReader<R>) -> Result<(), Fault> {
        if self.bytes > MOST_PAX {
            return Err(self.forbidden(format!("an extended header of {} bytes", self.bytes)));
        }
        let mut records = [0; MOST_PAX as usize];
        let records = &mut records[..self.bytes as usize];
        read_block(unpacked, records)?;
        let mut rest = str::from_utf8(records).map_err(|_| self.forbidden("an extended header that is not UTF-8"))?;
        while !rest.is_empty() {
            let (key, record_bytes) = pax_record(rest).ok_or_else(|| self.forbidden("a malformed extended header"))?;
            if !HARMLESS_PAX.contains(&key) {
                let key = printable(key);
                let advice = "make the archive with tar --format=ustar";
                return Err(self.forbidden(format!("an extended header that sets \"{key}\" ({advice})")));
            }
            rest = &rest[record_bytes..];
        }
        read_padding(unpacked, self.bytes)
    }
}

/// The key of the first record, "LENGTH KEY=VALUE\n", and the record's length, which counts all of it.
fn pax_record(records: &str) -> Option<(&str, usize)> {
    let (digits, _) = records.split_once(' ')?;
    let length: usize = digits.parse().ok().filter(|_| !digits.starts_with('+'))?;
    let (key, _) = records.get(digits.len() + 1..length)?.strip_suffix('\n')?.split_once('=')?;
    Some((key, length))
}

/// The sum of the header's bytes, its own eight taken as blanks.
fn checksum(header: &[u8; BLOCK]) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    sum(&header[..148]) + 8 * u32::from(b' ') + sum(&header[156..])
}

fn read_padding<R: Read>(unpacked: &mut GzipReader<R>, bytes: u64) -> Result<(), Fault> {
    let padding = (BLOCK as u64 - bytes % BLOCK as u64) as usize % BLOCK;
    read_block(unpacked, &mut [0; BLOCK][..padding])
}

/// Fills `block`, or says that the tar archive was cut off before it was compressed.
fn read_block<R: Read>(unpacked: &mut GzipReader<R>, block: &mut [u8]) -> Result<(), Fault> {
    let mut filled = 0;
    while filled < block.len() {
        match unpacked.read(&mut block[filled..]).map_err(|error| Fault::io("read", error))? {
            0 => return Err(Fault::BadHeader { detail: "no end marker".into(), offset: unpacked.position }),
            count => filled += count,
        }
    }
    Ok(())
}
