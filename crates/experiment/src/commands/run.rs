//! `thawline run`: starts the experiment in a new folder, or resumes it in an existing one.

use std::{
    env,
    path::{Path, PathBuf},
    time::SystemTime,
};

use thawline_tensor::{simd::Level, threads};

use super::{
    flags::{OutputArgs, RunArgs},
    settings_file,
};
use crate::{
    data::open,
    record::{config::Config, data::DataKind, run::RunRecord},
    run::{
        experiment::{Experiment, FeatureOrigin},
        folder::{RunFolder, Start},
        plan, prepare, results,
        resume::Interrupted,
        session::Session,
    },
    system::{
        console::{self, Console, Text},
        failure::{Failure, Kind, Result},
        interrupt::Interrupts,
        machine, path_text,
    },
    training::estimate::Stopwatch,
    weights::metadata::RunId,
};

pub fn run(args: &RunArgs) -> Result<()> {
    let interrupts = Interrupts::listen()?;
    let result = match &args.resume {
        None => {
            machine::choose_level(args.settings.machine.simd)?;
            let threads = machine::choose_threads(args.settings.machine.threads);
            threads::with_threads(threads, || begin(args, &interrupts))?
        }
        Some(path) => {
            let interrupted = Interrupted::open(path, |path, text| settings_file::read(path, text).map(drop))
                .map_err(|failure| failure.within("--resume"))?;
            machine::choose_level(Some(level(&interrupted.config)?))?;
            let threads = machine::choose_threads(args.settings.machine.threads.or(Some(interrupted.config.threads)));
            threads::with_threads(threads, || resume(args, interrupted, &interrupts))?
        }
    };
    result.map_err(Failure::while_unfinished)
}

/// Starts a new run.
fn begin(args: &RunArgs, interrupts: &Interrupts) -> Result<()> {
    let now = SystemTime::now();
    let start = Start { command: command_line(), environment: machine::environment(now) };
    // Nothing is written until everything has been checked.
    let (from, network) = args.settings.files()?;
    let data =
        open::open(args.settings.data.data.as_deref())?.labelled(args.settings.data.labels.unwrap_or_default())?;
    let config = args.settings.config(&data, from.as_ref(), network)?;
    let experiment = Experiment::new(&data, &config, from)?;
    if let FeatureOrigin::File(_) = experiment.source {
        let (transfer, file) = (&experiment.transfer, config.from.as_deref().unwrap_or_default());
        let table = Text::from([format!("loaded from {file}"), String::new()]).and(transfer.table()).and("");
        console(args).say(table)?;
        transfer.require_whole(config.partial).map_err(|failure| failure.within(&format!("--from: {file}")))?;
    }
    interrupts.defer();
    let folder = create_folder(args.settings.output.out.as_deref(), data.kind, now)?;
    folder.write_start(&start).and_then(|()| folder.write_config(&config)).map_err(|error| match error.kind {
        Kind::Environment => error.with_advice("once that is fixed, run the same command again"),
        _ => error,
    })?;
    perform(args, experiment, folder, start, interrupts)
}

/// Resumes an interrupted run, with the settings in its folder.
fn resume(args: &RunArgs, interrupted: Interrupted, interrupts: &Interrupts) -> Result<()> {
    let (config, start) = (interrupted.config.clone(), interrupted.start.clone());
    let (is_drawn, record) = (interrupted.is_drawn(), interrupted.record()?);
    // A complete run needs neither its pictures nor the file of `--from`, which may be gone.
    if let Some(record) = record.as_ref().filter(|_| is_drawn) {
        let folder = interrupted.into_folder(record.data.kind)?;
        return finish_again(args, record, &folder, "nothing to do: this run has finished");
    }
    let (path, setting) = match &args.settings.data.data {
        Some(path) => (path.clone(), "--data"),
        None => (path_text::path(&config.data), "config.toml"),
    };
    let data = open::named_by(&path, setting)?.labelled(config.labels)?;
    let Some(record) = record else {
        let open = |path: &String| prepare::open_features(&path_text::path(path), config.from_sha256.as_deref());
        let from = config.from.as_ref().map(open).transpose()?;
        let folder = interrupted.into_folder(data.kind)?;
        interrupts.defer();
        return perform(args, Experiment::new(&data, &config, from)?, folder, start, interrupts);
    };
    let (expected, found) = (record.data.sha256.clone(), data.record().sha256);
    if expected != found {
        let [expected, found] = [expected, found].map(Option::unwrap_or_default);
        return Err(Failure::usage(format!(
            "{setting}: {}: expected pictures of SHA-256 {expected}, found {found}; give the pictures that the run started with",
            path.display()
        )));
    }
    let folder = interrupted.into_folder(data.kind)?;
    folder.write_report(&record, &prepare::pictures(&data, &record))?;
    finish_again(args, &record, &folder, "this run had finished; its report was rewritten")
}

