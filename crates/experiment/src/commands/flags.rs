//! Flags that several subcommands share, and those of `run`, in Keras's words where it has some.

use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches, Subcommand};
use thawline_tensor::simd::Level;

use super::values::{count, counts, learning_rate, rates, seed, thread_count};
use crate::{
    models::{ConvMethod, Listed},
    record::{
        options::{Augment, Cache, Labels, Schedule},
        run::HeadStart,
    },
};

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

/// Whether the command line has a flag of the network, rather than defaults alone. It has no flags itself.
#[derive(Debug, Clone, Copy)]
pub struct NetworkIsGiven(pub bool);

impl Args for NetworkIsGiven {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}

impl FromArgMatches for NetworkIsGiven {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        // A group is there if one of its flags is, and not by a default.
        Ok(NetworkIsGiven(["model", "NetworkArgs"].into_iter().any(|group| matches.contains_id(group))))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
