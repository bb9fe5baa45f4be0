//! What a run needs around training: the terminal, the folder, checkpoints to resume from, and signals.

use thawline_tensor::nn::{Fit, Network, TrainingState};

use super::{
    draft::Draft,
    folder::{RunFolder, Start},
    prepare,
    watch::Watch,
};
use crate::{
    data::{open::Data, task::Task},
    record::{
        config::Config,
        run::{CONTROL, HeadStart, ModelRecord, RunRecord},
    },
    system::{
        console::{Console, Text, listed, shown},
        failure::Result,
        interrupt::Interrupts,
        number,
    },
    training::{estimate::Stopwatch, progress::Progress, train},
    weights::metadata::{self, Metadata, RunId},
};

pub struct Session<'a> {
    pub console: Console,
    pub config: &'a Config,
    pub folder: RunFolder,
    pub start: Start,
    pub interrupts: &'a Interrupts,
    /// The run that the checkpoints belong to.
    pub run_id: RunId,
    /// Estimates the time of the whole run from the first training steps.
    pub stopwatch: Option<Stopwatch>,
    /// The report so far.
    pub draft: Option<Draft>,
}

impl Session<'_> {
    /// Trains a network, from its last checkpoint if there is one, evaluates it, and writes its weights.
    pub fn train(&mut self, name: &str, network: &mut Network, task: &Task, fit: Fit) -> Result<ModelRecord> {
        self.console.say(self.introduction(name, network, task))?;
        let metadata = Metadata::new(name, self.config.seed, task.names(), &self.config.network, network);
        let state = self.restore(network, &metadata, &fit)?;
        let is_new = state.epoch() == 0 && state.step == 0;
        let is_done = state.is_done(&fit);
        if is_done {
            self.console.say(format!("{name} was trained before the interruption"))?;
        } else if !is_new {
            self.console.say(format!("{name} resumes after epoch {}, step {}", state.epoch(), state.step))?;
        }
        let stopwatch = self.stopwatch.take().filter(|_| is_new);
        let mut progress = Progress::new(self.console, fit.epochs, task.train.len(), stopwatch);
        if fit.cached && !is_done {
            let pictures = number::count((task.train.len() + task.validation.len()) as u64);
            progress.wait(format!("computing the frozen features of {pictures} pictures"));
        }
        let mut watch = Watch {
            model: name,
            progress,
            folder: &mut self.folder,
            draft: self.draft.as_mut(),
            interrupts: self.interrupts,
            cached: fit.cached,
            checkpoints: Some((&metadata, &self.run_id)),
        };
        let result = network.fit(&task.train, fit.validate(&task.validation).watch(&mut watch).resume(state));
        watch.progress.finish();
        let history = result?;
        let best = history.best_epoch();
        if fit.patience.is_some() && best < history.epochs.len() {
            network.copy_params(self.folder.best(name)?.network.params());
            self.console.say(format!("{name} restored the weights of its best epoch, {best}"))?;
        }
        let record = train::record(network, task, &history, fit.cached, train::confusion(network, task));
        self.folder.write(&format!("weights-{name}.safetensors"), &metadata::to_safetensors(network, &metadata)?)?;
        Ok(record)
    }

    /// Writes the record and the report, and removes the checkpoints.
    pub fn finish(&self, record: &RunRecord, data: &Data) -> Result<()> {
        self.folder.finish(record, &prepare::pictures(data, record))?;
        self.folder.remove_checkpoints()
    }

    /// The classes that a model is trained on, and its layers.
    fn introduction(&self, name: &str, network: &Network, task: &Task) -> Text {
        let mut text = Text::from("").and(Text::wrapped(&format!("{name} learns "), listed(&task.names())));
        if name == "model_2" {
            let whose = if self.config.from.is_none() { "model_1's" } else { "the file's" };
            let head = match self.config.head {
                HeadStart::Fresh => "a fresh head".to_owned(),
                HeadStart::Warm => format!("{whose} head"),
            };
            let cut = shown(&self.config.freeze);
            text.push(Text::wrapped("with ", format!("{head} on {whose} features, frozen up to {cut}")));
        }
        if name == CONTROL {
            text.push("with a fresh head on untrained features");
            return text.and("");
        }
        text.and("").and(Text::of_table(network.summary())).and("")
    }

    /// The training state at the last checkpoint, or at the start.
    fn restore(&mut self, network: &mut Network, metadata: &Metadata, fit: &Fit) -> Result<TrainingState> {
        let name = &metadata.model;
        let Some((checkpoint, path, damage)) = self.folder.load_checkpoint(name)? else {
            return Ok(TrainingState::start(fit));
        };
        let belongs = checkpoint.require_belongs(metadata, &self.run_id, fit.epochs);
        belongs.map_err(|failure| failure.within(&path.display().to_string()))?;
        damage.map_or(Ok(()), |sentence| self.console.say(sentence))?;
        self.folder.restore_epochs(name, &checkpoint.progress.history)?;
        for row in &checkpoint.progress.history {
            self.draft.iter_mut().for_each(|draft| draft.add(name, *row));
        }
        Ok(checkpoint.restore(network, fit))
    }
}
