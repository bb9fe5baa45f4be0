//! Training one network on one task: the step that every arm of the experiment consists of.

use std::{ops::ControlFlow, time::Duration, time::Instant};

use thawline_tensor::{
    Tensor,
    kernels::softmax::argmax,
    nn::{EpochReport, Fit, Network, Observer, Rest, State, StepReport, fit_from, predict},
};

use crate::{
    failure::{Failure, Kind, Result},
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

    /// The training rests, after an epoch or where the monitor has ended it, `total_seconds` after it began; what is kept
    /// of it now can go on.
    ///
    /// # Errors
    /// To end the training.
    fn rest(&mut self, rest: &Rest, history: &[EpochRow], total_seconds: f64) -> Result<()>;

    /// Gives the network the weights that it had after its best epoch, this one, which are kept since the monitor rested
    /// there.
    ///
    /// # Errors
    /// If they are not there.
    fn restore_best(&mut self, network: &mut Network, epoch: usize) -> Result<()>;
}

/// Whether the validation accuracy has not risen for `patience` epochs.
pub fn has_stalled(history: &[EpochRow], patience: Option<usize>) -> bool {
    patience.is_some_and(|patience| history.len() - best_epoch(history) >= patience && !history.is_empty())
}

/// The epoch with the highest validation accuracy, the earliest of equals, counted from 1; 0 where there is none.
fn best_epoch(history: &[EpochRow]) -> usize {
    let highest = history.iter().map(|row| row.val_accuracy).fold(f64::NEG_INFINITY, f64::max);
    history.iter().position(|row| row.val_accuracy == highest).map_or(0, |best| best + 1)
}

/// A training's beginning: its very start, or where an earlier one rested.
pub struct Begun {
    /// Where the training stands.
    pub state: State,
    /// The finished epochs.
    pub history: Vec<EpochRow>,
    /// The time that they took, and what led up to them.
    pub total_seconds: f64,
}

impl Begun {
    /// The very start.
    pub fn new(options: &Fit) -> Self {
        Begun { state: State::start(options), history: Vec::new(), total_seconds: 0.0 }
    }
}

/// Trains the network, as far as it is not frozen, and says how it went. With `patience`, training ends where the
/// validation accuracy has not risen for so many epochs, and in any case the network gets the weights of the best epoch.
///
/// # Errors
/// If the loss stops being a number, the feature cache does not fit, the task and the network do not go together, or
/// the monitor ends it.
pub fn train(
    network: &mut Network,
    task: &Task,
    options: &Fit,
    patience: Option<usize>,
    begun: Begun,
    monitor: &mut dyn Monitor,
) -> Result<ModelRecord> {
    let caches = options.cached && !network.prefix().is_empty();
    let Begun { state, history, total_seconds: earlier } = begun;
    let start = Instant::now();
    let (keeping, features) = (Duration::ZERO, Duration::ZERO);
    let mut recorder = Recorder { monitor, history, patience, start, earlier, keeping, features, failure: None };
    if !has_stalled(&recorder.history, patience) {
        fit_from(state, network, &task.train, Some(&task.validation), options, &mut recorder)?;
    }
    let total_seconds = recorder.total_seconds();
    let Recorder { monitor, history, features, failure, .. } = recorder;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let best = best_epoch(&history);
    if patience.is_some() && best < history.len() {
        monitor.restore_best(network, best)?;
    }
    let epochs: f64 = history.iter().map(|row| row.seconds).sum();
    Ok(ModelRecord {
        network: describe(network),
        images_per_second: (history.len() * task.train.len()) as f64 / epochs,
        history,
        total_seconds,
        features_seconds: if caches { features.as_secs_f64() } else { 0.0 },
        confusion: confusion(&predict(network, &task.validation), task),
    })
}

/// Keeps the history, and turns a monitor's failure into the end of the training.
struct Recorder<'a> {
    monitor: &'a mut dyn Monitor,
    history: Vec<EpochRow>,
    patience: Option<usize>,
    start: Instant,
    /// Seconds before `start`.
    earlier: f64,
    /// Spent on keeping what rests, which is no part of the training's time.
    keeping: Duration,
    features: Duration,
    failure: Option<Failure>,
}

