//! Output files. One that the user names replaces an existing file only with `--force`; one in a run's or sweep's
//! folder is never written elsewhere through a link.

use std::{
    fs::{self, File, FileType, Metadata},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    atomic_file::{self, Existing, FileError, during},
    console::Console,
    failure::{Failure, Result},
};

/// A file that a command will write.
///
/// An existing regular file is refused without `--force`, and one of the command's inputs is always refused. A device
/// or a pipe is written to directly. A link is followed and kept; a dangling one is refused.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// A file, created or replaced once the new content is complete. The path of an existing one is free of links.
    File(PathBuf, Existing),
    /// A device or a pipe.
    Stream,
}

impl Output {
    /// Checks the path before the work starts, without creating anything.
    pub fn open(path: &Path, force: bool, inputs: &[&Path]) -> Result<Self> {
        let refused = |what: String| Err(Failure::usage(format!("{}: {what}", path.display())));
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Output::new_file(path),
            Err(error) => return refused(format!("cannot be written: {error}; name another file")),
        };
        let target = match metadata.file_type() {
            kind if kind.is_dir() => return refused("is a folder; name a file".to_owned()),
            kind if is_stream(kind) => Target::Stream,
            kind if !kind.is_file() => return refused("is a disk or a socket; name a file".to_owned()),
            _ if inputs.iter().any(|input| is_part_of(path, &metadata, input)) => {
                return refused("is this command's input, or in its input folder; name another file".to_owned());
            }
            _ if !force => return refused(EXISTS.to_owned()),
            _ => match fs::canonicalize(path) {
                Ok(real) => Target::File(real, Existing::Replaced),
                Err(error) => return refused(format!("cannot be written: {error}; name another file")),
            },
        };
        Ok(Output { path: path.to_owned(), target })
    }

    fn new_file(path: &Path) -> Result<Self> {
        let refused = |what: String| Err(Failure::usage(format!("{}: {what}", path.display())));
        let folder = atomic_file::parent(path);
        if fs::symlink_metadata(path).is_ok() {
            return refused("is a dangling link; remove it, or name another file".to_owned());
        }
        if path.file_name().is_none() || path.to_string_lossy().ends_with(std::path::is_separator) {
            return refused("is not a file name".to_owned());
        }
        if !folder.is_dir() {
            return refused(format!("the folder {} does not exist; create it first", folder.display()));
        }
        Ok(Output { path: path.to_owned(), target: Target::File(path.to_owned(), Existing::Kept) })
    }

    /// Writes a file atomically, a device or a pipe directly.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        self.write_with(|file| file.write_all(bytes))
    }

    /// Like [`write`](Self::write), but `fill` writes the content.
    pub fn write_with(&self, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
        match &self.target {
            Target::Stream => {
                let opened = File::options().write(true).open(&self.path);
                let written = opened.and_then(|mut stream| fill(&mut stream));
                Ok(written.map_err(during("write", &self.path))?)
            }
            Target::File(path, existing) => match atomic_file::write_with(path, *existing, fill) {
                Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                    Err(Failure::usage(format!("{}: {EXISTS}", self.path.display())))
                }
                result => Ok(result?),
            },
        }
    }

    /// Where the command's messages go: to standard error if the output may be standard output.
    pub fn console(&self) -> Console {
        Console { quiet: false, stdout_is_data: matches!(self.target, Target::Stream) }
    }
}

/// Checks that an output folder does not exist or is empty.
pub fn require_new_folder(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Output::new_file(path).map(drop),
        Ok(metadata) if metadata.is_dir() && fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) => {
            Ok(())
        }
        _ => Err(Failure::usage(format!("{}: already exists; name another folder", path.display()))),
    }
}

const EXISTS: &str = "already exists; name another file, or replace it with --force";

#[cfg(unix)]
fn is_stream(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    // A block device is not a stream: writing to it would destroy its data.
    kind.is_char_device() || kind.is_fifo()
}

#[cfg(not(unix))]
fn is_stream(kind: FileType) -> bool {
    !kind.is_file()
}

/// Whether a file is an input, or anywhere in an input folder.
fn is_part_of(path: &Path, metadata: &Metadata, input: &Path) -> bool {
    if !input.is_dir() {
        return is_same(path, metadata, input);
    }
    matches!((fs::canonicalize(path), fs::canonicalize(input)), (Ok(path), Ok(folder)) if path.starts_with(&folder))
}

/// Whether two paths lead to the same file; `metadata` is that of the first.
#[cfg(unix)]
pub fn is_same(_: &Path, metadata: &Metadata, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(other).is_ok_and(|other| (other.dev(), other.ino()) == (metadata.dev(), metadata.ino()))
}

/// Whether two paths lead to the same file.
#[cfg(not(unix))]
pub fn is_same(path: &Path, _: &Metadata, other: &Path) -> bool {
    matches!((fs::canonicalize(path), fs::canonicalize(other)), (Ok(path), Ok(other)) if path == other)
}

/// The path of a file in a run's or sweep's folder. Missing subfolders in `name` are created; links among them are
/// refused, because a folder from an untrusted source must not make the program write elsewhere.
pub fn inside(folder: &Path, name: &str) -> std::result::Result<PathBuf, FileError> {
    let mut path = folder.to_owned();
    if let Some((folders, _)) = name.rsplit_once('/') {
        for part in folders.split('/') {
            path.push(part);
            require_no_link(&path)?;
            match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(during("create the folder", &path)(error));
                }
                _ => {}
            }
        }
    }
    Ok(folder.join(name))
}

/// Opens a file in a run's or sweep's folder, to lock it.
pub fn open_lock(folder: &Path, name: &str) -> std::result::Result<File, FileError> {
    let path = inside(folder, name)?;
    require_no_link(&path)?;
    // Windows locks only files open for reading, and NFS only files open for writing.
    let opened = File::options().create(true).read(true).append(true).open(&path);
    opened.map_err(during("open", &path))
}

fn require_no_link(path: &Path) -> std::result::Result<(), FileError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => {
            let reason = "it is a link, which may point outside this folder; remove it";
            Err(during("write to", path)(io::Error::new(io::ErrorKind::InvalidInput, reason)))
        }
        _ => Ok(()),
    }
}