/// Removes the checkpoints of a run that had finished, and says what was done.
fn finish_again(args: &RunArgs, record: &RunRecord, folder: &RunFolder, what: &str) -> Result<()> {
    folder.remove_checkpoints()?;
    console(args).say([what.to_owned(), format!("report: {}", folder.path().join("report.html").display())])?;
    let OutputArgs { quiet, json, .. } = args.settings.output;
    if [quiet, json].contains(&Some(true)) { report(args, record, folder) } else { Ok(()) }
}

/// Trains and reports. Work that a checkpoint holds is not repeated.
fn perform(
    args: &RunArgs,
    experiment: Experiment,
    folder: RunFolder,
    start: Start,
    interrupts: &Interrupts,
) -> Result<()> {
    let (config, console) = (experiment.config, console(args));
    let resume = resume_command(folder.path());
    let settings = Some(Box::new(config.clone()));
    let data_sha256 = experiment.data.dataset.sha256();
    let run_id = RunId { config_sha256: config.sha256(), settings, data_sha256 };
    let stopwatch = experiment.source.model_1().map(|_| Stopwatch::new(experiment.costs.work));
    let plan = plan::text(&experiment, &machine::environment(SystemTime::now()), folder.path());
    let mut session = Session { console, config, folder, start, interrupts, run_id, stopwatch, draft: None };
    let record = console.say(plan).and_then(|()| experiment.perform(&mut session));
    let record = record.map_err(|failure| match failure.kind {
        Kind::Environment => failure.with_advice(&format!("once that is fixed, resume with: {resume}")),
        Kind::Signal(_) => failure.with_advice(&format!("resume with: {resume}")),
        _ => failure,
    })?;
    report(args, &record, &session.folder)
}

/// Prints the result as a table or as JSON.
fn report(args: &RunArgs, record: &RunRecord, folder: &RunFolder) -> Result<()> {
    let (console, table) = (console(args), results::table(record, folder.path()));
    console.say("")?;
    if !args.settings.output.json.unwrap_or_default() {
        return console.result(table);
    }
    console.say(table)?;
    console::print_json(record)
}

fn console(args: &RunArgs) -> Console {
    let OutputArgs { quiet, json, .. } = args.settings.output;
    Console { quiet: quiet.unwrap_or_default(), stdout_is_data: json.unwrap_or_default() }
}

/// The command line with `thawline` in place of the program's path.
pub(super) fn command_line() -> Vec<String> {
    let arguments = env::args_os().skip(1).map(|argument| path_text::exact(Path::new(&argument)));
    std::iter::once("thawline".to_owned()).chain(arguments).collect()
}

/// The command that resumes a run, quoted for the shell.
fn resume_command(folder: &Path) -> String {
    let program = env::args_os().next().map_or_else(|| "thawline".into(), PathBuf::from);
    format!("{} run --resume {}", path_text::argument(&program), path_text::argument(folder))
}

/// The SIMD level of an interrupted run; if this CPU lacks it, the CPU's best one if that gives the same bits.
fn level(config: &Config) -> Result<Level> {
    let level: Level =
        config.simd.parse().map_err(|error| Failure::usage(format!("--resume: config.toml: {error}")))?;
    let best = Level::best();
    Ok(if !level.is_supported() && level.has_fma() && best.has_fma() { best } else { level })
}

pub(super) fn create_folder(out: Option<&Path>, data: DataKind, now: SystemTime) -> Result<RunFolder> {
    Ok(match out {
        Some(path) => RunFolder::create(path, data)?,
        None => RunFolder::create_dated(&PathBuf::from("runs"), data, now)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_resumes_at_a_level_with_the_same_bits() {
        for recorded in Level::ALL {
            let resumed = level(&Config { simd: recorded.to_string(), ..Config::small() }).unwrap();
            assert_eq!(resumed.has_fma(), recorded.has_fma());
            assert!(resumed.is_supported() || !Level::best().has_fma(), "{recorded}: {resumed}");
        }
    }
}
