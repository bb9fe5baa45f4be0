//! The command line: every subcommand and flag, in Keras's words where it has some.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use thawline_tensor::simd::Level;

use super::{
    adapt::AdaptArgs,
    bench::BenchArgs,
    eval::EvalArgs,
    exchange::{ExportArgs, ImportArgs},
    features::FeaturesArgs,
    predict::PredictArgs,
    report::ReportArgs,
    sweep::SweepArgs,
};
use crate::{
    models::{ConvMethod, Listed},
    record::{
        options::{Augment, Cache, Labels, Schedule},
        run::HeadStart,
    },
    system::console::WIDTH,
};

pub use super::run_settings::NetworkIsGiven;
pub(crate) use super::values::{count, learning_rate, seed};
use super::values::{counts, rates, thread_count};

const EXAMPLES: &str = "\
Examples:
  thawline                               the tutorial's experiment
  thawline --epochs 1 --limit 1000       a quick look
  thawline --source 0,2,4 --target 5-7   other classes
  thawline --head warm                   continue from model_1's head
  thawline summary                       the network, without training it
  thawline adapt my-pictures             a classifier for your own pictures
  thawline data info                     the data set it finds
  thawline help adapt                    help on a command

Exit codes:
  0 done; 1 failure; 2 bad usage or input; 3 the machine failed, try again;
  4 the loss is NaN or infinite; 130 or 143 interrupted.
docs/program.md describes every flag.";

/// Train on some classes, freeze the features, and train a new head on others
#[derive(Debug, Parser)]
#[command(name = "thawline", bin_name = "thawline", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_help_flag = true, max_term_width = WIDTH)]
pub struct Cli {
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::HelpShort, display_order = 99)]
    help: Option<bool>,
    /// What to do; `run` where nothing is named.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the transfer experiment (the default)
    #[command(after_help = "Examples:
  thawline run --epochs 1 --limit 1000 --out runs/first
  thawline run --from runs/first/weights-model_1.safetensors --epochs 1
  thawline run --resume runs/first")]
    Run(Box<RunArgs>),
    /// Train a classifier for your own pictures: a folder of class folders
    #[command(after_help = "Example:
  thawline adapt my-pictures --out my-model")]
    Adapt(AdaptArgs),
    /// Classify pictures with a trained model
    #[command(after_help = "Examples:
  thawline predict --from my-model holiday.jpg
  find . -name '*.jpg' -print0 | thawline predict --from my-model -")]
    Predict(PredictArgs),
    /// Save a model's layers up to its head, to train a new head on
    #[command(after_help = "Example:
  thawline features runs/first/weights-model_1.safetensors --out my-features")]
    Features(FeaturesArgs),
    /// Run many experiment arms over many seeds and write a report
    #[command(after_help = "An arm is one way to train. Pretraining, stage 1, is shared between arms.

Examples:
  thawline sweep --arms frozen,scratch --seeds 0..3 --dry-run
  thawline sweep --arms frozen,scratch --seeds 0..3 --out runs/sweep")]
    Sweep(Box<SweepArgs>),
    /// Write the report of a sweep, from one folder or several
    #[command(after_help = "Example:
  thawline report runs/sweep --out runs/report")]
    Report(ReportArgs),
    /// Score a model on a data set
    #[command(after_help = "Example:
  thawline eval --from runs/first/weights-model_2.safetensors")]
    Eval(EvalArgs),
    /// Write a model's weights for PyTorch or Keras
    #[command(after_help = "Example:
  thawline export --format torch --from my-model --out torch.safetensors")]
    Export(ExportArgs),
    /// Build a model from PyTorch or Keras weights
    #[command(after_help = "Example:
  thawline import torch.safetensors --like my-model --out imported")]
    Import(Box<ImportArgs>),
    /// Show the network before and after freezing, without training it
    #[command(after_help = "Example:
  thawline summary --filters 32 --freeze conv2d_1")]
    Summary(SummaryArgs),
    /// Inspect, check or make a data set
    #[command(
        subcommand,
        after_help = "Example:
  thawline data info"
    )]
    Data(DataCommand),
    /// Measure the machine, the kernels and the training steps
    #[command(after_help = "Example:
  thawline bench --only kernels --threads 1")]
    Bench(BenchArgs),
    /// Show the machine and the build: what a bug report needs
    #[command(after_help = "Example:
  thawline info --threads 2")]
    Info(InfoArgs),
}

