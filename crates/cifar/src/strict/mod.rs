//! Opens a path: an archive, a folder of `.bin` files, or a folder that contains one of these.

mod archive;
mod assembly;
mod gzip;
mod tar;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use self::assembly::Assembly;
use crate::dataset::{Dataset, Source};
use crate::error::{Error, Fault, printable};
use crate::format::{Format, identify, identify_foreign};

/// What a folder may contain: an archive, a folder, or the files themselves.
const EXPECTED: &str = "cifar-10-binary.tar.gz, cifar-10-batches-bin, test_batch.bin, cifar-100-binary.tar.gz, \
                        cifar-100-binary, test.bin";

/// The maximum number of folder entries that are searched for data under other names.
const MAX_ENTRIES: usize = 1000;

impl Dataset {
    /// Reads the CIFAR-10 or CIFAR-100 data at `path`, which is
    ///
    /// - a `.tar.gz` archive as downloaded, or a `.tar` that a browser has unpacked;
    /// - a folder of the archive's files (`data_batch_1.bin`, ..., or `train.bin`, ...);
    /// - or a folder that contains such an archive or folder. If it contains several under their official names,
    ///   CIFAR-10 is preferred to CIFAR-100, and then the archive to the folder, because it has a checksum. Of data
    ///   sets under other names there must be only one.
    ///
    /// ```no_run
    /// let dataset = thawline_cifar::Dataset::open("data/cifar-10-binary.tar.gz")?;
    /// assert_eq!(dataset.train().len(), 50_000);
    /// # Ok::<(), thawline_cifar::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `path` cannot be read or contains no data set, or if the data deviate from the release's format in a
    /// checksum, the set of files, a length, a label or a class name. Files may have fewer records than the release's,
    /// provided that all training files have the same number and that no file is full while another is not.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        open(path.as_ref())
    }

    /// Reads a `.tar.gz` or `.tar` archive from any source. `name` is its name in errors and in [`Dataset::source`].
    ///
    /// # Errors
    /// As [`open`](Dataset::open).
    pub fn from_archive(name: &str, source: impl Read) -> Result<Self, Error> {
        archive::read(name, source).map_err(|fault| fault.of(name))
    }
}

fn open(path: &Path) -> Result<Dataset, Error> {
    if path.is_dir() {
        search(path).map_err(|fault| fault.of(path.display()))?.read()
    } else {
        Found::Archive(path.into()).read()
    }
}

/// Opens an archive, which may be a link to a file. A pipe would wait for its writer, and a device may not end.
fn open_archive(path: &Path) -> Result<File, Fault> {
    let kind = fs::metadata(path).map_err(|error| cannot_open("", path, error))?;
    if !kind.is_file() {
        let fault = "is neither a file nor a folder; give a .tar.gz archive or a folder of .bin files";
        return Err(Fault::Path(fault.into()));
    }
    File::open(path).map_err(|error| cannot_open("", path, error))
}

/// Why `path` cannot be opened. A dangling link, such as one to an unmounted disk, gets its own message.
fn cannot_open(name: &str, path: &Path, error: io::Error) -> Fault {
    let error = match fs::read_link(path) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => {
            let reason = format!("it is a link to {}, which does not exist", printable(target.display()));
            io::Error::new(error.kind(), reason)
        }
        _ => error,
    };
    Fault::io(format!("open {name}").trim_end(), error)
}

/// A data set that has been found but not read yet.
enum Found {
    Archive(PathBuf),
    Folder(PathBuf, Format),
}

impl Found {
    fn path(&self) -> &Path {
        let (Found::Archive(path) | Found::Folder(path, _)) = self;
        path
    }

    fn read(&self) -> Result<Dataset, Error> {
        let path = self.path();
        let read = match self {
            Found::Archive(_) => open_archive(path).and_then(|file| archive::read(&path.display().to_string(), file)),
            &Found::Folder(_, format) => read_folder(path, format),
        };
        read.map_err(|fault| fault.of(path.display()))
    }
}

