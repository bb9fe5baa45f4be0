//! Resuming a run from what it left in its folder.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use toml::{Spanned, Table, Value};

use super::{
    folder::{MetricsRow, RunFolder, Start},
    lock::Lock,
};
use crate::{
    models::file,
    record::{
        config::Config,
        data::DataKind,
        run::{CONTROL, EpochRow, RunRecord},
    },
    system::{
        atomic_file::{self, during},
        failure::{Failure, Kind, Result},
        input::{self, FileKind, RECORD, SETTINGS},
        path_text, wording,
    },
    weights::{checkpoint::Checkpoint, model::Model},
};

/// The folder of an interrupted or finished run, locked against other processes.
#[derive(Debug)]
pub struct Interrupted {
    path: PathBuf,
    lock: Option<Lock>,
    pub config: Config,
    pub start: Start,
}

impl Interrupted {
    /// Opens the folder of an interrupted or finished run; `check` refuses settings that the command line would refuse.
    pub fn open(path: &Path, check: impl Fn(&Path, &str) -> Result<()>) -> Result<Self> {
        let refused = |what: String| Failure::usage(format!("{}: {what}", path.display()));
        if !path.is_dir() {
            let what = if path.exists() { "is not a folder" } else { "no such folder" };
            return Err(refused(format!("{what}; expected the folder of an interrupted run")));
        }
        let config = read(&path.join("config.toml"), SETTINGS, |path, text| {
            if text.parse::<Table>().is_ok_and(|settings| settings.contains_key("folder")) {
                return Err(Failure::usage(format!(
                    "{}: belongs to `thawline adapt`, which cannot be resumed; run it again with another --out",
                    path.display()
                )));
            }
            let config = parse_config(path, text)?;
            check(path, text).map(|()| config)
        })?;
        let start = read(&path.join("environment.json"), RECORD, |path, text| {
            serde_json::from_str(text).map_err(|error| {
                let reason = wording::json(&error);
                Failure::usage(format!(
                    "{}: is damaged, or was written by another version of the program: {reason}",
                    path.display()
                ))
            })
        })?;
        Ok(Interrupted { path: path.to_owned(), lock: Lock::take(path)?, config, start })
    }

    /// Whether the report is complete: a run writes the plots last.
    pub fn is_drawn(&self) -> bool {
        ["report.html", "pictures", "plots/time.svg"].iter().all(|name| self.path.join(name).exists())
    }

    /// The record of the run, if its training is finished.
    pub fn record(&self) -> Result<Option<RunRecord>> {
        let path = self.path.join("summary.json");
        path.exists().then(|| read_record(&path)).transpose().map_err(|failure| match failure.kind {
            Kind::Usage => failure.with_advice("remove it to continue without it"),
            _ => failure,
        })
    }

    /// The folder to continue in, without unfinished files.
    pub fn into_folder(self, data: DataKind) -> Result<RunFolder> {
        let Interrupted { path, lock, .. } = self;
        atomic_file::remove_partial(&path, &["pictures", "plots"]).map_err(during("clean the folder", &path))?;
        Ok(RunFolder { path, data, metrics: Vec::new(), _lock: lock })
    }
}

/// The record of a finished run.
pub fn read_record(path: &Path) -> Result<RunRecord> {
    read(path, RECORD, |path, text| {
        RunRecord::from_json(text.as_bytes()).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
    })
}

fn read<T>(path: &Path, kind: FileKind, parse: impl Fn(&Path, &str) -> Result<T>) -> Result<T> {
    let refused = |reason: &str| Failure::usage(format!("{}: {reason}", path.display()));
    let bytes = input::read_if_any(path, kind)?.ok_or_else(|| {
        refused("no such file: this is not a run folder, or the run stopped before its first step; start a new run")
    })?;
    parse(path, std::str::from_utf8(&bytes).map_err(|_| refused("is not a text file"))?)
}

