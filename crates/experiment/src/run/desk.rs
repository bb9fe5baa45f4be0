//! The desk at which both trainings of a run happen: shown, recorded, saved, and ended on a signal.

use std::time::Duration;

use thawline_tensor::nn::{EpochReport, Network, Observer, Snapshot, State, StepReport, Stop};

use super::folder::RunFolder;
use crate::{
    data::task::Task,
    record::{
        config::Config,
        run::{EpochRow, ModelRecord},
    },
    system::{
        console::Console,
        failure::{Failure, Kind, Result},
        interrupt::Interrupts,
        number,
    },
    training::{estimate::Stopwatch, progress::Progress, train},
    weights::{
        checkpoint,
        metadata::{self, Metadata, RunId},
    },
};

/// What both trainings have in common.
pub struct Desk<'a> {
    pub console: Console,
    pub config: &'a Config,
    pub folder: &'a mut RunFolder,
    pub interrupts: &'a Interrupts,
    /// To whom the checkpoints belong.
    pub owner: RunId,
}

impl Desk<'_> {
    /// Trains a network, from its last checkpoint if there is one, and writes its weights. The seeds are the run's and the
    /// training's own.
    pub fn train(
        &mut self,
        name: &str,
        network: &mut Network,
        task: &Task,
        [run_seed, seed]: [u64; 2],
        cached: bool,
        stopwatch: Option<Stopwatch>,
    ) -> Result<ModelRecord> {
        let options = self.config.fit(seed, cached);
        let metadata = Metadata::new(name, run_seed, task.names(), &self.config.network, network);
        let state = match self.folder.load_checkpoint(name)? {
            None => State::start(&options),
            Some((checkpoint, path, damage)) => {
                let belongs = checkpoint.require_belongs(&metadata, &self.owner, options.epochs);
                belongs.map_err(|failure| failure.within(&path.display().to_string()))?;
                damage.map_or(Ok(()), |sentence| self.console.say(sentence))?;
                self.folder.restore_epochs(name, &checkpoint.standing.history)?;
                checkpoint.restore(network, &options)
            }
        };
        let is_new = state.epoch() == 0 && state.step == 0;
        if !is_new {
            self.console.say(format!("{name} resumes after epoch {}, step {}", state.epoch(), state.step))?;
        }
        let stopwatch = stopwatch.filter(|_| is_new);
        let mut progress = Progress::new(self.console, self.config.epochs, task.train.len(), stopwatch);
        if cached {
            let pictures = number::count((task.train.len() + task.validation.len()) as u64);
            progress.wait(format!("computing the frozen features of {pictures} pictures"));
        }
        let mut watch = Watch { metadata: &metadata, progress, desk: self, cached };
        let plan = options.validate(&task.validation).watch(&mut watch).resume(state);
        let result = network.fit(&task.train, plan);
        watch.progress.finish();
        let history = result?;
        let best = history.best_epoch();
        if options.patience.is_some() && best < history.epochs.len() {
            metadata::move_values(self.folder.best(name)?.network, network);
            self.console.say(format!("{name} gets the weights of its best epoch, {best}"))?;
        }
        let record = train::record(network, task, &history, cached);
        self.folder.write_weights(name, &metadata::to_safetensors(network, &metadata)?)?;
        Ok(record)
    }
}

/// Watches a training.
struct Watch<'a, 'b> {
    metadata: &'a Metadata,
    progress: Progress,
    desk: &'a mut Desk<'b>,
    cached: bool,
}

impl Observer for Watch<'_, '_> {
    fn features(&mut self, duration: Duration) -> Result<(), Stop> {
        Ok(self.progress.begin(self.cached.then_some(duration.as_secs_f64()))?)
    }

    fn step(&mut self, report: &StepReport) -> Result<(), Stop> {
        self.progress.step(report)?;
        let Some(signal) = self.desk.interrupts.signal() else { return Ok(()) };
        let StepReport { epoch, step, steps, .. } = report;
        let name = &self.metadata.model;
        let what = format!("interrupted in epoch {epoch} of {name}, after step {step} of {steps}");
        Err(Failure::new(Kind::Signal(signal), what).into())
    }

    fn epoch(&mut self, report: &EpochReport) -> Result<(), Stop> {
        let row = EpochRow::from(report);
        self.desk.folder.append_epoch(&self.metadata.model, &row)?;
        Ok(self.progress.epoch(&row)?)
    }

    fn snapshot(&mut self, snapshot: Snapshot<'_>) -> Result<(), Stop> {
        // A training that a signal ended, or that nobody reads the output of any more, is sound and worth keeping.
        let is_sound = |failure: &Failure| matches!(failure.kind, Kind::Signal(_) | Kind::OutputClosed);
        if snapshot.stop.is_some_and(|stop| !stop.downcast_ref().is_some_and(is_sound)) {
            return Ok(());
        }
        let bytes = checkpoint::to_bytes(&snapshot, self.metadata, &self.desk.owner)?;
        let history = &snapshot.state.history;
        let best = snapshot.state.step == 0 && history.best_epoch() == history.epochs.len();
        Ok(self.desk.folder.save_checkpoint(&self.metadata.model, &bytes, best)?)
    }
}
