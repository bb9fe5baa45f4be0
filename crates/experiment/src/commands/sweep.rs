//! `thawline sweep`: many arms with many seeds, and the report on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clap::Args;
use thawline_tensor::{simd::Level, threads};

use super::report;
use super::{
    flags::{MachineArgs, NetworkArgs},
    values::count,
};
use crate::{
    data::{
        classes,
        open::{self, BUILT_IN, Data},
    },
    models::Architecture,
    report::sweep::Options,
    sweep::{
        arms::{self, Arm, Classes, Preset, Pretraining},
        cost,
        folder::SweepFolder,
        merge,
        plan::{self, Job, Shard},
        progress::SweepProgress,
        protocol::Pictures,
        record,
        settings::Settings,
        worker::Worker,
    },
    system::{
        console::{Console, Text},
        failure::{Failure, Kind, Result},
        interrupt::Interrupts,
        machine::{choose_level, choose_threads},
        memory::{Memory, Training},
        number,
    },
};

/// Flags of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Ready-made sweep: quick (on built-in pictures), controls or full [default: quick, unless --arms]
    #[arg(
        long,
        value_name = "PRESET",
        value_enum,
        hide_possible_values = true,
        conflicts_with = "arms",
        help_heading = "Sweep"
    )]
    pub preset: Option<Preset>,
    /// Arms by name, or the groups samples, depth, splits; see docs/experiment.md
    #[arg(long, value_name = "NAMES", help_heading = "Sweep")]
    pub arms: Option<String>,
    /// Seeds: numbers and half-open ranges
    #[arg(long, value_name = "SEEDS", default_value = "0..6", help_heading = "Sweep")]
    pub seeds: String,
    /// Passes over the training pictures; the test set is scored after the last [default: the preset's, else 10]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Sweep")]
    pub epochs: Option<usize>,
    /// Pictures per step
    #[arg(long, value_name = "N", default_value = "128", value_parser = count, help_heading = "Sweep")]
    pub batch_size: usize,
    /// Run shard I of N; N such processes share one folder
    #[arg(long, value_name = "I/N", help_heading = "Sweep")]
    pub shard: Option<Shard>,
    /// The sweep's folder; the same command resumes it [default: runs/sweep-PRESET]
    #[arg(long, value_name = "DIR", help_heading = "Sweep")]
    pub out: Option<PathBuf>,
    /// Leave times and machines out of the report: equal results give equal bytes
    #[arg(long, help_heading = "Sweep")]
    pub no_times: bool,
    /// Print the jobs and do nothing
    #[arg(long, help_heading = "Sweep")]
    pub dry_run: bool,
    /// Print only the results
    #[arg(long, help_heading = "Sweep")]
    pub quiet: bool,
    /// CIFAR .tar.gz, folder of .bin files, or built-in [default: as for run; quick: built-in]
    #[arg(long, value_name = "PATH", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// Classes of the pretraining: labels, ranges, names
    #[arg(long, value_name = "CLASSES", default_value = "0-4", help_heading = "Data")]
    pub source: String,
    /// Classes of the training after it
    #[arg(long, value_name = "CLASSES", default_value = "5-9", help_heading = "Data")]
    pub target: String,
    /// Use at most N training pictures of each class
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Data")]
    pub per_class: Option<usize>,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Performs the sweep, or goes on with it.
///
/// # Errors
/// Bad flags or data; a machine that fails; a loss that is no number; a signal.
pub fn sweep(args: &SweepArgs) -> Result<()> {
    choose_level(args.machine.simd)?;
    let interrupts = Interrupts::listen()?;
    threads::with_threads(choose_threads(args.machine.threads), || perform(args, &interrupts))?
}

