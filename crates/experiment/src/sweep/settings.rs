//! What all jobs of a sweep have in common: `sweep.json`.

use serde::{Deserialize, Serialize};

use super::arms::Classes;
use crate::system::hash::sha256;
use crate::{
    models::Tutorial,
    record::{
        config::differences,
        run::{ClassRecord, DataKind, DataRecord},
    },
    system::failure::{Failure, Kind, Result},
};

/// The learning rate of Adam; arms state theirs relative to it.
pub const LEARNING_RATE: f64 = 1e-3;

/// The settings of a sweep; jobs of other settings do not belong to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// The version of this file and of the protocol.
    pub format: u32,
    /// Version of the program.
    pub thawline: String,
    /// The pictures.
    pub data: DataRecord,
    /// The source classes.
    pub source: Vec<ClassRecord>,
    /// The target classes.
    pub target: Vec<ClassRecord>,
    /// The most training pictures of a class, with those held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<usize>,
    /// The numbers of the network.
    pub network: Tutorial,
    /// Passes over the pictures; the test set is scored after the last.
    pub epochs: usize,
    /// Pictures in a step.
    pub batch_size: usize,
    /// The kind of arithmetic: `fma`, the same bits on AVX2 and AVX-512, or `portable`.
    pub arithmetic: String,
}

impl Settings {
    /// SHA-256 of the settings but for the path of the data, in hexadecimal.
    pub fn hash(&self) -> String {
        let data = DataRecord { path: None, ..self.data.clone() };
        let settings = Settings { data, ..self.clone() };
        let bytes = serde_json::to_vec(&settings).expect("settings have no map with keys that are no strings");
        sha256([bytes])
    }

    /// The classes of the halves.
    pub fn classes(&self) -> Classes {
        Classes { source: self.source.clone(), target: self.target.clone(), names: self.data.classes.clone() }
    }

    /// Whether the pictures have the classes of CIFAR-10, and not its format alone.
    pub fn is_cifar10(&self) -> bool {
        self.data.kind == DataKind::Cifar10 && self.classes().has_vehicles_and_animals()
    }

    /// What the pictures are called in a title.
    pub fn subject(&self) -> &'static str {
        match self.data.kind {
            DataKind::Cifar10 if !self.is_cifar10() => "pictures in CIFAR-10's format",
            kind => kind.name(),
        }
    }

    /// As indented JSON that ends with a line feed.
    ///
    /// # Errors
    /// None that has a cause.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The first setting in which two sweeps differ, as a sentence; the path of the data does not count.
    pub fn difference(&self, other: &Settings) -> Option<String> {
        if self.hash() == other.hash() {
            return None;
        }
        let without_path = |settings: &Settings| {
            let data = DataRecord { path: None, ..settings.data.clone() };
            Settings { data, ..settings.clone() }
        };
        let differences = differences(&without_path(self), &without_path(other)).into_iter();
        let describe = |[name, ours, theirs]: [String; 3]| format!("{name} is {ours} and {theirs}");
        Some(differences.map(describe).collect::<Vec<_>>().join(", "))
    }
}
