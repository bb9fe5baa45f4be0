//! `thawline adapt`: a new head on trained features, for a user's own pictures.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use clap::Args;
use serde::Serialize;
use thawline_tensor::{nn::Fit, simd::Level, threads};

use super::flags::MachineArgs;
use super::run::{command_line, create_folder};
use super::values;
use crate::{
    data::{
        open::BUILT_IN,
        own::{
            collection::{Assignment, Collection},
            folder::{self, Folder},
        },
    },
    record::{
        adaptation::{Adaptation, FORMAT, Mistake, Origin, Settings},
        options::Cache,
        run::{DataKind, EpochRow},
    },
    report,
    run::{folder::Start, watch::Watch},
    system::{
        console::{self, Console, Text, fitted, listed},
        failure::{Failure, Kind, Result},
        interrupt::Interrupts,
        machine,
        memory::{Memory, Training},
        number, path_text, spreadsheet,
    },
    training::{
        predictions::{Guess, guesses},
        progress::Progress,
        train, transfer,
    },
    weights::{
        features::Features,
        metadata::{self, Metadata},
        model::MODEL_FILE,
    },
};

/// The most classes listed on the terminal; the report lists all.
const MAX_CLASSES: usize = 40;

/// The most unreadable pictures named on the terminal; `pictures.csv` names all.
const MAX_LISTED: usize = 20;

/// Flags of `adapt`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct AdaptArgs {
    /// A folder with one folder of pictures per class: PNG, JPEG, WebP, BMP or GIF, of any size
    pub folder: PathBuf,
    /// Trained features: a model file, or features only [default: the bundled features]
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Fraction of each class held out for validation
    #[arg(long, value_name = "FRACTION", default_value = "0.2", value_parser = share)]
    pub validation: f64,
    /// Stop at a picture that cannot be read, instead of skipping it
    #[arg(long)]
    pub strict: bool,
    /// Passes over the training pictures
    #[arg(long, value_name = "N", default_value = "20", value_parser = values::count)]
    pub epochs: usize,
    /// Pictures per step
    #[arg(long, value_name = "N", default_value = "32", value_parser = values::count)]
    pub batch_size: usize,
    /// Adam's learning rate
    #[arg(long, value_name = "RATE", default_value = "0.001", value_parser = values::learning_rate)]
    pub learning_rate: f64,
    /// Seed of the held-out pictures, initial weights, order and dropout
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::seed)]
    pub seed: u64,
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// The run folder, new or empty [default: runs/DATE-TIME]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Print only the result
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,
    /// Print summary.json to standard output, everything else to standard error
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

fn share(text: &str) -> std::result::Result<f64, String> {
    let inside = |share: &f64| *share > 0.0 && *share < 1.0;
    text.parse().ok().filter(inside).ok_or_else(|| "expected a fraction between 0 and 1, such as 0.2".to_owned())
}

pub fn adapt(args: &AdaptArgs) -> Result<()> {
    machine::choose_level(args.machine.simd)?;
    let threads = machine::choose_threads(args.machine.threads);
    let interrupts = Interrupts::listen()?;
    interrupts.defer();
    threads::with_threads(threads, || perform(args, &interrupts))?.map_err(Failure::while_unfinished)
}

