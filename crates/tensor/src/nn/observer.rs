//! What training reports: to an [`Observer`] while it runs, and a [`History`] at its end.

use std::error::Error;
use std::time::Duration;

use super::freeze::Prefix;
use super::layer::Param;
use super::network::{Node, params};
use super::optimizer::Optimizer;
use super::score::{Metrics, Score};

/// Watches training, and can stop it by returning an error. [`StopEarly`] ends it as if it had finished; any other
/// error makes it fail with [`FitError::Stopped`](super::FitError::Stopped), which holds that error.
///
/// ```
/// use thawline_tensor::nn::{Dense, EpochReport, Examples, Fit, Network, Observer, StopEarly, StopReason};
/// use thawline_tensor::Tensor;
///
/// /// Stops training once the loss is low enough.
/// struct Until(f64);
///
/// impl Observer for Until {
///     fn epoch(&mut self, report: &EpochReport) -> Result<(), StopReason> {
///         if report.training.loss < self.0 { Err(StopEarly.into()) } else { Ok(()) }
///     }
/// }
///
/// let mut network = Network::builder([1]).layer("logits", Dense::new(2)).build(1)?;
/// let signs = Examples::new(Tensor::from_slice([2, 1], &[-1.0, 1.0]), vec![0, 1]);
/// let options = Fit { epochs: 1000, rate: 0.1, ..Fit::default() };
/// let history = network.fit(&signs, options.watch(&mut Until(0.1)))?;
/// assert!(history.epochs.len() < 1000 && history.last().unwrap().training.loss < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Observer {
    /// The features of the frozen prefix took this long to compute. Called before the first epoch, even if nothing is
    /// frozen or cached.
    ///
    /// # Errors
    /// Return one to stop training.
    fn features(&mut self, duration: Duration) -> Result<(), StopReason> {
        let _ = duration;
        Ok(())
    }

    /// A step is done.
    ///
    /// # Errors
    /// Return one to stop training.
    fn step(&mut self, report: &StepReport) -> Result<(), StopReason> {
        let _ = report;
        Ok(())
    }

    /// An epoch and its validation are done.
    ///
    /// # Errors
    /// Return one to stop training.
    fn epoch(&mut self, report: &EpochReport) -> Result<(), StopReason> {
        let _ = report;
        Ok(())
    }

    /// Called after each epoch, and after a step that stops training. What is saved here can be resumed with
    /// [`Fit::resume`](super::Fit::resume).
    ///
    /// # Errors
    /// Return one to stop training. It is ignored if `step` or `epoch` has already returned one.
    fn snapshot(&mut self, snapshot: Snapshot<'_>) -> Result<(), StopReason> {
        let _ = snapshot;
        Ok(())
    }
}

/// Watches nothing.
impl Observer for () {}

/// Why an [`Observer`] stops training.
pub type StopReason = Box<dyn Error + Send + Sync>;

/// Stops training without making it fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("training was stopped early")]
pub struct StopEarly;

/// A finished step.
#[derive(Clone, Copy, Debug)]
pub struct StepReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step in its epoch, counted from 1.
    pub step: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Examples seen in this epoch.
    pub examples: usize,
    /// The running means of this epoch, as Keras shows them: with dropout, while the network changes.
    pub running: Metrics,
}

/// A finished epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochReport {
    /// Counted from 1.
    pub epoch: usize,
    /// The time it took, including validation.
    pub duration: Duration,
    /// The means over the epoch's examples, each as it was scored in its step.
    pub training: Metrics,
    /// The metrics on the validation examples after the epoch.
    pub validation: Option<Metrics>,
}

/// The result of training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The finished epochs.
    pub epochs: Vec<EpochReport>,
    /// The time to compute the frozen prefix's features before the first epoch.
    pub features: Duration,
    /// The total training time, without the observer's time for snapshots.
    pub total: Duration,
}

