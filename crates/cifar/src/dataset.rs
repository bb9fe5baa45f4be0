//! A data set: training and test pictures, class names, and where they came from.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::error::{Error, Fault};
use crate::format::{FileContents, Format};
use crate::images::Images;
use crate::{names, records};

/// Training and test pictures and the names of their classes: 184 MB for all 60,000 pictures.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) format: Format,
    pub(crate) train: Images,
    pub(crate) test: Images,
    pub(crate) classes: Vec<String>,
    pub(crate) coarse_classes: Vec<String>,
    pub(crate) source: Source,
}

/// Where a [`Dataset`] came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A `.tar.gz` archive.
    Archive {
        /// Its path, or the name given to [`Dataset::from_archive`].
        name: String,
        /// Its length in bytes.
        bytes: u64,
        /// The SHA-256 of the archive itself, in hexadecimal.
        sha256: String,
        /// Whether its SHA-256 is that of the archive that the authors of CIFAR published.
        official: bool,
    },
    /// A tar archive without gzip, as some browsers leave it. It has no checksum of its pictures.
    Tar {
        /// Its path, or the name given to [`Dataset::from_archive`].
        name: String,
    },
    /// A folder of `.bin` files, also without a checksum.
    Folder {
        /// Its path.
        path: String,
    },
    /// Created in memory with [`Dataset::new`].
    Memory,
}

impl Dataset {
    /// Creates a data set from pictures in memory.
    ///
    /// # Errors
    /// If it could not be written and read back: the pictures have another format; there are more than in the release,
    /// or only one of the two sets is as large as the release's; the training pictures do not divide evenly among the
    /// files (five in CIFAR-10); the number of names differs from the number of classes; or a name is empty, repeated,
    /// longer than 64 bytes, contains control characters, starts or ends with a space, or starts with a byte order mark.
    pub fn new(
        format: Format,
        mut train: Images,
        mut test: Images,
        classes: Vec<String>,
        coarse_classes: Vec<String>,
    ) -> Result<Self, Error> {
        (train.coarsely_labelled, test.coarsely_labelled) = (false, false);
        let dataset = Dataset { format, train, test, classes, coarse_classes, source: Source::Memory };
        dataset.check().map_err(Fault::in_memory)?;
        Ok(dataset)
    }

    fn check(&self) -> Result<(), Fault> {
        let expected = self.format.name();
        if let Some(other) = [&self.train, &self.test].into_iter().find(|images| images.format != self.format) {
            let found = other.format.name();
            return Err(Fault::Files(format!("the pictures are in {found}'s format; expected {expected}")));
        }
        let (pictures, files) = (self.train.len(), self.format.training_files());
        if !pictures.is_multiple_of(files) {
            return Err(Fault::Records(format!(
                "{pictures} training pictures do not divide evenly among {files} files"
            )));
        }
        let mut counts = vec![pictures / files; files];
        counts.push(self.test.len());
        records::check_counts(self.format, &counts)?;
        let release = self.format.release();
        let file = |contents| release.files.iter().find(|file| file.contents == contents).map_or("", |file| file.name);
        names::check(file(FileContents::Classes), self.format.classes(), &self.classes)?;
        names::check(file(FileContents::CoarseClasses), self.format.coarse_classes(), &self.coarse_classes)
    }

    /// The data set's format: CIFAR-10's or CIFAR-100's.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The training pictures.
    pub fn train(&self) -> &Images {
        &self.train
    }

    /// The test pictures.
    pub fn test(&self) -> &Images {
        &self.test
    }

    /// The names of the classes, or of the coarse ones after [`Dataset::with_coarse_labels`]. The name of label `l` is
    /// `classes()[l]`.
    pub fn classes(&self) -> &[String] {
        if self.train.coarsely_labelled { &self.coarse_classes } else { &self.classes }
    }

    /// The names of CIFAR-100's coarse classes; empty for CIFAR-10.
    pub fn coarse_classes(&self) -> &[String] {
        &self.coarse_classes
    }

    /// Switches to CIFAR-100's coarse classes: [`Image::label`](crate::Image::label) becomes the coarse label, and
    /// [`Dataset::classes`] returns the coarse names. Writing and hashing are not affected. Returns `None` for
    /// CIFAR-10, which has no coarse labels.
    pub fn with_coarse_labels(mut self) -> Option<Dataset> {
        let has_two = self.format.coarse_classes() > 0;
        (self.train.coarsely_labelled, self.test.coarsely_labelled) = (has_two, has_two);
        has_two.then_some(self)
    }

    /// Where the data came from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The SHA-256, in hexadecimal, of all records (labels and pixels), training files first: for CIFAR-10, the output
    /// of `cat data_batch_?.bin test_batch.bin | sha256sum`. It identifies the data regardless of how they were stored.
    ///
    /// Each call computes it, which takes 0.1 s for 60,000 pictures on a CPU with SHA instructions and 0.5 s without.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for records in self.train.batches.iter().chain(&self.test.batches) {
            hash.update(records);
        }
        hexadecimal(hash)
    }
}

pub(crate) fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Source {
    /// Whether this is verified to be the archive that the authors of CIFAR published.
    pub fn is_official(&self) -> bool {
        matches!(self, Source::Archive { official: true, .. })
    }
}

/// A short phrase: the place, and whether it is the official release.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Archive { name, official: true, .. } => write!(f, "{name} (the official release)"),
            Source::Archive { name, .. } => write!(f, "{name} (not the official release)"),
            Source::Tar { name } => write!(f, "{name} (unpacked from gzip, not verified to be the official release)"),
            Source::Folder { path } => write!(f, "{path} (a folder, not verified to be the official release)"),
            Source::Memory => write!(f, "pictures in memory"),
        }
    }
}
