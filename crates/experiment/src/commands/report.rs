//! `thawline report`: the report of a sweep, from one folder or several, or a comparison of runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;

use super::flags::ForceArg;
use crate::{
    report::{
        comparison,
        sweep::{self as report, Options},
    },
    run::resume::read_record,
    sweep::{
        merge::{self, Results},
        settings::SweepSettings,
    },
    system::{
        atomic_file::{self, during},
        console::Console,
        failure::{Failure, Result},
        input::{self, RECORD, REPORT},
        interrupt::Interrupts,
        output, path_text,
    },
};

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folders of one sweep, or of several runs to compare
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// The folder for report.html or comparison.html [default: the first folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub force: ForceArg,
    /// Leave times and machines out, so that equal results give identical files
    #[arg(long)]
    pub no_times: bool,
    /// A sentence about the pictures or the run, shown in the report
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

pub fn report(args: &ReportArgs) -> Result<()> {
    Interrupts::listen()?;
    let is_run = |folder: &&PathBuf| folder.join("summary.json").exists();
    let neither = args.folders.iter().find(|folder| !is_run(folder) && !folder.join("sweep.json").exists());
    if let Some(folder) = neither {
        let what = "is neither a finished run (with summary.json) nor a sweep (with sweep.json)";
        return Err(Failure::usage(format!(
            "{}: {what}; give the folder of a sweep, or of a finished run",
            folder.display()
        )));
    }
    match args.folders.iter().filter(is_run).count() {
        0 => {}
        runs if runs == args.folders.len() => return compare(args),
        _ => return Err(Failure::usage("a run and a sweep cannot be compared; give folders of one sweep, or of runs")),
    }
    let results = merge::read(&args.folders)?;
    let out = args.out.as_deref().unwrap_or(&args.folders[0]);
    let options = Options { no_times: args.no_times, note: args.note.clone() };
    write(&results, out, &options, args.force.force, Console::default())
}

/// Writes a comparison of finished runs to `comparison.html`.
fn compare(args: &ReportArgs) -> Result<()> {
    let run = |folder: &PathBuf| match read_record(&folder.join("summary.json")) {
        Ok(record) => Ok((path_text::printable(folder), record)),
        Err(failure) => {
            Err(Failure { message: format!("{failure}; only folders of `thawline run` can be compared"), ..failure })
        }
    };
    let runs = args.folders.iter().map(run).collect::<Result<Vec<_>>>()?;
    let out = args.out.as_deref().unwrap_or(&args.folders[0]);
    let path = out.join("comparison.html");
    if !args.force.force && fs::symlink_metadata(&path).is_ok() {
        let what = "exists; name another folder with --out, or replace it with --force";
        return Err(Failure::usage(format!("{}: {what}", path.display())));
    }
    fs::create_dir_all(out).map_err(during("create the folder", out))?;
    let page = comparison(&runs, args.note.as_deref(), !args.no_times);
    atomic_file::write(&output::inside(out, "comparison.html")?, page.as_bytes())?;
    Console::default().result(format!("report: {}", path.display()))
}

/// Writes `report.html` and the same as JSON, CSV and SVG, and prints the table. Replaces existing files only in this
/// sweep's own folder, in one with a report on it, or if `force` is set.
pub(super) fn write(results: &Results, out: &Path, options: &Options, force: bool, console: Console) -> Result<()> {
    let files = report::files(results, options);
    let existing = files.iter().map(|(name, _)| out.join(name)).find(|path| fs::symlink_metadata(path).is_ok());
    if let Some(path) = existing.filter(|_| !force && !is_of_this_sweep(out, &results.settings)) {
        return Err(Failure::usage(format!(
            "{}: exists, and is not part of a report on this sweep; name another folder with --out, or replace it with --force",
            path.display()
        )));
    }
    fs::create_dir_all(out).map_err(during("create the folder", out))?;
    for (name, bytes) in files {
        let path = output::inside(out, &name)?;
        match bytes {
            Some(bytes) => atomic_file::write(&path, &bytes)?,
            None if path.exists() => fs::remove_file(&path).map_err(during("remove", &path))?,
            None => {}
        }
    }
    console.result(report::text(results, options.no_times))?;
    console.result(format!("report: {}", out.join("report.html").display()))
}

/// Whether a folder is this sweep's, or holds an earlier report on it.
fn is_of_this_sweep(folder: &Path, settings: &SweepSettings) -> bool {
    #[derive(Deserialize)]
    struct Report {
        settings: SweepSettings,
    }
    let read = |name, kind| input::read(&folder.join(name), kind).ok();
    let sweep = read("sweep.json", RECORD).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let report = || serde_json::from_slice(&read("report.json", REPORT)?).ok().map(|Report { settings }| settings);
    sweep.or_else(report).is_some_and(|theirs| settings.difference(&theirs).is_none())
}
