//! The program: the command line in, an exit code out.
#![forbid(unsafe_code)]

use std::{panic, process::ExitCode};

use clap::{Parser, error::ErrorKind};
use thawline::{
    cli::Cli,
    commands,
    failure::{Failure, Kind},
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => return end(&Failure::usage(one_line(&error))),
    };
    // A defect is a failure like others: one line, and the code 1.
    panic::set_hook(Box::new(|_| {}));
    let defect = |_| Err(Failure::new(Kind::Other, "internal"));
    match panic::catch_unwind(|| commands::perform(cli)).unwrap_or_else(defect) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

fn one_line(error: &clap::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn end(failure: &Failure) -> ExitCode {
    if !failure.message.is_empty() {
        eprintln!("error: {failure}");
    }
    ExitCode::from(failure.exit_code())
}
