//! The record of an adaptation: which pictures a new head learned, behind which features, and how it went.
//!
//! `summary.json` is this, as JSON; its report is drawn from it. `docs/run-folder.md` describes the fields.

use serde::{Deserialize, Serialize};

use super::run::{FrozenTensor, ModelRecord, Pixels};
use crate::system::{
    failure::{Failure, Kind, Result},
    machine::Environment,
};

/// The version of the record.
pub const FORMAT: u32 = 1;

/// A new head on a user's own pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adaptation {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Version of the program that wrote the record.
    pub thawline: String,
    /// The command line, program name first, one element per argument.
    pub command: Vec<String>,
    /// Every setting after defaults were filled in.
    pub config: Settings,
    /// The machine and the build.
    pub environment: Environment,
    /// The features.
    pub features: Origin,
    /// The classes, in the order of the network's outputs.
    pub classes: Vec<ClassCount>,
    /// Pictures that were kept back although the same were learned from.
    pub twins: u64,
    /// Network, history and confusion matrix.
    pub model: ModelRecord,
    /// True if every frozen tensor has the same bits after the training as before.
    pub frozen_unchanged: bool,
    /// The frozen tensors with their hashes, in the network's order.
    pub frozen: Vec<FrozenTensor>,
    /// Largest resident set of the process; absent where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
}

/// The settings, named as the flags are: what `config.toml` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// The folder of class folders.
    pub folder: String,
    /// The file of the features, or `built-in`.
    pub from: String,
    /// The share of the pictures of each class that is kept back.
    pub validation: f64,
    /// Whether an unreadable picture stops the run.
    pub strict: bool,
    /// Passes over the pictures.
    pub epochs: usize,
    /// Pictures in a step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Decides which pictures are kept back, initial weights, the order of pictures, and dropout.
    pub seed: u64,
    /// Threads; they change the time and nothing else.
    pub threads: usize,
    /// The SIMD level.
    pub simd: String,
}

/// Where features come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// The classes that their model tells apart.
    pub classes: Vec<String>,
}

/// A class, and what became of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// Its name: the folder's.
    pub name: String,
    /// Pictures that were learned from.
    pub training: u64,
    /// Pictures that were kept back.
    pub validation: u64,
    /// Files that were no pictures, or damaged.
    pub skipped: u64,
}

/// A picture that was taken for something else.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// What it is.
    pub class: String,
    /// What it was taken for.
    pub predicted: String,
    /// The probability that the model gave that.
    pub probability: f32,
    /// What the model saw.
    pub pixels: Box<Pixels>,
}

impl Adaptation {
    /// The record as indented JSON that ends with a line feed.
    ///
    /// # Errors
    /// If a loss or an accuracy is no finite number.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        for row in &self.model.history {
            row.require_finite("the model").map_err(|error| Failure::new(Kind::Numeric, error.to_string()))?;
        }
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Pictures that were learned from.
    pub fn training(&self) -> u64 {
        self.classes.iter().map(|class| class.training).sum()
    }

    /// Pictures that were kept back.
    pub fn validation(&self) -> u64 {
        self.classes.iter().map(|class| class.validation).sum()
    }
}
