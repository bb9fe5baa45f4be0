//! Pictures as stored, record by record, and as a network needs them: floats from 0 to 1.

use std::fmt;

use crate::error::{Error, Fault};
use crate::format::{Format, PIXEL_BYTES};
use crate::records;

/// Labelled pictures in the order of the files, held in memory as the bytes of the files.
#[derive(Clone)]
pub struct Images {
    pub(crate) format: Format,
    /// The records of each file. All files have the same number.
    pub(crate) batches: Vec<Vec<u8>>,
    records_per_batch: usize,
    /// Whether [`Image::label`] is the coarse label.
    pub(crate) coarsely_labelled: bool,
}

/// One labelled picture, borrowed from its [`Images`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// The class, an index into [`Dataset::classes`](crate::Dataset::classes).
    pub label: u8,
    /// CIFAR-100 only: the coarse class, an index into [`Dataset::coarse_classes`](crate::Dataset::coarse_classes).
    pub coarse_label: Option<u8>,
    /// Three planes, red, green and blue, each row by row from the top left: the byte of channel `c`,
    /// row `y` and column `x` is `pixels[1024 * c + 32 * y + x]`.
    pub pixels: &'a [u8; PIXEL_BYTES],
}

impl Images {
    /// Creates pictures from records in the releases' format: for each picture a label byte (in CIFAR-100 a coarse and
    /// a fine one) and [`PIXEL_BYTES`] pixel bytes, plane by plane.
    ///
    /// # Errors
    /// If `records` is empty or not a whole number of records, or a label is out of range.
    pub fn from_records(format: Format, records: Vec<u8>) -> Result<Self, Error> {
        let file = "a buffer of records";
        records::count(format, file, records.len() as u64)
            .and_then(|_| records::check_labels(format, file, &records))
            .map_err(Fault::in_memory)?;
        Ok(Images::from_batches(format, vec![records]))
    }

    /// The caller has checked the lengths and labels.
    pub(crate) fn from_batches(format: Format, batches: Vec<Vec<u8>>) -> Self {
        let records_per_batch = batches.first().map_or(0, |batch| batch.len() / format.record_bytes());
        debug_assert!(batches.iter().all(|batch| batch.len() == records_per_batch * format.record_bytes()));
        Images { format, batches, records_per_batch, coarsely_labelled: false }
    }

    /// The number of pictures.
    pub fn len(&self) -> usize {
        self.batches.len() * self.records_per_batch
    }

    /// Always false: a set has at least one picture.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The picture at `index`, counted from 0.
    ///
    /// # Panics
    /// If `index >= self.len()`.
    pub fn get(&self, index: usize) -> Image<'_> {
        let (labels, pixels) = self.record(index).split_at(self.format.label_bytes());
        let pixels = pixels.try_into().expect("a record ends with the picture's pixels");
        match *labels {
            [coarse, fine] => {
                let label = if self.coarsely_labelled { coarse } else { fine };
                Image { label, coarse_label: Some(coarse), pixels }
            }
            _ => Image { label: labels[0], coarse_label: None, pixels },
        }
    }

    /// The labels and pixels of a picture as stored.
    pub(crate) fn record(&self, index: usize) -> &[u8] {
        assert!(index < self.len(), "no picture {index}: there are {}", self.len());
        let (batch, record_bytes) = (&self.batches[index / self.records_per_batch], self.format.record_bytes());
        &batch[index % self.records_per_batch * record_bytes..][..record_bytes]
    }

    /// All pictures, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Image<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images").field("format", &self.format).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Image<'_> {
    /// Writes the pixels as floats from 0 to 1, exactly `f32::from(byte) / 255.0`, in the order height, width, channel
    /// of an NHWC tensor.
    ///
    /// # Panics
    /// If the length of `out` is not [`PIXEL_BYTES`].
    pub fn write_nhwc(&self, out: &mut [f32]) {
        assert_eq!(out.len(), PIXEL_BYTES, "a picture has {PIXEL_BYTES} values");
        let (red, rest) = self.pixels.split_at(PIXEL_BYTES / 3);
        let (green, blue) = rest.split_at(PIXEL_BYTES / 3);
        for (pixel, ((&red, &green), &blue)) in out.chunks_exact_mut(3).zip(red.iter().zip(green).zip(blue)) {
            pixel[0] = UNIT[usize::from(red)];
            pixel[1] = UNIT[usize::from(green)];
            pixel[2] = UNIT[usize::from(blue)];
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
