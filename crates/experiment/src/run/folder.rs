//! The folder of a run. `docs/run-folder.md` describes each file.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::lock::{LOCK, Lock};
use crate::{
    record::{
        data::DataKind,
        pictures::ReportPictures,
        run::{EpochRow, RunRecord},
    },
    report::{self, Grids},
    system::{
        atomic_file::{self, during},
        failure::{Failure, Kind, Result},
        json,
        machine::{Environment, utc_date},
        output, spreadsheet,
    },
};

/// How a run was started: `environment.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The command line, program name first.
    pub command: Vec<String>,
    /// The machine and the build.
    #[serde(flatten)]
    pub environment: Environment,
}

/// The folder of an active run.
///
/// Each file is complete or absent at any moment: it is written under a temporary name, flushed to the disk and
/// renamed.
#[derive(Debug)]
pub struct RunFolder {
    pub(super) path: PathBuf,
    pub(super) data: DataKind,
    pub(super) metrics: Vec<MetricsRow>,
    /// Held while the run is active; `None` on a file system without locks.
    pub(super) _lock: Option<Lock>,
}

/// A row of `metrics.csv` and a line of `metrics.jsonl`: an [`EpochRow`] with its model and data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricsRow {
    pub model: String,
    /// As in [`EpochRow`], like the following fields.
    pub epoch: u32,
    pub seconds: f64,
    pub loss: f64,
    pub accuracy: f64,
    pub val_loss: f64,
    pub val_accuracy: f64,
    /// Prevents an accuracy on built-in pictures from being mistaken for one on CIFAR-10.
    pub data: DataKind,
}

impl MetricsRow {
    pub(super) fn new(model: &str, data: DataKind, row: &EpochRow) -> Self {
        let &EpochRow { epoch, seconds, loss, accuracy, val_loss, val_accuracy } = row;
        MetricsRow { model: model.to_owned(), epoch, seconds, loss, accuracy, val_loss, val_accuracy, data }
    }
}

impl RunFolder {
    /// Creates the folder `path` and its missing parents, or uses an existing one that is empty or holds only the
    /// leftovers of a failed start. A lock keeps two runs from sharing a folder.
    pub fn create(path: &Path, data: DataKind) -> Result<Self> {
        Self::require_unused(path)?;
        fs::create_dir_all(path).map_err(during("create the folder", path))?;
        let lock = Lock::take(path)?;
        // Another run may have begun and ended in between.
        Self::require_unused(path)?;
        atomic_file::remove_partial(path, &[]).map_err(during("clean the folder", path))?;
        Ok(RunFolder { path: path.to_owned(), data, metrics: Vec::new(), _lock: lock })
    }

    /// Refuses a path that is a file, or lies below one, and a folder with more in it than a failed start leaves.
    /// Creates nothing, and takes no lock: only [`create`](Self::create) can tell whether another process uses the
    /// folder.
    pub fn require_unused(path: &Path) -> Result<()> {
        let mut parents = path.ancestors().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(file) = parents.find(|parent| parent.exists()).filter(|parent| !parent.is_dir()) {
            let file = file.display();
            return Err(Failure::usage(format!("{file} is a file, not a folder; name another folder for this run")));
        }
        if !path.exists() {
            return Ok(());
        }
        for entry in fs::read_dir(path).map_err(during("read the folder", path))? {
            let name = entry.map_err(during("read the folder", path))?.file_name();
            // On a full disk, a run does not get past environment.json.
            if name != LOCK && name != "environment.json" && !atomic_file::is_partial(&name) {
                let shown = path.display();
                return Err(Failure::usage(format!(
                    "{shown} is not empty; name another folder for this run, or remove that one"
                )));
            }
        }
        Ok(())
    }

