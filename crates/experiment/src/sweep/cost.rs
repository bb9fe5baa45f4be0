//! What jobs cost, in a common unit: one example in a step that trains all layers. Measured on the tutorial's network
//! and rough for others; good enough to tell how much of a sweep is left.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    arms::{Arm, Head, Pretraining, TrainedLayers, require_fitting_head, require_matchable},
    folder::SweepFolder,
    plan::Job,
    protocol::Pictures,
    settings::SweepSettings,
};
use crate::{data::open::Data, system::failure::Result};

/// The cost of an example in a step that trains all layers: the unit.
pub const EVERYTHING: f64 = 1.0;

/// The cost of an example in a step that trains the head on cached features.
const HEAD: f64 = 0.13;

/// The cost of an example's forward pass through the frozen layers.
const FEATURES: f64 = 0.28;

/// The cost of an example in a step that trains only the head.
pub fn head(arm: &Arm, features_are_shared: bool) -> f64 {
    HEAD + if features_are_shared || arm.head == Head::Pixels { 0.0 } else { FEATURES }
}

/// The work of all training steps of a job.
fn job(arm: &Arm, settings: &SweepSettings, epoch_examples: usize) -> f64 {
    // Features of randomly augmented pictures, and of an arm that then trains all layers, are not shared.
    let head = head(arm, settings.augment.is_none() && arm.is_head_only());
    let epochs = settings.epochs_of(arm);
    let first = epochs.div_ceil(2);
    let examples = epoch_examples as f64;
    match arm.training {
        TrainedLayers::Head => epochs as f64 * examples * head,
        TrainedLayers::Everything(_) => epochs as f64 * examples * EVERYTHING,
        TrainedLayers::HeadThenEverything(_) => examples * (first as f64 * head + (epochs - first) as f64 * EVERYTHING),
    }
}

/// The work of one job of each arm. Finding it checks, before anything is written, that the data set has what the arms
/// need.
pub struct ArmCosts<'a> {
    settings: &'a SweepSettings,
    epoch_examples: BTreeMap<String, usize>,
}

impl<'a> ArmCosts<'a> {
    /// The work of some arms and of the pretrainings that they need.
    ///
    /// # Errors
    /// If the data set lacks classes or pictures, or an arm does not fit the network or the numbers of classes.
    pub fn new(data: &Data, source_data: Option<&Data>, settings: &'a SweepSettings, arms: &[Arm]) -> Result<Self> {
        let classes = settings.classes();
        let stages = arms.iter().filter_map(|arm| arm.features.pretraining()).map(Pretraining::arm);
        let mut epoch_examples = BTreeMap::new();
        for arm in arms.iter().cloned().chain(stages) {
            if epoch_examples.contains_key(&arm.name) {
                continue;
            }
            require_matchable(&arm, &settings.network)?;
            let pictures = Pictures::of(&arm, settings, data, source_data);
            let pictures = pictures.map_err(|failure| failure.within(&arm.name))?;
            if let Some(pretraining) = arm.features.pretraining() {
                let source = classes.of(pretraining.classes).map_err(|failure| failure.within(&arm.name))?;
                require_fitting_head(&arm, pictures.classes.len(), source.len())?;
            }
            let epoch = pictures.epoch(arm.per_class, 0).map_err(|failure| failure.within(&arm.name))?;
            epoch_examples.insert(arm.name, epoch.positions.len());
        }
        Ok(ArmCosts { settings, epoch_examples })
    }

    /// Pictures of the longest epoch.
    pub fn largest_epoch(&self) -> usize {
        self.epoch_examples.values().copied().max().unwrap_or(0)
    }

    /// The work of one job of an arm.
    fn of(&self, arm: &Arm) -> f64 {
        let examples = self.epoch_examples.get(&arm.name).copied().unwrap_or(0);
        job(arm, self.settings, examples)
    }

    /// The number of unfinished jobs and pretrainings, and their work, without that of computing the frozen features.
    pub fn left(&self, unfinished: &UnfinishedJobs) -> (usize, f64) {
        let UnfinishedJobs { jobs, pretrainings } = unfinished;
        let of_pretrainings: f64 = pretrainings.iter().map(|(pretraining, _)| self.of(&pretraining.arm())).sum();
        let of_jobs: f64 = jobs.iter().map(|job| self.of(&job.arm)).sum();
        // An empty sum of floats is -0.0.
        (jobs.len() + pretrainings.len(), 0.0 + of_jobs + of_pretrainings)
    }
}

/// Jobs that have no record, and the pretrainings that they need.
pub struct UnfinishedJobs {
    pub jobs: Vec<Job>,
    pub pretrainings: BTreeSet<(Pretraining, u64)>,
}

impl UnfinishedJobs {
    /// The unfinished jobs of a folder.
    pub fn find(folder: &SweepFolder, jobs: &[Job]) -> Self {
        let mut unfinished = UnfinishedJobs { jobs: Vec::new(), pretrainings: BTreeSet::new() };
        for job in jobs {
            // Before the trials are done the recipe is unknown, so only the record's existence counts.
            if folder.has_record(&job.arm, job.seed) {
                continue;
            }
            unfinished.jobs.push(job.clone());
            if let Some(pretraining) = job.arm.features.pretraining()
                && !folder.has_weights(&pretraining.arm(), job.seed)
            {
                unfinished.pretrainings.insert((pretraining, job.seed));
            }
        }
        unfinished
    }
}
