//! Puts a [`Dataset`] together from its files, in whatever order they come (the official archive has its own).

use std::io::Read;

use crate::dataset::{Dataset, Images, Source};
use crate::error::Fault;
use crate::format::{Format, Role};
use crate::{names, records};

/// The files seen so far.
pub(crate) struct Assembly {
    format: Format,
    training: Vec<Option<Vec<u8>>>,
    test: Option<Vec<u8>>,
    names: Option<Vec<String>>,
    coarse_names: Option<Vec<String>>,
}

impl Assembly {
    pub fn new(format: Format) -> Self {
        let training = format.release().training_files.iter().map(|_| None).collect();
        Assembly { format, training, test: None, names: None, coarse_names: None }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Reads one file of `bytes` bytes.
    pub fn add(&mut self, role: Role, file: &str, bytes: u64, from: impl Read) -> Result<(), Fault> {
        let format = self.format;
        if self.has(role) {
            return Err(Fault::Duplicate { name: file.into() });
        }
        match role {
            Role::Training(index) => self.training[index] = Some(records::read(format, role, file, bytes, from)?),
            Role::Test => self.test = Some(records::read(format, role, file, bytes, from)?),
            Role::Names => self.names = Some(names::read(file, format.classes(), bytes, from)?),
            Role::CoarseNames => self.coarse_names = Some(names::read(file, format.coarse_classes(), bytes, from)?),
        }
        Ok(())
    }

    fn has(&self, role: Role) -> bool {
        match role {
            Role::Training(index) => self.training[index].is_some(),
            Role::Test => self.test.is_some(),
            Role::Names => self.names.is_some(),
            Role::CoarseNames => self.coarse_names.is_some(),
        }
    }

    /// Checks that the set is complete and its files fit each other.
    pub fn finish(self, source: Source) -> Result<Dataset, Fault> {
        let format = self.format;
        let missing: Vec<&str> = format.files().filter(|&(_, role)| !self.has(role)).map(|(file, _)| file).collect();
        if !missing.is_empty() {
            return Err(Fault::Missing { files: missing.join(", "), set: format.name() });
        }
        let training: Vec<Vec<u8>> = self.training.into_iter().flatten().collect();
        let test = self.test.unwrap_or_default();
        let count = |records: &Vec<u8>| records.len() / format.record_bytes();
        let counts: Vec<usize> = training.iter().map(count).collect();
        records::check_counts(format, &counts, count(&test))?;
        Ok(Dataset::from_parts(
            format,
            Images::from_batches(format, training),
            Images::from_batches(format, vec![test]),
            self.names.unwrap_or_default(),
            self.coarse_names.unwrap_or_default(),
            source,
        ))
    }
}
