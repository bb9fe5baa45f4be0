//! What a release holds, as borrowed views: a [`Dataset`] of two [`Images`], each a list of [`Image`]s.

use std::{fmt, iter, ops::Range};

use sha2::{Digest, Sha256};

use crate::error::{Error, Fault};
use crate::format::{Format, PIXEL_BYTES};
use crate::{names, records};

/// A whole data set: training and test pictures and the names of the classes.
///
/// The pictures stay the bytes that they are on disk, 184 MB for all 60,000.
#[derive(Clone, Debug)]
pub struct Dataset {
    format: Format,
    train: Images,
    test: Images,
    pub(crate) classes: Vec<String>,
    coarse_classes: Vec<String>,
    source: Source,
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
        /// Whether this is the archive that the authors of CIFAR published, told by its SHA-256.
        official: bool,
    },
    /// A tar archive without gzip around it, as some browsers leave it: it has no checksum of its pictures.
    Tar {
        /// Its path, or the name given to [`Dataset::from_archive`].
        name: String,
    },
    /// A folder of `.bin` files, which carry nothing that would tell whether they are the official ones.
    Folder {
        /// Its path.
        path: String,
    },
    /// Made in memory with [`Dataset::new`].
    Memory,
}

/// Pictures and their labels, in the order of the files.
#[derive(Clone)]
pub struct Images {
    format: Format,
    /// One buffer of records for each file, all with the same number of records.
    batches: Vec<Vec<u8>>,
    records_per_batch: usize,
    /// Whether a picture's label is its coarse one.
    coarsely_labelled: bool,
}

/// One labelled picture, borrowed from its [`Images`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// The class, an index into [`Dataset::classes`].
    pub label: u8,
    /// CIFAR-100 alone: the coarse class, an index into [`Dataset::coarse_classes`].
    pub coarse_label: Option<u8>,
    /// Three planes, red, green and blue, each row by row from the top left: the byte of channel `c`,
    /// row `y` and column `x` is `pixels[1024 * c + 32 * y + x]`.
    pub pixels: &'a [u8; PIXEL_BYTES],
}

impl Dataset {
    /// Makes a data set from pictures in memory.
    ///
    /// # Errors
    /// Whatever could not be written and read back: pictures of another format; no pictures or more than the
    /// release has; a training set that does not divide evenly among its files (five in CIFAR-10); a number of
    /// names other than the format's number of classes; a name that is empty, twice there, longer than 64 bytes,
    /// or contains control characters or blanks at its ends.
    pub fn new(
        format: Format,
        train: Images,
        test: Images,
        classes: Vec<String>,
        coarse_classes: Vec<String>,
    ) -> Result<Self, Error> {
        let dataset = Dataset { format, train, test, classes, coarse_classes, source: Source::Memory };
        dataset.check().map_err(Fault::in_memory)?;
        Ok(dataset)
    }

    fn check(&self) -> Result<(), Fault> {
        let release = self.format.release();
        for (what, images) in [("training set", &self.train), ("test set", &self.test)] {
            if images.format != self.format {
                return Err(Fault::OtherFormat { found: images.format.name(), expected: self.format.name() });
            }
            if images.is_empty() {
                return Err(Fault::Length { file: what.into(), bytes: 0, record_bytes: self.format.record_bytes() });
            }
        }
        let files = release.training_files.len();
        if !self.train.len().is_multiple_of(files) {
            return Err(Fault::Uneven { records: self.train.len(), files });
        }
        let counts: Vec<usize> = iter::repeat_n(self.train.len() / files, files).collect();
        records::check_counts(self.format, &counts, self.test.len())?;
        names::check(release.names_file, &self.classes, release.classes)?;
        names::check(release.coarse_names_file.unwrap_or(""), &self.coarse_classes, release.coarse_classes)
    }

    /// For the readers, which have checked every part.
    pub(crate) fn from_parts(
        format: Format,
        train: Images,
        test: Images,
        classes: Vec<String>,
        coarse_classes: Vec<String>,
        source: Source,
    ) -> Self {
        Dataset { format, train, test, classes, coarse_classes, source }
    }

    /// Which of the two data sets this is (or has the layout of).
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

    /// The names of the classes, from the release's own file: the name of label `l` is `classes()[l]`.
    pub fn classes(&self) -> &[String] {
        if self.train.coarsely_labelled { &self.coarse_classes } else { &self.classes }
    }

    /// The names of CIFAR-100's coarse classes; empty for CIFAR-10.
    pub fn coarse_classes(&self) -> &[String] {
        &self.coarse_classes
    }

    /// The same pictures with CIFAR-100's coarse classes for their classes: [`Image::label`] is the coarse label, and
    /// [`Dataset::classes`] are the coarse ones' names. What is written of it are the release's files all the same.
    /// `None` for CIFAR-10, which has none.
    pub fn by_coarse_label(mut self) -> Option<Dataset> {
        let has_two = self.format.coarse_classes() > 0;
        (self.train.coarsely_labelled, self.test.coarsely_labelled) = (has_two, has_two);
        has_two.then_some(self)
    }

