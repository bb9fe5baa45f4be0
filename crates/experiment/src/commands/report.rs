//! `thawline report`: the report of a sweep, from one folder or several.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    atomic_file,
    console::Console,
    failure::{Failure, Kind, Result},
    report::sweep::{self as report, Options},
    sweep::merge::{self, Results},
};

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folders of one sweep
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Where the report goes [default: the first folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Leave times and machines out, so that equal results give equal bytes
    #[arg(long)]
    pub no_times: bool,
    /// What else a reader must know about the pictures or the run, as a sentence
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// Merges the records of all folders and writes the report on them.
///
/// # Errors
/// Folders of different sweeps, damaged records; a system that refuses.
pub fn report(args: &ReportArgs) -> Result<()> {
    let results = merge::read(&args.folders)?;
    let out = args.out.as_deref().unwrap_or(&args.folders[0]);
    let options = Options { no_times: args.no_times, note: args.note.clone() };
    write(&results, out, &options, Console::default())
}

/// Writes `report.html` and the same as JSON, CSV and SVG, and prints the table.
///
/// # Errors
/// A system that refuses.
pub(super) fn write(results: &Results, out: &Path, options: &Options, console: Console) -> Result<()> {
    let plots = out.join("plots");
    fs::create_dir_all(&plots).map_err(|error| {
        Failure::new(Kind::Environment, format!("cannot make the folder {}: {error}", plots.display()))
    })?;
    for (name, bytes) in report::files(results, options) {
        atomic_file::write(&out.join(name), &bytes)?;
    }
    console.result(report::text(results, options.no_times))?;
    console.result(format!("report: {}", out.join("report.html").display()))
}