/// Flags of `run`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)] // so that -1 gets the answer that it deserves
pub struct RunArgs {
    /// A TOML file of settings, such as a run's config.toml; flags override it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Ready-made settings; fast: near the tutorial's accuracies in a fifth of its epochs
    #[arg(long, value_name = "PRESET", value_enum, hide_possible_values = true)]
    pub preset: Option<Preset>,
    /// Whether a flag says what the network is.
    #[command(flatten)]
    pub network_is_given: NetworkIsGiven,
    /// Which pictures.
    #[command(flatten)]
    pub data: DataArgs,
    /// The network.
    #[command(flatten)]
    pub network: ModelArgs,
    /// Its training.
    #[command(flatten)]
    pub training: TrainingArgs,
    /// From model_1 to model_2.
    #[command(flatten)]
    pub transfer: TransferArgs,
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// What is written.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Ready-made settings of `run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// Near the tutorial's final accuracies, in a fifth of its epochs
    Fast,
}

impl Preset {
    /// The settings, as a file for `--config`.
    pub fn text(self) -> &'static str {
        match self {
            Preset::Fast => include_str!("presets/fast.toml"),
        }
    }
}

/// Which pictures.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// CIFAR .tar.gz, folder of .bin files, or built-in [default: THAWLINE_DATA, else data/, else built-in]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Labels of CIFAR-100: fine or coarse
    #[arg(long, value_name = "LABELS", value_enum, hide_possible_values = true, default_value_t = Labels::Fine)]
    pub labels: Labels,
    /// model_1's classes: labels, ranges, names
    #[arg(long, value_name = "CLASSES", default_value = "0-4", allow_hyphen_values = true)]
    pub source: String,
    /// model_2's classes, all of them others
    #[arg(long, value_name = "CLASSES", default_value = "5-9", allow_hyphen_values = true)]
    pub target: String,
    /// Use at most N training and N validation pictures for each model
    #[arg(long, value_name = "N", value_parser = count)]
    pub limit: Option<usize>,
}

/// The network: one's own, or the tutorial's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct ModelArgs {
    /// A TOML file of layers, in place of the tutorial's network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["filters", "kernel", "pool", "dropout", "dense"])]
    pub model: Option<PathBuf>,
    /// The tutorial's.
    #[command(flatten)]
    pub tutorial: NetworkArgs,
    /// The layers that a file of settings lists.
    #[arg(skip)]
    pub layers: Option<Listed>,
}

/// The tutorial's network.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Filters of the Conv2D layers, one number or two
    #[arg(long, value_name = "N[,N]", default_value = "64", value_parser = counts)]
    pub filters: [usize; 2],
    /// Height and width of the convolution kernels
    #[arg(long, value_name = "N", default_value = "3", value_parser = count)]
    pub kernel: usize,
    /// Height and width of the MaxPooling2D windows
    #[arg(long, value_name = "N", default_value = "2", value_parser = count)]
    pub pool: usize,
    /// Dropout after the features and after the hidden Dense layer: one rate or two
    #[arg(long, value_name = "RATE[,RATE]", default_value = "0.25", value_parser = rates)]
    pub dropout: [f64; 2],
    /// Units of the hidden Dense layer
    #[arg(long, value_name = "N", default_value = "128", value_parser = count)]
    pub dense: usize,
    /// Convolution method: auto (the fastest), naive, im2col, implicit or winograd
    #[arg(long, value_name = "METHOD", value_enum, hide_possible_values = true, default_value_t = ConvMethod::Auto)]
    pub conv_method: ConvMethod,
}

