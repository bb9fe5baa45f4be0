//! The sweep's folder, which any number of processes may share.
//!
//! - `sweep.json`: the settings;
//! - `jobs/ARM-seed-N.json`: a record for each job that is done;
//! - `weights/ARM-seed-N.safetensors`: the weights of each pretraining;
//! - `claims/ARM-seed-N.lock`: locked by the process that does the job. The system releases the lock when the process
//!   ends, so a claim cannot outlive its process;
//! - the files of the report.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::{
    arms::Arm,
    plan::Job,
    record::{FORMAT, JobRecord},
    settings::SweepSettings,
};
use crate::system::{
    atomic_file::{self, during},
    console::shown,
    failure::{Failure, Result},
    input::{self, RECORD},
    json, number, output, wording,
};

/// Each process that has the folder open holds a shared lock on it.
const PRESENCE: &str = "claims/presence.lock";
/// Locked by the process that writes the report.
const REPORT: &str = "claims/report.lock";

/// An open sweep folder.
#[derive(Debug)]
pub struct SweepFolder {
    path: PathBuf,
    settings: String,
    /// Shared while the folder is open: a process that can lock it exclusively is alone and may clean up.
    _presence: File,
}

impl SweepFolder {
    /// Creates the folder, or opens one with the same settings.
    ///
    /// # Errors
    /// If the folder has other settings or contents, or an operation of the system fails.
    pub fn open(path: &Path, settings: &SweepSettings) -> Result<Self> {
        let file = path.join("sweep.json");
        if !file.exists() && (path.is_file() || fs::read_dir(path).is_ok_and(|mut entries| entries.any(is_foreign))) {
            return Err(Failure::usage(format!(
                "{} is neither empty nor a sweep folder; name another one",
                path.display()
            )));
        }
        fs::create_dir_all(path).map_err(during("create the folder", path))?;
        for name in ["jobs/", "weights/", "claims/"] {
            output::inside(path, name)?;
        }
        let presence = path.join(PRESENCE);
        let lock = output::open_lock(path, PRESENCE)?;
        if lock.try_lock().is_ok() {
            let below = ["jobs", "weights", "plots"];
            atomic_file::remove_partial(path, &below).map_err(during("clean the folder", path))?;
            lock.unlock().map_err(during("unlock", &presence))?;
        }
        lock.lock_shared().map_err(during("lock", &presence))?;
        atomic_file::write_once(&file, json::pretty(settings).as_bytes())?;
        let found = read_settings(path)?;
        if let Some(difference) = found.difference(settings) {
            return Err(Failure::usage(format!(
                "{} and this command have different settings: {difference}; name another folder, or use the same settings",
                path.display()
            )));
        }
        Ok(SweepFolder { path: path.to_owned(), settings: found.hash(), _presence: lock })
    }

    /// The record of a job, if it is done.
    ///
    /// # Errors
    /// If the record cannot be read, or belongs to another sweep or to an arm with other settings.
    pub fn record(&self, arm: &Arm, seed: u64) -> Result<Option<JobRecord>> {
        let path = self.record_path(arm, seed);
        let Some(bytes) = input::read_if_any(&path, RECORD)? else { return Ok(None) };
        let record = parse(&path, &bytes)?;
        if record.settings != self.settings || record.arm != *arm || record.seed != seed {
            return Err(Failure::usage(format!(
                "{} belongs to another sweep or arm; remove it to run the job again",
                path.display()
            )));
        }
        Ok(Some(record))
    }

