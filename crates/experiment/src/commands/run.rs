//! `thawline run`: the experiment from the first picture to the report.

use std::{
    env,
    path::{Path, PathBuf},
    time::SystemTime,
};

use thawline_tensor::{
    nn::{Network, StepReport, thousands},
    threads,
};

use crate::{
    cli::RunArgs,
    config::Config,
    console::{self, Console},
    data,
    estimate::Stopwatch,
    experiment::{self, Experiment, Features},
    failure::{Failure, Kind, Result},
    interrupt::Interrupts,
    machine, plan,
    progress::Progress,
    record::{self, DataKind, EpochRow, HeadStart, ModelRecord, RunRecord},
    results,
    run_folder::RunFolder,
    task::Task,
    training::{self, Monitor},
    transfer::{self, Transfer},
    weights::{self, Metadata},
};

/// Performs the experiment.
///
/// # Errors
/// Bad flags or data; a machine that fails; a loss that is no number; a signal.
pub fn run(args: &RunArgs) -> Result<()> {
    machine::choose_level(args.machine.simd)?;
    let threads = machine::choose_threads(args.machine.threads);
    let interrupts = Interrupts::listen()
        .map_err(|error| Failure::new(Kind::Environment, format!("cannot listen for Ctrl-C: {error}")))?;
    threads::with_threads(threads, || perform(args, &interrupts))?.map_err(|failure| match failure.kind {
        // A run cut short is not done, whoever has read enough of it: the code is that of SIGPIPE.
        Kind::OutputClosed => Failure::new(Kind::Signal(13), ""),
        _ => failure,
    })
}

fn perform(args: &RunArgs, interrupts: &Interrupts) -> Result<()> {
    let console = Console { quiet: args.output.quiet, stdout_is_data: args.output.json };
    let now = SystemTime::now();
    let environment = machine::environment(now);

    // Nothing is written until all is known to be possible.
    let data = data::open(args.data.data.as_deref())?;
    let config = args.config(&data)?;
    let mut experiment = Experiment::prepare(&data, &config)?;
    if let Features::File(_) = experiment.features {
        let (transfer, file) = (&experiment.transfer, config.from.as_deref().unwrap_or_default());
        console.say(format!("taken over from {file}\n\n{}\n", transfer.table()))?;
        transfer.require_whole(config.partial).map_err(|failure| failure.within(&format!("--from: {file}")))?;
    }
    let mut folder = create_folder(args.output.out.as_deref(), data.kind, now)?;
    folder.write_config(&config)?;
    folder.write_environment(&environment)?;
    console.say(plan::text(&experiment, &environment, folder.path()))?;
    let mut desk = Desk { console, config: &config, folder: &mut folder, interrupts };

    // model_1 learns the source classes from nothing, unless there is a file that has learned already.
    let (source, record_1) = match &mut experiment.features {
        Features::File(_) => (None, None),
        Features::Model1 { task, network } => {
            console.say(format!("\nmodel_1 learns {}\n\n{}\n", task.names().join(", "), network.summary()))?;
            let stopwatch = Stopwatch::new(experiment.work);
            let record = desk.train("model_1", network, task, [config.seed, config.seed], false, Some(stopwatch))?;
            (Some(task.record()), Some(record))
        }
    };

    // model_2 takes the features over, frozen, and learns the target classes.
    let task = &experiment.target;
    let Transfer { network: mut model_2, tensors, .. } =
        transfer::model_2(experiment.features.network(), task.classes.len(), &config)?;
    let frozen = weights::frozen_hashes(&model_2);
    let whose = if source.is_some() { "model_1's" } else { "the file's" };
    let head = match config.head {
        HeadStart::Fresh => "a fresh head".to_owned(),
        HeadStart::Warm => format!("{whose} head"),
    };
    console.say(format!(
        "\nmodel_2 learns {}\nwith {head} behind {whose} features, frozen up to {}\n\n{}\n",
        task.names().join(", "),
        config.freeze,
        model_2.summary()
    ))?;
    let seed = transfer::seed(config.seed);
    let record_2 = desk.train("model_2", &mut model_2, task, [config.seed, seed], experiment.cache.cached, None)?;
    let frozen = experiment::compare_frozen(frozen, &model_2);

    let record = RunRecord {
        format: record::FORMAT,
        thawline: env!("CARGO_PKG_VERSION").to_owned(),
        command: command_line(),
        config: serde_json::to_value(&config).map_err(defect)?,
        seed: config.seed,
        environment,
        data: data.record(),
        source,
        target: task.record(),
        head: config.head,
        model_1: record_1,
        from: experiment.features_record(tensors),
        model_2: record_2,
        frozen_unchanged: frozen.iter().all(|tensor| tensor.before == tensor.after),
        frozen,
        peak_memory_bytes: machine::peak_memory_bytes(),
    };
    folder.finish(&record, &experiment.pictures())?;
    report(args, console, &record, &folder)
}

