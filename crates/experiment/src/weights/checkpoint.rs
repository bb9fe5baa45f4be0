//! Checkpoints: files from which interrupted training resumes bit for bit.
//!
//! A checkpoint is a [model file](crate::weights::model) with additional content: for each trainable parameter
//! `NAME/adam_m` and `NAME/adam_v`, Adam's running means of the gradients and of their squares, and in the metadata,
//! under `training`, the progress of training. It can be used as a model file, too.

use std::{path::Path, time::Duration};

use thawline_tensor::{
    Buffer,
    nn::{EpochReport, Fit, Network, Score, Snapshot, TrainingState},
};

use super::{
    metadata::{MOMENTS, Metadata, RunId, TrainingProgress},
    model::{self, Model},
    tensor_file::{self, Tensor, TensorFile},
};
use crate::{
    record::run::EpochRow,
    system::failure::{Failure, Kind, Result},
};

#[derive(Debug)]
pub struct Checkpoint {
    pub model: Model,
    pub progress: TrainingProgress,
    /// The moments of each trainable parameter, in the network's order.
    moments: Vec<[Buffer; 2]>,
}

/// The bytes of a checkpoint; `metadata` describes its model. Fails if a weight or moment is NaN or infinite.
pub fn to_bytes(snapshot: &Snapshot, metadata: &Metadata, run: &RunId) -> Result<Vec<u8>> {
    let state = snapshot.state;
    let (optimizer_steps, moments) = state.optimizer.state();
    let progress = TrainingProgress {
        epoch: state.epoch(),
        step: state.step,
        loss: state.score.loss,
        correct: state.score.correct,
        seconds: state.elapsed.as_secs_f64(),
        optimizer_steps,
        total_seconds: state.history.total.as_secs_f64(),
        features_seconds: state.history.features.as_secs_f64(),
        history: state.history.epochs.iter().map(EpochRow::from).collect(),
        run: run.clone(),
    };
    let params: Vec<_> = snapshot.params().collect();
    let mut tensors: Vec<Tensor> = Vec::new();
    let mut moments = moments.iter();
    for (name, param) in &params {
        let dims = param.shape.dims();
        tensors.push((name.clone(), dims, &param.value));
        // The optimizer has no moments before its first step.
        if let Some(pair) = param.is_learned().then(|| moments.next()).flatten() {
            let names = MOMENTS.map(|moment| format!("{name}/{moment}"));
            tensors.extend(names.into_iter().zip(pair).map(|(name, moment)| (name, dims, &moment[..])));
        }
    }
    for (name, _, values) in &tensors {
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Failure::new(
                Kind::Numeric,
                format!(
                    "{name} contains {value} in epoch {}, after step {}: try a lower learning rate; \
                     the last checkpoint is older and intact",
                    state.epoch() + 1,
                    state.step
                ),
            ));
        }
    }
    tensor_file::to_bytes(tensors, &Metadata { training: Some(progress), ..metadata.clone() })
}

impl Checkpoint {
    pub fn open(path: &Path) -> Result<Self> {
        model::open(path, Checkpoint::of)
    }

    /// Like [`open`](Self::open), from the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Checkpoint::of(&TensorFile::parse(bytes)?)
    }

    fn of(file: &TensorFile) -> Result<Self> {
        let (model, training) = Model::whole(file)?;
        let progress = training.ok_or_else(|| {
            Failure::usage("holds only a model's weights; expected a checkpoint, with the optimizer's moments")
        })?;
        let mut moments = Vec::new();
        let learned = model.network.params().filter(|(_, param)| param.is_learned());
        for (name, param) in learned.filter(|_| progress.optimizer_steps > 0) {
            let read = |moment| file.values(&format!("{name}/{moment}"), param.shape.dims());
            let [first, second] = MOMENTS.map(read);
            let pair = first.and_then(|first| Ok([Buffer::from(&first[..]), Buffer::from(&second?[..])]));
            moments.push(pair.map_err(Failure::usage)?);
        }
        Ok(Checkpoint { model, progress, moments })
    }

    /// Refuses a checkpoint of another version of the program, or of another run than the one that is resumed: with
    /// other settings, pictures, model or frozen layers.
    pub fn require_belongs(&self, metadata: &Metadata, run: &RunId, epochs: usize) -> Result<()> {
        let TrainingProgress { run: own, epoch, step, .. } = &self.progress;
        let differs = |what: &str, expected: &str, found: &str| {
            Err(Failure::usage(format!("belongs to another run: expected {what} {expected}, found {found}")))
        };
        let (theirs, ours) = (&self.model.metadata.thawline, &metadata.thawline);
        if theirs != ours {
            return Err(Failure::usage(format!(
                "was written by version {theirs}, but this is {ours}, which may compute different bits: \
                 resume with version {theirs}, or start over in another folder"
            )));
        }
        if own.config_sha256 != run.config_sha256 {
            let [before, now] = [own, run].map(|run| run.settings.as_deref());
            let differences = before.zip(now).map(|(before, now)| before.differences(now)).unwrap_or_default();
            if differences.is_empty() {
                return differs("settings of SHA-256", &run.config_sha256, &own.config_sha256);
            }
            let differences = differences.iter().map(|[name, before, now]| format!("{name} was {before} and is {now}"));
            return Err(Failure::usage(format!(
                "was written with settings that differ from config.toml: {}; restore the old ones, or start a new run",
                differences.collect::<Vec<_>>().join(", ")
            )));
        }
        if own.data_sha256 != run.data_sha256 {
            // The pictures are at fault, not the checkpoint.
            return Err(Failure::usage(format!(
                "belongs to a run on other pictures: expected pictures of SHA-256 {}, found {}; give the pictures that \
                 the run started with",
                own.data_sha256, run.data_sha256
            )));
        }
        let own = &self.model.metadata;
        if own.model != metadata.model {
            return differs("the model", &metadata.model, &own.model);
        }
        if own.frozen != metadata.frozen {
            return differs("frozen layers", &metadata.frozen.join(", "), &own.frozen.join(", "));
        }
        if (own.seed, &own.classes, &own.network) != (metadata.seed, &metadata.classes, &metadata.network) {
            return Err(Failure::usage(
                "belongs to another run: its seed, classes or network differ from config.toml".to_owned(),
            ));
        }
        if *epoch > epochs || (*epoch == epochs && *step > 0) {
            return Err(Failure::usage(format!(
                "does not fit this run of {epochs} epochs: it was saved after epoch {epoch}, step {step}"
            )));
        }
        let recorded = self.progress.history.len();
        if recorded != *epoch {
            return Err(Failure::usage(format!(
                "is damaged: it has {epoch} finished epochs, but metrics of {recorded}"
            )));
        }
        Ok(())
    }

    /// Copies the weights into a network and returns the state to resume from.
    pub fn restore(self, network: &mut Network, options: &Fit) -> TrainingState {
        network.copy_params(self.model.network.params());
        let TrainingProgress { step, loss, correct, seconds, optimizer_steps, history, .. } = self.progress;
        let duration = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let mut state = TrainingState { step, score: Score { loss, correct }, ..TrainingState::start(options) };
        state.elapsed = duration(seconds);
        state.history.total = duration(self.progress.total_seconds);
        state.history.features = duration(self.progress.features_seconds);
        state.history.epochs = history.iter().map(EpochReport::from).collect();
        state.optimizer.restore(optimizer_steps, self.moments);
        state
    }
}