    /// Creates a new folder in `parent`, named after the time in UTC: `2026-11-24-101502`, or `2026-11-24-101502-2` if
    /// that exists. Without a valid clock it is `undated`.
    pub fn create_dated(parent: &Path, data: DataKind, now: SystemTime) -> Result<Self> {
        fs::create_dir_all(parent).map_err(during("create the folder", parent))?;
        let name =
            utc_date(now).map_or_else(|| "undated".to_owned(), |date| date.replace('T', "-").replace([':', 'Z'], ""));
        let names = std::iter::once(name.clone()).chain((2..).map(|n: u32| format!("{name}-{n}")));
        for path in names.map(|name| parent.join(name)) {
            match fs::create_dir(&path) {
                Ok(()) => return Ok(RunFolder { _lock: Lock::take(&path)?, path, data, metrics: Vec::new() }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(during("create the folder", &path)(error).into()),
            }
        }
        unreachable!("four billion runs in one second")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the resolved settings as `config.toml`.
    pub fn write_config(&self, config: &impl Serialize) -> Result<()> {
        let refused = |error| Failure::new(Kind::Other, format!("cannot write config.toml: {error}"));
        let text = toml::to_string(config).map_err(refused)?;
        self.write("config.toml", text.as_bytes())
    }

    pub fn write_start(&self, start: &Start) -> Result<()> {
        self.write("environment.json", json::pretty(start).as_bytes())
    }

    /// Adds a finished epoch of `model` to `metrics.csv` and `metrics.jsonl`; both are on the disk on return.
    pub fn append_epoch(&mut self, model: &str, row: &EpochRow) -> Result<()> {
        row.require_finite(model)?;
        self.metrics.push(MetricsRow::new(model, self.data, row));
        self.write_metrics()
    }

    pub(super) fn write_metrics(&self) -> Result<()> {
        // A few kilobytes: rewritten each time, they are never torn, as an appended line could be.
        self.write("metrics.csv", &spreadsheet::table(&self.metrics)?)?;
        let line = |row| serde_json::to_string(row).expect("all keys are strings") + "\n";
        self.write("metrics.jsonl", self.metrics.iter().map(line).collect::<String>().as_bytes())
    }

    /// Writes `summary.json`, and then what is drawn from it.
    pub fn finish(&self, record: &RunRecord, pictures: &ReportPictures) -> Result<()> {
        self.write("summary.json", record.to_json()?.as_bytes())?;
        self.write_report(record, pictures)
    }

    /// Writes what is drawn from the record: `report.html`, `pictures/` and, last, `plots/`.
    pub fn write_report(&self, record: &RunRecord, pictures: &ReportPictures) -> Result<()> {
        let grids = Grids::new(record, pictures);
        self.write("report.html", report::render(record, &grids).as_bytes())?;
        for (name, png) in grids.files() {
            self.write(&format!("pictures/{name}"), png)?;
        }
        for (name, svg) in report::plots(record) {
            self.write(&format!("plots/{name}"), svg.as_bytes())?;
        }
        Ok(())
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(atomic_file::write(&output::inside(&self.path, name)?, bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::fixture;

    #[test]
    fn metrics_read_back_as_they_were_after_every_epoch() {
        let parent = tempfile::tempdir().unwrap();
        let mut folder = RunFolder::create(parent.path(), DataKind::BuiltIn).unwrap();
        let mut rows: Vec<MetricsRow> = Vec::new();
        for row in &fixture::record().model_2.history {
            folder.append_epoch("model_2", row).unwrap();
            rows.push(MetricsRow::new("model_2", DataKind::BuiltIn, row));

            let mut csv = csv::Reader::from_path(parent.path().join("metrics.csv")).unwrap();
            let header = csv.headers().unwrap().iter().collect::<Vec<_>>().join(",");
            assert_eq!(header, "model,epoch,seconds,loss,accuracy,val_loss,val_accuracy,data");
            let text = fs::read_to_string(parent.path().join("metrics.csv")).unwrap();
            assert!(text.lines().skip(1).all(|line| line.ends_with(",built-in pictures")), "{text}");
            assert_eq!(csv.deserialize().map(|row| row.unwrap()).collect::<Vec<MetricsRow>>(), rows);

            let lines = fs::read_to_string(parent.path().join("metrics.jsonl")).unwrap();
            let read: Vec<MetricsRow> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(read, rows);
        }
    }

    #[test]
    fn a_diverged_epoch_is_named_and_not_written() {
        let parent = tempfile::tempdir().unwrap();
        let mut folder = RunFolder::create(parent.path(), DataKind::BuiltIn).unwrap();
        let good = fixture::record().model_1.unwrap().history[0];
        folder.append_epoch("model_1", &good).unwrap();
        let metrics = || fs::read(parent.path().join("metrics.csv")).unwrap();
        let before = metrics();
        let error = folder.append_epoch("model_1", &EpochRow { epoch: 2, loss: f64::NAN, ..good }).unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().starts_with("model_1, epoch 2: loss is NaN"), "{error}");
        assert_eq!(metrics(), before);

        let mut record = fixture::record();
        record.model_2.history[3].val_loss = f64::INFINITY;
        let error = folder.finish(&record, &ReportPictures::default()).unwrap_err();
        assert!(error.to_string().starts_with("model_2, epoch 4: val_loss is inf"), "{error}");
        assert!(!parent.path().join("summary.json").exists());
    }

    #[test]
    fn leftovers_of_a_failed_start_do_not_block_the_next_run() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["environment.json", ".x7Gq2.partial", ".lock"] {
            fs::write(parent.path().join(name), "half").unwrap();
        }
        let folder = RunFolder::create(parent.path(), DataKind::BuiltIn).unwrap();
        assert!(RunFolder::create(parent.path(), DataKind::BuiltIn).unwrap_err().message.contains("is in use"));
        drop(folder);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "the environment is left");
        fs::write(parent.path().join("config.toml"), "").unwrap();
        assert!(RunFolder::create(parent.path(), DataKind::BuiltIn).unwrap_err().message.contains("is not empty"));
    }

    #[test]
    fn dated_folders_are_named_after_the_second_and_never_shared() {
        let parent = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_515_302_750);
        assert_eq!(utc_date(now).unwrap(), "2026-11-24T10:15:02Z");
        let made =
            [(); 3].map(|()| RunFolder::create_dated(&parent.path().join("runs"), DataKind::BuiltIn, now).unwrap());
        let names = made.each_ref().map(|folder| folder.path().file_name().unwrap().to_str().unwrap());
        assert_eq!(names, ["2026-11-24-101502", "2026-11-24-101502-2", "2026-11-24-101502-3"]);
    }

    #[test]
    fn a_wrong_clock_leaves_out_the_date() {
        let parent = tempfile::tempdir().unwrap();
        for (seconds, ahead) in [(1, false), (253_402_300_800, true), (9_000_000_000_000, true)] {
            let length = Duration::from_secs(seconds);
            let epoch = SystemTime::UNIX_EPOCH;
            let now = if ahead { epoch + length } else { epoch - length };
            assert_eq!(utc_date(now), None, "{seconds}");
            let folder = RunFolder::create_dated(parent.path(), DataKind::BuiltIn, now).unwrap();
            assert!(folder.path().file_name().unwrap().to_str().unwrap().starts_with("undated"));
            let environment = crate::system::machine::environment(now);
            assert!(!serde_json::to_string(&environment).unwrap().contains("\"date\""), "{environment:?}");
        }
    }
}
