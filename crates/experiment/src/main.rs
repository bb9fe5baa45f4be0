//! Parses the command line, runs the command and returns its exit code.
#![forbid(unsafe_code)]

use std::{env, process::ExitCode};

use clap::{Parser, error::ErrorKind};
use thawline::{
    commands::{self, Cli, settings_file},
    system::{
        console,
        failure::{Failure, Result},
        interrupt,
        panics::without_panics,
    },
};

fn main() -> ExitCode {
    without_panics(work).unwrap_or_else(|failure| end(&failure))
}

fn work() -> Result<ExitCode> {
    interrupt::survive_file_size_limit()?;
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return Ok(usage(&error)),
    };
    settings_file::apply(&mut cli)?;
    commands::dispatch(cli)?;
    Ok(ExitCode::SUCCESS)
}

fn end(failure: &Failure) -> ExitCode {
    if !failure.message.is_empty() {
        console::error(&failure.message);
    }
    ExitCode::from(failure.exit_code())
}

/// Prints clap's help as it is, and a mistake as one line.
fn usage(error: &clap::Error) -> ExitCode {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    match error.kind() {
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand => {
            // Closed output is fine: `thawline --help | head -1`.
            let _ = error.print();
            ExitCode::from(error.exit_code() as u8)
        }
        _ => {
            let arguments: Vec<_> = env::args_os().collect();
            let message = format!("{}; see --help", settings_file::one_line(error, &arguments));
            end(&Failure::usage(message.replace("?; ", "? ")))
        }
    }
}
