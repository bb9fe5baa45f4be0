//! The subcommands, a file each.

pub mod cli;
pub mod run_settings;
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
pub mod summary;
pub mod sweep;

use crate::system::failure::Result;
use cli::{Cli, Command};

/// Does what the command line says.
///
/// # Errors
/// Whatever keeps the subcommand from its work.
pub fn perform(cli: Cli) -> Result<()> {
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
    }
}
