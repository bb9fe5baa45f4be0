//! Observes training: shows progress, records epochs, writes checkpoints, and stops on a signal.

use std::time::Duration;

use thawline_tensor::nn::{EpochReport, Observer, Snapshot, StepReport, StopReason};

use super::{draft::Draft, folder::RunFolder};
use crate::{
    record::run::EpochRow,
    system::{
        failure::{Failure, Kind, Result},
        interrupt::Interrupts,
    },
    training::progress::Progress,
    weights::{
        checkpoint,
        metadata::{Metadata, RunId},
    },
};

/// Watches the training of one model.
pub struct Watch<'a> {
    pub model: &'a str,
    pub progress: Progress,
    pub folder: &'a mut RunFolder,
    /// The report that is rewritten after each epoch, if any.
    pub draft: Option<&'a mut Draft>,
    pub interrupts: &'a Interrupts,
    /// Whether the features of the frozen layers are computed before the first epoch.
    pub cached: bool,
    /// Metadata for checkpoints; `None` writes no checkpoints.
    pub checkpoints: Option<(&'a Metadata, &'a RunId)>,
}

impl Observer for Watch<'_> {
    fn features(&mut self, duration: Duration) -> Result<(), StopReason> {
        Ok(self.progress.begin(self.cached.then_some(duration.as_secs_f64()))?)
    }

    fn step(&mut self, report: &StepReport) -> Result<(), StopReason> {
        self.progress.step(report)?;
        let Some(signal) = self.interrupts.signal() else { return Ok(()) };
        let StepReport { epoch, step, steps, .. } = report;
        let what = format!("interrupted in epoch {epoch} of {}, after step {step} of {steps}", self.model);
        Err(Failure::new(Kind::Signal(signal), what).into())
    }

    fn epoch(&mut self, report: &EpochReport) -> Result<(), StopReason> {
        let row = EpochRow::from(report);
        self.folder.append_epoch(self.model, &row)?;
        if let Some(draft) = &mut self.draft {
            draft.add(self.model, row);
        }
        Ok(self.progress.epoch(&row)?)
    }

    fn snapshot(&mut self, snapshot: Snapshot<'_>) -> Result<(), StopReason> {
        let Some((metadata, run_id)) = self.checkpoints else { return Ok(()) };
        // Training stopped by a signal or a closed output is valid and worth keeping.
        let is_sound = |failure: &Failure| matches!(failure.kind, Kind::Signal(_) | Kind::OutputClosed);
        if snapshot.stop.is_some_and(|stop| !stop.downcast_ref().is_some_and(is_sound)) {
            return Ok(());
        }
        let bytes = checkpoint::to_bytes(&snapshot, metadata, run_id)?;
        let history = &snapshot.state.history;
        let best = snapshot.state.step == 0 && history.best_epoch() == history.epochs.len();
        self.folder.save_checkpoint(self.model, &bytes, best)?;
        // Here rather than in `epoch`, whose time counts as training time.
        self.draft.as_ref().map_or(Ok(()), |draft| Ok(draft.write(self.folder)?))
    }
}