/// Training.
#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct TrainingArgs {
    /// Passes over the training pictures, for each model
    #[arg(long, value_name = "N", default_value = "20", value_parser = count)]
    pub epochs: usize,
    /// Pictures per step
    #[arg(long, value_name = "N", default_value = "128", value_parser = count)]
    pub batch_size: usize,
    /// Adam's learning rate
    #[arg(long, value_name = "RATE", default_value = "0.001", value_parser = learning_rate)]
    pub learning_rate: f64,
    /// Learning-rate schedule: constant, cosine or one-cycle
    #[arg(long, value_name = "COURSE", value_enum, hide_possible_values = true, default_value_t = Schedule::Constant)]
    pub schedule: Schedule,
    /// Stop after N epochs without a better validation accuracy; keep the best weights
    #[arg(long, value_name = "N", value_parser = count)]
    pub early_stopping: Option<usize>,
    /// Randomly augment the training pictures: flip, crop or flip,crop
    #[arg(long, value_name = "CHANGES")]
    pub augment: Option<Augment>,
    /// Seed of initial weights, picture order, dropout and augmentation
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    pub seed: u64,
}

/// From model_1 to model_2.
#[derive(Debug, Args)]
#[command(next_help_heading = "Transfer")]
pub struct TransferArgs {
    /// Start model_2's head fresh, or warm: from model_1's head
    #[arg(long, value_name = "START", value_enum, hide_possible_values = true, default_value_t = HeadStart::Fresh)]
    pub head: HeadStart,
    /// Take the features from this file of weights or features; model_1 is not trained
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    pub from: Option<PathBuf>,
    /// SHA-256 of that file, where settings say what it must be.
    #[arg(skip)]
    pub from_sha256: Option<String>,
    /// Reinitialise layers that do not match the file
    #[arg(long, requires = "from")]
    pub partial: bool,
    /// Last layer that model_2 takes over frozen [default: the one before the first Dense]
    #[arg(long, value_name = "LAYER")]
    pub freeze: Option<String>,
    /// Keep the frozen features in memory: on, off or auto (if they fit)
    #[arg(long, value_name = "WHEN", value_enum, hide_possible_values = true, default_value_t = Cache::Auto)]
    pub cache: Cache,
}

/// The machine.
#[derive(Debug, Args)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    /// Threads; no effect on results [default: one per core]
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub threads: Option<usize>,
    /// SIMD level: portable, avx2 or avx512 [default: THAWLINE_SIMD, else the CPU's best]
    #[arg(long, value_name = "LEVEL")]
    pub simd: Option<Level>,
}

/// What is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// The run folder, new or empty [default: runs/DATE-TIME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Resume the interrupted run in this folder, with its settings
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "NetworkArgs", "TrainingArgs", "TransferArgs"])]
    #[arg(conflicts_with_all = ["labels", "source", "target", "limit", "simd", "out", "config", "preset"])]
    pub resume: Option<PathBuf>,
    /// Print only the final table
    #[arg(long)]
    pub quiet: bool,
    /// Print summary.json on standard output, all else on standard error
    #[arg(long)]
    pub json: bool,
}

/// Whether an output file may replace another one.
#[derive(Debug, Args)]
pub struct ForceArg {
    /// Replace the output file if it exists
    #[arg(long)]
    pub force: bool,
}

/// Flags of `summary`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct SummaryArgs {
    /// The network.
    #[command(flatten)]
    pub network: ModelArgs,
    /// Number of classes
    #[arg(long, value_name = "N", default_value = "5", value_parser = count)]
    pub classes: usize,
    /// Last frozen layer in the second table [default: as for run]
    #[arg(long, value_name = "LAYER")]
    pub freeze: Option<String>,
}

