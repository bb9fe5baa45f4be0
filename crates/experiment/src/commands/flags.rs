//! Flags that several subcommands share, and those of `run`, `summary`, `info` and `data`, with Keras's names where
//! Keras has them.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use thawline_tensor::simd::Level;

use super::values::{columns, count, counts, learning_rate, rates, seed, thread_count};
use crate::{
    models::{ConvMethod, Listed},
    record::{
        options::{Augment, Cache, Labels, Schedule},
        run::HeadStart,
    },
};

/// Flags of `run`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)] // so that -1 is a bad value, not an unknown flag
pub struct RunArgs {
    /// A TOML settings file, such as a run's config.toml; flags override it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: RunSettings,
    /// Resume the interrupted run in this folder, with its settings
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    #[arg(conflicts_with_all = ["model", "NetworkArgs", "TrainingArgs", "TransferArgs"])]
    #[arg(conflicts_with_all = ["labels", "source", "target", "limit", "simd", "out", "config", "preset"])]
    pub resume: Option<PathBuf>,
}

/// Settings given by the flags of `run` or by a settings file; by default none is set.
#[derive(Debug, Clone, Default, Args)]
pub struct RunSettings {
    /// Ready-made settings; fast: near the tutorial's accuracies in a fifth of its epochs
    #[arg(long, value_name = "PRESET", value_enum, hide_possible_values = true)]
    pub preset: Option<Preset>,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub network: ModelArgs,
    #[command(flatten)]
    pub training: TrainingArgs,
    #[command(flatten)]
    pub transfer: TransferArgs,
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

impl RunSettings {
    /// These settings, with unset ones taken from `other`, except for those that conflict with these.
    pub fn or(self, mut other: Self) -> Self {
        if self.transfer.from.is_some() {
            other.data.source = None;
        }
        if self.transfer.from.is_some() || self.data.source.is_some() {
            (other.transfer.from, other.transfer.from_sha256, other.transfer.partial) = (None, None, None);
        }
        if self.network.model.is_some() {
            let conv_method = other.network.tutorial.conv_method;
            other.network = ModelArgs::default();
            other.network.tutorial.conv_method = conv_method;
        }
        if self.network.tutorial.has_numbers() {
            (other.network.model, other.network.layers) = (None, None);
        }
        self.fill(other)
    }
}

impl NetworkArgs {
    /// Whether any flag describes the tutorial's network, rather than how it is computed.
    pub fn has_numbers(&self) -> bool {
        NetworkArgs { conv_method: None, ..self.clone() } != NetworkArgs::default()
    }
}

/// Gives structs of optional fields a method that fills empty fields from another struct.
macro_rules! fill {
    ($($type:ident: $($group:ident)* ; $($field:ident)*),*) => {
        $(impl $type {
            fn fill(self, other: Self) -> Self {
                Self { $($group: self.$group.fill(other.$group),)* $($field: self.$field.or(other.$field)),* }
            }
        })*
    };
}

fill! {
    RunSettings: data network training transfer machine output; preset,
    DataArgs: ; data labels source target limit,
    ModelArgs: tutorial; model layers,
    NetworkArgs: ; filters kernel pool dropout dense conv_method,
    TrainingArgs: ; epochs batch_size learning_rate schedule early_stopping augment seed,
    TransferArgs: ; head from from_sha256 partial freeze cache,
    MachineArgs: ; threads simd,
    OutputArgs: ; out quiet json
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

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// CIFAR .tar.gz, folder of .bin files, or built-in [default: THAWLINE_DATA, else data/, else built-in]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Labels of CIFAR-100: fine or coarse [default: fine]
    #[arg(long, value_name = "LABELS", value_enum, hide_possible_values = true)]
    pub labels: Option<Labels>,
    /// model_1's classes: labels, ranges, names [default: 0-4]
    #[arg(long, value_name = "CLASSES", allow_hyphen_values = true)]
    pub source: Option<String>,
    /// model_2's classes, all different from model_1's [default: 5-9]
    #[arg(long, value_name = "CLASSES", allow_hyphen_values = true)]
    pub target: Option<String>,
    /// Use at most N training and N validation pictures for each model
    #[arg(long, value_name = "N", value_parser = count)]
    pub limit: Option<usize>,
}

/// Your own network, or the tutorial's.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct ModelArgs {
    /// A TOML file of layers, in place of the tutorial's network
    #[arg(long, value_name = "FILE", conflicts_with_all = ["filters", "kernel", "pool", "dropout", "dense"])]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub tutorial: NetworkArgs,
    /// The layers listed in a settings file.
    #[arg(skip)]
    pub layers: Option<Listed>,
}

#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Filters of the Conv2D layers, one number or two [default: 64]
    #[arg(long, value_name = "N[,N]", value_parser = counts)]
    pub filters: Option<[usize; 2]>,
    /// Height and width of the convolution kernels [default: 3]
    #[arg(long, value_name = "N", value_parser = count)]
    pub kernel: Option<usize>,
    /// Height and width of the MaxPooling2D windows [default: 2]
    #[arg(long, value_name = "N", value_parser = count)]
    pub pool: Option<usize>,
    /// Dropout after the features and after the hidden Dense layer: one rate or two [default: 0.25]
    #[arg(long, value_name = "RATE[,RATE]", value_parser = rates)]
    pub dropout: Option<[f64; 2]>,
    /// Units of the hidden Dense layer [default: 128]
    #[arg(long, value_name = "N", value_parser = count)]
    pub dense: Option<usize>,
    /// Convolution method: auto (the fastest), naive, im2col, implicit or winograd [default: auto]
    #[arg(long, value_name = "METHOD", value_enum, hide_possible_values = true)]
    pub conv_method: Option<ConvMethod>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Training")]
