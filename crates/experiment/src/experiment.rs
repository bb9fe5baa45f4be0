//! The experiment before it begins: its parts, checked against each other and against the machine.

use thawline_tensor::nn::Network;

use crate::{
    classes,
    config::Config,
    data::Data,
    estimate::{Memory, Work},
    failure::{Failure, Kind, Result},
    machine,
    models::Architecture,
    progress::bytes,
    record::{FrozenTensor, TaskRecord},
    report::ReportPictures,
    task::{self, Task},
    transfer::{self, CachePlan},
    weights,
};

/// Pictures of each class in the report.
const SAMPLES: usize = 10;

/// Two tasks, a network for the first, and what all of it will cost.
pub struct Experiment<'a> {
    /// The pictures.
    pub data: &'a Data,
    /// The settings.
    pub config: &'a Config,
    /// What model_1 learns.
    pub source: Task<'a>,
    /// What model_2 learns.
    pub target: Task<'a>,
    /// The first network, untrained.
    pub model_1: Network,
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
    /// Classes that are not there or in both halves; a network that does not fit together; more memory than there is.
    pub fn prepare(data: &'a Data, config: &'a Config) -> Result<Self> {
        let names = data.dataset.classes();
        let source = classes::parse("--source", &config.source, names)?;
        let target = classes::parse("--target", &config.target, names)?;
        classes::require_disjoint(&source, &target)?;
        let source = Task::new(&data.dataset, source, config.limit)?;
        let target = Task::new(&data.dataset, target, config.limit)?;
        require_buildable(&config.network, source.classes.len().max(target.classes.len()))?;
        let model_1 = config.network.build(source.classes.len(), config.seed)?;
        // model_2 as it will be, but for its weights: it tells what will be frozen.
        let outline = transfer::model_2(&model_1, target.classes.len(), config)?;
        let free = machine::free_memory();
        let cache = transfer::plan_cache(&outline, &target, config.cache, free)?;
        let batch = config.batch_size.min(source.train.len().max(target.train.len()));
        let memory = Memory::new(data.bytes(), &model_1, batch, cache.kept_bytes());
        require_memory(&memory, free)?;
        let work = Work::new(config, &source, &target, &outline, cache.cached);
        Ok(Experiment { data, config, source, target, model_1, cache, memory, work })
    }

    /// Both tasks as the run's record describes them.
    pub fn tasks(&self) -> [TaskRecord; 2] {
        [self.source.record(), self.target.record()]
    }

    /// Pictures of both halves, to look at.
    pub fn pictures(&self) -> ReportPictures {
        let samples = |task: &Task| task::samples(self.data.dataset.train(), &task.classes, SAMPLES);
        ReportPictures { source: samples(&self.source), target: samples(&self.target) }
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
