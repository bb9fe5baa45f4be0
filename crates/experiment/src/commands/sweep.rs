//! `thawline sweep`: trains every arm with every seed, and writes a report.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use thawline_tensor::{nn::Network, simd::Level, threads};

use super::{
    flags::{MachineArgs, ModelArgs},
    report,
    values::{count, learning_rate},
};
use crate::{
    data::{
        classes,
        open::{self, BUILT_IN, Data},
    },
    record::options::{Augment, Labels, Schedule},
    report::sweep::Options,
    sweep::{
        arms::{self, Arm, DEFAULT_SPLITS, MAX_SPLITS, Preset},
        cost::{ArmCosts, UnfinishedJobs},
        folder::SweepFolder,
        merge,
        plan::{self, Job, Shard},
        progress::SweepProgress,
        protocol::Pictures,
        record::{self, JobRecord},
        settings::SweepSettings,
        tuning,
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
#[command(allow_negative_numbers = true)]
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
    /// Seeds: numbers and half-open ranges [default: the preset's, else 0..6]
    #[arg(long, value_name = "SEEDS", help_heading = "Sweep")]
    pub seeds: Option<String>,
    /// Number of random class splits for `--arms splits`, each run in both directions
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SPLITS, value_parser = splits, help_heading = "Sweep")]
    pub splits: u32,
    /// Choose learning rate and schedule of eight arms (docs/experiment.md) by nine trials each on held-out pictures
    #[arg(long, help_heading = "Sweep")]
    pub tune: bool,
    /// Run shard I of N (I from 1); N such processes share one folder
    #[arg(long, value_name = "I/N", help_heading = "Sweep")]
    pub shard: Option<Shard>,
    /// The sweep's folder; the same command resumes it [default: runs/sweep-PRESET; with --arms runs/sweep]
    #[arg(long, value_name = "DIR", help_heading = "Sweep")]
    pub out: Option<PathBuf>,
    /// Leave times and machines out of the report, so that equal results give identical files
    #[arg(long, help_heading = "Sweep")]
    pub no_times: bool,
    /// Leave the pictures of mistakes out of records and report, to publish them without the data
    #[arg(long, help_heading = "Sweep")]
    pub no_pictures: bool,
    /// Print the jobs without running them
    #[arg(long, help_heading = "Sweep")]
    pub dry_run: bool,
    /// Print only the results
    #[arg(long, help_heading = "Sweep")]
    pub quiet: bool,
    /// Passes over the training pictures; the model is scored on the test set after the last [default: the preset's, else 10]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub epochs: Option<usize>,
    /// Passes over the pretraining pictures [default: as --epochs]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub source_epochs: Option<usize>,
    /// Pictures per step [default: 128; quick: 32]
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Training")]
    pub batch_size: Option<usize>,
    /// Adam's learning rate
    #[arg(long, value_name = "RATE", default_value = "0.001", value_parser = learning_rate, help_heading = "Training")]
    pub learning_rate: f64,
    /// Learning-rate schedule: constant, cosine or one-cycle
    #[arg(long, value_name = "SCHEDULE", value_enum, hide_possible_values = true, default_value_t = Schedule::Cosine)]
    #[arg(help_heading = "Training")]
    pub schedule: Schedule,
    /// Randomly augment the training pictures: flip, crop or flip,crop
    #[arg(long, value_name = "CHANGES", help_heading = "Training")]
    pub augment: Option<Augment>,
    /// CIFAR .tar.gz, folder of .bin files, or built-in [default: as for run; quick: built-in]
    #[arg(long, value_name = "PATH", help_heading = "Data")]
    pub data: Option<PathBuf>,
    /// Another data set for the pretraining, such as CIFAR-100
    #[arg(long, value_name = "PATH", help_heading = "Data")]
    pub source_data: Option<PathBuf>,
    /// Labels of CIFAR-100 in --source-data, or else in --data: fine or coarse
    #[arg(long, value_name = "LABELS", value_enum, hide_possible_values = true, default_value_t = Labels::Fine)]
    #[arg(help_heading = "Data")]
    pub labels: Labels,
    /// Classes of stage 1: labels, ranges, names [default: 0-4; with --source-data all]
    #[arg(long, value_name = "CLASSES", allow_hyphen_values = true, help_heading = "Data")]
    pub source: Option<String>,
    /// Classes of stage 2
    #[arg(long, value_name = "CLASSES", default_value = "5-9", allow_hyphen_values = true, help_heading = "Data")]
    pub target: String,
    /// Use at most N training pictures of each source and target class, including those held out
    #[arg(long, value_name = "N", value_parser = count, help_heading = "Data")]
    pub per_class: Option<usize>,
    #[command(flatten)]
    pub network: ModelArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Parses the number of random splits, at most as many as ten classes allow.