    /// Where it was read from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Identifies the data, however they were stored: the SHA-256, in hexadecimal, of all records (labels and
    /// pixels), training files first. The same as `cat data_batch_?.bin test_batch.bin | sha256sum`.
    ///
    /// Computed by each call, at the speed of SHA-256: 0.1 s for 60,000 pictures on a CPU with SHA instructions,
    /// 0.5 s without.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for records in self.train.batches.iter().chain(&self.test.batches) {
            hash.update(records);
        }
        hexadecimal(&hash.finalize())
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Source {
    /// Whether the data are known to be those that the authors of CIFAR published.
    pub fn is_official(&self) -> bool {
        matches!(self, Source::Archive { official: true, .. })
    }
}

/// A short phrase: where from, and whether it is the official release.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Archive { name, official: true, .. } => write!(f, "{name} (the official release)"),
            Source::Archive { name, .. } => write!(f, "{name} (not the official release)"),
            Source::Tar { name } => write!(f, "{name} (unpacked from gzip, not verified to be the official release)"),
            Source::Folder { path } => write!(f, "{path} (a folder, not verified to be the official release)"),
            Source::Memory => write!(f, "pictures made in memory"),
        }
    }
}

impl Images {
    /// Takes records as they stand in a release's file: for each picture the label byte (in CIFAR-100 the coarse
    /// and the fine one) and [`PIXEL_BYTES`] pixel bytes, plane by plane.
    ///
    /// # Errors
    /// If `records` is not a whole number of records, or a label is out of range.
    pub fn from_records(format: Format, records: Vec<u8>) -> Result<Self, Error> {
        let file = "a buffer of records";
        let check = || {
            records::count(format, file, records.len() as u64)?;
            records::check_labels(format, file, &records)
        };
        check().map_err(Fault::in_memory)?;
        Ok(Images::from_batches(format, vec![records]))
    }

    /// For the readers, which have checked lengths and labels.
    pub(crate) fn from_batches(format: Format, batches: Vec<Vec<u8>>) -> Self {
        let records_per_batch = batches.first().map_or(0, |batch| batch.len() / format.record_bytes());
        debug_assert!(batches.iter().all(|batch| batch.len() == records_per_batch * format.record_bytes()));
        Images { format, batches, records_per_batch, coarsely_labelled: false }
    }

    /// Whether the labels are CIFAR-10's or CIFAR-100's.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.batches.len() * self.records_per_batch
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Picture number `index`, counted from 0.
    ///
    /// # Panics
    /// If `index >= self.len()`.
    pub fn get(&self, index: usize) -> Image<'_> {
        assert!(index < self.len(), "picture {index} of {}", self.len());
        let records = &self.batches[index / self.records_per_batch];
        let start = index % self.records_per_batch * self.format.record_bytes();
        let (labels, pixels) = records[start..start + self.format.record_bytes()].split_at(self.format.label_bytes());
        let pixels = pixels.try_into().expect("a record ends with the pixels of one picture");
        match *labels {
            [coarse, fine] => {
                let label = if self.coarsely_labelled { coarse } else { fine };
                Image { label, coarse_label: Some(coarse), pixels }
            }
            _ => Image { label: labels[0], coarse_label: None, pixels },
        }
    }

    /// All pictures, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Image<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The stored records of the pictures in `range`, in pieces.
    pub(crate) fn records(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let record = self.format.record_bytes();
        self.batches.iter().enumerate().map(move |(number, records)| {
            let first = number * self.records_per_batch;
            let within = |index: usize| index.saturating_sub(first).min(self.records_per_batch) * record;
            &records[within(range.start)..within(range.end)]
        })
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images").field("format", &self.format).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Image<'_> {
    /// Writes the picture as numbers from 0 to 1, exactly `f32::from(byte) / 255.0`, in the order height, width,
    /// channel: that of Keras, and of an NHWC tensor.
    ///
    /// # Panics
    /// If `out` has another length than [`PIXEL_BYTES`].
    pub fn write_nhwc(&self, out: &mut [f32]) {
        self.interleave(out, |byte| UNIT[usize::from(byte)]);
    }

    /// Writes the picture as bytes in the order height, width, channel: what PNG calls 8-bit RGB.
    ///
    /// # Panics
    /// If `out` has another length than [`PIXEL_BYTES`].
    pub fn write_rgb8(&self, out: &mut [u8]) {
        self.interleave(out, |byte| byte);
    }

    fn interleave<T>(&self, out: &mut [T], value: impl Fn(u8) -> T) {
        assert_eq!(out.len(), PIXEL_BYTES, "a picture has {PIXEL_BYTES} values");
        let (red, rest) = self.pixels.split_at(PIXEL_BYTES / 3);
        let (green, blue) = rest.split_at(PIXEL_BYTES / 3);
        for (pixel, ((&red, &green), &blue)) in out.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue)) {
            pixel[0] = value(red);
            pixel[1] = value(green);
            pixel[2] = value(blue);
        }
    }
}

/// Every byte divided by 255.
const UNIT: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte as f32 / 255.0;
        byte += 1;
    }
    table
};