impl History {
    /// The last epoch.
    pub fn last(&self) -> Option<&EpochReport> {
        self.epochs.last()
    }

    /// The epoch with the highest validation accuracy (the first such epoch if several tie), counted from 1; 0 before
    /// the first epoch, and 1 if there was no validation.
    pub fn best_epoch(&self) -> usize {
        let accuracy = |report: &EpochReport| report.validation.unwrap_or_default().accuracy;
        let highest = self.epochs.iter().map(accuracy).fold(f64::NEG_INFINITY, f64::max);
        self.epochs.iter().position(|report| accuracy(report) == highest).map_or(0, |best| best + 1)
    }

    /// Whether the last `patience` epochs, at least one, brought no new best validation accuracy; never if `patience`
    /// is `None`.
    pub fn has_stalled(&self, patience: Option<usize>) -> bool {
        let waited = self.epochs.len() - self.best_epoch();
        !self.epochs.is_empty() && patience.is_some_and(|patience| waited >= patience.max(1))
    }
}

/// The state of training: with the parameters and the [`Fit`](super::Fit), everything needed to resume bit for bit.
#[derive(Clone, Debug)]
pub struct TrainingState {
    /// Finished steps of the unfinished epoch.
    pub step: usize,
    /// Loss and correct predictions, summed over these steps.
    pub score: Score,
    /// The time of these steps.
    pub elapsed: Duration,
    /// The optimizer, with the moments of each trainable parameter in the network's order.
    pub optimizer: Optimizer,
    /// The finished epochs.
    pub history: History,
}

impl TrainingState {
    /// The state before the first step.
    pub fn start(options: &super::Fit) -> Self {
        let optimizer = Optimizer::new(options.rule, options.rate);
        TrainingState {
            step: 0,
            score: Score::default(),
            elapsed: Duration::ZERO,
            optimizer,
            history: History::default(),
        }
    }

    /// Finished epochs.
    pub fn epoch(&self) -> usize {
        self.history.epochs.len()
    }

    /// Whether nothing is left to do: all epochs are finished, or the accuracy no longer rises.
    pub fn is_done(&self, options: &super::Fit) -> bool {
        self.epoch() >= options.epochs || self.history.has_stalled(options.patience)
    }
}

/// Training between two steps, to inspect or save.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    /// Its state.
    pub state: &'a TrainingState,
    /// Why the observer stops training here, if it does.
    pub stop: Option<&'a (dyn Error + Send + Sync + 'static)>,
    pub(super) prefix: Prefix<'a>,
    pub(super) head: &'a [Node],
}

impl<'a> Snapshot<'a> {
    /// Every parameter of the network, with its full name.
    pub fn params(&self) -> impl Iterator<Item = (String, &'a Param)> {
        params(self.prefix.nodes()).chain(params(self.head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_stalls_when_the_accuracy_stops_rising() {
        let report = |(index, &accuracy): (usize, &f64)| {
            let metrics = Metrics { loss: 1.0, accuracy };
            EpochReport { epoch: index + 1, duration: Duration::ZERO, training: metrics, validation: Some(metrics) }
        };
        for (accuracies, best, stalls_at_2) in [
            (&[][..], 0, false),
            (&[0.5], 1, false),
            (&[0.5, 0.6, 0.6], 2, false),
            (&[0.5, 0.6, 0.6, 0.6], 2, true),
            (&[0.6, 0.5, 0.5, 0.7], 4, false),
            (&[0.0, 0.0, 0.0], 1, true),
        ] {
            let epochs = accuracies.iter().enumerate().map(report).collect();
            let history = History { epochs, ..History::default() };
            assert_eq!((history.best_epoch(), history.has_stalled(Some(2))), (best, stalls_at_2), "{accuracies:?}");
            assert!(!history.has_stalled(None));
            assert_eq!(history.has_stalled(Some(0)), history.has_stalled(Some(1)), "{accuracies:?}");
        }
    }
}
