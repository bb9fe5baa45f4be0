//! The experiment before it begins: its parts, checked against each other and against the machine.

use std::path::Path;

use thawline_tensor::nn::Network;

use crate::{
    data::{
        classes,
        open::Data,
        task::{self, Task},
    },
    models::INPUT,
    record::{
        config::Config,
        run::{FeaturesRecord, FrozenTensor, ReportPictures, RunRecord, TaskRecord},
    },
    system::{
        failure::{Failure, Result},
        machine,
        memory::{Memory, Training},
    },
    training::{
        estimate::Work,
        transfer::{self, CachePlan, Trained, Transfer},
    },
    weights::{metadata, model::Model},
};

/// Pictures of each class in the report.
const SAMPLES: usize = 10;

/// Where model_2's features come from.
pub enum Features<'a> {
    /// From model_1, which learns a task of its own first.
    Model1 {
        /// What it learns.
        task: Task<'a>,
        /// The network, without values yet.
        network: Network,
    },
    /// From a file.
    File(Box<Model>),
}

impl Features<'_> {
    /// The network whose layers model_2 takes over.
    pub fn trained(&self) -> Trained<'_> {
        match self {
            Features::Model1 { network, .. } => Trained { network, features_alone: None },
            Features::File(model) => Trained { network: &model.network, features_alone: model.features_alone() },
        }
    }

    /// Lets go of that network, once model_2 has what it takes over.
    pub fn release(&mut self) {
        let network = match self {
            Features::Model1 { network, .. } => network,
            Features::File(model) => &mut model.network,
        };
        if let Ok(empty) = Network::builder(INPUT).outline() {
            *network = empty;
        }
    }

    /// What model_1 learns, if there is one.
    pub fn source(&self) -> Option<&Task<'_>> {
        match self {
            Features::Model1 { task, .. } => Some(task),
            Features::File(_) => None,
        }
    }
}

/// Features, a task for them, and what all of it will cost.
pub struct Experiment<'a> {
    /// The pictures.
    pub data: &'a Data,
    /// The settings.
    pub config: &'a Config,
    /// Where the features come from.
    pub features: Features<'a>,
    /// What model_2 learns.
    pub target: Task<'a>,
    /// What model_2 takes over from the file, or would from model_1.
    pub transfer: Transfer,
    /// Whether the frozen features will be kept.
    pub cache: CachePlan,
    /// The memory that the run takes.
    pub memory: Memory,
    /// The work that the run is.
    pub work: Work,
}

impl<'a> Experiment<'a> {
    /// Puts the parts together, with the model that the features come from, if it is a file's. Nothing is trained, written or
    /// allocated: what cannot be done is refused here.
    ///
    /// # Errors
    /// Classes that are not there or in both halves; a network that does not fit together; more memory than there is.
    pub fn prepare(data: &'a Data, config: &'a Config, from: Option<Model>) -> Result<Self> {
        let names = data.dataset.classes();
        let target = classes::parse("--target", &config.target, names)?;
        let features = match (&config.source, from) {
            (Some(source), _) => {
                let source = classes::parse("--source", source, names)?;
                classes::require_disjoint(&source, &target)?;
                let task = Task::new(&data.dataset, source, config.limit, config.augment)?;
                Features::Model1 { network: config.network.outline(task.classes.len())?, task }
            }
            (None, Some(model)) => Features::File(Box::new(model)),
            (None, None) => return Err(Failure::usage("the settings have neither source nor from")),
        };
        let target = Task::new(&data.dataset, target, config.limit, config.augment)?;
        let transfer = transfer::model_2(features.trained(), target.classes.len(), config)?;
        let (outline, source) = (&transfer.network, features.source());
        let free = machine::free_memory();
        let cache = transfer::plan_cache(outline, &target, config.cache, free)?;
        let training = |network, task: &Task, features| {
            let batch = config.batch_size.min(task.train.len());
            Training { network, batch, validation: task.validation.len(), features, checkpoints: true }
        };
        let second = training(outline, &target, cache.kept_bytes());
        let memory = match &features {
            Features::Model1 { task, network } => Memory::of_trainings([training(network, task, 0), second]),
            Features::File(_) => Memory::of_trainings([second]),
        };
        memory.require("the run", "lower --batch-size or --filters, or use --cache off")?;
        let work = Work::new(config, source, &target, outline, cache.cached);
        Ok(Experiment { data, config, features, target, transfer, cache, memory, work })
    }

    /// The file of features as the run's record describes it, with what became of each tensor.
    pub fn features_record(&self) -> Option<FeaturesRecord> {
        match &self.features {
            Features::Model1 { .. } => None,
            Features::File(model) => Some(FeaturesRecord {
                path: self.config.from.clone().unwrap_or_default(),
                sha256: model.sha256.clone(),
                model: model.metadata.model.clone(),
                classes: model.metadata.classes.clone(),
                tensors: self.transfer.tensors.clone(),
            }),
        }
    }
}

/// Pictures of both halves of a run, to look at.
pub fn pictures(data: &Data, record: &RunRecord) -> ReportPictures {
    let samples = |task: &TaskRecord| task::samples(data.dataset.train(), &task.classes, SAMPLES);
    ReportPictures { source: record.source.as_ref().map(samples).unwrap_or_default(), target: samples(&record.target) }
}

/// Opens a file of features, which must still be the one that the settings were made for.
///
/// # Errors
/// The file, the tensor, what was expected and what was found.
pub fn open_features(path: &Path, sha256: Option<&str>) -> Result<Model> {
    let model = Model::open_features(path).map_err(|failure| failure.within("--from"))?;
    match sha256 {
        Some(expected) if model.sha256 != expected => Err(Failure::usage(format!(
            "--from: {}: has another content than when the run began: expected SHA-256 {expected}, found {}",
            path.display(),
            model.sha256
        ))),
        _ => Ok(model),
    }
}

/// The frozen tensors' hashes from before a training, beside those of now.
pub fn compare_frozen(before: Vec<(String, String)>, now: &Network) -> Vec<FrozenTensor> {
    let compare = |(name, before): (String, String)| {
        let after = metadata::hash(now, &name).unwrap_or_default();
        FrozenTensor { name, before, after }
    };
    before.into_iter().map(compare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Tutorial;

    #[test]
    fn a_changed_tensor_shows() {
        let mut network = Tutorial { filters: [2, 2], dense: 2, ..Tutorial::default() }.build(2, 1).unwrap();
        network.freeze_through("conv2d_1").unwrap();
        let before = metadata::frozen_hashes(&network);
        network.update_params(|name, param| {
            if name == "conv2d_1/kernel" {
                param.value[0] += 1.0;
            }
        });
        let changed = |tensor: &FrozenTensor| tensor.before != tensor.after;
        assert_eq!(compare_frozen(before, &network).iter().map(changed).collect::<Vec<_>>(), [true, false]);
    }
}
