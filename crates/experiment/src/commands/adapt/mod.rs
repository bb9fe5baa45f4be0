//! `thawline adapt`: a new head on trained features, for a user's own pictures.

mod heads;
mod plan;
mod results;

use std::{path::PathBuf, time::SystemTime};

use clap::Args;
use thawline_tensor::{nn::Network, simd::Level, threads};

use self::heads::Adapting;
use super::{
    flags::MachineArgs,
    run::{command_line, create_folder},
    values,
};
use crate::{
    data::{
        open::BUILT_IN,
        own::{
            collection::{Collection, Set},
            folder::{self, Folder},
        },
    },
    models::MAX_SIZE,
    record::{
        adaptation::{Adaptation, DenseSettings, FORMAT, Head, Origin, Settings, Test},
        data::DataKind,
        options::Augment,
    },
    report,
    run::folder::{RunFolder, Start},
    system::{
        console::{self, Console, Text},
        failure::{Failure, Kind, Result},
        interrupt::Interrupts,
        machine, number, path_text,
    },
    training::{
        predictions::{Guess, guesses, judge},
        progress,
    },
    weights::{
        features::Features,
        metadata::{self, Metadata},
        model::MODEL_FILE,
    },
};

/// Flags of `adapt`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct AdaptArgs {
    /// A folder with one folder of pictures per class, or with such folders in train and val or test (PNG, JPEG, WebP,
    /// BMP or GIF of any size)
    pub folder: PathBuf,
    /// Test the model on the pictures in this folder, one folder per class [default: test, or else val, next to train]
    #[arg(long, value_name = "FOLDER")]
    pub test: Option<PathBuf>,
    /// Trained features: a model file, or features only [default: the bundled features]
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Rows and columns that pictures are scaled to, such as 64, 96, 128 or 224 [default: as stored with the features]
    #[arg(long, value_name = "N", value_parser = size)]
    pub size: Option<usize>,
    /// The new head: linear, or dense (the dense layers of the features' network) [default: linear]
    #[arg(long, value_name = "HEAD", value_enum, hide_possible_values = true, hide_default_value = true)]
    #[arg(default_value_t = Head::Linear)]
    pub head: Head,
    /// Weight pictures so that all classes count equally
    #[arg(long)]
    pub balanced: bool,
    /// Also train on randomly augmented pictures: flip, crop or flip,crop
    #[arg(long, value_name = "CHANGES")]
    pub augment: Option<Augment>,
    /// Stop at a picture that cannot be read, instead of skipping it
    #[arg(long)]
    pub strict: bool,
    /// Seed of folds, held-out pictures and augmentation, and of a dense head's weights, picture order and dropout
    #[arg(long, value_name = "N", default_value = "1", value_parser = values::seed)]
    pub seed: u64,
    #[command(flatten)]
    pub dense: DenseArgs,
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

#[derive(Debug, Args)]
#[command(next_help_heading = "With --head dense")]
pub struct DenseArgs {
    /// Fraction of each class held out for validation [default: 0.2]
    #[arg(long, value_name = "FRACTION", value_parser = share)]
    pub validation: Option<f64>,
    /// Passes over the training pictures [default: 20]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub epochs: Option<usize>,
    /// Pictures per step [default: 32]
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub batch_size: Option<usize>,
    /// Adam's learning rate [default: 0.001]
    #[arg(long, value_name = "RATE", value_parser = values::learning_rate)]
    pub learning_rate: Option<f64>,
}