fn perform(args: &SweepArgs, interrupts: &Interrupts) -> Result<()> {
    let console = Console { quiet: args.quiet, stdout_is_data: false };
    let preset = args.preset.or_else(|| args.arms.is_none().then_some(Preset::Quick));
    let data = match (&args.data, preset) {
        (None, Some(Preset::Quick)) => open::named(BUILT_IN.as_ref())?,
        (path, _) => open::open(path.as_deref())?,
    };
    let settings = settings(args, preset, &data)?;
    let classes = settings.classes();
    let arms = match (&args.arms, preset) {
        (Some(list), _) => arms::select(list)?,
        (None, preset) => preset.unwrap_or(Preset::Quick).arms(&classes),
    };
    let seeds = arms::parse_seeds(&args.seeds).map_err(|reason| Failure::usage(format!("--seeds: {reason}")))?;
    let work = Work::new(&data, &settings, &classes, &arms)?;
    require_memory(&settings, &work)?;
    let plan = plan::jobs(&arms, &seeds);
    let jobs = plan::share(plan.clone(), args.shard);
    let out = args.out.clone().unwrap_or_else(|| default_folder(preset));
    if args.dry_run {
        let lines: Vec<String> = jobs.iter().map(|job| record::JobRecord::name(&job.arm, job.seed)).collect();
        return console.result(lines);
    }

    let folder = SweepFolder::open(&out, &settings)?;
    interrupts.defer();
    let done = |arm: &Arm, seed| folder.record(arm, seed).map(|record| record.is_some());
    let mut open = Vec::new();
    for job in &jobs {
        if !done(&job.arm, job.seed)? {
            open.push(job.clone());
        }
    }
    let mut stages: BTreeSet<(Pretraining, u64)> = BTreeSet::new();
    for Job { arm, seed } in &open {
        if let Some(pretraining) = arm.features.pretraining()
            && !done(&pretraining.arm(), *seed)?
        {
            stages.insert((pretraining, *seed));
        }
    }
    let pretrainings = stages.iter().map(|(pretraining, _)| pretraining.arm());
    let total: f64 = open.iter().map(|job| job.arm.clone()).chain(pretrainings).map(|arm| work.of(&arm)).sum();
    let pretrainings = match stages.len() {
        0 => String::new(),
        n => format!(" + {n} pretraining{}", if n == 1 { "" } else { "s" }),
    };
    let plan_of_jobs = format!(
        "{} arms, {} seeds, {} epochs: {} jobs{pretrainings}{}, {} done",
        arms.len(),
        seeds.len(),
        settings.epochs,
        jobs.len(),
        args.shard.map_or_else(String::new, |shard| format!(" in shard {shard}")),
        jobs.len() - open.len(),
    );
    let text = Text::wrapped("data      ", data.describe()).and(Text::wrapped("sweep     ", plan_of_jobs));
    console.say(text.and(Text::wrapped("folder    ", out.display().to_string())).and(""))?;
    let mut progress = SweepProgress::new(console, open.len() + stages.len(), total);
    let worker = Worker { data: &data, settings: &settings, folder: &folder, interrupts, progress: &mut progress };
    let result = { worker }.perform(plan::groups(jobs.clone()));
    progress.finish();
    let left = undone(&folder, &jobs)?;
    result.map_err(|failure| match failure.kind {
        Kind::Signal(_) => Failure {
            message: format!(
                "interrupted: {} of {} jobs are done in {}; the same command resumes there",
                jobs.len() - left,
                jobs.len(),
                out.display()
            ),
            ..failure
        },
        _ => failure,
    })?;
    console.say([String::new(), format!("finished in {}", number::duration(progress.elapsed().as_secs_f64()))])?;
    // All jobs are done; waiting for another process is not worth a second signal.
    interrupts.end_at_once()?;
    let _claim = folder.claim_report()?;
    let left = undone(&folder, &plan)?;
    if left > 0 {
        let text = format!(
            "{left} of {} jobs are not done in {}; the process that finishes last writes the report; \
             `thawline report` writes one now",
            plan.len(),
            out.display()
        );
        return console.say(Text::wrapped("", text));
    }
    let results = merge::read(std::slice::from_ref(&out))?;
    let options = Options { no_times: args.no_times, ..Options::default() };
    report::write(&results, &out, &options, false, console)
}

