//! `thawline report`: the report of a sweep, from one folder or several.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    arms::{Half, Labels, Pretraining, Stage},
    atomic_file,
    console::Console,
    failure::{Failure, Kind, Result},
    report::sweep::{self as report, Filters, Options},
    sweep::{
        merge::{self, Results},
        record::JobRecord,
        stage1,
    },
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
    let options = Options { no_times: args.no_times, note: args.note.clone(), filters: Vec::new() };
    write(&results, &args.folders, out, options, Console::default())
}

/// Writes `report.html` and the same as JSON, CSV and SVG, and prints the table.
///
/// # Errors
/// A system that refuses.
pub(super) fn write(
    results: &Results,
    folders: &[PathBuf],
    out: &Path,
    options: Options,
    console: Console,
) -> Result<()> {
    let no_times = options.no_times;
    let options = Options { filters: first_layers(results, folders)?, ..options };
    let plots = out.join("plots");
    fs::create_dir_all(&plots).map_err(|error| {
        Failure::new(Kind::Environment, format!("cannot make the folder {}: {error}", plots.display()))
    })?;
    for (name, bytes) in report::files(results, &options) {
        atomic_file::write(&out.join(name), &bytes)?;
    }
    console.result(report::text(results, no_times))?;
    console.result(format!("report: {}", out.join("report.html").display()))
}

/// The first layers to show, of the first seed: untrained, and of each pretraining whose weights are there.
fn first_layers(results: &Results, folders: &[PathBuf]) -> Result<Vec<Filters>> {
    const LAYER: &str = "conv2d_1/kernel";
    let settings = &results.settings;
    let stage_1 = |pretraining: &Pretraining| {
        let arm = pretraining.arm();
        results.records.iter().find(|record| record.arm == arm)
    };
    let wanted = [
        (Pretraining::SOURCE, "trained on the source classes"),
        (Pretraining::of(Half::Target), "trained on the target classes"),
        (Pretraining::of(Half::All), "trained on all classes"),
        (Pretraining { labels: Labels::Shuffled, ..Pretraining::SOURCE }, "trained on shuffled labels"),
    ];
    let mut all = Vec::new();
    for (pretraining, title) in wanted {
        let Some(record) = stage_1(&pretraining) else { continue };
        let Some(path) = weights(record, folders) else { continue };
        let mut network = settings.network.build(record.classes.len(), record.seed)?;
        if all.is_empty() {
            all.extend(filters("at the initialisation", &network, LAYER));
        }
        stage1::load(&path, record.weights.as_deref().unwrap_or_default(), &mut network)?;
        all.extend(filters(title, &network, LAYER));
    }
    Ok(all)
}

fn weights(record: &JobRecord, folders: &[PathBuf]) -> Option<PathBuf> {
    debug_assert_eq!(record.arm.stage, Stage::Pretraining);
    let name = format!("weights/{}.safetensors", JobRecord::name(&record.arm, record.seed));
    folders.iter().map(|folder| folder.join(&name)).find(|path| path.exists())
}

/// The filters of a layer whose kernel is height x width x 3 x filters.
fn filters(title: &str, network: &thawline_tensor::nn::Network, layer: &str) -> Option<Filters> {
    let (_, kernel) = network.params().find(|(name, _)| name == layer)?;
    let &[side, _, 3, count] = kernel.shape.dims() else { return None };
    let filter = |index: usize| kernel.value.iter().skip(index).step_by(count).copied().collect();
    Some(Filters { title: title.to_owned(), side, filters: (0..count).map(filter).collect() })
}
