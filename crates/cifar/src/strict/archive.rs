//! Reads an archive: the files of a release, and nothing else, inside tar inside gzip. Some browsers remove the gzip
//! layer.

use std::io::{self, Read};

use super::assembly::Assembly;
use super::gzip::Unpacked;
use super::tar::{self, Entry};
use crate::dataset::Dataset;
use crate::error::{Fault, printable};
use crate::format::{self, Format};

/// A file of the official CIFAR-10 archive that only links to a web page; it is skipped.
const README: &str = "readme.html";
const MAX_README: u64 = 64 << 10;

pub(crate) fn read(name: &str, source: impl Read) -> Result<Dataset, Fault> {
    let mut unpacked = Unpacked::new(source)?;
    let mut contents = FilesRead { assembly: None, seen: Vec::new() };
    while let Some(entry) = Entry::read(&mut unpacked)? {
        contents.add(&entry, &mut unpacked)?;
        tar::read_padding(&mut unpacked, entry.bytes)?;
    }
    tar::read_end(&mut unpacked)?;
    let assembly = contents.assembly.ok_or_else(|| Fault::looks_like("an archive without any CIFAR file"))?;
    let source = unpacked.finish(printable(name), assembly.format.release());
    assembly.finish(source)
}

/// The files of an archive read so far.
struct FilesRead {
    assembly: Option<Assembly>,
    seen: Vec<String>,
}

impl FilesRead {
    fn add(&mut self, entry: &Entry, contents: impl Read) -> Result<(), Fault> {
        let name = entry.name.strip_prefix("./").unwrap_or(&entry.name);
        let name = name.strip_suffix('/').filter(|_| entry.is_folder).unwrap_or(name);
        if entry.is_folder {
            return match Format::ALL.into_iter().find(|format| format.release().folder == name) {
                Some(format) => self.refuse_repeated(name).and_then(|()| self.assembly(format)).map(|_| ()),
                None if matches!(name, "" | ".") => self.refuse_repeated(name),
                None => Err(unknown(name, "a folder that is in neither release")),
            };
        }
        let (folder, file) = name.rsplit_once('/').map_or((None, name), |(folder, file)| (Some(folder), file));
        let fits = |format: Format| folder.is_none_or(|folder| folder == format.release().folder);
        match format::identify(file) {
            Some((format, index)) if fits(format) => {
                self.refuse_repeated(file)?;
                self.assembly(format)?.add(index, entry.bytes, contents)
            }
            None if file == README && Format::ALL.into_iter().any(fits) && entry.bytes <= MAX_README => {
                self.refuse_repeated(file)?;
                let skipped = io::copy(&mut contents.take(entry.bytes), &mut io::sink());
                skipped.map(|_| ()).map_err(|error| Fault::io("read", error))
            }
            _ => Err(unknown(name, "a file that is in neither release")),
        }
    }

    /// Refuses a repeated name. Only names of the releases get here, so `seen` stays short.
    fn refuse_repeated(&mut self, name: &str) -> Result<(), Fault> {
        if self.seen.iter().any(|seen| seen == name) {
            return Err(Fault::Files(format!("contains \"{name}\" twice; expected each file once")));
        }
        self.seen.push(name.into());
        Ok(())
    }

    /// The assembly, created by the first file or folder that identifies the set.
    fn assembly(&mut self, format: Format) -> Result<&mut Assembly, Fault> {
        let assembly = self.assembly.get_or_insert_with(|| Assembly::new(format));
        match assembly.format == format {
            true => Ok(assembly),
            false => Err(Fault::looks_like("a mixture of CIFAR-10 and CIFAR-100")),
        }
    }
}

fn unknown(name: &str, what: &str) -> Fault {
    format::identify_foreign(name).map_or_else(|| Fault::forbidden(what, name), Fault::looks_like)
}
