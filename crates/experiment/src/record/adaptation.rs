//! The record of an adaptation: a new head trained on your own pictures. It is saved as `summary.json`, and the report is
//! made from it. `docs/run-folder.md` describes the fields.

use serde::{Deserialize, Serialize};

use super::run::{FrozenTensor, ModelRecord, Pixels};
use crate::system::{
    failure::{Failure, Kind, Result},
    machine::Environment,
};

/// The version of the record.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adaptation {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Version of the program that wrote the record.
    pub thawline: String,
    /// The command line, program name first, one element per argument.
    pub command: Vec<String>,
    /// All settings, with defaults filled in.
    pub config: Settings,
    pub environment: Environment,
    pub features: Origin,
    /// The classes, in the order of the network's outputs.
    pub classes: Vec<ClassCount>,
    /// Held-out pictures that also occur in the training set.
    #[serde(rename = "twins")]
    pub duplicates: u64,
    /// Network, history and confusion matrix.
    pub model: ModelRecord,
    /// Whether all frozen tensors have the same bits after training as before.
    pub frozen_unchanged: bool,
    /// Hashes of the frozen tensors, in the network's order.
    pub frozen: Vec<FrozenTensor>,
    /// Peak resident set size of the process, if known.
    pub peak_memory_bytes: Option<u64>,
}

/// The settings, named like the flags and saved as `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// The folder of class folders.
    pub folder: String,
    /// The file with the features, or `built-in`.
    pub from: String,
    /// The fraction of each class that is held out.
    pub validation: f64,
    /// Whether an unreadable picture stops the run.
    pub strict: bool,
    pub epochs: usize,
    pub batch_size: usize,
    pub learning_rate: f64,
    /// Decides the held-out pictures, initial weights, the order of pictures, and dropout.
    pub seed: u64,
    /// Changes only the time.
    pub threads: usize,
    pub simd: String,
}

/// The model that the features come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// The classes of that model.
    pub classes: Vec<String>,
}

/// A class and the number of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The folder's name.
    pub name: String,
    pub training: u64,
    /// Held-out pictures.
    pub validation: u64,
    /// Damaged files, and files that are not pictures.
    pub skipped: u64,
}

/// A misclassified picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    pub file: String,
    /// Its true class.
    pub class: String,
    pub predicted: String,
    /// The predicted class's probability.
    pub probability: f32,
    pub pixels: Box<Pixels>,
}

impl Adaptation {
    /// The record as indented JSON. Fails if a loss or an accuracy is NaN or infinite.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        for row in &self.model.history {
            row.require_finite("the model").map_err(|error| Failure::new(Kind::Numeric, error.to_string()))?;
        }
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Number of training pictures.
    pub fn training(&self) -> u64 {
        self.classes.iter().map(|class| class.training).sum()
    }

    /// Number of held-out pictures.
    pub fn validation(&self) -> u64 {
        self.classes.iter().map(|class| class.validation).sum()
    }
}