fn perform(args: &AdaptArgs, interrupts: &Interrupts) -> Result<()> {
    let console = Console { quiet: args.quiet, stdout_is_data: args.json };
    let now = SystemTime::now();
    let environment = machine::environment(now);
    let config = settings(args);

    // Nothing is written until everything has been checked.
    let features = Features::open(args.from.as_deref()).map_err(|failure| failure.within("--from"))?;
    let origin = Origin { sha256: features.model().sha256.clone(), classes: features.model().metadata.classes.clone() };
    let [size, ..] = features.model().metadata.network.input();
    let found = folder::open(&args.folder)?;
    let files: usize = found.classes.iter().map(|class| class.files.len()).sum();
    let mut progress = Progress::new(console, config.epochs, files, None);
    progress.wait(format!("reading {} pictures", number::count(files as u64)));
    let stop = || interrupts.signal().is_some();
    let read = Collection::read(&found.classes, size, config.seed, config.validation, stop);
    progress.finish();
    let pictures = match interrupts.signal() {
        Some(signal) => return Err(Failure::new(Kind::Signal(signal), "interrupted while reading the pictures")),
        None => read?,
    };
    console.say(describe(&config, &origin, &pictures, &found))?;
    list_skipped(console, &pictures, args.strict)?;
    let task = pictures.task().map_err(|failure| failure.within(&config.folder))?;
    let mut network = features.attach_head(task.classes.len())?;
    let cache = transfer::plan_cache(&network, &task, Cache::Auto, machine::free_memory())?;
    let Settings { epochs, batch_size, seed, learning_rate: rate, .. } = config;
    let memory = Memory::of_training_runs([Training {
        network: &network,
        batch: batch_size.min(task.train.len()),
        validation: task.validation.len(),
        features: cache.kept_bytes(),
        checkpoints: false,
    }]);
    memory.require("the training", "lower --batch-size, or use the features of a smaller network")?;
    console.say(Text::wrapped("memory    ", memory.to_string()))?;
    let mut folder = create_folder(args.out.as_deref(), DataKind::Own, now)?;
    folder.write_start(&Start { command: command_line(), environment: environment.clone() })?;
    folder.write_config(&config)?;
    let summary = network.summary();
    let [all, trained] = [summary.parameters(), summary.trainable()].map(|pictures| number::count(pictures as u64));
    let text =
        Text::wrapped("network   ", format!("{all} parameters, {trained} of them trained; the features are frozen"));
    console.say(text.and(Text::wrapped("folder    ", folder.path().display().to_string())).and(""))?;

    progress = Progress::new(console, config.epochs, task.train.len(), None);
    progress.wait("computing the frozen features");
    let options = Fit { epochs, batch_size, seed, rate, cached: cache.cached, ..Fit::default() };
    features.fill(&mut network, seed)?;
    let hashes = metadata::frozen_hashes(&network);
    let mut watch = Watch {
        model: "adapted",
        progress,
        folder: &mut folder,
        draft: None,
        interrupts,
        cached: true,
        checkpoints: None,
    };
    let trained = network.fit(&task.train, options.validate(&task.validation).watch(&mut watch));
    watch.progress.finish();
    let trained = trained.map_err(Failure::from).map_err(|failure| match failure.kind {
        Kind::Signal(_) => {
            let folder = folder.path().display();
            Failure { message: format!("{failure}; {folder} holds the metrics so far, but no model"), ..failure }
        }
        _ => failure,
    })?;
    let model = train::record(&network, &task, &trained, cache.cached);
    let frozen = metadata::compare_frozen(hashes, &network);
    let metadata = Metadata::new("adapted", seed, task.names(), &features.model().metadata.network, &network);
    folder.write(MODEL_FILE, &metadata::to_safetensors(&network, &metadata)?)?;

    let guesses = guesses(&network, &task.validation, |picture| format!("held-out picture {}", picture + 1))?;
    folder.write("pictures.csv", &table(&pictures, &guesses)?)?;
    let record = Adaptation {
        format: FORMAT,
        thawline: env!("CARGO_PKG_VERSION").to_owned(),
        command: command_line(),
        config,
        environment,
        features: origin,
        classes: pictures.counts(),
        duplicates: pictures.duplicates() as u64,
        model,
        frozen_unchanged: frozen.iter().all(|tensor| tensor.before == tensor.after),
        frozen,
        peak_memory_bytes: machine::peak_memory_bytes(),
    };
    let json = record.to_json()?;
    folder.write("summary.json", &json)?;
    folder.write("report.html", report::adaptation(&record, &mistakes(&pictures, &guesses)).as_bytes())?;
    console.say("")?;
    let text = results(&record, folder.path());
    if !args.json {
        return console.result(text);
    }
    console.say(text)?;
    console::print_data(&String::from_utf8_lossy(&json))
}

fn settings(args: &AdaptArgs) -> Settings {
    let from = args.from.as_deref().map_or_else(|| BUILT_IN.to_owned(), path_text::exact);
    let &AdaptArgs { validation, strict, epochs, batch_size, learning_rate, seed, .. } = args;
    let (folder, threads, simd) = (path_text::exact(&args.folder), threads::count(), Level::current().to_string());
    Settings { folder, from, validation, strict, epochs, batch_size, learning_rate, seed, threads, simd }
}

