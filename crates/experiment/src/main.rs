//! The program: the command line in, an exit code out.
#![forbid(unsafe_code)]

use std::{
    env,
    io::{self, Write},
    panic::{self, PanicHookInfo},
    process::ExitCode,
    sync::Mutex,
};

use clap::error::ErrorKind;
use thawline::{
    command_line::{self, Refusal},
    commands,
    failure::{Failure, Kind, Result},
};
use thawline_tensor::Buffer;

fn main() -> ExitCode {
    let cli = match command_line::parse(env::args_os().collect()) {
        Ok(cli) => cli,
        Err(Refusal::Usage(error)) => return usage(&error),
        Err(Refusal::Settings(failure)) => return end(&failure),
    };
    match without_panics(|| commands::perform(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

fn end(failure: &Failure) -> ExitCode {
    if !failure.message.is_empty() {
        // `eprintln` would panic where this cannot be written either: 2>/dev/full.
        let _ = writeln!(io::stderr(), "error: {failure}");
    }
    ExitCode::from(failure.exit_code())
}

/// Help goes out as it is; a mistake becomes one line.
fn usage(error: &clap::Error) -> ExitCode {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    match error.kind() {
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand => {
            // Closed output is no error here: `thawline --help | head -1`.
            let _ = error.print();
            ExitCode::from(error.exit_code() as u8)
        }
        _ => {
            let arguments: Vec<_> = env::args_os().collect();
            end(&Failure::usage(format!("{}; see --help", command_line::one_line(error, &arguments))))
        }
    }
}

/// A defect is a failure like others: one line, and an exit code of ours. Memory that ran out is none.
fn without_panics(work: impl FnOnce() -> Result<()> + panic::UnwindSafe) -> Result<()> {
    static FIRST: Mutex<Option<String>> = Mutex::new(None);
    panic::set_hook(Box::new(|info| {
        if let Ok(mut first) = FIRST.lock() {
            first.get_or_insert_with(|| describe(info));
        }
    }));
    panic::catch_unwind(work).unwrap_or_else(|_| {
        let what = FIRST.lock().ok().and_then(|mut first| first.take()).unwrap_or_default();
        let (kind, advice) = match what.starts_with(Buffer::NO_MEMORY) {
            true => (Kind::Environment, "free some, raise the limit, or lower --batch-size"),
            false => (Kind::Other, "this is a defect: please report it with the output of `thawline info`"),
        };
        Err(Failure::new(kind, format!("{what}; {advice}")))
    })
}

fn describe(info: &PanicHookInfo) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("a panic").replace('\n', " ");
    match info.location() {
        // Where memory ran out says nothing.
        Some(_) if message.starts_with(Buffer::NO_MEMORY) => message,
        Some(location) => format!("{message} ({}, line {})", location.file(), location.line()),
        None => message,
    }
}
