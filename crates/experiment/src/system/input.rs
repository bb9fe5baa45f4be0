//! Reading input files: only regular files, and none larger than its kind allows.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::Path,
};

use super::{
    failure::{Failure, Kind, Result},
    number,
};

#[derive(Debug, Clone, Copy)]
pub struct FileKind {
    name: &'static str,
    max_bytes: u64,
}

/// Settings and networks.
pub const SETTINGS: FileKind = FileKind { name: "a TOML file", max_bytes: 4 << 20 };

/// The program's own JSON records; that of a sweep job has about 40 kB.
pub const RECORD: FileKind = FileKind { name: "a record that this program wrote", max_bytes: 4 << 20 };

/// A sweep's `report.json`, which grows with the number of arms.
pub const REPORT: FileKind = FileKind { name: "a report that this program wrote", max_bytes: 256 << 20 };

/// Weights. The largest network has 10⁹ parameters, for each of which a checkpoint holds three floats.
pub const WEIGHTS: FileKind =
    FileKind { name: "a safetensors file, such as weights-model_1.safetensors of a run folder", max_bytes: 16 << 30 };

/// The bytes of a file.
///
/// # Errors
/// Names the file: it does not exist, is not a regular file, is too large, or cannot be read.
pub fn read(path: &Path, kind: FileKind) -> Result<Vec<u8>> {
    Input::open(path, kind)?.read_all()
}

/// The bytes of a file, or `None` if it does not exist.
pub fn read_if_any(path: &Path, kind: FileKind) -> Result<Option<Vec<u8>>> {
    Input::open_if_any(path, kind)?.map(Input::read_all).transpose()
}

/// The text of a file, which must be UTF-8.
pub fn read_text(path: &Path, kind: FileKind) -> Result<String> {
    String::from_utf8(read(path, kind)?).map_err(|_| refused(path, "is not a text file"))
}

/// An open file, read in one or more parts.
pub struct Input<'a> {
    path: &'a Path,
    kind: FileKind,
    file: File,
    pub length: u64,
    /// The bytes read so far.
    pub bytes: Vec<u8>,
}

impl<'a> Input<'a> {
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
        if input.length > kind.max_bytes { Err(input.too_large()) } else { Ok(Some(input)) }
    }

    /// Reads up to offset `end`, or to the end of the file.
    pub fn read_to(&mut self, end: u64) -> Result<()> {
        let read = self.bytes.len() as u64;
        let more = end.min(self.length).saturating_sub(read);
        self.bytes.try_reserve_exact(usize::try_from(more).unwrap_or(usize::MAX)).map_err(|_| {
            let message =
                format!("{}: not enough memory for its {} bytes", self.path.display(), number::count(self.length));
            Failure::new(Kind::Environment, message)
        })?;
        let mut part = (&mut self.file).take(end.saturating_sub(read));
        part.read_to_end(&mut self.bytes).map(drop).map_err(|error| unreadable(self.path, &error))
    }

    /// Reads the rest of the file.
    pub fn read_all(mut self) -> Result<Vec<u8>> {
        // Files in /proc are longer than their metadata says, and any file may grow.
        self.read_to(self.kind.max_bytes + 1)?;
        if self.bytes.len() as u64 > self.kind.max_bytes { Err(self.too_large()) } else { Ok(self.bytes) }
    }

    fn too_large(&self) -> Failure {
        let length = number::count(self.length.max(self.bytes.len() as u64));
        let most = number::count(self.kind.max_bytes);
        refused(self.path, &format!("has {length} bytes or more; expected {}, at most {most}", self.kind.name))
    }
}

/// Refuses anything but a regular file: opening a pipe waits for a writer, and a device may have no end.
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
    fn only_regular_files_up_to_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let small = FileKind { name: "a small file", max_bytes: 5 };
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
            // Its metadata says that it is empty.
            assert!(said(Path::new("/proc/cpuinfo")).contains("has 6 bytes or more"));
        }
    }
}
