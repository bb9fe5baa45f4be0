//! An archive from its first byte to its last: gzip around tar around the files of a release, and nothing else. Some
//! browsers take the gzip layer off; then there is tar alone.

use std::io::{self, Read};

use crate::assembly::Assembly;
use crate::dataset::{Dataset, Source};
use crate::entry::{BLOCK, Entry};
use crate::error::{Fault, printable};
use crate::format::{self, Format, README};
use crate::gzip::{Digested, GzipReader};

/// How many zeros may follow the last entry. GNU tar and Python fill up to a multiple of 10 KiB.
const MOST_PADDING: u64 = 1 << 20;

/// The longest read-me that is read past; the official one is a single line that points to a web page.
const MOST_README: u64 = 64 << 10;

/// Reads an archive; if `expected` is given, only one of that format.
pub(crate) fn read(name: &str, source: impl Read, expected: Option<Format>) -> Result<Dataset, Fault> {
    let mut unpacked = GzipReader::new(source)?;
    let mut contents = Contents { expected, assembly: None, seen: Vec::new() };
    while let Some(entry) = Entry::read(&mut unpacked)? {
        contents.add(&entry, &mut unpacked)?;
        entry.read_padding(&mut unpacked)?;
    }
    read_end(&mut unpacked)?;
    let digested = unpacked.finish();
    let assembly = contents.assembly.ok_or_else(|| Fault::wrong_set("an archive without any CIFAR file", expected))?;
    let release = assembly.format().release();
    let Digested { is_plain, bytes, sha256 } = digested;
    let official = bytes == release.archive_bytes && sha256 == release.archive_sha256;
    let name = printable(name);
    let source = if is_plain { Source::Tar { name } } else { Source::Archive { name, bytes, sha256, official } };
    assembly.finish(source)
}

/// The files of an archive, as they come.
struct Contents {
    expected: Option<Format>,
    assembly: Option<Assembly>,
    seen: Vec<String>,
}

impl Contents {
    fn add(&mut self, entry: &Entry, contents: impl Read) -> Result<(), Fault> {
        let name = entry.name.strip_prefix("./").unwrap_or(&entry.name);
        let name = name.strip_suffix('/').filter(|_| entry.is_folder).unwrap_or(name);
        if self.seen.iter().any(|seen| seen == name) {
            return Err(Fault::Duplicate { name: printable(name) });
        }
        // Nothing unknown is ever remembered: a name that passes below is one of a few.
        self.dispatch(name, entry, contents)?;
        self.seen.push(name.into());
        Ok(())
    }

    fn dispatch(&mut self, name: &str, entry: &Entry, contents: impl Read) -> Result<(), Fault> {
        if entry.is_folder {
            return match Format::ALL.into_iter().find(|format| format.release().folder == name) {
                Some(format) => self.assembly(format).map(|_| ()),
                None if matches!(name, "" | ".") => Ok(()),
                None => Err(self.unknown(name, "a folder that no release has")),
            };
        }
        let (folder, file) = name.rsplit_once('/').map_or((None, name), |(folder, file)| (Some(folder), file));
        let fits = |format: Format| folder.is_none_or(|folder| folder == format.release().folder);
        match format::identify(file) {
            Some((format, role)) if fits(format) => self.assembly(format)?.add(role, file, entry.bytes, contents),
            None if file == README && Format::ALL.into_iter().any(fits) && entry.bytes <= MOST_README => {
                io::copy(&mut contents.take(entry.bytes), &mut io::sink()).map_err(|error| Fault::io("read", error))?;
                Ok(())
            }
            _ => Err(self.unknown(name, "a file that no release has")),
        }
    }

    /// The assembly, begun by the first file or folder that tells which set this is.
    fn assembly(&mut self, format: Format) -> Result<&mut Assembly, Fault> {
        match &self.assembly {
            Some(begun) if begun.format() != format => {
                return Err(Fault::wrong_set("a mixture of CIFAR-10 and CIFAR-100", self.expected));
            }
            None if self.expected.is_some_and(|expected| expected != format) => {
                return Err(Fault::wrong_set(format.name(), self.expected));
            }
            _ => {}
        }
        Ok(self.assembly.get_or_insert_with(|| Assembly::new(format)))
    }

    fn unknown(&self, name: &str, what: &str) -> Fault {
        match format::identify_foreign(name) {
            Some(found) => Fault::wrong_set(found, self.expected),
            None => Fault::forbidden(what, name),
        }
    }
}

/// Reads the rest, of which at least a block must be there (the second of the end marker), all of it zeros.
fn read_end<R: Read>(unpacked: &mut GzipReader<R>) -> Result<(), Fault> {
    let (start, mut chunk) = (unpacked.position, [0; 8192]);
    loop {
        let offset = unpacked.position;
        let count = unpacked.read(&mut chunk).map_err(|error| Fault::io("read", error))?;
        let padding = unpacked.position - start;
        if count == 0 && padding < BLOCK as u64 {
            return Err(Fault::BadHeader { detail: "half an end marker".into(), offset });
        } else if count == 0 {
            return Ok(());
        } else if let Some(at) = chunk[..count].iter().position(|&byte| byte != 0) {
            return Err(Fault::BadPadding { what: "data".into(), offset: offset + at as u64 });
        } else if padding > MOST_PADDING {
            return Err(Fault::BadPadding { what: format!("more than {MOST_PADDING} zeros"), offset: start });
        }
    }
}