fn read_folder(folder: &Path, format: Format) -> Result<Dataset, Fault> {
    fs::metadata(folder).map_err(|error| cannot_open("", folder, error))?;
    let mut assembly = Assembly::new(format);
    for (index, file) in format.release().files.iter().enumerate() {
        let path = folder.join(file.name);
        let cannot_open = |error| cannot_open(file.name, &path, error);
        match fs::metadata(&path) {
            // The assembly lists all missing files later.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !exists(&path) => {}
            Err(error) => return Err(cannot_open(error)),
            Ok(metadata) if metadata.is_file() => {
                assembly.add(index, metadata.len(), File::open(&path).map_err(cannot_open)?)?;
            }
            Ok(_) => return Err(Fault::forbidden("something other than a plain file", file.name)),
        }
    }
    assembly.finish(Source::Folder { path: printable(folder.display()) })
}

/// Whether the path exists. A dangling link does, and fails when it is read.
fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Finds the data set in a folder.
fn search(folder: &Path) -> Result<Found, Fault> {
    if let Some(found) = find_official(folder) {
        return Ok(found);
    }
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let entries = entries.map_err(|error| Fault::io("list the folder", error))?;
    let mut entries: Vec<PathBuf> = entries.iter().map(|entry| entry.path()).collect();
    entries.sort();
    let mut found: Vec<Found> = entries.iter().take(MAX_ENTRIES).filter_map(|entry| find_similar(entry)).collect();
    match (found.pop(), &found[..]) {
        (None, _) => Err(nothing_in(&entries)),
        (Some(only), []) => Ok(only),
        (Some(last), others) => {
            let paths: Vec<String> =
                others.iter().chain([&last]).map(|found| printable(found.path().display())).collect();
            Err(Fault::Path(format!("contains more than one CIFAR set: {}; give the path of one", paths.join(", "))))
        }
    }
}

/// Looks for a set under its official names.
fn find_official(path: &Path) -> Option<Found> {
    Format::ALL.into_iter().find_map(|format| {
        let release = format.release();
        let has_files = |folder: &Path| release.files.iter().any(|file| exists(&folder.join(file.name)));
        let (archive, folder) = (path.join(release.archive), path.join(release.folder));
        if has_files(path) {
            Some(Found::Folder(path.into(), format))
        } else if exists(&archive) && !archive.is_dir() {
            Some(Found::Archive(archive))
        } else {
            let is_dangling = exists(&folder) && !folder.exists();
            (is_dangling || has_files(&folder)).then_some(Found::Folder(folder, format))
        }
    })
}

/// Looks for a data set under a similar name: `cifar-10-binary (1).tar.gz`, `cifar10.tgz`, a folder in a folder.
fn find_similar(entry: &Path) -> Option<Found> {
    if entry.is_dir() {
        return find_official(entry);
    }
    let name = name(entry).to_lowercase();
    let is_archive = [".tar.gz", ".tgz", ".tar"].iter().any(|ending| name.ends_with(ending));
    let is_set = is_archive && name.contains("cifar") && identify_foreign(&name).is_none();
    is_set.then(|| Found::Archive(entry.into()))
}

fn name(entry: &Path) -> String {
    printable(entry.file_name().unwrap_or_default().display())
}

/// The fault for a folder without a set: which other data were found, if any.
fn nothing_in(entries: &[PathBuf]) -> Fault {
    let names: Vec<String> = entries.iter().map(|entry| name(entry)).collect();
    if let Some(found) = names.iter().find_map(|name| identify_foreign(name)) {
        return Fault::looks_like(found);
    }
    let is_similar = |name: &str| name.to_lowercase().contains("cifar") || identify(&name.to_lowercase()).is_some();
    if let Some((entry, name)) = entries.iter().zip(&names).find(|(_, name)| is_similar(name)) {
        let what = match [".part", ".crdownload", ".download"].iter().any(|ending| name.ends_with(ending)) {
            true => "an unfinished download",
            false if entry.is_dir() => "a folder without the release's files",
            false => "which is not supported",
        };
        return Fault::Path(format!(
            "contains {name:?}, {what}, and no other CIFAR data; expected one of {EXPECTED}, or a .tgz or .tar archive"
        ));
    }
    let found = match &names[..] {
        [] => "it is empty".into(),
        [first] => format!("found {first:?}"),
        [first, ..] => format!("found {first:?} and {} more", names.len() - 1),
    };
    let url = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
    Fault::NoData(format!("{found}; looked for {EXPECTED}; check the path, or download {url}"))
}
