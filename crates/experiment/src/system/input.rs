//! Files that others have made, read whole: regular files alone, and none larger than its kind has reason to be.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::Path,
};

use super::{
    failure::{Failure, Kind, Result},
    number,
};

/// A kind of file: what it is called, and the most bytes that are read of one.
#[derive(Debug, Clone, Copy)]
pub struct FileKind {
    name: &'static str,
    most: u64,
}

/// Settings and networks, in TOML.
pub const SETTINGS: FileKind = FileKind { name: "a TOML file", most: 4 << 20 };

/// Records that the program keeps, in JSON; one of a sweep's jobs has some fifty kilobytes.
pub const RECORD: FileKind = FileKind { name: "a record that this program wrote", most: 4 << 20 };

/// Weights; the largest network has a billion parameters, of which a checkpoint has three numbers each.
pub const WEIGHTS: FileKind =
    FileKind { name: "a safetensors file, such as weights-model_1.safetensors of a run folder", most: 16 << 30 };

/// The bytes of a file.
///
/// # Errors
/// Names the file: there is none, it is not a regular file, it is too large, or the system refuses.
pub fn read(path: &Path, kind: FileKind) -> Result<Vec<u8>> {
    Input::open(path, kind)?.read_all()
}

/// The bytes of a file, if there is one.
///
/// # Errors
/// As [`read`].
pub fn read_if_any(path: &Path, kind: FileKind) -> Result<Option<Vec<u8>>> {
    Input::open_if_any(path, kind)?.map(Input::read_all).transpose()
}

/// The text of a file.
///
/// # Errors
/// As [`read`]; and if it is not UTF-8.
pub fn read_text(path: &Path, kind: FileKind) -> Result<String> {
    String::from_utf8(read(path, kind)?).map_err(|_| refused(path, "is not a text file"))
}

/// A file that is being read.
pub struct Input<'a> {
    path: &'a Path,
    kind: FileKind,
    file: File,
    /// The bytes of the file.
    pub length: u64,
    /// Those that were read.
    pub bytes: Vec<u8>,
}

impl<'a> Input<'a> {
    /// Opens a file.
    ///
    /// # Errors
    /// As [`read`].
    pub fn open(path: &'a Path, kind: FileKind) -> Result<Self> {
        Input::open_if_any(path, kind)?.ok_or_else(|| refused(path, &format!("no such file; expected {}", kind.name)))
    }

    fn open_if_any(path: &'a Path, kind: FileKind) -> Result<Option<Self>> {
        let metadata = match fs::metadata(path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            metadata => metadata.map_err(|error| unreadable(path, &error))?,
        };
        require_regular(path, &metadata, kind.name)?;
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let input = Input { path, kind, file, length: metadata.len(), bytes: Vec::new() };
        if input.length > kind.most { Err(input.too_large()) } else { Ok(Some(input)) }
    }

    /// Reads on up to so many bytes from the file's beginning, or to its end.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read_to(&mut self, end: u64) -> Result<()> {
        let read = self.bytes.len() as u64;
        let more = end.min(self.length).saturating_sub(read);
        self.bytes.try_reserve_exact(usize::try_from(more).unwrap_or(usize::MAX)).map_err(|_| {
            let message =
                format!("{}: there is no memory for its {} bytes", self.path.display(), number::count(self.length));
            Failure::new(Kind::Environment, message)
        })?;
        let mut part = (&mut self.file).take(end.saturating_sub(read));
        part.read_to_end(&mut self.bytes).map(drop).map_err(|error| unreadable(self.path, &error))
    }

    /// Reads on to the end.
    ///
    /// # Errors
    /// As [`read`].
    pub fn read_all(mut self) -> Result<Vec<u8>> {
        // Some files of the system are longer than they say, and others grow.
        self.read_to(self.kind.most + 1)?;
        if self.bytes.len() as u64 > self.kind.most { Err(self.too_large()) } else { Ok(self.bytes) }
    }

    fn too_large(&self) -> Failure {
        let (length, most) = (number::count(self.length.max(self.bytes.len() as u64)), number::count(self.kind.most));
        refused(self.path, &format!("has {length} bytes or more; expected {}, at most {most}", self.kind.name))
    }
}

/// Refuses what is there but is not a regular file: to open a pipe waits for a writer, and a device may have no end.
///
/// # Errors
/// Names the file.
pub fn require_regular(path: &Path, metadata: &fs::Metadata, expected: &str) -> Result<()> {
    match metadata {
        metadata if metadata.is_file() => Ok(()),
        metadata if metadata.is_dir() => Err(refused(path, &format!("is a folder; expected {expected}"))),
        _ => Err(refused(path, &format!("is a pipe, a device or a socket; expected {expected}"))),
    }
}

fn refused(path: &Path, reason: &str) -> Failure {
    Failure::usage(format!("{}: {reason}", path.display()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let kind = if error.kind() == ErrorKind::PermissionDenied { Kind::Usage } else { Kind::Environment };
    Failure::new(kind, format!("{}: cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bearable_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let small = FileKind { name: "a small file", most: 5 };
        let path = folder.path().join("file");
        let said = |path: &Path| read(path, small).unwrap_err().message;
        assert!(read_if_any(&path, small).unwrap().is_none());
        assert!(said(&path).ends_with("file: no such file; expected a small file"));
        assert!(said(folder.path()).ends_with(": is a folder; expected a small file"));
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, small).unwrap(), "12345");
        assert!(said(&path.join("below")).contains("no such file"));
        fs::write(&path, "123456").unwrap();
        assert!(said(&path).ends_with("has 6 bytes or more; expected a small file, at most 5"));
        fs::write(&path, b"\xff").unwrap();
        assert!(read_text(&path, small).unwrap_err().message.ends_with("is not a text file"));
        if cfg!(target_os = "linux") {
            assert!(said(Path::new("/dev/zero")).contains("/dev/zero: is a pipe, a device"));
            // Its length is zero, as the system says.
            assert!(said(Path::new("/proc/cpuinfo")).contains("has 6 bytes or more"));
        }
    }
}
