//! Arms: the ways to train that the experiment compares, each a preset of one pipeline.
//!
//! An arm says which classes it trains on, where its features come from, how many blocks of them are transferred, which
//! head is on top of them, and what is trained. Stage 1, if there is one, trains the features from fresh weights, with
//! random bits from the seed itself; stage 2 trains on the arm's classes, with random bits from a second seed derived
//! from it, except the features' initial weights. So with one seed, arms on the same classes share initial weights, the
//! order of the pictures and the dropped units, as far as they have the same layers and pictures.

mod catalogue;
mod classes;
mod network;
mod selection;
#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};

use crate::record::options::Schedule;
pub use catalogue::{DEFAULT_SPLITS, GROUPS, MAX_SPLITS, SAMPLES, Scope, about, catalogue, named};
pub use classes::{Classes, is_vehicle};
pub use network::{Blocks, assemble, copy_weights, require_fitting_head, require_matchable};
pub use selection::{Preset, parse_seeds, select};

/// A way to train on some classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Arm {
    /// Its name on the command line, in files and in reports.
    pub name: String,
    /// The classes that it trains on; records call them `learns`.
    #[serde(rename = "learns")]
    pub classes: ClassSet,
    pub features: FeatureSource,
    /// The number of transferred [`Blocks`].
    pub blocks: usize,
    pub head: Head,
    pub training: TrainedLayers,
    /// The number of epochs.
    #[serde(default, skip_serializing_if = "Budget::is_of_stage")]
    pub budget: Budget,
    /// Learning rate and schedule, if not the sweep's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// Training pictures of each class, if not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<usize>,
    /// Whether the labels are the true ones.
    pub labels: Labelling,
    /// What it is validated on.
    pub validation: Validation,
    /// What it is for.
    pub stage: Stage,
}

/// Some classes of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassSet {
    /// The sweep's source classes.
    Source,
    /// The sweep's target classes.
    Target,
    /// Source and target classes together.
    All,
    /// One half of a random split of them, by the split's number.
    SplitSource(u32),
    /// The other half.
    SplitTarget(u32),
    /// The four vehicles of CIFAR-10.
    Vehicles,
    /// The six animals of CIFAR-10.
    Animals,
}

/// Where an arm's features come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureSource {
    /// Features with their initial weights.
    Untrained,
    /// Features with their initial weights, scaled and shifted so that each filter's output has the mean and variance
    /// that it has in the pretrained network.
    UntrainedMatched(Pretraining),
    /// Features from stage 1.
    Pretrained(Pretraining),
}

/// Stage 1: the same network, trained on some classes from fresh weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pretraining {
    /// Its classes; records call them `half`.
    #[serde(rename = "half")]
    pub classes: ClassSet,
    /// Whether their labels are the true ones.
    pub labels: Labelling,
    /// What it is validated on.
    pub validation: Validation,
}

/// What is on top of the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// The network's head with fresh weights.
    Fresh,
    /// The network's head as stage 1 left it.
    Warm,
    /// One dense layer: logistic regression on the features.
    Linear,
    /// One dense layer on the pixels, without any features.
    Pixels,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainedLayers {
    /// The layers after the transferred blocks.
    Head,
    /// Every layer, at the learning rate times this.
    Everything(f64),
    /// The head for half of the epochs, rounded up, then every layer, the features at the learning rate times this.
    HeadThenEverything(f64),
}

/// The number of epochs of an arm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// As many as its stage has.
    #[default]
    Stage,
    /// As many as both stages together.
    BothStages,
}

/// A learning rate and its schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// Adam's learning rate; the highest of the schedule.
    pub learning_rate: f64,
    /// How it changes during training.
    pub schedule: Schedule,
}

/// Whether the labels are the true ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labelling {
    /// The true labels.
    True,
    /// Shuffled at random.
    Shuffled,
}

/// The pictures that validate an arm after each epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validation {
    /// Training pictures that are held out for it.
    HeldOut,
    /// The test set, as in the tutorial; nothing is held out.
    TestSet,
}

/// The stage of an arm: it decides the random bits, the number of epochs, whether the weights are kept, and where
/// reports show the arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Stage 1: its random bits come from the seed itself.
    Pretraining,
    /// Stage 2: its random bits come from a seed derived from the first.
    Transfer,
    /// A trial of a recipe, compared by held-out accuracy, with the random bits of stage 2.
    Trial,
}

impl ClassSet {
    /// The number of the random split that it belongs to.
    pub fn split(self) -> Option<u32> {
        match self {
            ClassSet::SplitSource(split) | ClassSet::SplitTarget(split) => Some(split),
            _ => None,
        }
    }
}

impl Budget {
    fn is_of_stage(&self) -> bool {
        *self == Budget::Stage
    }
}

impl FeatureSource {
    /// The pretraining that this source depends on.
    pub fn pretraining(self) -> Option<Pretraining> {
        match self {
            FeatureSource::Untrained => None,
            FeatureSource::UntrainedMatched(pretraining) | FeatureSource::Pretrained(pretraining) => Some(pretraining),
        }
    }
}

impl Pretraining {
    /// The source classes with their labels, under the sweep's protocol.
    pub const SOURCE: Pretraining = Pretraining::of(ClassSet::Source);

    /// Some classes with their labels, under the sweep's protocol.
    pub const fn of(classes: ClassSet) -> Self {
        Pretraining { classes, labels: Labelling::True, validation: Validation::HeldOut }
    }

    /// Stage 1 as an arm of its own, with its own results.
    pub fn arm(self) -> Arm {
        let classes = match self.classes {
            ClassSet::Source => "source".to_owned(),
            ClassSet::Target => "target".to_owned(),
            ClassSet::All => "all".to_owned(),
            ClassSet::SplitSource(split) => format!("split-{split}"),
            ClassSet::SplitTarget(split) => format!("split-{split}-target"),
            ClassSet::Vehicles => "vehicles".to_owned(),
            ClassSet::Animals => "animals".to_owned(),
        };
        let labels = if self.labels == Labelling::Shuffled { "-shuffled" } else { "" };
        let validation = if self.validation == Validation::TestSet { "-tutorial" } else { "" };
        Arm {
            name: format!("pretrain-{classes}{labels}{validation}"),
            classes: self.classes,
            features: FeatureSource::Untrained,
            blocks: 0,
            head: Head::Fresh,
            training: TrainedLayers::Everything(1.0),
            budget: Budget::Stage,
            recipe: None,
            per_class: None,
            labels: self.labels,
            validation: self.validation,
            stage: Stage::Pretraining,
        }
    }
}

impl Arm {
    /// Whether it trains only the head, so that it can share its features with other arms.
    pub fn is_head_only(&self) -> bool {
        self.training == TrainedLayers::Head && self.head != Head::Pixels
    }

    /// Whether two arms differ only in their names and random bits, as `scratch` and stage 1 on its classes do.
    pub fn is_same_training(&self, other: &Arm) -> bool {
        let anonymous = |arm: &Arm| Arm { name: String::new(), stage: Stage::Transfer, ..arm.clone() };
        anonymous(self) == anonymous(other)
    }

    /// Whether chance moves the accuracies of two arms with the same seed together: they start from the same features,
    /// or learn from the same few pictures.
    pub fn shares_chance(&self, other: &Arm) -> bool {
        self.features == other.features || self.per_class.is_some() && self.per_class == other.per_class
    }
}
