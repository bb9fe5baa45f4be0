//! The desk at which both trainings of a run happen: shown, recorded, saved, and ended on a signal.

use thawline_tensor::nn::{Network, Rest, StepReport};

use crate::{
    checkpoint::{self, Owner},
    config::Config,
    console::Console,
    estimate::Stopwatch,
    failure::{Failure, Kind, Result},
    interrupt::Interrupts,
    number,
    progress::Progress,
    record::{EpochRow, ModelRecord},
    run_folder::RunFolder,
    task::Task,
    training::{self, Begun, Monitor},
    weights::{self, Metadata},
};

/// What both trainings have in common.
pub(super) struct Desk<'a> {
    pub console: Console,
    pub config: &'a Config,
    pub folder: &'a mut RunFolder,
    pub interrupts: &'a Interrupts,
    /// To whom the checkpoints belong.
    pub owner: Owner,
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
        let begun = match self.folder.load_checkpoint(name)? {
            None => Begun::new(&options),
            Some((checkpoint, path, damage)) => {
                let belongs = checkpoint.require_belongs(&metadata, &self.owner, options.epochs);
                belongs.map_err(|failure| failure.within(&path.display().to_string()))?;
                damage.map_or(Ok(()), |sentence| self.console.say(sentence))?;
                let (history, total_seconds) = (checkpoint.standing.history.clone(), checkpoint.standing.total_seconds);
                self.folder.restore_epochs(name, &history)?;
                Begun { state: checkpoint.restore(network, &options), history, total_seconds }
            }
        };
        let is_new = begun.state.epoch == 0 && begun.state.step == 0;
        if !is_new {
            self.console.say(format!("{name} resumes after epoch {}, step {}", begun.state.epoch, begun.state.step))?;
        }
        let stopwatch = stopwatch.filter(|_| is_new);
        let mut progress = Progress::new(self.console, self.config.epochs, task.train.len(), stopwatch);
        if cached {
            let pictures = number::count((task.train.len() + task.validation.len()) as u64);
            progress.wait(format!("computing the frozen features of {pictures} pictures"));
        }
        let patience = self.config.early_stopping;
        let mut watch = Watch { metadata: &metadata, progress, desk: self, cached };
        let result = training::train(network, task, &options, patience, begun, &mut watch);
        watch.progress.finish();
        let record = result?;
        self.folder.write_weights(name, &weights::to_safetensors(network, &metadata)?)?;
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

impl Monitor for Watch<'_, '_> {
    fn features(&mut self, seconds: f64) -> Result<()> {
        self.progress.begin(self.cached.then_some(seconds))
    }

    fn step(&mut self, report: &StepReport) -> Result<()> {
        self.progress.step(report)?;
        let Some(signal) = self.desk.interrupts.signal() else { return Ok(()) };
        let StepReport { epoch, step, steps, .. } = report;
        let name = &self.metadata.model;
        let what = format!("interrupted in epoch {epoch} of {name}, after step {step} of {steps}");
        Err(Failure::new(Kind::Signal(signal), what))
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        self.desk.folder.append_epoch(&self.metadata.model, row)?;
        self.progress.epoch(row)
    }

    fn rest(&mut self, rest: &Rest, history: &[EpochRow], total_seconds: f64) -> Result<()> {
        let bytes = checkpoint::to_bytes(rest, self.metadata, history, total_seconds, &self.desk.owner)?;
        let best = rest.state.step == 0 && last_is_best(history);
        self.desk.folder.save_checkpoint(&self.metadata.model, &bytes, best)
    }

    fn restore_best(&mut self, network: &mut Network, epoch: usize) -> Result<()> {
        let best = self.desk.folder.best(&self.metadata.model)?;
        weights::move_values(best.network, network);
        self.progress.finish();
        self.desk.console.say(format!("{} gets the weights of its best epoch, {epoch}", self.metadata.model))
    }
}

/// Whether the last epoch has a higher validation accuracy than all before.
fn last_is_best(history: &[EpochRow]) -> bool {
    let Some((last, before)) = history.split_last() else { return false };
    before.iter().all(|row| row.val_accuracy < last.val_accuracy)
}
