//! The settings that all jobs of a sweep share: `sweep.json`.

use serde::{Deserialize, Serialize};

use super::arms::{Arm, Blocks, Budget, Classes, Recipe, Scope, Stage};
use crate::{
    models::Architecture,
    record::{
        config::differences,
        data::{ClassRecord, DataRecord},
        options::{self, Augment, Schedule},
    },
    system::{failure::Result, hash::sha256},
};

/// The settings of a sweep; jobs of other settings do not belong to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SweepSettings {
    /// The version of this file and of the protocol.
    pub format: u32,
    pub thawline: String,
    pub data: DataRecord,
    /// The pictures of the source classes, if they come from another data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_data: Option<DataRecord>,
    /// Which of CIFAR-100's labels are the classes.
    #[serde(default, skip_serializing_if = "options::Labels::is_fine")]
    pub labels: options::Labels,
    pub source: Vec<ClassRecord>,
    pub target: Vec<ClassRecord>,
    /// The maximum number of training pictures of each class, including those held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<usize>,
    pub network: Architecture,
    /// Passes over the pictures in stage 1.
    pub source_epochs: usize,
    /// Passes over the pictures in stage 2; the model is scored on the test set after the last.
    pub epochs: usize,
    /// Adam's learning rate; arms without a recipe use it, or state theirs relative to it.
    pub learning_rate: f64,
    /// How the learning rate changes during training.
    pub schedule: Schedule,
    /// Random changes of the training pictures.
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
    /// The seed of the trials, if recipes are chosen by trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning_seed: Option<u64>,
    /// Pictures in a step.
    pub batch_size: usize,
    /// The kind of arithmetic: `fma`, the same bits on AVX2, AVX-512 and NEON, or `portable`.
    pub arithmetic: String,
}

impl SweepSettings {
    /// SHA-256, in hexadecimal, of the settings without the origin of the data.
    pub fn hash(&self) -> String {
        let bytes = serde_json::to_vec(&self.without_origin()).expect("settings are text and numbers");
        sha256([bytes])
    }

    /// The settings without the path and origin of the data: the same pictures from an archive and from a folder give
    /// the same results.
    fn without_origin(&self) -> Self {
        let pictures =
            |data: &DataRecord| DataRecord { official: false, path: None, sentence: String::new(), ..data.clone() };
        SweepSettings {
            data: pictures(&self.data),
            source_data: self.source_data.as_ref().map(pictures),
            ..self.clone()
        }
    }

    /// The source and target classes, and the names of all.
    pub fn classes(&self) -> Classes {
        Classes {
            source: self.source.clone(),
            target: self.target.clone(),
            names: self.data.classes.clone(),
            two_data_sets: self.source_data.is_some(),
        }
    }

    /// The scope of the catalogue, with this many random splits.
    ///
    /// # Errors
    /// If the network has no features.
    pub fn scope(&self, splits: u32) -> Result<Scope> {
        let blocks = Blocks::of(&self.network)?;
        Ok(Scope { blocks: blocks.count(), features: blocks.features, splits })
    }

    pub fn epochs_of(&self, arm: &Arm) -> usize {
        match (arm.budget, arm.stage) {
            (Budget::BothStages, _) => self.source_epochs.saturating_add(self.epochs),
            (Budget::Stage, Stage::Pretraining) => self.source_epochs,
            (Budget::Stage, _) => self.epochs,
        }
    }

    pub fn recipe_of(&self, arm: &Arm) -> Recipe {
        arm.recipe.unwrap_or(Recipe { learning_rate: self.learning_rate, schedule: self.schedule })
    }

    /// The settings in which two sweeps differ, as text; the origin of the data does not count.
    pub fn difference(&self, other: &SweepSettings) -> Option<String> {
        if self.hash() == other.hash() {
            return None;
        }
        let differences = differences(&self.without_origin(), &other.without_origin()).into_iter();
        let describe = |[name, ours, theirs]: [String; 3]| format!("{name} is {ours} and {theirs}");
        Some(differences.map(describe).collect::<Vec<_>>().join(", "))
    }
}