fn splits(text: &str) -> Result<u32, String> {
    let parsed = text.parse().ok().filter(|splits| (1..=MAX_SPLITS).contains(splits));
    parsed.ok_or_else(|| format!("expected a whole number from 1 to {MAX_SPLITS}"))
}

/// Runs or resumes the sweep.
pub fn sweep(args: &SweepArgs) -> Result<()> {
    choose_level(args.machine.simd)?;
    let interrupts = Interrupts::listen()?;
    threads::with_threads(choose_threads(args.machine.threads), || run_jobs(args, &interrupts))?
}

fn run_jobs(args: &SweepArgs, interrupts: &Interrupts) -> Result<()> {
    let console = Console { quiet: args.quiet, stdout_is_data: false };
    let preset = args.preset.or_else(|| args.arms.is_none().then_some(Preset::Quick));
    let (data, source_data) = open_data(args, preset)?;
    let source_data = source_data.as_ref();
    let seeds = args.seeds.as_deref().unwrap_or(preset.map_or("0..6", Preset::seeds));
    let seeds = arms::parse_seeds(seeds).map_err(|reason| Failure::usage(format!("--seeds: {reason}")))?;
    let settings = settings(args, preset, &data, source_data, &seeds)?;
    let arms = select_arms(args, preset, &settings, &data, source_data)?;
    let trials = settings.tuning_seed.map_or_else(Vec::new, |seed| tuning::trials(&arms, seed));
    let trial_arms: Vec<Arm> = trials.iter().map(|job| job.arm.clone()).collect();
    let costs = ArmCosts::new(&data, source_data, &settings, &[&*arms, &*trial_arms].concat())?;
    require_memory(&settings, &costs)?;
    let out = args.out.clone().unwrap_or_else(|| default_folder(preset));
    let jobs = plan::of_shard(plan::jobs(&arms, &seeds), args.shard);
    if args.dry_run {
        let jobs = trials.iter().chain(&jobs);
        return console.result(jobs.map(|job| JobRecord::name(&job.arm, job.seed)).collect::<Vec<_>>());
    }

    let folder = SweepFolder::open(&out, &settings)?;
    interrupts.defer();
    if args.no_pictures {
        folder.remove_pictures(&settings)?;
    }
    let all = [&*trials, &*jobs].concat();
    let unfinished = UnfinishedJobs::find(&folder, &all);
    let sizes = format!(
        "{}, {}, {}: {}",
        number::counted(arms.len(), "arm"),
        number::counted(seeds.len(), "seed"),
        number::counted(settings.epochs, "epoch"),
        describe_jobs(jobs.len(), trials.len(), &unfinished, args.shard)
    );
    let text = Text::wrapped("data      ", data.describe()).and(Text::wrapped("sweep     ", sizes));
    console
        .say(text.and(Text::wrapped("folder    ", out.display().to_string())).and(""))
        .map_err(Failure::while_unfinished)?;
    let mut progress = SweepProgress::new(console, costs.left(&unfinished));
    let worker = Worker {
        data: &data,
        source_data,
        settings: &settings,
        folder: &folder,
        plan: &all,
        costs: &costs,
        keeps_pictures: !args.no_pictures,
        interrupts,
        progress: &mut progress,
    };
    let plan = train(worker, arms, &trials, &seeds, args.shard, &out)?;
    console.say([String::new(), format!("finished in {}", number::duration(progress.elapsed().as_secs_f64()))])?;
    // This process has done its jobs: from here one signal ends the program.
    interrupts.end_at_once()?;
    report_if_done(args, &folder, &plan, &out, console)
}

