//! Assembles a [`Dataset`] from its files, which may come in any order (the official archive's is irregular).

use std::io::Read;

use crate::dataset::{Dataset, Source};
use crate::error::Fault;
use crate::format::{FileContents, Format};
use crate::images::Images;
use crate::{names, records};

pub(super) struct Assembly {
    pub format: Format,
    /// The contents of the files, in the order of [`Release::files`](crate::format::Release::files); `None` until read.
    files: Vec<Option<Vec<u8>>>,
}

impl Assembly {
    pub fn new(format: Format) -> Self {
        Assembly { format, files: vec![None; format.release().files.len()] }
    }

    /// Reads file `index` of the release, `bytes` bytes long, directly into its final buffer.
    pub fn add(&mut self, index: usize, bytes: u64, reader: impl Read) -> Result<(), Fault> {
        let (format, file) = (self.format, &self.format.release().files[index]);
        let name = file.name;
        if file.has_pictures() {
            records::check_limit(format, file, records::count(format, name, bytes)?)?;
        } else if bytes > names::MAX_BYTES {
            let most = names::MAX_BYTES;
            return Err(Fault::Names(format!("{name} has {bytes} bytes; expected at most {most}")));
        }
        // At most 154 MB, as checked above.
        let length = bytes as usize;
        let mut contents = Vec::new();
        contents.try_reserve_exact(length).map_err(|_| {
            Fault::Machine(format!(
                "not enough memory for {bytes} bytes of pictures; close other programs, or raise the memory limit"
            ))
        })?;
        reader.take(bytes).read_to_end(&mut contents).map_err(|error| Fault::io(&format!("read {name}"), error))?;
        if contents.len() < length {
            return Err(Fault::Files(format!("{name} ends after {} of {bytes} bytes", contents.len())));
        }
        if file.has_pictures() {
            records::check_labels(format, name, &contents)?;
        }
        self.files[index] = Some(contents);
        Ok(())
    }

    /// Checks that the set is complete and its files are consistent.
    pub fn finish(self, source: Source) -> Result<Dataset, Fault> {
        let (format, files) = (self.format, self.format.release().files);
        let missing = files.iter().zip(&self.files).filter(|(_, contents)| contents.is_none());
        let missing: Vec<&str> = missing.map(|(file, _)| file.name).collect();
        if !missing.is_empty() {
            let (missing, set) = (missing.join(", "), format.name());
            return Err(Fault::Files(format!("{missing} missing; expected a complete {set} set")));
        }
        let (mut pictures, mut classes, mut coarse_classes) = (Vec::new(), Vec::new(), Vec::new());
        for (file, contents) in files.iter().zip(self.files.into_iter().flatten()) {
            match file.contents {
                FileContents::Training | FileContents::Test => pictures.push(contents),
                FileContents::Classes => classes = names::parse(file.name, file.count, contents)?,
                FileContents::CoarseClasses => coarse_classes = names::parse(file.name, file.count, contents)?,
            }
        }
        let counts: Vec<usize> = pictures.iter().map(|records| records.len() / format.record_bytes()).collect();
        records::check_counts(format, &counts)?;
        let test = Images::from_batches(format, pictures.split_off(format.training_files()));
        let train = Images::from_batches(format, pictures);
        Ok(Dataset { format, train, test, classes, coarse_classes, source })
    }
}