/// Flags of `info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Subcommands of `data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show what a path holds: the set, its classes, how many pictures of each
    #[command(after_help = "Example:
  thawline data info built-in")]
    Info(DataPath),
    /// Check every byte that can be checked, and print the hashes
    #[command(after_help = "Example:
  thawline data verify")]
    Verify(DataPath),
    /// Write built-in pictures in CIFAR-10's format
    #[command(after_help = "Example:
  thawline data synth drawings.tar.gz --train 500 --test 100")]
    Synth(SynthArgs),
    /// Draw a grid of sample pictures, a row per class
    #[command(after_help = "Example:
  thawline data samples --classes 0-4 --out samples.png")]
    Samples(SamplesArgs),
}

/// A data set, by its path.
#[derive(Debug, Args)]
pub struct DataPath {
    /// CIFAR .tar.gz, folder of .bin files, or built-in [default: as for run]
    pub path: Option<PathBuf>,
}

/// Flags of `data synth`.
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// The archive to write if it ends in .tar.gz or .tgz, else the folder, new or empty
    pub out: PathBuf,
    /// Whether the archive may replace a file.
    #[command(flatten)]
    pub force: ForceArg,
    /// Training pictures, a multiple of 5 up to 50000
    #[arg(long, value_name = "N", default_value_t = thawline_drawings::Size::default().train, value_parser = count)]
    pub train: usize,
    /// Test pictures, up to 10000
    #[arg(long, value_name = "N", default_value_t = thawline_drawings::Size::default().test, value_parser = count)]
    pub test: usize,
    /// Seed of the drawings
    #[arg(long, value_name = "N", default_value_t = thawline_drawings::SEED, value_parser = seed)]
    pub seed: u64,
}

/// Flags of `data samples`.
#[derive(Debug, Args)]
pub struct SamplesArgs {
    /// The data set.
    #[command(flatten)]
    pub data: DataPath,
    /// The PNG file to write
    #[arg(long, value_name = "FILE", default_value = "samples.png")]
    pub out: PathBuf,
    /// Whether it may replace a file.
    #[command(flatten)]
    pub force: ForceArg,
    /// Classes to draw: labels, ranges, names [default: all]
    #[arg(long, value_name = "CLASSES", allow_hyphen_values = true)]
    pub classes: Option<String>,
    /// Pictures per class
    #[arg(long, value_name = "N", default_value = "10", value_parser = count)]
    pub columns: usize,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::models::Tutorial;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_default_flags_are_the_tutorials_network() {
        let cli = Cli::try_parse_from(["thawline"]).unwrap();
        assert_eq!(cli.run.network.tutorial.tutorial(), Tutorial::default());
    }

    #[test]
    fn a_resumed_run_takes_no_settings() {
        let run = Cli::command();
        let run = run.find_subcommand("run").unwrap();
        for argument in run.get_arguments().filter(|argument| argument.get_long().is_some_and(|name| name != "help")) {
            let name = argument.get_long().unwrap();
            let flag = format!("--{name}");
            let value = argument.get_default_values().first().map_or("1", |value| value.to_str().unwrap());
            let mut line = vec!["thawline", "run", "--resume", "x", &flag];
            line.extend(argument.get_action().takes_values().then_some(value));
            line.extend(if name == "partial" { &["--from", "x"][..] } else { &[] });
            let fits = ["data", "threads", "quiet", "json"].contains(&name);
            assert_eq!(Cli::try_parse_from(line).is_ok(), fits, "{flag} beside --resume");
        }
    }

    #[test]
    fn one_number_stands_for_two() {
        let filters =
            |text| Cli::try_parse_from(["thawline", "--filters", text]).map(|cli| cli.run.network.tutorial.filters);
        assert_eq!(filters("32").unwrap(), [32, 32]);
        assert_eq!(filters("32, 48").unwrap(), [32, 48]);
        assert!(filters("32,48,64").is_err() && filters("32,0").is_err() && filters("").is_err());
    }
}
