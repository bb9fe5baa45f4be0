//! Errors. Each is one line: where, what was found, what was expected, what to do.

use std::{fmt, io};

/// Why pictures could not be read, created or written: one printable line that starts with the file or folder, or with
/// "pictures in memory".
#[derive(Debug, thiserror::Error)]
#[error("{input}: {fault}{advice}")]
pub struct Error {
    input: String,
    fault: Fault,
    advice: &'static str,
}

impl Error {
    /// What went wrong.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Whether the machine failed (a read error, a full disk, no memory), so that the same call may succeed later.
    /// Otherwise the path or its contents are wrong; this includes a missing file and a lack of permission.
    pub fn is_environment_fault(&self) -> bool {
        matches!(self.fault, Fault::Machine(_))
    }
}

/// What failed, by layer from the outermost to the innermost. The text says what was found and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A device failed or is full, or memory ran out.
    #[error("{0}")]
    Machine(String),
    /// The path cannot be opened, is a device, or is a folder of several data sets or only of unsupported files; or an
    /// output folder is not empty.
    #[error("{0}")]
    Path(String),
    /// The folder contains no CIFAR data, and nothing with a similar name.
    #[error("contains no CIFAR data: {0}")]
    NoData(String),
    /// The archive is not gzip, is truncated, is too long, fails a checksum, or continues after its end.
    #[error("{0}")]
    Gzip(String),
    /// The decompressed archive is not a well-formed tar archive.
    #[error("{0}")]
    Tar(String),
    /// The files are not those of one release: they are another version, or one is missing, repeated or unexpected.
    #[error("{0}")]
    Files(String),
    /// A file of pictures has a wrong length, a wrong number of records, or a label out of range.
    #[error("{0}")]
    Records(String),
    /// A file of class names is malformed.
    #[error("{0}")]
    Names(String),
}

impl Fault {
    /// An error in reading from `input` or writing to it.
    pub(crate) fn of(self, input: impl fmt::Display) -> Error {
        let is_contents = matches!(self, Fault::Tar(_) | Fault::Files(_) | Fault::Records(_) | Fault::Names(_));
        let advice = match is_contents {
            true => "; check the path, or download the data from https://www.cs.toronto.edu/~kriz/cifar.html",
            false => "",
        };
        Error { input: printable(input), fault: self, advice }
    }

    /// An error in pictures from the caller.
    pub(crate) fn in_memory(self) -> Error {
        Error { input: "pictures in memory".into(), fault: self, advice: "" }
    }

    /// An I/O error while `action` was attempted, or a fault that [`io::Read`] passed on inside an
    /// [`io::Error::other`].
    pub(crate) fn io(action: &str, error: io::Error) -> Fault {
        use io::ErrorKind::*;
        error.downcast().unwrap_or_else(|error| {
            let text = format!("cannot {action}: {error}");
            match error.kind() {
                NotFound | PermissionDenied | NotADirectory | IsADirectory | InvalidInput | InvalidFilename => {
                    Fault::Path(text)
                }
                _ => Fault::Machine(text),
            }
        })
    }

    pub(crate) fn looks_like(found: &str) -> Fault {
        Fault::Files(format!("looks like {found}; expected the binary version of CIFAR-10 or CIFAR-100"))
    }

    pub(crate) fn forbidden(what: impl fmt::Display, name: &str) -> Fault {
        Fault::Files(format!("contains {what}, \"{}\"; expected only the release's plain files", printable(name)))
    }
}

/// Escapes control characters.
pub(crate) fn printable(text: impl fmt::Display) -> String {
    let mut shown = String::new();
    for char in text.to_string().chars() {
        if char.is_control() { shown.extend(char.escape_default()) } else { shown.push(char) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_faults_are_distinguished_from_wrong_input() {
        use io::ErrorKind::*;
        let is_environment_fault = |kind: io::ErrorKind| {
            // The error can be boxed and sent to other threads.
            let error: Box<dyn std::error::Error + Send + Sync> = Box::new(Fault::io("read", kind.into()).of("x"));
            error.downcast::<Error>().unwrap().is_environment_fault()
        };
        for kind in [NotFound, PermissionDenied, IsADirectory, NotADirectory, InvalidFilename] {
            assert!(!is_environment_fault(kind), "{kind}");
        }
        for kind in [Other, StorageFull, ReadOnlyFilesystem, QuotaExceeded, OutOfMemory, TimedOut, UnexpectedEof] {
            assert!(is_environment_fault(kind), "{kind}");
        }
    }
}
