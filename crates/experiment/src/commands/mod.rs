//! The command line: the subcommands, and the flags and settings that they share.

pub mod flags;
pub mod run_settings;
pub mod scores;
pub mod settings_file;
pub mod values;

pub mod adapt;
pub mod bench;
pub mod data;
pub mod eval;
pub mod exchange;
pub mod features;
pub mod info;
pub mod predict;
pub mod report;
pub mod run;
pub mod shell;
pub mod summary;
pub mod sweep;

use clap::{ArgAction, Parser, Subcommand};

use self::{
    adapt::AdaptArgs,
    bench::BenchArgs,
    eval::EvalArgs,
    exchange::{ExportArgs, ImportArgs},
    features::FeaturesArgs,
    flags::{DataCommand, InfoArgs, RunArgs, SummaryArgs},
    predict::PredictArgs,
    report::ReportArgs,
    shell::{CompletionsArgs, ManArgs},
    sweep::SweepArgs,
};
use crate::system::{console::WIDTH, failure::Result};

const EXAMPLES: &str = "\
The experiment follows a Keras tutorial (docs/tutorial.md): model_1 learns the
source classes; model_2 keeps model_1's features, frozen, and learns the target
classes.

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
  0 done; 1 a bug; 2 bad usage or input; 3 the machine failed or lacks
  something; 4 the loss or a model's output is NaN or infinite; 130 or 143
  interrupted; 141 the output of run, adapt or sweep was closed.
docs/program.md describes every flag.";

/// Train on some classes, freeze the features, and train a new head on others
#[derive(Debug, Parser)]
#[command(name = "thawline", bin_name = "thawline", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_help_flag = true, max_term_width = WIDTH)]
pub struct Cli {
    /// Print help
    #[arg(short, long, global = true, action = ArgAction::HelpShort, display_order = 99)]
    help: Option<bool>,
    /// `run` if there is none.
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the transfer experiment (the default)
    #[command(after_help = "Examples:
  thawline run --epochs 1 --limit 1000 --out runs/first
  thawline run --from runs/first/weights-model_1.safetensors --epochs 1
  thawline run --resume runs/first")]
    Run(Box<RunArgs>),
    /// Train a classifier on your own pictures: a folder with one folder per class
    #[command(after_help = "Example:
  thawline adapt my-pictures --out my-model")]
    Adapt(AdaptArgs),
    /// Classify pictures with a trained model
    #[command(after_help = "Examples:
  thawline predict --from my-model holiday.jpg
  find . -name '*.jpg' -print0 | thawline predict --from my-model -")]
    Predict(PredictArgs),
    /// Save a model's layers up to its head, or compute features of pictures
    #[command(after_help = "Example:
  thawline features runs/first/weights-model_1.safetensors --out my-features")]
    Features(FeaturesArgs),
    /// Compare ways to train (arms) over many seeds and write a report
    #[command(after_help = "An arm is one way to train. Stage 1 pretrains features on the source classes,
and arms share it; stage 2 trains on the target classes.

Examples:
  thawline sweep --arms frozen,scratch --seeds 0..3 --dry-run
  thawline sweep --arms frozen,scratch --seeds 0..3 --out runs/sweep")]
    Sweep(Box<SweepArgs>),
    /// Write the report of a sweep, or compare runs
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
    /// Print the script that completes commands and flags in a shell
    #[command(after_help = "Example:
  thawline completions bash")]
    Completions(CompletionsArgs),
    /// Print the manual page of the program or of a subcommand
    #[command(after_help = "Example:
  thawline man sweep")]
    Man(ManArgs),
}

pub fn dispatch(cli: Cli) -> Result<()> {
    match cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Adapt(args)) => adapt::adapt(&args),
        Some(Command::Predict(args)) => predict::predict(&args),
        Some(Command::Features(args)) => features::features(&args),
        Some(Command::Sweep(args)) => sweep::sweep(&args),
        Some(Command::Report(args)) => report::report(&args),
        Some(Command::Eval(args)) => eval::eval(&args),
        Some(Command::Export(args)) => exchange::export(&args),
        Some(Command::Import(args)) => exchange::import(&args),
        Some(Command::Summary(args)) => summary::summary(&args),
        Some(Command::Data(command)) => data::data(&command),
        Some(Command::Bench(args)) => bench::bench(&args),
        Some(Command::Info(args)) => info::info(&args),
        Some(Command::Completions(args)) => shell::completions(&args),
        Some(Command::Man(args)) => shell::man(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;
    use crate::models::TutorialNetwork;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_default_flags_are_the_tutorials_network() {
        let cli = Cli::try_parse_from(["thawline"]).unwrap();
        assert_eq!(cli.run.settings.network.tutorial.network(), TutorialNetwork::default());
    }

    #[test]
    fn a_resumed_run_takes_no_settings() {
        let run = Cli::command();
        let run = run.find_subcommand("run").unwrap();
        for argument in run.get_arguments().filter(|argument| argument.get_long().is_some_and(|name| name != "help")) {
            let name = argument.get_long().unwrap();
            let flag = format!("--{name}");
            let values = argument.get_possible_values();
            let values: Vec<&str> =
                values.iter().map(|value| value.get_name()).chain(["1", "0", "flip", "avx2"]).collect();
            let takes_value = argument.get_action().takes_values() && argument.get_num_args() != Some(0.into());
            let refused = |value: &&str| {
                let mut line = vec!["thawline", "run", "--resume", "x", &flag];
                line.extend(takes_value.then_some(*value));
                line.extend(if name == "partial" { &["--from", "x"][..] } else { &[] });
                Cli::try_parse_from(line).is_err_and(|error| error.kind() == ErrorKind::ArgumentConflict)
            };
            let fits = ["data", "threads", "quiet", "json"].contains(&name);
            assert_eq!(values.iter().any(refused), !fits, "{flag} with --resume");
        }
    }

    #[test]
    fn one_number_sets_both_layers() {
        let filters = |text| {
            Cli::try_parse_from(["thawline", "--filters", text]).map(|cli| cli.run.settings.network.tutorial.filters)
        };
        assert_eq!(filters("32").unwrap(), Some([32, 32]));
        assert_eq!(filters("32, 48").unwrap(), Some([32, 48]));
        assert!(filters("32,48,64").is_err() && filters("32,0").is_err() && filters("").is_err());
    }
}
