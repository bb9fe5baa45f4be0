//! The layout of the two binary releases: file names, contents and record lengths.
//!
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html>, "Binary version".

/// Height and width of a picture, in pixels.
pub const SIDE: usize = 32;

/// Bytes of a picture: three planes (red, green, blue) of [`SIDE`] rows of [`SIDE`] pixels.
pub const PIXEL_BYTES: usize = 3 * SIDE * SIDE;

/// One of the two data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 10 classes; a record is a label byte and 3,072 pixel bytes.
    Cifar10,
    /// 100 classes in 20 coarse classes; a record is a coarse label byte, a fine label byte and 3,072 pixel bytes.
    Cifar100,
}

/// The files of a release.
pub(crate) struct Release {
    pub folder: &'static str,
    pub archive: &'static str,
    pub archive_bytes: u64,
    pub archive_sha256: &'static str,
    /// In the order in which this crate writes them.
    pub files: &'static [ReleaseFile],
}

pub(crate) struct ReleaseFile {
    pub name: &'static str,
    pub contents: FileContents,
    /// Number of records or names in the release's file.
    pub count: usize,
}

impl ReleaseFile {
    pub fn has_pictures(&self) -> bool {
        matches!(self.contents, FileContents::Training | FileContents::Test)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileContents {
    Training,
    Test,
    /// In CIFAR-100, the names of the fine classes.
    Classes,
    CoarseClasses,
}

const fn file(name: &'static str, contents: FileContents, count: usize) -> ReleaseFile {
    ReleaseFile { name, contents, count }
}

const CIFAR10: Release = Release {
    folder: "cifar-10-batches-bin",
    archive: "cifar-10-binary.tar.gz",
    archive_bytes: 170_052_171,
    archive_sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    files: &[
        file("data_batch_1.bin", FileContents::Training, 10_000),
        file("data_batch_2.bin", FileContents::Training, 10_000),
        file("data_batch_3.bin", FileContents::Training, 10_000),
        file("data_batch_4.bin", FileContents::Training, 10_000),
        file("data_batch_5.bin", FileContents::Training, 10_000),
        file("test_batch.bin", FileContents::Test, 10_000),
        file("batches.meta.txt", FileContents::Classes, 10),
    ],
};

const CIFAR100: Release = Release {
    folder: "cifar-100-binary",
    archive: "cifar-100-binary.tar.gz",
    archive_bytes: 168_513_733,
    archive_sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    files: &[
        file("train.bin", FileContents::Training, 50_000),
        file("test.bin", FileContents::Test, 10_000),
        file("fine_label_names.txt", FileContents::Classes, 100),
        file("coarse_label_names.txt", FileContents::CoarseClasses, 20),
    ],
};

impl Format {
    /// Both formats, CIFAR-10 first.
    pub const ALL: [Format; 2] = [Format::Cifar10, Format::Cifar100];

    pub(crate) const fn release(self) -> &'static Release {
        match self {
            Format::Cifar10 => &CIFAR10,
            Format::Cifar100 => &CIFAR100,
        }
    }

    /// "CIFAR-10" or "CIFAR-100".
    pub const fn name(self) -> &'static str {
        match self {
            Format::Cifar10 => "CIFAR-10",
            Format::Cifar100 => "CIFAR-100",
        }
    }

    /// The number of classes (in CIFAR-100, fine classes): 10 or 100.
    pub const fn classes(self) -> usize {
        match self {
            Format::Cifar10 => 10,
            Format::Cifar100 => 100,
        }
    }

    /// The number of coarse classes: 0 in CIFAR-10, 20 in CIFAR-100.
    pub const fn coarse_classes(self) -> usize {
        match self {
            Format::Cifar10 => 0,
            Format::Cifar100 => 20,
        }
    }

    /// Label bytes before each picture: 1 or 2.
    pub const fn label_bytes(self) -> usize {
        match self {
            Format::Cifar10 => 1,
            Format::Cifar100 => 2,
        }
    }

    /// Bytes of a record, labels and pixels: 3,073 or 3,074.
    pub const fn record_bytes(self) -> usize {
        self.label_bytes() + PIXEL_BYTES
    }

    /// The numbers of training and test pictures in the release, which a [`Dataset`](crate::Dataset) may not exceed.
    pub const fn release_pictures(self) -> [usize; 2] {
        [50_000, 10_000]
    }

    /// The files that hold pictures: training first, then test.
    pub(crate) fn picture_files(self) -> impl Iterator<Item = &'static ReleaseFile> {
        self.release().files.iter().filter(|file| file.has_pictures())
    }

    /// The number of training files: 5 or 1.
    pub(crate) fn training_files(self) -> usize {
        self.picture_files().count() - 1
    }
}

/// Finds a file by its name without folder: its release and its index in [`Release::files`].
pub(crate) fn identify(name: &str) -> Option<(Format, usize)> {
    Format::ALL.into_iter().find_map(|format| {
        let index = format.release().files.iter().position(|file| file.name == name)?;
        Some((format, index))
    })
}

/// Recognizes the Python and Matlab versions by the path of one of their files or folders.
pub(crate) fn identify_foreign(path: &str) -> Option<&'static str> {
    match path.split('/').next()? {
        "cifar-10-batches-py" | "cifar-10-python.tar.gz" => return Some("the Python version of CIFAR-10"),
        "cifar-100-python" | "cifar-100-python.tar.gz" => return Some("the Python version of CIFAR-100"),
        "cifar-10-batches-mat" => return Some("the Matlab version of CIFAR-10"),
        "cifar-100-matlab" => return Some("the Matlab version of CIFAR-100"),
        _ => {}
    }
    let file = path.rsplit('/').next()?;
    let (stem, version) = match file.strip_suffix(".mat") {
        Some(stem) => (stem, "the Matlab version of CIFAR-10"),
        None => (file, "the Python version of CIFAR-10"),
    };
    let is_batch = stem.starts_with("data_batch_") && !stem.contains('.');
    (is_batch || matches!(stem, "batches.meta" | "test_batch")).then_some(version)
}