/// The settings. An unknown key is an error, because the user expects it to have an effect.
fn parse_config(path: &Path, text: &str) -> Result<Config> {
    let misread = |error| file::misread(path, text, &error);
    let config = toml::from_str(text).map_err(misread)?;
    // TOML's integers are signed.
    let too_large =
        |_| Failure::usage(format!("{}: a number is too large; expected at most {}", path.display(), i64::MAX));
    let known = Table::try_from(&config).map_err(too_large)?;
    let keys: BTreeMap<Spanned<String>, Value> = toml::from_str(text).map_err(misread)?;
    match keys.keys().find(|key| !known.contains_key(key.get_ref())) {
        None => Ok(config),
        Some(key) => Err(Failure::usage(format!(
            "{}, line {}: unknown setting '{}'; expected {}",
            path.display(),
            file::line_of(text, key.span().start),
            key.get_ref(),
            known.keys().cloned().collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// The files of the last checkpoint of a model, and of the one before it.
fn checkpoints(model: &str) -> [String; 2] {
    [format!("checkpoint-{model}.safetensors"), format!("checkpoint-{model}-previous.safetensors")]
}

/// The result of an operation on a file that need not exist.
fn if_there(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

impl RunFolder {
    /// Writes a checkpoint of `model` and keeps the previous one. With `best`, writes it as `best-MODEL.safetensors`
    /// too.
    pub fn save_checkpoint(&self, model: &str, bytes: &[u8], best: bool) -> Result<()> {
        let [last, previous] = checkpoints(model).map(|name| self.path.join(name));
        if_there(fs::rename(&last, previous)).map_err(during("rename", &last))?;
        if best {
            // One file with two names, if the file system can: the bytes are written once.
            let path = self.path.join(format!("best-{model}.safetensors"));
            atomic_file::write(&path, bytes)?;
            if fs::hard_link(&path, &last).is_ok() {
                return Ok(atomic_file::flush_folder(&self.path).map_err(during("flush the folder", &self.path))?);
            }
        }
        Ok(atomic_file::write(&last, bytes)?)
    }

    pub fn best(&self, model: &str) -> Result<Model> {
        Model::open(&self.path.join(format!("best-{model}.safetensors")))
    }

    /// The last complete checkpoint of `model` and its path, with a message if a later one is damaged.
    pub fn load_checkpoint(&self, model: &str) -> Result<Option<(Checkpoint, PathBuf, Option<String>)>> {
        let [last, previous] = checkpoints(model).map(|name| self.path.join(name));
        let open = |path: &PathBuf| -> Result<Option<Checkpoint>> {
            if path.exists() { Checkpoint::open(path).map(Some) } else { Ok(None) }
        };
        let failure = match open(&last) {
            Ok(Some(checkpoint)) => return Ok(Some((checkpoint, last, None))),
            // No checkpoint has been written yet, or the process ended after it had renamed the last one and before it
            // had written the next.
            Ok(None) => return Ok(open(&previous)?.map(|checkpoint| (checkpoint, previous, None))),
            Err(failure) if failure.kind != Kind::Usage => return Err(failure),
            Err(failure) => failure,
        };
        match open(&previous) {
            Ok(Some(checkpoint)) => {
                // Otherwise the next checkpoint would rename it over the intact one.
                fs::remove_file(&last).map_err(during("remove", &last))?;
                Ok(Some((checkpoint, previous, Some(format!("{failure}; resuming from the previous checkpoint")))))
            }
            older => {
                let is_damaged = older.is_err_and(|failure| failure.kind == Kind::Usage);
                let both = if is_damaged { format!(" and {}", path_text::printable(&previous)) } else { String::new() };
                Err(Failure::usage(format!(
                    "{failure}; no intact older checkpoint: remove this file{both} to train {model} again from the start"
                )))
            }
        }
    }

    /// Takes the finished epochs of `model` from a checkpoint, and rewrites the metrics files.
    pub fn restore_epochs(&mut self, model: &str, history: &[EpochRow]) -> Result<()> {
        let data = self.data;
        self.metrics.extend(history.iter().map(|row| MetricsRow::new(model, data, row)));
        self.write_metrics()
    }

    /// Removes all checkpoints but the best.
    pub fn remove_checkpoints(&self) -> Result<()> {
        for name in ["model_1", "model_2", CONTROL].into_iter().flat_map(checkpoints) {
            let path = self.path.join(name);
            if_there(fs::remove_file(&path)).map_err(during("remove", &path))?;
        }
        Ok(())
    }
}