    /// The jobs without a record.
    ///
    /// # Errors
    /// As [`SweepFolder::record`].
    pub fn unfinished<'a>(&self, jobs: &'a [Job]) -> Result<Vec<&'a Job>> {
        let mut unfinished = Vec::new();
        for job in jobs {
            if self.record(&job.arm, job.seed)?.is_none() {
                unfinished.push(job);
            }
        }
        Ok(unfinished)
    }

    /// Whether a job has a record, which need not be readable.
    pub fn has_record(&self, arm: &Arm, seed: u64) -> bool {
        self.record_path(arm, seed).exists()
    }

    /// Whether a pretraining is done and its weights are still there.
    pub fn has_weights(&self, arm: &Arm, seed: u64) -> bool {
        self.has_record(arm, seed) && self.weights(arm, seed).exists()
    }

    fn record_path(&self, arm: &Arm, seed: u64) -> PathBuf {
        self.path.join("jobs").join(format!("{}.json", JobRecord::name(arm, seed)))
    }

    /// Writes the record of a job, which is then done.
    pub fn finish(&self, record: &JobRecord) -> Result<()> {
        Ok(atomic_file::write(&self.record_path(&record.arm, record.seed), &record.to_json())?)
    }

    /// Removes the pictures from all finished records.
    ///
    /// # Errors
    /// If a record is damaged, or cannot be written.
    pub fn remove_pictures(&self, settings: &SweepSettings) -> Result<()> {
        for mut record in read_records(&self.path, settings)? {
            if record.mistakes.iter().any(|mistake| mistake.picture.is_some()) {
                record.mistakes.iter_mut().for_each(|mistake| mistake.picture = None);
                self.finish(&record)?;
            }
        }
        Ok(())
    }

    /// Claims a job, unless another process has. The claim is a lock, held until the file is dropped.
    ///
    /// # Errors
    /// If the file system has no locks.
    pub fn claim(&self, arm: &Arm, seed: u64) -> Result<Option<File>> {
        let name = format!("claims/{}.lock", JobRecord::name(arm, seed));
        let lock = output::open_lock(&self.path, &name)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(during("lock", &self.path.join(name))(error).into()),
        }
    }

    /// Waits until no other process reads the records for the report. Of several processes that end together, the last
    /// one finds all records.
    ///
    /// # Errors
    /// If the file system has no locks.
    pub fn claim_report(&self) -> Result<File> {
        let lock = output::open_lock(&self.path, REPORT)?;
        lock.lock().map_err(during("lock", &self.path.join(REPORT)))?;
        Ok(lock)
    }

    /// The path of a pretraining's weights.
    pub fn weights(&self, arm: &Arm, seed: u64) -> PathBuf {
        self.path.join("weights").join(format!("{}.safetensors", JobRecord::name(arm, seed)))
    }
}

/// Reads the settings of a sweep's folder.
///
/// # Errors
/// If it is not a sweep folder, or one of another format.
pub fn read_settings(folder: &Path) -> Result<SweepSettings> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
        thawline: String,
    }
    let path = folder.join("sweep.json");
    let bytes = input::read_if_any(&path, RECORD)?
        .ok_or_else(|| Failure::usage(format!("{} is not a sweep folder: sweep.json is missing", folder.display())))?;
    let wrong = |reason: String| Failure::usage(format!("{}: {reason}", path.display()));
    let Version { format, thawline } = serde_json::from_slice(&bytes).map_err(|error| wrong(wording::json(&error)))?;
    if format != FORMAT {
        return Err(wrong(format!(
            "a sweep of format {format} by Thawline {}, and this program reads format {FORMAT}: its protocol differs, so \
             results cannot be compared; run the sweep again in a new folder",
            shown(&thawline)
        )));
    }
    serde_json::from_slice(&bytes).map_err(|error| wrong(wording::json(&error)))
}

/// The maximum bytes of all records together, enough for thousands of jobs. In memory they take several times as much.
const MAX_RECORDS: usize = 256_000_000;

/// Reads every record of a sweep's folder, in the order of their names.
///
/// # Errors
/// If a record is damaged, has other settings or another job's name, or all together take more than `MAX_RECORDS`.
pub fn read_records(folder: &Path, settings: &SweepSettings) -> Result<Vec<JobRecord>> {
    let jobs = folder.join("jobs");
    let entries = fs::read_dir(&jobs).map_err(during("read", &jobs))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(during("read", &jobs))?.path();
        // On foreign file systems macOS writes a `._x.json` beside each `x.json`.
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|ending| ending == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let hash = settings.hash();
    let mut total = 0;
    let mut read = |path: &PathBuf| {
        let bytes = input::read(path, RECORD)?;
        total += bytes.len();
        if total > MAX_RECORDS {
            let most = number::bytes(MAX_RECORDS as u64);
            return Err(Failure::usage(format!("{}: the records take more than {most} together", jobs.display())));
        }
        let record = parse(path, &bytes)?;
        if record.settings != hash {
            return Err(Failure::usage(format!(
                "{} has other settings than the sweep.json next to it",
                path.display()
            )));
        }
        let name = JobRecord::name(&record.arm, record.seed);
        if path.file_stem().is_none_or(|stem| *stem != *name) {
            return Err(Failure::usage(format!("{} is the record of {name}; rename or remove it", path.display())));
        }
        Ok(record)
    };
    paths.iter().map(&mut read).collect()
}

fn parse(path: &Path, bytes: &[u8]) -> Result<JobRecord> {
    let again = "remove it to run the job again";
    JobRecord::parse(bytes)
        .map_err(|error| Failure::usage(format!("{}: not a job record: {error}; {again}", path.display())))
}

/// Whether an entry is not part of a sweep folder.
fn is_foreign(entry: io::Result<fs::DirEntry>) -> bool {
    let ours = ["jobs", "weights", "claims", "sweep.json"];
    entry.is_ok_and(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        !ours.contains(&name.as_ref()) && !name.ends_with(".partial")
    })
}
