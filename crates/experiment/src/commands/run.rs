//! `thawline run`: the experiment from the first picture to the report.

use std::{
    env,
    path::{Path, PathBuf},
    time::SystemTime,
};

use thawline_tensor::{
    nn::{Network, StepReport},
    simd::Level,
    threads,
};

use crate::{
    classes,
    cli::{Resolved, RunArgs},
    config::Config,
    console::{self, Console},
    data::{self, Data},
    estimate::{Memory, Stopwatch, Work},
    failure::{Failure, Kind, Result},
    interrupt::Interrupts,
    machine,
    plan::Plan,
    progress::{Progress, bytes},
    record::{self, EpochRow, FrozenTensor, ModelRecord, RunRecord},
    report::ReportPictures,
    results,
    run_folder::RunFolder,
    task::{self, Task},
    training::{self, Monitor},
    transfer::{self, CachePlan},
    weights::{self, Metadata},
};

use super::summary::require_buildable;

/// Pictures of each class in the report.
const SAMPLES: usize = 10;

/// Performs the experiment.
///
/// # Errors
/// Bad flags or data; a machine that fails; a loss that is no number; a signal.
pub fn run(args: &RunArgs) -> Result<()> {
    let simd = choose_level(args.machine.simd)?;
    let threads = choose_threads(args.machine.threads);
    let interrupts = Interrupts::listen()
        .map_err(|error| Failure::new(Kind::Environment, format!("cannot listen for Ctrl-C: {error}")))?;
    threads::with_threads(threads, || experiment(args, simd, &interrupts))?
}

/// Fixes the SIMD level of the process: the flag, else the environment variable, else the best.
///
/// # Errors
/// A level that is unknown, or that this CPU lacks.
pub fn choose_level(flag: Option<Level>) -> Result<Level> {
    let level = match (flag, env::var("THAWLINE_SIMD")) {
        (Some(level), _) => level,
        (None, Ok(name)) if !name.is_empty() => {
            name.parse().map_err(|error| Failure::usage(format!("THAWLINE_SIMD: {error}")))?
        }
        _ => Level::best(),
    };
    let by = if flag.is_some() { "--simd" } else { "THAWLINE_SIMD" };
    level.force().map_err(|error| Failure::from(error).within(by))?;
    Ok(level)
}

/// The number of threads: the flag, else one per core that the process may use.
pub fn choose_threads(flag: Option<usize>) -> usize {
    flag.unwrap_or_else(machine::logical_cpus)
}

fn experiment(args: &RunArgs, simd: Level, interrupts: &Interrupts) -> Result<()> {
    let console = Console { quiet: args.output.quiet, stdout_is_data: args.output.json };
    let now = SystemTime::now();

    // What is to be done; nothing is written until all of it is known to be possible.
    let data = data::open(args.data.data.as_deref())?;
    let names = data.dataset.classes();
    let source = classes::parse("--source", &args.data.source, names)?;
    let target = classes::parse("--target", &args.data.target, names)?;
    classes::require_disjoint(&source, &target)?;
    let config = args.config(Resolved {
        data: data.path.clone().unwrap_or_else(|| data::BUILT_IN.to_owned()),
        source: classes::names(&source),
        target: classes::names(&target),
        threads: threads::count(),
        simd,
    });
    let source = Task::new(&data.dataset, source, config.limit)?;
    let target = Task::new(&data.dataset, target, config.limit)?;
    require_buildable(&config.network, source.classes.len().max(target.classes.len()))?;
    let mut model_1 = config.network.build(source.classes.len(), config.seed)?;
    // model_2 as it will be, but for its weights: to know its costs.
    let outline = transfer::model_2(&model_1, target.classes.len(), &config)?;
    let cache = transfer::plan_cache(&outline, &target, config.cache, machine::free_memory())?;
    let memory = Memory::new(data.bytes(), &model_1, config.batch_size.min(source.train.len()), cache.kept_bytes());
    require_memory(&memory)?;
    let work = Work::new(&config, &source, &target, &outline, cache.cached);
    drop(outline);

    let mut folder = create_folder(args.output.out.as_deref(), now)?;
    let environment = machine::environment(now);
    let plan = Plan { data: &data, config: &config, source: &source, target: &target, environment: &environment };
    console.say(plan.text(&memory, &cache, folder.path()))?;
    folder.write_config(&config)?;
    folder.write_environment(&environment)?;

    let mut stage = Stage { console, config: &config, folder: &mut folder, interrupts };

    // model_1 learns the source classes from nothing.
    console.say(format!("\nmodel_1 learns {}\n\n{}\n", source.names().join(", "), model_1.summary()))?;
    let mut stopwatch = Stopwatch::new(work);
    let record_1 = stage.train("model_1", &mut model_1, &source, config.seed, None, Some(&mut stopwatch))?;

    // model_2 takes its features over, frozen, and learns the target classes.
    let mut model_2 = transfer::model_2(&model_1, target.classes.len(), &config)?;
    let frozen = weights::frozen_hashes(&model_2);
    console.say(format!(
        "\nmodel_2 learns {}: frozen up to {}, then a {}\n\n{}\n",
        target.names().join(", "),
        config.freeze,
        if config.head == record::HeadStart::Fresh { "fresh head" } else { "warm head, model_1's" },
        model_2.summary(),
    ))?;
    let seed_2 = transfer::seed(config.seed);
    let record_2 = stage.train("model_2", &mut model_2, &target, seed_2, Some(&cache), None)?;

    let frozen: Vec<FrozenTensor> = frozen
        .into_iter()
        .map(|(name, before)| {
            let after = weights::hash(&model_2, &name).unwrap_or_default();
            FrozenTensor { name, before, after }
        })
        .collect();
    let record = RunRecord {
        format: record::FORMAT,
        thawline: env!("CARGO_PKG_VERSION").to_owned(),
        command: env::args().collect(),
        config: serde_json::to_value(&config).map_err(|error| Failure::new(Kind::Other, error.to_string()))?,
        seed: config.seed,
        environment,
        data: data.record(),
        source: source.record(),
        target: target.record(),
        head: config.head,
        model_1: record_1,
        model_2: record_2,
        frozen_unchanged: frozen.iter().all(|tensor| tensor.before == tensor.after),
        frozen,
        peak_memory_bytes: machine::peak_memory_bytes(),
    };
    let pictures = ReportPictures {
        source: task::samples(data.dataset.train(), &source.classes, SAMPLES),
        target: task::samples(data.dataset.train(), &target.classes, SAMPLES),
    };
    folder.finish(&record, &pictures)?;
    let text = results::table(&record, folder.path());
    if args.output.json {
        console.say(text)?;
        return console::print(record_json(&record)?.trim_end());
    }
    console.result(text)
}