/// The arms that the user lists, or those of the preset that the data and the network allow.
fn select_arms(
    args: &SweepArgs,
    preset: Option<Preset>,
    settings: &SweepSettings,
    data: &Data,
    source_data: Option<&Data>,
) -> Result<Vec<Arm>> {
    let scope = settings.scope(args.splits)?;
    let arms = match &args.arms {
        Some(list) => arms::select(list, scope)?,
        None => {
            let is_possible = |arm: &Arm| {
                let pictures = || Pictures::of(arm, settings, data, source_data);
                let has_enough =
                    || arm.per_class.is_none() || pictures().and_then(|all| all.epoch(arm.per_class, 0)).is_ok();
                arms::require_matchable(arm, &settings.network).is_ok() && has_enough()
            };
            let mut arms = preset.unwrap_or(Preset::Quick).arms(&settings.classes(), scope);
            arms.retain(is_possible);
            arms
        }
    };
    if settings.source_epochs != settings.epochs && arms.iter().any(|arm| arm.classes.split().is_some()) {
        return Err(Failure::usage("--source-epochs: must equal --epochs, because splits are compared with stage 1"));
    }
    Ok(arms)
}

/// `20 jobs + 4 pretrainings in shard 1/2, 3 done`.
fn describe_jobs(jobs: usize, trials: usize, unfinished: &UnfinishedJobs, shard: Option<Shard>) -> String {
    let plus = |n: usize, noun: &str| if n == 0 { String::new() } else { format!(" + {}", number::counted(n, noun)) };
    format!(
        "{}{}{}{}, {} done",
        number::counted(jobs, "job"),
        plus(trials, "trial"),
        plus(unfinished.pretrainings.len(), "pretraining"),
        shard.map_or_else(String::new, |shard| format!(" in shard {shard}")),
        jobs + trials - unfinished.jobs.len(),
    )
}

/// Runs the trials and then this shard's jobs, whose recipes (learning rate and schedule) are known only when all trials
/// are done. Returns the jobs of all shards.
fn train(
    mut worker: Worker,
    arms: Vec<Arm>,
    trials: &[Job],
    seeds: &[u64],
    shard: Option<Shard>,
    out: &Path,
) -> Result<Vec<Job>> {
    let folder = worker.folder;
    let interrupted = |failure: Failure, jobs: &[Job], what: &str| match failure.kind {
        Kind::Signal(_) => {
            let left = folder.unfinished(jobs).map_or(jobs.len(), |left| left.len());
            let (done, all) = (jobs.len() - left, jobs.len());
            let out = out.display();
            let message =
                format!("interrupted: {done} of {all} {what} are done in {out}; run the same command to resume");
            Failure { message, ..failure }
        }
        _ => failure.while_unfinished(),
    };
    let records = worker.complete(trials).map_err(|failure| interrupted(failure, trials, "trials"))?;
    let plan = plan::jobs(&tuning::with_best_recipes(arms, &records), seeds);
    let jobs = plan::of_shard(plan.clone(), shard);
    let result = worker.adopt(&jobs, &records).and_then(|()| worker.perform(plan::groups(jobs.clone())));
    worker.progress.finish();
    result.map_err(|failure| interrupted(failure, &jobs, "jobs"))?;
    Ok(plan)
}

