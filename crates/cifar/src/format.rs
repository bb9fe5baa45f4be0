//! The layout of the two binary releases, as tables: what their files are called and how long a record is.
//!
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html>, "Binary version".

/// Height and width of every picture, in pixels.
pub const SIDE: usize = 32;

/// Bytes of one picture: three planes (red, green, blue) of [`SIDE`] rows of [`SIDE`] pixels.
pub const PIXEL_BYTES: usize = 3 * SIDE * SIDE;

/// Which of the two data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 10 classes; a record is 1 label byte and 3,072 pixel bytes.
    Cifar10,
    /// 100 classes in 20 coarse classes; a record is a coarse label, a fine label and 3,072 pixel bytes.
    Cifar100,
}

/// What one release consists of.
pub(crate) struct Release {
    pub name: &'static str,
    pub folder: &'static str,
    pub archive: &'static str,
    pub archive_bytes: u64,
    pub archive_sha256: &'static str,
    pub training_files: &'static [&'static str],
    pub records_per_training_file: usize,
    pub test_file: &'static str,
    pub test_records: usize,
    /// The file of class names; in CIFAR-100 those of the fine classes.
    pub names_file: &'static str,
    pub coarse_names_file: Option<&'static str>,
    pub classes: usize,
    pub coarse_classes: usize,
}

const CIFAR10: Release = Release {
    name: "CIFAR-10",
    folder: "cifar-10-batches-bin",
    archive: "cifar-10-binary.tar.gz",
    archive_bytes: 170_052_171,
    archive_sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    training_files: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    records_per_training_file: 10_000,
    test_file: "test_batch.bin",
    test_records: 10_000,
    names_file: "batches.meta.txt",
    coarse_names_file: None,
    classes: 10,
    coarse_classes: 0,
};

const CIFAR100: Release = Release {
    name: "CIFAR-100",
    folder: "cifar-100-binary",
    archive: "cifar-100-binary.tar.gz",
    archive_bytes: 168_513_733,
    archive_sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    training_files: &["train.bin"],
    records_per_training_file: 50_000,
    test_file: "test.bin",
    test_records: 10_000,
    names_file: "fine_label_names.txt",
    coarse_names_file: Some("coarse_label_names.txt"),
    classes: 100,
    coarse_classes: 20,
};

/// A page about the data that the official CIFAR-10 archive contains; it is read past.
pub(crate) const README: &str = "readme.html";

/// The part that one file plays in a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The training file with this index.
    Training(usize),
    Test,
    Names,
    CoarseNames,
}

impl Format {
    /// Both, CIFAR-10 first.
    pub const ALL: [Format; 2] = [Format::Cifar10, Format::Cifar100];

    pub(crate) const fn release(self) -> &'static Release {
        match self {
            Format::Cifar10 => &CIFAR10,
            Format::Cifar100 => &CIFAR100,
        }
    }

    /// "CIFAR-10" or "CIFAR-100".
    pub const fn name(self) -> &'static str {
        self.release().name
    }

    /// How many classes the labels tell apart (in CIFAR-100, the fine ones): 10 or 100.
    pub const fn classes(self) -> usize {
        self.release().classes
    }

    /// How many coarse classes there are: none in CIFAR-10, 20 in CIFAR-100.
    pub const fn coarse_classes(self) -> usize {
        self.release().coarse_classes
    }

    /// Label bytes in front of each picture: 1 or 2.
    pub const fn label_bytes(self) -> usize {
        match self {
            Format::Cifar10 => 1,
            Format::Cifar100 => 2,
        }
    }

    /// Bytes of one record, labels and pixels: 3,073 or 3,074.
    pub const fn record_bytes(self) -> usize {
        self.label_bytes() + PIXEL_BYTES
    }

    /// Where the official archive is published.
    pub const fn url(self) -> &'static str {
        match self {
            Format::Cifar10 => "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            Format::Cifar100 => "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        }
    }

    /// How many training and test pictures the release has, and a set in its format at most.
    pub const fn release_pictures(self) -> [usize; 2] {
        let release = self.release();
        [release.training_files.len() * release.records_per_training_file, release.test_records]
    }

    /// The most records the file in this role may hold: what the release has.
    pub(crate) fn release_records(self, role: Role) -> usize {
        match role {
            Role::Training(_) => self.release().records_per_training_file,
            Role::Test => self.release().test_records,
            Role::Names | Role::CoarseNames => 0,
        }
    }

    /// Every file that a complete set has, in the order in which they are written.
    pub(crate) fn files(self) -> impl Iterator<Item = (&'static str, Role)> {
        let release = self.release();
        let training = release.training_files.iter().enumerate();
        training
            .map(|(index, &file)| (file, Role::Training(index)))
            .chain([(release.test_file, Role::Test), (release.names_file, Role::Names)])
            .chain(release.coarse_names_file.map(|file| (file, Role::CoarseNames)))
    }
}

/// Tells what a file is from its name without folder.
pub(crate) fn identify(file: &str) -> Option<(Format, Role)> {
    Format::ALL.into_iter().find_map(|format| {
        let (_, role) = format.files().find(|&(name, _)| name == file)?;
        Some((format, role))
    })
}

/// Recognises a file or folder of the releases that this crate does not read, and says what it belongs to.
pub(crate) fn identify_foreign(path: &str) -> Option<&'static str> {
    let (first, last) = (path.split('/').next()?, path.rsplit('/').next()?);
    match (first, last) {
        ("cifar-10-batches-py" | "cifar-10-python.tar.gz", _) => Some("the Python version of CIFAR-10"),
        ("cifar-100-python" | "cifar-100-python.tar.gz", _) => Some("the Python version of CIFAR-100"),
        ("cifar-10-batches-mat", _) => Some("the Matlab version of CIFAR-10"),
        ("cifar-100-matlab", _) => Some("the Matlab version of CIFAR-100"),
        (_, "batches.meta" | "test_batch") => Some("the Python version of CIFAR-10"),
        (_, "batches.meta.mat" | "test_batch.mat") => Some("the Matlab version of CIFAR-10"),
        (_, batch) if batch.starts_with("data_batch_") && !batch.contains('.') => {
            Some("the Python version of CIFAR-10")
        }
        (_, batch) if batch.starts_with("data_batch_") && batch.ends_with(".mat") => {
            Some("the Matlab version of CIFAR-10")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_identified_as_itself() {
        for format in Format::ALL {
            for (file, role) in format.files() {
                assert_eq!(identify(file), Some((format, role)));
                assert_eq!(identify_foreign(file), None);
            }
        }
        assert_eq!(identify("data_batch_6.bin"), None);
        assert_eq!(identify_foreign("cifar-10-batches-py/data_batch_1"), Some("the Python version of CIFAR-10"));
        assert_eq!(identify_foreign("x/data_batch_5"), Some("the Python version of CIFAR-10"));
    }

    #[test]
    fn a_release_file_has_the_published_length() {
        assert_eq!(10_000 * Format::Cifar10.record_bytes(), 30_730_000);
        assert_eq!(50_000 * Format::Cifar100.record_bytes(), 153_700_000);
    }
}