fn record_json(record: &RunRecord) -> Result<String> {
    let defect = |error: String| Failure::new(Kind::Other, error);
    let bytes = record.to_json().map_err(|error| defect(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| defect(error.to_string()))
}

fn create_folder(out: Option<&Path>, now: SystemTime) -> Result<RunFolder> {
    Ok(match out {
        Some(path) => RunFolder::create(path)?,
        None => RunFolder::create_dated(&PathBuf::from("runs"), now)?,
    })
}

/// Refuses a run that the machine cannot hold, before the system ends it in the middle.
fn require_memory(memory: &Memory) -> Result<()> {
    match machine::free_memory() {
        Some(free) if memory.total() > free => Err(Failure::new(
            Kind::Environment,
            format!(
                "the run takes up to {} of memory, and {} are free; lower --batch-size or --filters, or use --cache off",
                bytes(memory.total()),
                bytes(free)
            ),
        )),
        _ => Ok(()),
    }
}

/// Where both trainings happen.
struct Stage<'a> {
    console: Console,
    config: &'a Config,
    folder: &'a mut RunFolder,
    interrupts: &'a Interrupts,
}

impl Stage<'_> {
    /// Trains a network and writes its weights.
    fn train(
        &mut self,
        name: &str,
        network: &mut Network,
        task: &Task,
        seed: u64,
        cache: Option<&CachePlan>,
        stopwatch: Option<&mut Stopwatch>,
    ) -> Result<ModelRecord> {
        let cached = cache.is_some_and(|cache| cache.cached);
        let progress = Progress::new(self.console, self.config.epochs, task.train.len(), stopwatch);
        if cached {
            progress
                .wait(format!("computing the features of {} pictures once", task.train.len() + task.validation.len()));
        }
        let options = self.config.fit(seed, cached);
        let mut watch = Watch { name, progress, folder: self.folder, interrupts: self.interrupts, cached };
        let result = training::train(network, task, &options, &mut watch);
        watch.progress.finish();
        let record = result?;
        let metadata = Metadata::new(name, self.config.seed, task.names(), &self.config.network, network);
        self.folder.write_weights(name, &weights::to_safetensors(network, &metadata)?)?;
        Ok(record)
    }
}

/// Shows and records a training, and ends it on a signal.
struct Watch<'a> {
    name: &'a str,
    progress: Progress<'a>,
    folder: &'a mut RunFolder,
    interrupts: &'a Interrupts,
    cached: bool,
}

impl Monitor for Watch<'_> {
    fn features(&mut self, seconds: f64) -> Result<()> {
        if self.cached { self.progress.features(seconds) } else { Ok(()) }
    }

    fn step(&mut self, report: &StepReport) -> Result<()> {
        self.progress.step(report)?;
        match self.interrupts.signal() {
            None => Ok(()),
            Some(signal) => Err(Failure::new(
                Kind::Signal(signal),
                format!(
                    "interrupted in epoch {} of {}, after step {} of {}; {} holds the metrics so far",
                    report.epoch,
                    self.name,
                    report.step,
                    report.steps,
                    self.folder.path().display()
                ),
            )),
        }
    }

    fn epoch(&mut self, row: &EpochRow) -> Result<()> {
        self.folder.append_epoch(self.name, row)?;
        self.progress.epoch(row)
    }
}