/// Writes the report if all jobs of the plan are done.
fn report_if_done(args: &SweepArgs, folder: &SweepFolder, plan: &[Job], out: &PathBuf, console: Console) -> Result<()> {
    let _claim = folder.claim_report()?;
    let left = folder.unfinished(plan)?.len();
    if left > 0 {
        let text = format!(
            "{left} of {} jobs are not done in {}; the process that finishes last writes the report; \
             `thawline report` writes one now",
            plan.len(),
            out.display()
        );
        return console.say(Text::wrapped("", text));
    }
    let results = merge::read(std::slice::from_ref(out))?;
    let options = Options { no_times: args.no_times, ..Options::default() };
    report::write(&results, out, &options, false, console)
}

/// The pictures, and those of the source classes if they come from another data set.
fn open_data(args: &SweepArgs, preset: Option<Preset>) -> Result<(Data, Option<Data>)> {
    let data = match (&args.data, preset) {
        (None, Some(Preset::Quick)) => open::named(BUILT_IN.as_ref())?,
        (path, _) => open::open(path.as_deref())?,
    };
    match &args.source_data {
        None => Ok((data.labelled(args.labels)?, None)),
        Some(path) => {
            let source = open::named(path).map_err(|failure| failure.within("--source-data"))?;
            Ok((data, Some(source.labelled(args.labels)?)))
        }
    }
}

fn default_folder(preset: Option<Preset>) -> PathBuf {
    let preset = preset.and_then(|preset| preset.to_possible_value());
    let name = preset.map_or_else(|| "sweep".to_owned(), |preset| format!("sweep-{}", preset.get_name()));
    PathBuf::from("runs").join(name)
}

fn settings(
    args: &SweepArgs,
    preset: Option<Preset>,
    data: &Data,
    source_data: Option<&Data>,
    seeds: &[u64],
) -> Result<SweepSettings> {
    let target = classes::parse("--target", &args.target, data.dataset.classes())?;
    let of_source = |data: &Data, list: &str| classes::parse("--source", list, data.dataset.classes());
    let source = match (source_data, &args.source) {
        (Some(data), Some(list)) => of_source(data, list)?,
        (Some(data), None) => classes::all(data.dataset.classes()),
        (None, list) => of_source(data, list.as_deref().unwrap_or("0-4"))?,
    };
    if source_data.is_none() {
        classes::require_disjoint(&source, &target)?;
    }
    let network = args.network.architecture()?;
    network.require_data_set_size()?;
    network.outline(source.len() + target.len())?;
    let epochs = args.epochs.unwrap_or_else(|| preset.map_or(10, Preset::epochs));
    Ok(SweepSettings {
        format: record::FORMAT,
        thawline: env!("CARGO_PKG_VERSION").to_owned(),
        data: data.record(),
        source_data: source_data.map(Data::record),
        labels: args.labels,
        source,
        target,
        per_class: args.per_class,
        network,
        source_epochs: args.source_epochs.unwrap_or(epochs),
        epochs,
        learning_rate: args.learning_rate,
        schedule: args.schedule,
        augment: args.augment.unwrap_or_default(),
        tuning_seed: seeds.first().copied().filter(|_| args.tune),
        batch_size: args.batch_size.unwrap_or_else(|| preset.map_or(128, Preset::batch_size)),
        arithmetic: if Level::current().has_fma() { "fma" } else { "portable" }.to_owned(),
    })
}

/// Refuses networks that do not fit in memory. Shared features are cached only if they fit, so they do not count.
fn require_memory(settings: &SweepSettings, costs: &ArmCosts) -> Result<()> {
    let network: Network = settings.network.outline(settings.source.len() + settings.target.len())?;
    let examples = costs.largest_epoch();
    let batch = settings.batch_size.min(examples);
    let training = Training { network: &network, batch, validation: examples, features: 0, checkpoints: false };
    let mut memory = Memory::of_training_runs([training]);
    // In addition to the trained network: the one that its features come from, the one whose frozen layers several jobs
    // share, and one with initial weights.
    memory.parameters += 3 * network.weight_bytes();
    memory.require("the sweep", "lower --batch-size or --filters")
}