fn size(text: &str) -> std::result::Result<usize, String> {
    let inside = |size: &usize| (1..=MAX_SIZE).contains(size);
    text.parse().ok().filter(inside).ok_or_else(|| format!("expected 1 to {MAX_SIZE}, such as 96"))
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
    let config = settings(args)?;

    // Nothing is written until everything has been checked. --out comes first: reading the pictures may take minutes.
    args.out.as_deref().map_or(Ok(()), RunFolder::require_unused)?;
    let features = Features::open(args.from.as_deref()).map_err(|failure| failure.within("--from"))?;
    let features = match args.size {
        Some(size) => features.for_size(size).map_err(|failure| failure.within("--size"))?,
        None => features,
    };
    let [size, ..] = features.model().metadata.network.input();
    let origin = Origin { sha256: features.model().sha256.clone(), classes: features.model().metadata.classes.clone() };
    let found = folder::open(&args.folder, args.test.as_deref())?;
    let pictures = read_pictures(&found, size, &config, console, interrupts)?;
    let duplicates = pictures.duplicates();
    console.say(plan::describe(&config, &origin, &pictures, size, &found, &duplicates))?;
    console.say(plan::skipped(&pictures))?;
    plan::require_all(&pictures, args.strict)?;
    plan::require_enough(&pictures, &found, &config)?;
    let adapting = Adapting::new(console, &config, &features, &pictures, interrupts)?;
    console.say(Text::wrapped("memory    ", adapting.memory()?.to_string()))?;
    let mut folder = create_folder(args.out.as_deref(), DataKind::Own, now)?;
    folder.write_start(&Start { command: command_line(), environment: environment.clone() })?;
    folder.write_config(&config)?;
    console.say(adapting.describe().and(Text::wrapped("folder    ", folder.path().display().to_string())).and(""))?;

    let (adapted, frozen) = adapting.train(&mut folder)?;
    let network = &adapted.network;
    let classes = &pictures.classes;
    let metadata = Metadata::new("adapted", config.seed, classes.clone(), &adapted.architecture, network);
    folder.write(MODEL_FILE, &metadata::to_safetensors(network, &metadata)?)?;
    let (tested, test) = test(&found, &pictures, network)?;
    let sets = [(adapted.held_out_set, &adapted.held_out), (Set::Test, &tested)];
    folder.write("pictures.csv", &results::table(&pictures, sets, &duplicates)?)?;
    let record = Adaptation {
        format: FORMAT,
        thawline: env!("CARGO_PKG_VERSION").to_owned(),
        command: command_line(),
        config,
        environment,
        features: origin,
        classes: pictures.counts(),
        duplicates,
        model: adapted.model,
        held_out: adapted.scores,
        cross_validation: adapted.cross_validation,
        test,
        frozen_unchanged: frozen.iter().all(|tensor| tensor.before == tensor.after),
        frozen,
        peak_memory_bytes: machine::peak_memory_bytes(),
    };
    let json = record.to_json()?;
    folder.write("summary.json", json.as_bytes())?;
    let (set, guesses) = sets[usize::from(record.test.is_some())];
    let mistakes = results::mistakes(&pictures, set, guesses, network);
    folder.write("report.html", report::adaptation(&record, &mistakes).as_bytes())?;
    console.say("")?;
    let text = results::text(&record, folder.path());
    if !args.json {
        return console.result(text);
    }
    console.say(text)?;
    console::print_data(&json)
}

/// Decodes all pictures, unless a signal stops it.
fn read_pictures(
    found: &Folder,
    size: usize,
    config: &Settings,
    console: Console,
    interrupts: &Interrupts,
) -> Result<Collection> {
    let files: usize = found.classes.iter().map(|class| class.files.len() + class.test.len()).sum();
    let share = config.dense.as_ref().map(|dense| dense.validation);
    let _spinner = progress::spinner(console, format!("reading {} pictures", number::count(files as u64)));
    let read = Collection::read(&found.classes, size, config.seed, share, || interrupts.signal().is_some());
    match interrupts.signal() {
        Some(signal) => Err(Failure::new(Kind::Signal(signal), "interrupted while reading the pictures")),
        None => read,
    }
}

/// The predictions for the test pictures, and their scores; none without test pictures.
fn test(found: &Folder, pictures: &Collection, network: &Network) -> Result<(Vec<Vec<Guess>>, Option<Test>)> {
    let examples = pictures.examples(Set::Test);
    let Some(folder) = found.test.as_ref().filter(|_| !examples.is_empty()) else { return Ok((Vec::new(), None)) };
    let tested = guesses(network, &examples, |picture| format!("test picture {}", picture + 1))?;
    let (confusion, scores) = judge(&pictures.classes, examples.labels(), &tested);
    Ok((tested, Some(Test { folder: path_text::exact(folder), confusion, scores })))
}

fn settings(args: &AdaptArgs) -> Result<Settings> {
    let from = args.from.as_deref().map_or_else(|| BUILT_IN.to_owned(), path_text::exact);
    let &AdaptArgs { head, balanced, strict, seed, .. } = args;
    let &DenseArgs { validation, epochs, batch_size, learning_rate } = &args.dense;
    let given = [
        ("--validation", validation.is_some()),
        ("--epochs", epochs.is_some()),
        ("--batch-size", batch_size.is_some()),
        ("--learning-rate", learning_rate.is_some()),
    ];
    if let (Head::Linear, Some((flag, _))) = (head, given.iter().find(|(_, is_given)| *is_given)) {
        return Err(Failure::usage(format!(
            "{flag} needs --head dense: the linear head is cross-validated and fitted until it converges"
        )));
    }
    let dense = (head == Head::Dense).then(|| DenseSettings {
        validation: validation.unwrap_or(0.2),
        epochs: epochs.unwrap_or(20),
        batch_size: batch_size.unwrap_or(32),
        learning_rate: learning_rate.unwrap_or(0.001),
    });
    Ok(Settings {
        folder: path_text::exact(&args.folder),
        test: args.test.as_deref().map(path_text::exact),
        from,
        size: args.size,
        head,
        balanced,
        augment: args.augment.unwrap_or_default(),
        strict,
        seed,
        threads: threads::count(),
        simd: Level::current().to_string(),
        dense,
    })
}