/// How many of some jobs have no record yet.
fn undone(folder: &SweepFolder, jobs: &[Job]) -> Result<usize> {
    let mut undone = 0;
    for job in jobs {
        undone += usize::from(folder.record(&job.arm, job.seed)?.is_none());
    }
    Ok(undone)
}

fn default_folder(preset: Option<Preset>) -> PathBuf {
    let name = match preset {
        Some(Preset::Quick) => "sweep-quick",
        Some(Preset::Controls) => "sweep-controls",
        Some(Preset::Full) => "sweep-full",
        None => "sweep",
    };
    PathBuf::from("runs").join(name)
}

fn settings(args: &SweepArgs, preset: Option<Preset>, data: &Data) -> Result<Settings> {
    let names = data.dataset.classes();
    let source = classes::parse("--source", &args.source, names)?;
    let target = classes::parse("--target", &args.target, names)?;
    classes::require_disjoint(&source, &target)?;
    let network = args.network.tutorial();
    Architecture::from(network.clone()).outline(source.len() + target.len())?;
    Ok(Settings {
        format: record::FORMAT,
        thawline: env!("CARGO_PKG_VERSION").to_owned(),
        data: data.record(),
        source,
        target,
        per_class: args.per_class,
        network,
        epochs: args.epochs.unwrap_or_else(|| preset.map_or(10, Preset::epochs)),
        batch_size: args.batch_size,
        arithmetic: if Level::current() == Level::Portable { "portable" } else { "fma" }.to_owned(),
    })
}

/// Refuses a sweep of networks that the machine cannot hold; features are kept only where there is room.
fn require_memory(settings: &Settings, work: &Work) -> Result<()> {
    let network =
        Architecture::from(settings.network.clone()).outline(settings.source.len() + settings.target.len())?;
    let examples = work.epoch_examples.values().copied().max().unwrap_or(0);
    let batch = settings.batch_size.min(examples);
    let training = Training { network: &network, batch, validation: examples, features: 0, checkpoints: false };
    let mut memory = Memory::of_trainings([training]);
    // Beside the one that learns: those that features come from, and one with initial weights.
    memory.parameters += 3 * network.weight_bytes();
    memory.require("the sweep", "lower --batch-size or --filters")
}

/// The work of each arm, known before anything is written; so is whether the data have what the arms need.
struct Work<'a> {
    settings: &'a Settings,
    epoch_examples: BTreeMap<String, usize>,
}

impl<'a> Work<'a> {
    fn new(data: &Data, settings: &'a Settings, classes: &Classes, arms: &[Arm]) -> Result<Self> {
        let stages = arms.iter().filter_map(|arm| arm.features.pretraining()).map(Pretraining::arm);
        let mut epoch_examples = BTreeMap::new();
        for arm in arms.iter().cloned().chain(stages) {
            if epoch_examples.contains_key(&arm.name) {
                continue;
            }
            let pictures = Pictures::new(data, classes.of(arm.learns)?, arm.validation, arm.labels, settings.per_class)
                .map_err(|failure| failure.within(&arm.name))?;
            if let Some(pretraining) = arm.features.pretraining() {
                arms::require_fitting_head(&arm, pictures.classes.len(), classes.of(pretraining.half)?.len())?;
            }
            let epoch = pictures.epoch(arm.per_class, 0).map_err(|failure| failure.within(&arm.name))?;
            epoch_examples.insert(arm.name, epoch.positions.len());
        }
        Ok(Work { settings, epoch_examples })
    }

    fn of(&self, arm: &Arm) -> f64 {
        let examples = self.epoch_examples.get(&arm.name).copied().unwrap_or(0);
        cost::of(arm, self.settings, examples, true)
    }
}