/// The plan.
fn describe(config: &Settings, origin: &Origin, pictures: &Collection, found: &Folder) -> Text {
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    let features = format!("from {}, a model for {}", config.from, listed(&origin.classes));
    let mut text = Text::wrapped("features  ", features).and(Text::wrapped("pictures  ", &config.folder));
    let counts = pictures.counts();
    let width = counts.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).min(24);
    for class in counts.iter().take(MAX_CLASSES) {
        let skipped = if class.skipped > 0 { format!(", {} skipped", class.skipped) } else { String::new() };
        let (name, training, validation) = (fitted(&class.name, width), class.training, class.validation);
        text.push(format!("          {name:<width$}  {training:>5} for training, {validation:>4} held out{skipped}"));
    }
    if counts.len() > MAX_CLASSES {
        text.push(format!("          and {} more classes", counts.len() - MAX_CLASSES));
    }
    if found.stray_files > 0 {
        let files =
            format!("{} file{} outside the class folders ignored", found.stray_files, plural(found.stray_files as u64));
        text.push(Text::wrapped("          ", files));
    }
    for output in &found.outputs {
        let ignored = format!("{} ignored: this program's own output", path_text::printable(output));
        text.push(Text::wrapped("          ", ignored));
    }
    if pictures.duplicates() > 0 {
        let duplicates = format!(
            "{} held-out pictures also occur in the training set, which inflates the accuracy",
            number::count(pictures.duplicates() as u64)
        );
        text.push(Text::wrapped("          ", duplicates));
    }
    let &Settings { epochs, batch_size, learning_rate, seed, .. } = config;
    text.and(format!(
        "training  {epochs} epoch{} in batches of {batch_size}, Adam at {learning_rate}, seed {seed}",
        plural(epochs as u64)
    ))
}

/// Lists the unreadable pictures.
fn list_skipped(console: Console, pictures: &Collection, strict: bool) -> Result<()> {
    let skipped: Vec<_> = pictures.skipped().collect();
    for (entry, reason) in skipped.iter().take(MAX_LISTED) {
        console.say(format!("skipped   {}: {reason}", path_text::printable(&entry.path)))?;
    }
    if skipped.len() > MAX_LISTED {
        console
            .say(format!("skipped   {} more, listed in the run folder's pictures.csv", skipped.len() - MAX_LISTED))?;
    }
    match skipped.first() {
        Some((entry, reason)) if strict => Err(Failure::usage(format!(
            "--strict: {} of {} files cannot be read; the first: {}: {reason}",
            skipped.len(),
            pictures.entries.len(),
            path_text::printable(&entry.path)
        ))),
        _ => Ok(()),
    }
}

/// `pictures.csv`: every file with its set, and the predicted class if it was held out.
fn table(pictures: &Collection, guesses: &[Vec<Guess>]) -> Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Row<'a> {
        file: String,
        class: &'a str,
        set: &'static str,
        predicted: Option<&'a str>,
        probability: Option<f32>,
        reason: Option<&'a str>,
    }
    let mut guesses = guesses.iter();
    let rows = pictures.entries.iter().map(|entry| {
        let guess = match entry.assignment {
            Assignment::Validation(_) => guesses.next().map(|guesses| guesses[0]),
            _ => None,
        };
        Row {
            file: path_text::printable(&entry.path),
            class: &pictures.classes[entry.class],
            set: entry.assignment.name(),
            predicted: guess.map(|guess| pictures.classes[guess.class].as_str()),
            probability: guess.map(|guess| guess.probability),
            reason: if let Assignment::Skipped(reason) = &entry.assignment { Some(reason) } else { None },
        }
    });
    spreadsheet::table(rows)
}

/// The mistakes, the most confident first.
fn mistakes(pictures: &Collection, guesses: &[Vec<Guess>]) -> Vec<Mistake> {
    let name = |class: usize| pictures.classes[class].clone();
    let wrong = pictures.validation().zip(guesses).filter(|((entry, _), guesses)| guesses[0].class != entry.class);
    let mut mistakes: Vec<Mistake> = wrong
        .map(|((entry, pixels), guesses)| Mistake {
            file: path_text::printable(&entry.path),
            class: name(entry.class),
            predicted: name(guesses[0].class),
            probability: guesses[0].probability,
            pixels: pixels.into(),
        })
        .collect();
    mistakes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    mistakes
}

/// The result, for people.
fn results(record: &Adaptation, folder: &Path) -> Text {
    let accuracy = |row: Option<&EpochRow>| row.map_or_else(String::new, |row| number::percent(row.val_accuracy));
    let model = folder.join(MODEL_FILE);
    let mut text = Text::heading(format!(
        "accuracy {} on {} held-out pictures, after {}",
        accuracy(record.model.last()),
        number::count(record.validation()),
        number::duration(record.model.total_seconds)
    ));
    if !record.frozen_unchanged {
        text.push(Text::verdict("THE FROZEN WEIGHTS CHANGED: see frozen in summary.json", false));
    }
    text.push(format!("report: {}", folder.join("report.html").display()));
    text.push(format!("model:  {}", model.display()));
    text.and(format!("use it: thawline predict --from {} PICTURE...", path_text::argument(folder)))
}