/// The end of the run, for people or for a machine.
fn report(args: &RunArgs, console: Console, record: &RunRecord, folder: &RunFolder) -> Result<()> {
    let table = results::table(record, folder.path());
    console.say("")?;
    if !args.output.json {
        return console.result(table);
    }
    console.say(table)?;
    let json = String::from_utf8(record.to_json().map_err(defect)?).map_err(defect)?;
    console::print(json.trim_end())
}

/// The command line as another machine would take it, whatever the path of the program was here.
fn command_line() -> Vec<String> {
    let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once("thawline".to_owned()).chain(arguments).collect()
}

fn defect(error: impl std::error::Error) -> Failure {
    Failure::new(Kind::Other, error.to_string())
}

fn create_folder(out: Option<&Path>, data: DataKind, now: SystemTime) -> Result<RunFolder> {
    Ok(match out {
        Some(path) => RunFolder::create(path, data)?,
        None => RunFolder::create_dated(&PathBuf::from("runs"), data, now)?,
    })
}

/// Where both trainings happen, and what they have in common.
struct Desk<'a> {
    console: Console,
    config: &'a Config,
    folder: &'a mut RunFolder,
    interrupts: &'a Interrupts,
}

impl Desk<'_> {
    /// Trains a network and writes its weights. The seeds are the run's and the training's own.
    fn train(
        &mut self,
        name: &str,
        network: &mut Network,
        task: &Task,
        [run_seed, seed]: [u64; 2],
        cached: bool,
        stopwatch: Option<Stopwatch>,
    ) -> Result<ModelRecord> {
        let progress = Progress::new(self.console, self.config.epochs, task.train.len(), stopwatch);
        if cached {
            let pictures = thousands((task.train.len() + task.validation.len()) as u64);
            progress.wait(format!("computing the frozen features of {pictures} pictures"));
        }
        let options = self.config.fit(seed, cached);
        let mut watch = Watch { name, progress, folder: self.folder, interrupts: self.interrupts, cached };
        let result = training::train(network, task, &options, &mut watch);
        watch.progress.finish();
        let record = result?;
        let metadata = Metadata::new(name, run_seed, task.names(), &self.config.network, network);
        self.folder.write_weights(name, &weights::to_safetensors(network, &metadata)?)?;
        Ok(record)
    }
}

/// Shows and records a training, and ends it on a signal.
struct Watch<'a> {
    name: &'a str,
    progress: Progress,
    folder: &'a mut RunFolder,
    interrupts: &'a Interrupts,
    cached: bool,
}

impl Monitor for Watch<'_> {
    fn features(&mut self, seconds: f64) -> Result<()> {
        self.progress.begin(self.cached.then_some(seconds))
    }

    fn step(&mut self, report: &StepReport) -> Result<()> {
        self.progress.step(report)?;
        let Some(signal) = self.interrupts.signal() else { return Ok(()) };
        let StepReport { epoch, step, steps, .. } = report;
        let (name, folder) = (self.name, self.folder.path().display());
        Err(Failure::new(
            Kind::Signal(signal),
            format!(
                "interrupted in epoch {epoch} of {name}, after step {step} of {steps}; {folder} holds the metrics so far"
            ),
        ))
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        self.folder.append_epoch(self.name, row)?;
        self.progress.epoch(row)
    }
}
