//! The experiment before it begins: its parts, checked against each other and against the machine.

use std::path::Path;

use thawline_tensor::nn::Network;

use crate::{
    classes,
    config::Config,
    data::Data,
    estimate::{Memory, Work},
    failure::{Failure, Kind, Result},
    machine,
    model_file::Model,
    models::Architecture,
    progress::bytes,
    record::{FeaturesRecord, FrozenTensor, TakenTensor},
    report::ReportPictures,
    task::{self, Task},
    transfer::{self, CachePlan, Trained, Transfer},
    weights,
};

/// Pictures of each class in the report.
const SAMPLES: usize = 10;

/// Where model_2's features come from.
pub enum Features<'a> {
    /// From model_1, which learns a task of its own first.
    Model1 {
        /// What it learns.
        task: Task<'a>,
        /// The network, untrained.
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
    /// Puts the parts together. Nothing is trained and nothing written: what cannot be done is refused here.
    ///
    /// # Errors
    /// Classes that are not there or in both halves; a network that does not fit together; a file of features that is not
    /// whole; more memory than there is.
    pub fn prepare(data: &'a Data, config: &'a Config) -> Result<Self> {
        let names = data.dataset.classes();
        let target = classes::parse("--target", &config.target, names)?;
        let features = match (&config.source, &config.from) {
            (Some(source), _) => {
                let source = classes::parse("--source", source, names)?;
                classes::require_disjoint(&source, &target)?;
                let task = Task::new(&data.dataset, source, config.limit, config.augment)?;
                require_buildable(&config.network, task.classes.len())?;
                Features::Model1 { network: config.network.build(task.classes.len(), config.seed)?, task }
            }
            (None, Some(path)) => Features::File(Box::new(open_features(path, config.from_sha256.as_deref())?)),
            (None, None) => return Err(Failure::usage("the settings have neither source nor from")),
        };
        let target = Task::new(&data.dataset, target, config.limit, config.augment)?;
        require_buildable(&config.network, target.classes.len())?;
        let transfer = transfer::model_2(features.trained(), target.classes.len(), config)?;
        let (outline, source) = (&transfer.network, features.source());
        let free = machine::free_memory();
        let cache = transfer::plan_cache(outline, &target, config.cache, free)?;
        let most = target.train.len().max(source.map_or(0, |source| source.train.len()));
        let memory = Memory::new(data.bytes(), outline, config.batch_size.min(most), cache.kept_bytes());
        require_memory(&memory, free)?;
        let work = Work::new(config, source, &target, outline, cache.cached);
        Ok(Experiment { data, config, features, target, transfer, cache, memory, work })
    }

    /// The file of features as the run's record describes it, with what became of each tensor.
    pub fn features_record(&self, tensors: Vec<TakenTensor>) -> Option<FeaturesRecord> {
        match &self.features {
            Features::Model1 { .. } => None,
            Features::File(model) => Some(FeaturesRecord {
                path: self.config.from.clone().unwrap_or_default(),
                sha256: model.sha256.clone(),
                model: model.metadata.model.clone(),
                classes: model.metadata.classes.clone(),
                tensors,
            }),
        }
    }

    /// Pictures of both halves, to look at.
    pub fn pictures(&self) -> ReportPictures {
        let samples = |task: &Task| task::samples(self.data.dataset.train(), &task.classes, SAMPLES);
        ReportPictures {
            source: self.features.source().map(samples).unwrap_or_default(),
            target: samples(&self.target),
        }
    }
}

/// Opens a file of features, which must still be the one that the settings were made for.
fn open_features(path: &str, sha256: Option<&str>) -> Result<Model> {
    let model = Model::open_features(Path::new(path)).map_err(|failure| failure.within("--from"))?;
    match sha256 {
        Some(expected) if model.sha256 != expected => Err(Failure::usage(format!(
            "--from: {path}: has another content than when the run began: expected SHA-256 {expected}, found {}",
            model.sha256
        ))),
        _ => Ok(model),
    }
}

/// The frozen tensors' hashes from before a training, beside those of now.
pub fn compare_frozen(before: Vec<(String, String)>, now: &Network) -> Vec<FrozenTensor> {
    let compare = |(name, before): (String, String)| {
        let after = weights::hash(now, &name).unwrap_or_default();
        FrozenTensor { name, before, after }
    };
    before.into_iter().map(compare).collect()
}

/// Refuses a network whose parameters would not fit in memory, before any is made.
///
/// # Errors
/// Names the number of parameters and the flags.
pub fn require_buildable(architecture: &Architecture, classes: usize) -> Result<()> {
    // Far more than any network for 32 x 32 pictures has use for, and 20 GB to train.
    const MOST: u64 = 1_000_000_000;
    let parameters = architecture.parameters(classes);
    if parameters > MOST {
        return Err(Failure::usage(format!(
            "this network would have {parameters} parameters; expected at most {MOST}: \
             use fewer filters or units, or larger pools"
        )));
    }
    Ok(())
}

/// Refuses a run that the machine cannot hold, before the system ends it in the middle.
fn require_memory(memory: &Memory, free: Option<u64>) -> Result<()> {
    // The pictures are in memory already.
    let more = memory.total() - memory.data;
    match free {
        Some(free) if more > free => Err(Failure::new(
            Kind::Environment,
            format!(
                "the run takes up to {} more memory, and {} are free: lower --batch-size or --filters, or use --cache off",
                bytes(more),
                bytes(free)
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Tutorial;

    #[test]
    fn more_memory_than_there_is_is_refused_and_the_pictures_are_not_counted_twice() {
        let memory = Memory { data: 100, parameters: 20, batch: 30, features: 50 };
        assert!(require_memory(&memory, Some(100)).is_ok() && require_memory(&memory, None).is_ok());
        let failure = require_memory(&memory, Some(99)).unwrap_err();
        assert_eq!(failure.kind, Kind::Environment);
        assert!(failure.message.contains("100 B more memory, and 99 B are free"), "{failure}");
    }

    #[test]
    fn a_changed_tensor_shows() {
        let mut network = Tutorial { filters: [2, 2], dense: 2, ..Tutorial::default() }.build(2, 1).unwrap();
        network.freeze_through("conv2d_1").unwrap();
        let before = weights::frozen_hashes(&network);
        network.update_params(|name, param| {
            if name == "conv2d_1/kernel" {
                param.value[0] += 1.0;
            }
        });
        let changed = |tensor: &FrozenTensor| tensor.before != tensor.after;
        assert_eq!(compare_frozen(before, &network).iter().map(changed).collect::<Vec<_>>(), [true, false]);
    }
}
