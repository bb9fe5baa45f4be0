//! The record of an adaptation: a new head trained on your own pictures. It is saved as `summary.json`, and the report
//! is made from it. `docs/run-folder.md` describes the fields.

use serde::{Deserialize, Serialize};

use super::{
    options::Augment,
    pictures::{Contributions, Pixels},
    run::{ConfusionMatrix, FrozenTensor, ModelRecord},
    scores::Scores,
};
use crate::system::{failure::Result, json, machine::Environment};

/// The version of the record.
pub const FORMAT: u32 = 2;

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
    /// Pictures that occur more than once.
    pub duplicates: Vec<Duplicates>,
    /// Network, history (of a dense head) and the confusion matrix of the held-out pictures.
    pub model: ModelRecord,
    /// How well the held-out pictures are classified: with cross-validation, all training pictures.
    pub held_out: Scores,
    /// How the linear head was chosen; absent for a dense head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_validation: Option<CrossValidation>,
    /// How well the test pictures are classified, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
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
    /// The folder of test pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The file with the features, or `built-in`.
    pub from: String,
    /// Rows and columns that pictures are scaled to, if not those of the features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    pub head: Head,
    /// Whether all classes count equally.
    pub balanced: bool,
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
    /// Whether an unreadable picture stops the run.
    pub strict: bool,
    /// Decides folds or held-out pictures, augmentation and, for a dense head, initial weights, order and dropout.
    pub seed: u64,
    /// Changes only the time.
    pub threads: usize,
    pub simd: String,
    /// Settings of a dense head.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub dense: Option<DenseSettings>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// Softmax regression on averaged features
    Linear,
    /// The dense layers of the features' network
    Dense,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DenseSettings {
    /// The fraction of each class that is held out.
    pub validation: f64,
    pub epochs: usize,
    pub batch_size: usize,
    pub learning_rate: f64,
}

/// How a linear head was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    pub folds: usize,
    /// Averaged features per picture.
    pub features: usize,
    /// The L2 penalty with the lowest loss.
    pub penalty: f64,
    /// What the logits were divided by; it is part of the head's weights.
    pub temperature: f64,
    pub candidates: Vec<Candidate>,
}

/// A penalty, with the loss and the accuracy of the held-out pictures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub penalty: f64,
    pub loss: f64,
    pub accuracy: f64,
}

/// How well the test pictures are classified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Test {
    pub folder: String,
    pub confusion: ConfusionMatrix,
    pub scores: Scores,
}

/// Files with the same pixels, once scaled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    pub pictures: Vec<Duplicate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    pub file: String,
    pub class: String,
    /// As in `pictures.csv`.
    pub set: String,
}

impl Duplicates {
    /// Whether the pictures are in two classes, so that one label must be wrong.
    pub fn conflict(&self) -> bool {
        self.pictures.iter().any(|picture| picture.class != self.pictures[0].class)
    }

    /// Whether the pictures are in different sets, such as training and test. Cross-validation keeps copies together.
    pub fn leak(&self) -> bool {
        let has = |set: &[&str]| self.pictures.iter().any(|picture| set.contains(&picture.set.as_str()));
        has(&["training"]) && has(&["validation", "test"]) || has(&["validation"]) && has(&["test"])
    }
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The folder's name.
    pub name: String,
    pub training: u64,
    /// Held-out pictures; with cross-validation, all training pictures are held out in turn.
    pub validation: u64,
    pub test: u64,
    /// Files that cannot be read as pictures: damaged, of another format, too large, or without permission.
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
    /// What supports the predicted class in the final network, if its head is linear and the report shows the picture.
    pub map: Option<Contributions>,
}

impl Adaptation {
    /// The record as indented JSON. Fails if a number in the history is NaN or infinite.
    pub fn to_json(&self) -> Result<String> {
        for row in &self.model.history {
            row.require_finite("the model")?;
        }
        Ok(json::pretty(self))
    }

    /// Number of training pictures.
    pub fn training(&self) -> u64 {
        self.classes.iter().map(|class| class.training).sum()
    }

    /// The scores that count most, with their confusion matrix: those of the test pictures, if there are any.
    pub fn headline(&self) -> (&Scores, &ConfusionMatrix) {
        match &self.test {
            Some(test) => (&test.scores, &test.confusion),
            None => (&self.held_out, &self.model.confusion),
        }
    }
}