impl Recorder<'_> {
    fn total_seconds(&self) -> f64 {
        self.earlier + self.start.elapsed().saturating_sub(self.keeping).as_secs_f64()
    }

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
        match self.go_on_unless_failed(result) {
            ControlFlow::Continue(()) if has_stalled(&self.history, self.patience) => ControlFlow::Break(()),
            flow => flow,
        }
    }

    fn rest(&mut self, rest: Rest<'_>) -> ControlFlow<()> {
        // Ended by a signal, or since nobody reads the output, the training is sound and worth keeping.
        let sound = |failure: &Failure| matches!(failure.kind, Kind::Signal(_) | Kind::OutputClosed);
        if !self.failure.as_ref().is_none_or(sound) {
            return ControlFlow::Break(());
        }
        let (total_seconds, began) = (self.total_seconds(), Instant::now());
        let result = self.monitor.rest(&rest, &self.history, total_seconds);
        self.keeping += began.elapsed();
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

/// What each validation picture is classified as, by a network's logits.
pub fn confusion(logits: &Tensor, task: &Task) -> ConfusionMatrix {
    let classes = task.names();
    let mut counts = vec![vec![0; classes.len()]; classes.len()];
    for (logits, &label) in logits.data().chunks_exact(classes.len()).zip(task.validation.labels()) {
        counts[label as usize][argmax(logits)] += 1;
    }
    ConfusionMatrix { classes, counts }
}

#[cfg(test)]
pub(crate) mod tests {
    use thawline_tensor::nn::Examples;

    use super::*;
    use crate::{config::Config, models::Tutorial, record::ClassRecord};

    /// Dark pictures and light ones, in turns.
    pub(crate) fn two_classes(train: usize, validation: usize) -> Task<'static> {
        let examples = |count: usize| {
            let pixels: Vec<f32> = (0..count * 3072).map(|i| if i / 3072 % 2 == 0 { 0.1 } else { 0.9 }).collect();
            let labels = (0..count as u32).map(|i| i % 2).collect();
            Examples::new(Tensor::from_slice([count, 32, 32, 3], &pixels), labels)
        };
        let classes = ["dark", "light"].into_iter().enumerate();
        Task {
            classes: classes.map(|(label, name)| ClassRecord { label: label as u16, name: name.to_owned() }).collect(),
            train: examples(train),
            validation: examples(validation),
        }
    }

    /// Counts the calls, and fails at a step.
    #[derive(Default)]
    struct Count {
        steps: usize,
        epochs: usize,
        rests: usize,
        fail_at: Option<usize>,
    }

    impl Monitor for Count {
        fn features(&mut self, _: f64) -> Result<()> {
            if self.fail_at == Some(0) { Err(Failure::new(Kind::OutputClosed, "")) } else { Ok(()) }
        }

        fn step(&mut self, _: &StepReport) -> Result<()> {
            self.steps += 1;
            if self.fail_at == Some(self.steps) { Err(Failure::new(Kind::Signal(2), "")) } else { Ok(()) }
        }

        fn epoch(&mut self, row: &EpochRow) -> Result<()> {
            self.epochs += 1;
            assert_eq!(row.epoch as usize, self.epochs);
            Ok(())
        }

        fn rest(&mut self, _: &Rest, history: &[EpochRow], _: f64) -> Result<()> {
            self.rests += 1;
            assert_eq!(history.len(), self.epochs);
            Ok(())
        }

        fn restore_best(&mut self, _: &mut Network, _: usize) -> Result<()> {
            Ok(())
        }
    }

    fn trained(monitor: &mut Count) -> Result<ModelRecord> {
        let task = two_classes(20, 7);
        let architecture = Tutorial { filters: [2, 2], dense: 4, dropout: [0.0; 2], ..Tutorial::default() };
        let mut network = architecture.build(2, 5).unwrap();
        let config = Config { epochs: 12, batch_size: 8, learning_rate: 0.01, ..Config::small() };
        let options = config.fit(5, false);
        train(&mut network, &task, &options, None, Begun::new(&options), monitor)
    }

    #[test]
    fn a_training_stalls_where_the_accuracy_no_longer_rises() {
        let history = |accuracies: &[f64]| -> Vec<EpochRow> {
            let row = |(epoch, &val_accuracy): (usize, &f64)| EpochRow {
                epoch: epoch as u32 + 1,
                seconds: 1.0,
                loss: 1.0,
                accuracy: 0.5,
                val_loss: 1.0,
                val_accuracy,
            };
            accuracies.iter().enumerate().map(row).collect()
        };
        for (accuracies, best, stalls_at_2) in [
            (&[][..], 0, false),
            (&[0.5], 1, false),
            (&[0.5, 0.6, 0.6], 2, false),
            (&[0.5, 0.6, 0.6, 0.6], 2, true),
            (&[0.6, 0.5, 0.5, 0.7], 4, false),
            (&[0.0, 0.0, 0.0], 1, true),
        ] {
            let history = history(accuracies);
            assert_eq!((best_epoch(&history), has_stalled(&history, Some(2))), (best, stalls_at_2), "{accuracies:?}");
            assert!(!has_stalled(&history, None));
        }
    }

    #[test]
    fn dark_and_light_can_be_learned() {
        let mut count = Count::default();
        let record = trained(&mut count).unwrap();
        assert_eq!((count.steps, count.epochs, count.rests, record.history.len()), (36, 12, 12, 12));
        assert_eq!(record.last().unwrap().val_accuracy, 1.0);
        assert_eq!(record.confusion.counts, [[4, 0], [0, 3]]);
        assert_eq!(record.confusion.classes, ["dark", "light"]);
        assert!(record.total_seconds >= record.history.iter().map(|row| row.seconds).sum());
        assert!(record.images_per_second > 0.0);
    }

    #[test]
    fn a_monitors_failure_ends_the_training() {
        let mut count = Count { fail_at: Some(5), ..Count::default() };
        assert_eq!(trained(&mut count).unwrap_err().kind, Kind::Signal(2));
        assert_eq!((count.steps, count.epochs, count.rests), (5, 1, 2), "it rests where a signal ended it");
        // Where there are no steps yet, the first one ends it.
        let mut count = Count { fail_at: Some(0), ..Count::default() };
        assert_eq!(trained(&mut count).unwrap_err().kind, Kind::OutputClosed);
        assert_eq!((count.steps, count.epochs), (1, 0));
    }
}
