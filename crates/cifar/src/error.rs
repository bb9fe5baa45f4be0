//! What can go wrong, each in one line: where, what was expected, what was found, what to do.

use std::{fmt, io, path::Path};

use crate::format::Format;

/// A failure, and the file or folder that it concerns.
#[derive(Debug, thiserror::Error)]
#[error("{input}: {fault}{advice}")]
pub struct Error {
    input: String,
    fault: Box<Fault>,
    advice: &'static str,
}

impl Error {
    /// The path of the archive or folder concerned, or the name given to [`Dataset::from_archive`](crate::Dataset::from_archive).
    pub fn input(&self) -> &str {
        &self.input
    }

    /// What happened.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Whether the machine failed (a read error, a full disk, no memory) and the same call may succeed later.
    /// Otherwise the path or its contents are wrong, a file that is missing or forbidden included.
    pub fn is_environment_fault(&self) -> bool {
        use io::ErrorKind::*;
        match &*self.fault {
            Fault::Io { error, .. } => !matches!(
                error.kind(),
                NotFound | PermissionDenied | NotADirectory | IsADirectory | InvalidInput | InvalidFilename
            ),
            Fault::OutOfMemory { .. } => true,
            _ => false,
        }
    }
}

/// The kinds of failure. `file` is a file's name inside an archive or folder; a record is counted from 0.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The operating system refused or failed.
    #[error("cannot {action}: {error}")]
    Io {
        /// What was attempted, as in "read data_batch_1.bin".
        action: String,
        /// What the system said.
        error: io::Error,
    },
    /// There is no memory for the pictures.
    #[error("no memory for {bytes} bytes of pictures; free some, or raise the limit")]
    OutOfMemory {
        /// How much was asked for.
        bytes: usize,
    },
    /// The path is a device, a pipe or a socket.
    #[error("is neither a file nor a folder; give a .tar.gz archive or a folder of .bin files")]
    NeitherFileNorFolder,
    /// The folder contains nothing that this crate reads.
    #[error("contains no CIFAR data: {found}; looked for {looked_for}; check the path, or download {url}")]
    NothingHere {
        /// Some of what it contains.
        found: String,
        /// The names searched for.
        looked_for: String,
        /// Where the data are published.
        url: &'static str,
    },
    /// The folder contains what resembles CIFAR data by its name, and nothing that this crate reads.
    #[error("contains {found}, and no other CIFAR data; expected one of {looked_for}, or a .tgz or .tar archive")]
    OnlyNearly {
        /// Its name, and what is wrong with it.
        found: String,
        /// The names searched for.
        looked_for: String,
    },
    /// The folder contains several sets, none under an official name.
    #[error("contains more than one CIFAR set: {candidates}; give the path of one")]
    Ambiguous {
        /// Their names.
        candidates: String,
    },
    /// The target of a write is in use.
    #[error("exists and is not an empty folder; remove it, or choose another path")]
    TargetExists,

    /// The archive has no bytes.
    #[error("is empty (0 bytes); download it again")]
    Empty,
    /// The archive is not compressed with gzip.
    #[error("is not a gzip file: it starts with {start}{guess}, where 1f 8b was expected; {advice}")]
    NotGzip {
        /// The first bytes, in hexadecimal.
        start: String,
        /// What the file might be instead.
        guess: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The archive is cut off.
    #[error("ends too early: after {bytes} bytes the compressed data are incomplete; resume the download or repeat it")]
    Truncated {
        /// The archive's length.
        bytes: u64,
    },
    /// gzip's own checks fail.
    #[error("is damaged: {detail}, before byte {offset} of the archive; download it again")]
    Damaged {
        /// Which check failed.
        detail: String,
        /// How much of the archive had been read.
        offset: u64,
    },
    /// Something follows the gzip data.
    #[error("goes on after the end of its gzip data, at byte {offset}, with {what}; the end of the file was expected")]
    Trailing {
        /// Where the gzip data end.
        offset: u64,
        /// What follows.
        what: &'static str,
    },
    /// The archive is longer than any archive of 60,000 pictures.
    #[error("is longer than {limit} bytes, more than any CIFAR archive needs; is it another file?")]
    TooLong {
        /// The longest archive that is read.
        limit: u64,
    },

    /// An entry of the tar archive is malformed.
    #[error("is not a tar archive inside, or a damaged one: {detail} at byte {offset} of the unpacked data")]
    BadHeader {
        /// What is wrong with it.
        detail: String,
        /// Where the entry begins in the unpacked data.
        offset: u64,
    },
    /// An entry has a kind or a name that no release has.
    #[error("contains {what}, \"{name}\"; expected only the release's plain files")]
    ForbiddenEntry {
        /// What the entry is.
        what: String,
        /// Its name, with unprintable characters escaped.
        name: String,
    },
    /// Two entries of the same name.
    #[error("contains \"{name}\" twice; expected each file once")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Bytes other than padding follow the tar archive's end.
    #[error("has {what} after the end of its tar archive, at byte {offset} of the unpacked data")]
    BadPadding {
        /// What was found.
        what: String,
        /// Where.
        offset: u64,
    },

    /// This is another data set, or another version of it.
    #[error("looks like {found}; expected the binary version of {expected}")]
    WrongSet {
        /// What it looks like.
        found: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// Pictures of the other data set.
    #[error("the pictures are in the format of {found}; expected {expected}")]
    OtherFormat {
        /// Their format's name.
        found: &'static str,
        /// The right one.
        expected: &'static str,
    },
    /// Files are missing.
    #[error("has no {files}; a complete {set} set was expected")]
    Missing {
        /// Their names.
        files: String,
        /// Which set the other files belong to.
        set: &'static str,
    },
    /// A file ended before its announced length.
    #[error("{file} ends after {found} of {expected} bytes")]
    Short {
        /// The file.
        file: String,
        /// Its announced length.
        expected: u64,
        /// The bytes that there were.
        found: u64,
    },
    /// A file of pictures is empty or has a fraction of a record.
    #[error("{file} has {bytes} bytes, {}", not_whole(*bytes, *record_bytes))]
    Length {
        /// The file.
        file: String,
        /// Its length.
        bytes: u64,
        /// The length of one record.
        record_bytes: usize,
    },
    /// A file has a wrong number of records.
    #[error("{file} has {found} records; expected {expected}")]
    Count {
        /// The file.
        file: String,
        /// The number of its records.
        found: u64,
        /// The right number, and why it is right.
        expected: String,
    },
    /// Training pictures cannot be dealt out to the release's files.
    #[error("{records} training pictures do not divide evenly among {files} files")]
    Uneven {
        /// The number of pictures.
        records: usize,
        /// The number of files.
        files: usize,
    },
    /// A label is out of range.
    #[error("{file}, record {record} (byte {offset}): {which} {value}, expected 0 to {most}")]
    Label {
        /// The file.
        file: String,
        /// The record, counted from 0.
        record: usize,
        /// Where the label stands in the file.
        offset: usize,
        /// Which label: "label", "coarse label" or "fine label".
        which: &'static str,
        /// Its value.
        value: u8,
        /// The greatest value allowed.
        most: u8,
    },
    /// A file is longer than any of its kind.
    #[error("{file} has {bytes} bytes; expected at most {limit}")]
    OversizedFile {
        /// The file.
        file: String,
        /// Its length.
        bytes: u64,
        /// The greatest length allowed.
        limit: u64,
    },
    /// The file of class names is malformed.
    #[error("{file}: {detail}")]
    Names {
        /// The file.
        file: String,
        /// What is wrong.
        detail: String,
    },
}

fn not_whole(bytes: u64, record_bytes: usize) -> String {
    match bytes {
        0 => "no record at all".into(),
        _ => {
            let (whole, rest) = (bytes / record_bytes as u64, bytes % record_bytes as u64);
            format!("which is {whole} records of {record_bytes} and {rest} bytes more; expected whole records")
        }
    }
}

impl Fault {
    /// An error of what was read from `input`.
    pub(crate) fn of(self, input: impl fmt::Display) -> Error {
        let advice = match self {
            Fault::BadHeader { .. }
            | Fault::ForbiddenEntry { .. }
            | Fault::Duplicate { .. }
            | Fault::BadPadding { .. }
            | Fault::WrongSet { .. }
            | Fault::Missing { .. }
            | Fault::Short { .. }
            | Fault::Length { .. }
            | Fault::Count { .. }
            | Fault::Label { .. }
            | Fault::OversizedFile { .. }
            | Fault::Names { .. } => {
                "; check the path, or download the data from https://www.cs.toronto.edu/~kriz/cifar.html"
            }
            _ => "",
        };
        Error { input: printable(&input.to_string()), fault: Box::new(self), advice }
    }

    /// An error of what the program itself made.
    pub(crate) fn in_memory(self) -> Error {
        Error { input: "pictures in memory".into(), fault: Box::new(self), advice: "" }
    }

    pub(crate) fn at(self, path: &Path) -> Error {
        self.of(path.display())
    }

    pub(crate) fn wrong_set(found: &'static str, expected: Option<Format>) -> Fault {
        Fault::WrongSet { found, expected: expected.map_or("CIFAR-10 or CIFAR-100", Format::name) }
    }

    pub(crate) fn forbidden(what: &str, name: &str) -> Fault {
        Fault::ForbiddenEntry { what: what.into(), name: printable(name) }
    }

    /// Lets the fault pass through the layers of [`io::Read`] above the one that found it.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// What failed while `action` was attempted: a fault that [`into_io`](Fault::into_io) hid, or the system.
    pub(crate) fn io(action: impl Into<String>, error: io::Error) -> Fault {
        match error.downcast::<Fault>() {
            Ok(fault) => fault,
            Err(error) => Fault::Io { action: action.into(), error },
        }
    }
}

/// Escapes what could break a line or steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::new(), |mut shown, char| {
        if char.is_control() {
            shown.extend(char.escape_default())
        } else {
            shown.push(char)
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_can_cross_threads_and_be_boxed() {
        fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
        is_error::<Error>();
    }

    #[test]
    fn the_machine_is_told_from_the_input() {
        let fault = |kind: io::ErrorKind| Fault::io("read", kind.into()).of("x").is_environment_fault();
        use io::ErrorKind::*;
        for kind in [NotFound, PermissionDenied, IsADirectory, NotADirectory, InvalidFilename] {
            assert!(!fault(kind), "{kind}");
        }
        for kind in [Other, StorageFull, ReadOnlyFilesystem, QuotaExceeded, OutOfMemory, TimedOut, UnexpectedEof] {
            assert!(fault(kind), "{kind}");
        }
        assert!(Fault::OutOfMemory { bytes: 1 }.of("x").is_environment_fault());
        assert!(!Fault::Empty.of("x").is_environment_fault());
    }

    #[test]
    fn a_fault_passes_through_io() {
        let through = Fault::io("read", Fault::Truncated { bytes: 7 }.into_io());
        assert!(matches!(through, Fault::Truncated { bytes: 7 }), "{through}");
    }

    #[test]
    fn what_could_break_a_line_is_escaped() {
        assert_eq!(printable("a\nb\u{1b}[2J\u{85}é"), "a\\nb\\u{1b}[2J\\u{85}é");
    }
}