pub struct TrainingArgs {
    /// Passes over the training pictures, for each model [default: 20]
    #[arg(long, value_name = "N", value_parser = count)]
    pub epochs: Option<usize>,
    /// Pictures per step [default: 128]
    #[arg(long, value_name = "N", value_parser = count)]
    pub batch_size: Option<usize>,
    /// Adam's learning rate [default: 0.001]
    #[arg(long, value_name = "RATE", value_parser = learning_rate)]
    pub learning_rate: Option<f64>,
    /// Learning-rate schedule: constant, cosine or one-cycle [default: constant]
    #[arg(long, value_name = "SCHEDULE", value_enum, hide_possible_values = true)]
    pub schedule: Option<Schedule>,
    /// Stop after N epochs without a better validation accuracy; keep the best weights
    #[arg(long, value_name = "N", value_parser = count)]
    pub early_stopping: Option<usize>,
    /// Randomly augment the training pictures: flip, crop or flip,crop
    #[arg(long, value_name = "CHANGES")]
    pub augment: Option<Augment>,
    /// Seed of initial weights, picture order, dropout and augmentation [default: 1]
    #[arg(long, value_name = "N", value_parser = seed)]
    pub seed: Option<u64>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Transfer")]
pub struct TransferArgs {
    /// Start model_2's head fresh or warm (from model_1's head) [default: fresh]
    #[arg(long, value_name = "START", value_enum, hide_possible_values = true)]
    pub head: Option<HeadStart>,
    /// Take the features from this model or features file; model_1 is not trained
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    pub from: Option<PathBuf>,
    /// Expected SHA-256 of the `from` file, given in a settings file.
    #[arg(skip)]
    pub from_sha256: Option<String>,
    /// Reinitialize layers that do not match the file
    #[arg(long, num_args = 0, default_missing_value = "true", requires = "from")]
    pub partial: Option<bool>,
    /// Last layer to freeze in model_2 [default: the one before the first Dense]
    #[arg(long, value_name = "LAYER")]
    pub freeze: Option<String>,
    /// Keep the frozen features in memory: on, off or auto (if they fit) [default: auto]
    #[arg(long, value_name = "WHEN", value_enum, hide_possible_values = true)]
    pub cache: Option<Cache>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    /// Threads; no effect on results [default: one per logical CPU]
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub threads: Option<usize>,
    /// SIMD level: portable, neon, avx2 or avx512 [default: THAWLINE_SIMD, else the CPU's best]
    #[arg(long, value_name = "LEVEL")]
    pub simd: Option<Level>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// The run folder, new or empty [default: runs/DATE-TIME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print only the final table
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub quiet: Option<bool>,
    /// Print summary.json to standard output, everything else to standard error
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub json: Option<bool>,
}

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
    #[command(flatten)]
    pub network: ModelArgs,
    /// Number of classes
    #[arg(long, value_name = "N", default_value = "5", value_parser = count)]
    pub classes: usize,
    /// Last frozen layer in the second table [default: as for run]
    #[arg(long, value_name = "LAYER")]
    pub freeze: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Subcommands of `data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show the data set at a path: its classes and how many pictures each has
    #[command(after_help = "Example:
  thawline data info built-in")]
    Info(DataInfoArgs),
    /// Check a data set's checksums, sizes and labels, and print its hashes
    #[command(after_help = "Example:
  thawline data verify")]
    Verify(DataInfoArgs),
    /// Write built-in pictures in CIFAR-10's format
    #[command(after_help = "Example:
  thawline data synth drawings.tar.gz --train 500 --test 100")]
    Synth(SynthArgs),
    /// Draw a grid of sample pictures, a row per class
    #[command(after_help = "Example:
  thawline data samples --classes 0-4 --out samples.png")]
    Samples(SamplesArgs),
}

/// Flags of `data info` and `data verify`.
#[derive(Debug, Args)]
pub struct DataInfoArgs {
    /// CIFAR .tar.gz, folder of .bin files, or built-in [default: as for run]
    pub path: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `data synth`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct SynthArgs {
    /// Output: an archive if it ends in .tar.gz or .tgz, else a folder, new or empty
    pub out: PathBuf,
    /// Whether the archive may replace a file.
    #[command(flatten)]
    pub force: ForceArg,
    /// Training pictures, a multiple of 5, at most 50,000
    #[arg(long, value_name = "N", default_value_t = thawline_drawings::Size::default().train, value_parser = count)]
    pub train: usize,
    /// Test pictures, at most 10,000
    #[arg(long, value_name = "N", default_value_t = thawline_drawings::Size::default().test, value_parser = count)]
    pub test: usize,
    /// Seed of the drawings
    #[arg(long, value_name = "N", default_value_t = thawline_drawings::SEED, value_parser = seed)]
    pub seed: u64,
}

/// Flags of `data samples`.
#[derive(Debug, Args)]
pub struct SamplesArgs {
    /// CIFAR .tar.gz, folder of .bin files, or built-in [default: as for run]
    pub path: Option<PathBuf>,
    /// The PNG file to write
    #[arg(long, value_name = "FILE", default_value = "samples.png")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: ForceArg,
    /// Classes to draw: labels, ranges, names [default: all]
    #[arg(long, value_name = "CLASSES", allow_hyphen_values = true)]
    pub classes: Option<String>,
    /// Pictures per class, at most 100
    #[arg(long, value_name = "N", default_value = "10", value_parser = columns)]
    pub columns: usize,
}
