//! What a path is: an archive, a folder of `.bin` files, or a folder that contains one of these.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::archive;
use crate::assembly::Assembly;
use crate::dataset::{Dataset, Source};
use crate::error::{Error, Fault, printable};
use crate::format::{Format, identify_foreign};

impl Dataset {
    /// Reads CIFAR-10 or CIFAR-100, whichever is at `path`:
    ///
    /// - a `.tar.gz` archive, as downloaded;
    /// - a folder of the archive's files (`data_batch_1.bin`, ..., or `train.bin`, ...);
    /// - a folder that contains the archive or the folder under its official name. The archive is preferred, for
    ///   it has a checksum, and CIFAR-10 is preferred to CIFAR-100.
    ///
    /// # Errors
    /// If anything is not exactly as a release has it. Files may have fewer records than the release's, as long
    /// as the training files have equally many, and no file has the release's number when another has not.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        open(path.as_ref(), None)
    }

    /// Like [`open`](Dataset::open), but accepts one format only.
    ///
    /// # Errors
    /// As `open`, and if the data are those of the other format.
    pub fn open_as(format: Format, path: impl AsRef<Path>) -> Result<Self, Error> {
        open(path.as_ref(), Some(format))
    }

    /// Reads a `.tar.gz` archive from any source; `name` stands for it in errors and in [`Dataset::source`].
    ///
    /// # Errors
    /// As [`open`](Dataset::open).
    pub fn from_archive(name: &str, source: impl Read) -> Result<Self, Error> {
        archive::read(name, source, None).map_err(|fault| fault.of(name))
    }
}

fn open(path: &Path, expected: Option<Format>) -> Result<Dataset, Error> {
    let kind = fs::metadata(path).map_err(|error| Fault::io("open", error).at(path))?;
    if kind.is_file() {
        open_archive(path, expected)
    } else if kind.is_dir() {
        open_folder(path, expected)
    } else {
        Err(Fault::NeitherFileNorFolder.at(path))
    }
}

fn open_archive(path: &Path, expected: Option<Format>) -> Result<Dataset, Error> {
    File::open(path)
        .map_err(|error| Fault::io("open", error))
        .and_then(|file| archive::read(&path.display().to_string(), file, expected))
        .map_err(|fault| fault.at(path))
}

/// One complete set inside a folder.
enum Found {
    Archive(PathBuf),
    Folder(PathBuf),
}

fn find(path: &Path, format: Format) -> Option<Found> {
    let release = format.release();
    let has_files = |folder: &Path| format.files().any(|(file, _)| folder.join(file).exists());
    let (archive, folder) = (path.join(release.archive), path.join(release.folder));
    if has_files(path) {
        Some(Found::Folder(path.into()))
    } else if archive.is_file() {
        Some(Found::Archive(archive))
    } else {
        has_files(&folder).then_some(Found::Folder(folder))
    }
}

fn open_folder(path: &Path, expected: Option<Format>) -> Result<Dataset, Error> {
    for format in Format::ALL {
        match find(path, format) {
            Some(_) if expected.is_some_and(|expected| expected != format) => {}
            Some(Found::Archive(archive)) => return open_archive(&archive, expected),
            Some(Found::Folder(folder)) => return read_folder(&folder, format).map_err(|fault| fault.at(&folder)),
            None => {}
        }
    }
    Err(nothing_here(path, expected).at(path))
}

fn read_folder(folder: &Path, format: Format) -> Result<Dataset, Fault> {
    let mut assembly = Assembly::new(format);
    for (name, role) in format.files() {
        let path = folder.join(name);
        let cannot_open = |error| Fault::io(format!("open {name}"), error);
        match fs::metadata(&path) {
            // The assembly will list all that is missing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot_open(error)),
            Ok(metadata) if metadata.is_file() => {
                let file = File::open(&path).map_err(cannot_open)?;
                assembly.add(role, name, metadata.len(), file)?;
            }
            Ok(_) => return Err(Fault::forbidden("something other than a plain file", name)),
        }
    }
    assembly.finish(Source::Folder { path: printable(&folder.display().to_string()) })
}

/// Says which other data there are, or what was looked for.
fn nothing_here(path: &Path, expected: Option<Format>) -> Fault {
    if let Some(found) = Format::ALL.into_iter().find(|&format| find(path, format).is_some()) {
        return Fault::wrong_set(found.name(), expected);
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries.flatten(),
        Err(error) => return Fault::io("list the folder", error),
    };
    if let Some(found) = entries.filter_map(|entry| identify_foreign(entry.file_name().to_str()?)).next() {
        return Fault::wrong_set(found, expected);
    }
    let formats = Format::ALL.into_iter().filter(|&format| expected.is_none_or(|expected| expected == format));
    let names = formats.flat_map(|format| {
        let release = format.release();
        [release.archive, release.folder, release.test_file]
    });
    Fault::NothingHere {
        looked_for: names.collect::<Vec<_>>().join(", "),
        url: expected.unwrap_or(Format::Cifar10).url(),
    }
}
