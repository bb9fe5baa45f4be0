//! What a run needs before it begins: estimates of its memory and time, the file its features come from, and sample
//! pictures for its report.

use std::path::Path;

use thawline_tensor::nn::Network;

use crate::{
    data::{
        open::Data,
        task::{self, Task},
    },
    record::{config::Config, data::TaskRecord, pictures::ReportPictures, run::RunRecord},
    system::{
        failure::{Failure, Result},
        machine,
        memory::{Memory, Training},
    },
    training::{
        estimate::RunWork,
        transfer::{self, CachePlan},
    },
    weights::model::Model,
};

/// Pictures of each class in the report.
const SAMPLES: usize = 10;

/// What a run costs.
pub struct Costs {
    /// Whether the frozen features are cached.
    pub cache: CachePlan,
    pub memory: Memory,
    pub work: RunWork,
}

impl Costs {
    /// The costs of training both models, or only model_2. The networks are outlines.
    pub fn new(config: &Config, model_1: Option<(&Task, &Network)>, target: &Task, model_2: &Network) -> Result<Self> {
        let cache = transfer::plan_cache(model_2, target, config.cache, machine::free_memory())?;
        let training = |task: &Task, network, features| {
            let batch = config.batch_size.min(task.train.len());
            Training { network, batch, validation: task.validation.len(), features, checkpoints: true }
        };
        let second = training(target, model_2, cache.kept_bytes());
        let memory = match model_1 {
            Some((source, model_1)) => Memory::of_training_runs([training(source, model_1, 0), second]),
            None => Memory::of_training_runs([second]),
        };
        memory.require("the run", "lower --batch-size or --filters, or use --cache off")?;
        let work = RunWork::new(config, model_1.map(|(source, _)| source), target, model_2, cache.cached);
        Ok(Costs { cache, memory, work })
    }
}

/// Sample pictures of a run's source and target classes, for its report.
pub fn pictures(data: &Data, record: &RunRecord) -> ReportPictures {
    let samples = |task: &TaskRecord| task::samples(data.dataset.train(), &task.classes, SAMPLES);
    ReportPictures { source: record.source.as_ref().map(samples).unwrap_or_default(), target: samples(&record.target) }
}

/// Opens a features file. It must have this SHA-256, if one is given: that of the file when the run began.
pub fn open_features(path: &Path, sha256: Option<&str>) -> Result<Model> {
    let model = Model::open_features(path).map_err(|failure| failure.within("--from"))?;
    match sha256 {
        Some(expected) if model.sha256 != expected => Err(Failure::usage(format!(
            "--from: {}: the file has changed since the run began: expected SHA-256 {expected}, found {}",
            path.display(),
            model.sha256
        ))),
        _ => Ok(model),
    }
}
