//! What a path is: an archive, a folder of `.bin` files, or a folder that contains one of these.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::archive;
use crate::assembly::Assembly;
use crate::dataset::{Dataset, Source};
use crate::error::{Error, Fault, printable};
use crate::format::{Format, identify, identify_foreign};

/// How much of a folder is searched for data under other names.
const MOST_ENTRIES: usize = 1000;

impl Dataset {
    /// Reads CIFAR-10 or CIFAR-100, whichever is at `path`:
    ///
    /// - a `.tar.gz` archive, as downloaded, or the `.tar` that some browsers make of it;
    /// - a folder of the archive's files (`data_batch_1.bin`, ..., or `train.bin`, ...);
    /// - a folder that contains the archive or the folder. Under their official names the archive is preferred, for
    ///   it has a checksum, and CIFAR-10 is preferred to CIFAR-100; under other names there must be only one.
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
    let kind = fs::metadata(path).map_err(|error| cannot_open("", path, error).at(path))?;
    if kind.is_file() {
        open_archive(path, expected)
    } else if kind.is_dir() {
        open_folder(path, expected)
    } else {
        Err(Fault::NeitherFileNorFolder.at(path))
    }
}

/// Why `path` cannot be opened. A link to a disk that is not mounted is told from a path that is not there.
fn cannot_open(name: &str, path: &Path, error: io::Error) -> Fault {
    let error = match fs::read_link(path) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => {
            let reason = format!("it is a link to {}, which does not exist", printable(&target.display().to_string()));
            io::Error::new(error.kind(), reason)
        }
        _ => error,
    };
    Fault::io(format!("open {name}").trim_end(), error)
}

fn open_archive(path: &Path, expected: Option<Format>) -> Result<Dataset, Error> {
    File::open(path)
        .map_err(|error| cannot_open("", path, error))
        .and_then(|file| archive::read(&path.display().to_string(), file, expected))
        .map_err(|fault| fault.at(path))
}

/// One complete set inside a folder.
enum Found {
    Archive(PathBuf),
    Folder(PathBuf, Format),
}

impl Found {
    fn read(self, expected: Option<Format>) -> Result<Dataset, Error> {
        match self {
            Found::Archive(path) => open_archive(&path, expected),
            Found::Folder(path, format) => read_folder(&path, format).map_err(|fault| fault.at(&path)),
        }
    }
}

/// Whether there is something of this name: a link into nothing is, and is an error when it is read.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Looks for a set under its official names.
fn find(path: &Path, format: Format) -> Option<Found> {
    let release = format.release();
    let has_files = |folder: &Path| format.files().any(|(file, _)| is_there(&folder.join(file)));
    let (archive, folder) = (path.join(release.archive), path.join(release.folder));
    if has_files(path) {
        Some(Found::Folder(path.into(), format))
    } else if is_there(&archive) && !archive.is_dir() {
        Some(Found::Archive(archive))
    } else {
        let is_dangling = is_there(&folder) && !folder.exists();
        (is_dangling || has_files(&folder)).then_some(Found::Folder(folder, format))
    }
}

fn find_any(path: &Path, expected: Option<Format>) -> Option<Found> {
    let formats = Format::ALL.into_iter().filter(|&format| expected.is_none_or(|expected| expected == format));
    formats.filter_map(|format| find(path, format)).next()
}

fn open_folder(path: &Path, expected: Option<Format>) -> Result<Dataset, Error> {
    if let Some(found) = find_any(path, expected) {
        return found.read(expected);
    }
    if let Some(other) = Format::ALL.into_iter().find(|&format| find(path, format).is_some()) {
        return Err(Fault::wrong_set(other.name(), expected).at(path));
    }
    let entries = fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let entries = entries.map_err(|error| Fault::io("list the folder", error).at(path))?;
    let mut entries: Vec<PathBuf> = entries.iter().map(|entry| entry.path()).collect();
    entries.sort();
    let nearly =
        entries.iter().take(MOST_ENTRIES).filter_map(|entry| Some((name(entry), find_nearly(entry, expected)?)));
    let (names, mut found): (Vec<String>, Vec<Found>) = nearly.unzip();
    match found.pop() {
        None => Err(nothing_here(&entries, expected).at(path)),
        Some(found) if names.len() == 1 => found.read(expected),
        Some(_) => Err(Fault::Ambiguous { candidates: names.join(", ") }.at(path)),
    }
}

/// A set under another name than the official one: `cifar-10-binary (1).tar.gz`, `cifar10.tgz`, a folder in a folder.
fn find_nearly(entry: &Path, expected: Option<Format>) -> Option<Found> {
    let name = name(entry).to_lowercase();
    let is_archive = [".tar.gz", ".tgz", ".tar"].into_iter().any(|ending| name.ends_with(ending));
    if entry.is_dir() {
        find_any(entry, expected)
    } else {
        let is_set = is_archive && name.contains("cifar") && identify_foreign(&name).is_none();
        is_set.then(|| Found::Archive(entry.into()))
    }
}

fn name(entry: &Path) -> String {
    printable(&entry.file_name().unwrap_or_default().to_string_lossy())
}

fn read_folder(folder: &Path, format: Format) -> Result<Dataset, Fault> {
    fs::metadata(folder).map_err(|error| cannot_open("", folder, error))?;
    let mut assembly = Assembly::new(format);
    for (name, role) in format.files() {
        let path = folder.join(name);
        let cannot_open = |error| cannot_open(name, &path, error);
        match fs::metadata(&path) {
            // The assembly will list all that is missing.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_there(&path) => {}
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

/// Says which other data there are, or what was found instead.
fn nothing_here(entries: &[PathBuf], expected: Option<Format>) -> Fault {
    let names: Vec<String> = entries.iter().map(|entry| name(entry)).collect();
    if let Some(found) = names.iter().find_map(|name| identify_foreign(name)) {
        return Fault::wrong_set(found, expected);
    }
    let formats = Format::ALL.into_iter().filter(|&format| expected.is_none_or(|expected| expected == format));
    let looked_for = formats.flat_map(|format| {
        let release = format.release();
        [release.archive, release.folder, release.test_file]
    });
    let looked_for = looked_for.collect::<Vec<_>>().join(", ");
    let is_near = |name: &str| name.contains("cifar") || identify(name).is_some();
    if let Some(entry) = entries.iter().find(|entry| is_near(&name(entry).to_lowercase())) {
        let name = name(entry);
        let is_unfinished = [".part", ".crdownload", ".download"].into_iter().any(|ending| name.ends_with(ending));
        let what = match is_unfinished {
            true => "an unfinished download",
            false if entry.is_dir() => "a folder without the release's files",
            false => "which is not read",
        };
        return Fault::OnlyNearly { found: format!("{name:?}, {what}"), looked_for };
    }
    let found = match &names[..] {
        [] => "it is empty".into(),
        [first] => format!("found {first:?}"),
        [first, ..] => format!("found {first:?} and {} more", names.len() - 1),
    };
    Fault::NothingHere { found, looked_for, url: expected.unwrap_or(Format::Cifar10).url() }
}
