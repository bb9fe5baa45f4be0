//! The experiment, in the order of the tutorial.
//!
//! A network learns some classes, here called the source. Its convolutional layers are frozen: they turn a picture into
//! features. A new dense head on top of these features learns the other classes, the target, and trains faster: nothing
//! is propagated back through the frozen layers, and each picture's features can be computed once and cached. The same
//! layers, with untrained features, are the control.

use thawline_tensor::nn::Network;

use super::{draft::Draft, folder::Start, prepare::Costs, session::Session};
use crate::{
    data::{classes, open::Data, task::Task},
    models::INPUT,
    record::{
        config::Config,
        run::{CONTROL, FORMAT, FeaturesRecord, FrozenTensor, ModelRecord, RunRecord},
    },
    system::{
        failure::{Failure, Kind, Result},
        machine,
    },
    training::{
        train,
        transfer::{self, Trained, Transfer},
    },
    weights::{metadata, model::Model},
};

/// The experiment before anything is trained or written.
pub struct Experiment<'a> {
    /// CIFAR, the user's archive, or the built-in pictures: what [`open`](crate::data::open::open) found.
    pub data: &'a Data,
    pub config: &'a Config,
    pub source: FeatureOrigin<'a>,
    pub target: Task<'a>,
    /// model_2, and which of its tensors are copied from the source.
    pub transfer: Transfer,
    pub costs: Costs,
}

/// Where model_2's features come from.
pub enum FeatureOrigin<'a> {
    /// From model_1, which is trained first.
    Model1 { task: Task<'a>, network: Network },
    /// From a file that holds a trained network.
    File(Box<Model>),
}

impl<'a> Experiment<'a> {
    /// Splits the classes and outlines both networks. An outline has shapes but no weights, so layers that do not
    /// match, and networks that do not fit in memory, are refused here.
    pub fn new(data: &'a Data, config: &'a Config, from: Option<Model>) -> Result<Self> {
        let names = data.dataset.classes();
        let target = classes::parse("--target", &config.target, names)?;
        let source = match (&config.source, from) {
            (Some(source), _) => {
                let source = classes::parse("--source", source, names)?;
                classes::require_disjoint(&source, &target)?;
                let task = Task::new(&data.dataset, source, config.limit, config.augment)?;
                FeatureOrigin::Model1 { network: config.network.outline(task.classes.len())?, task }
            }
            (None, Some(model)) => FeatureOrigin::File(Box::new(model)),
            (None, None) => return Err(Failure::usage("the settings have neither source nor from")),
        };
        let target = Task::new(&data.dataset, target, config.limit, config.augment)?;

        // model_2 has the same layers, frozen up to the last one of the features, and one output per target class.
        let transfer = transfer::model_2(source.trained(), target.classes.len(), config)?;
        let costs = Costs::new(config, source.model_1(), &target, &transfer.network)?;
        Ok(Experiment { data, config, source, target, transfer, costs })
    }

    /// Trains both models and the control, and reports on them. The session shows progress, saves checkpoints, and
    /// skips what an interrupted run has already done.
    pub fn perform(mut self, session: &mut Session) -> Result<RunRecord> {
        let (config, seed) = (self.config, self.config.seed);
        session.draft = Some(self.draft(session)?);

        // Train all of model_1 on the source classes.
        let record_1 = match &mut self.source {
            FeatureOrigin::Model1 { task, network } => {
                network.initialize(seed)?;
                Some(session.train("model_1", network, task, config.fit(seed, false))?)
            }
            FeatureOrigin::File(_) => None,
        };

        // Copy the weights of the features into model_2, where they stay frozen. Its head starts with new weights, or
        // with `--head warm` with those of the source's head.
        self.transfer.fill(self.source.trained(), seed)?;
        self.source.release();
        let model_2 = &mut self.transfer.network;
        let before = metadata::frozen_hashes(model_2);

        // Train the head on the target classes. If features are cached, every picture goes through the frozen layers
        // once, before the first epoch; all epochs then work on these features.
        let fit = config.fit(transfer::seed(seed), self.costs.cache.cached);
        let record_2 = session.train("model_2", model_2, &self.target, fit)?;

        // Check that no frozen weight has changed.
        let frozen = metadata::compare_frozen(before, model_2);

        // Train the control: the same layers from fresh weights, with the same ones frozen.
        let control = if frozen.is_empty() {
            None
        } else {
            model_2.initialize(transfer::seed(seed))?;
            Some(session.train(CONTROL, model_2, &self.target, fit)?)
        };

        // Write the report.
        let record =
            RunRecord { frozen_random: control, ..self.record(session.start.clone(), record_1, record_2, frozen)? };
        session.finish(&record, self.data)?;
        Ok(record)
    }

    /// The record before the first epoch.
    fn draft(&self, session: &Session) -> Result<Draft> {
        let outline = |network| ModelRecord { network: train::describe(network), ..ModelRecord::default() };
        let model_1 = self.source.model_1().map(|(_, network)| outline(network));
        let record = self.record(session.start.clone(), model_1, outline(&self.transfer.network), Vec::new())?;
        Ok(Draft::new(RunRecord { unfinished: true, ..record }, self.data))
    }

    fn record(
        &self,
        start: Start,
        model_1: Option<ModelRecord>,
        model_2: ModelRecord,
        frozen: Vec<FrozenTensor>,
    ) -> Result<RunRecord> {
        let config = self.config;
        Ok(RunRecord {
            format: FORMAT,
            thawline: env!("CARGO_PKG_VERSION").to_owned(),
            command: start.command,
            config: serde_json::to_value(config).map_err(|error| Failure::new(Kind::Other, error.to_string()))?,
            seed: config.seed,
            environment: start.environment,
            data: self.data.record(),
            source: self.source.model_1().map(|(task, _)| task.record()),
            target: self.target.record(),
            head: config.head,
            model_1,
            from: match &self.source {
                FeatureOrigin::Model1 { .. } => None,
                FeatureOrigin::File(model) => Some(FeaturesRecord {
                    path: config.from.clone().unwrap_or_default(),
                    sha256: model.sha256.clone(),
                    model: model.metadata.model.clone(),
                    classes: model.metadata.classes.clone(),
                    tensors: self.transfer.tensors.clone(),
                }),
            },
            model_2,
            frozen_random: None,
            frozen_unchanged: frozen.iter().all(|tensor| tensor.before == tensor.after),
            frozen,
            peak_memory_bytes: machine::peak_memory_bytes(),
            unfinished: false,
        })
    }
}

impl FeatureOrigin<'_> {
    /// The network whose layers are copied to model_2.
    pub fn trained(&self) -> Trained<'_> {
        match self {
            FeatureOrigin::Model1 { network, .. } => Trained { network, features_only: None },
            FeatureOrigin::File(model) => Trained { network: &model.network, features_only: model.features_only() },
        }
    }

    /// model_1 and what it is trained on, unless the features come from a file.
    pub fn model_1(&self) -> Option<(&Task<'_>, &Network)> {
        match self {
            FeatureOrigin::Model1 { task, network } => Some((task, network)),
            FeatureOrigin::File(_) => None,
        }
    }

    /// Frees the trained network's memory, once model_2 has its weights.
    fn release(&mut self) {
        let network = match self {
            FeatureOrigin::Model1 { network, .. } => network,
            FeatureOrigin::File(model) => &mut model.network,
        };
        if let Ok(empty) = Network::builder(INPUT).outline() {
            *network = empty;
        }
    }
}
