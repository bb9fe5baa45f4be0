//! `thawline report`: the report of a sweep, from one folder or several.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    atomic_file,
    console::Console,
    failure::Result,
    report::sweep as report,
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
}

/// Merges the records of all folders and writes the report on them.
///
/// # Errors
/// Folders of different sweeps, damaged records; a system that refuses.
pub fn report(args: &ReportArgs) -> Result<()> {
    let results = merge::read(&args.folders)?;
    let out = args.out.as_deref().unwrap_or(&args.folders[0]);
    write_report(&results, &args.folders, out, args.no_times, Console::default())
}

/// Writes the table of arms as `arms.csv`, and prints it.
///
/// # Errors
/// A system that refuses.
pub(super) fn write_report(
    results: &Results,
    folders: &[PathBuf],
    out: &Path,
    no_times: bool,
    console: Console,
) -> Result<()> {
    let _ = folders;
    let files = report::files(results, no_times);
    for (name, bytes) in &files {
        let path = out.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        atomic_file::write(&path, bytes)?;
    }
    console.result(report::text(results))?;
    console.result(format!("table: {}", out.join("arms.csv").display()))
}
