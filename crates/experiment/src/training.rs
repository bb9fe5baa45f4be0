//! Training one network on one task: the step that every arm of the experiment consists of.

use std::{ops::ControlFlow, time::Duration, time::Instant};

use thawline_tensor::{
    kernels::softmax::argmax,
    nn::{EpochReport, Fit, Network, Observer, StepReport, fit, predict},
};

use crate::{
    failure::{Failure, Result},
    record::{ConfusionMatrix, EpochRow, LayerRecord, ModelRecord, NetworkRecord},
    task::Task,
};

/// What watches a training; each method may end it by failing.
pub trait Monitor {
    /// The frozen features were computed (or there are none), in this time.
    ///
    /// # Errors
    /// To end the training.
    fn features(&mut self, seconds: f64) -> Result<()>;

    /// A step is done.
    ///
    /// # Errors
    /// To end the training.
    fn step(&mut self, report: &StepReport) -> Result<()>;

    /// An epoch is done, with its validation.
    ///
    /// # Errors
    /// To end the training.
    fn epoch(&mut self, row: &EpochRow) -> Result<()>;
}

/// Trains the network, as far as it is not frozen, and says how it went.
///
/// # Errors
/// If the loss stops being a number, the feature cache does not fit, the task and the network do not go together, or
/// the monitor ends it.
pub fn train(network: &mut Network, task: &Task, options: &Fit, monitor: &mut dyn Monitor) -> Result<ModelRecord> {
    let caches = options.cached && !network.prefix().is_empty();
    let mut recorder = Recorder { monitor, history: Vec::new(), features: Duration::ZERO, failure: None };
    let start = Instant::now();
    fit(network, &task.train, Some(&task.validation), options, &mut recorder)?;
    let total_seconds = start.elapsed().as_secs_f64();
    let Recorder { history, features, failure, .. } = recorder;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let epochs: f64 = history.iter().map(|row| row.seconds).sum();
    Ok(ModelRecord {
        network: describe(network),
        images_per_second: (history.len() * task.train.len()) as f64 / epochs,
        history,
        total_seconds,
        features_seconds: if caches { features.as_secs_f64() } else { 0.0 },
        confusion: confusion(network, task),
    })
}

/// Keeps the history, and turns a monitor's failure into the end of the training.
struct Recorder<'a> {
    monitor: &'a mut dyn Monitor,
    history: Vec<EpochRow>,
    features: Duration,
    failure: Option<Failure>,
}

impl Recorder<'_> {
    fn go_on_unless_failed(&mut self, result: Result<()>) -> ControlFlow<()> {
        match result {
            Ok(()) if self.failure.is_none() => ControlFlow::Continue(()),
            Ok(()) => ControlFlow::Break(()),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }
}

impl Observer for Recorder<'_> {
    fn features(&mut self, duration: Duration) {
        self.features = duration;
        // There is no way to stop here; the first step will.
        self.failure = self.monitor.features(duration.as_secs_f64()).err();
    }

    fn step(&mut self, report: &StepReport) -> ControlFlow<()> {
        let result = self.monitor.step(report);
        self.go_on_unless_failed(result)
    }

    fn epoch(&mut self, report: &EpochReport) -> ControlFlow<()> {
        let validation = report.validation.unwrap_or_default();
        let row = EpochRow {
            epoch: report.epoch as u32,
            seconds: report.duration.as_secs_f64(),
            loss: report.training.loss,
            accuracy: report.training.accuracy,
            val_loss: validation.loss,
            val_accuracy: validation.accuracy,
        };
        let result = self.monitor.epoch(&row);
        self.history.push(row);
        self.go_on_unless_failed(result)
    }
}

/// The layers for the record.
pub fn describe(network: &Network) -> NetworkRecord {
    let summary = network.summary();
    NetworkRecord {
        trainable: summary.trainable() as u64,
        frozen: summary.frozen() as u64,
        layers: summary
            .rows
            .into_iter()
            .map(|row| LayerRecord {
                name: row.name,
                kind: row.kind.to_owned(),
                output: row.output.dims().to_vec(),
                parameters: row.parameters as u64,
                trainable: row.trainable > 0,
                flops: row.flops,
                activation_bytes: row.activation_bytes,
            })
            .collect(),
    }
}

/// What the network takes each validation picture for.
fn confusion(network: &Network, task: &Task) -> ConfusionMatrix {
    let classes = task.names();
    let mut counts = vec![vec![0; classes.len()]; classes.len()];
    let logits = predict(network, &task.validation);
    for (logits, &label) in logits.data().chunks_exact(classes.len()).zip(task.validation.labels()) {
        counts[label as usize][argmax(logits)] += 1;
    }
    ConfusionMatrix { classes, counts }
}
