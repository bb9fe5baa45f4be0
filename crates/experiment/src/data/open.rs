//! Finds a run's pictures.
//!
//! The first of these counts: `--data`, the environment variable `THAWLINE_DATA`, the folder `data` in the working
//! directory, the built-in pictures. Data that the user named must exist. The folder `data` may be absent or without
//! CIFAR data; but if these are damaged, or a link leads to an unmounted disk, the program stops instead of silently
//! using other pictures.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use thawline_cifar::{Dataset, Fault, Format, Images, PIXEL_BYTES, Source};
use thawline_drawings::Split;

use crate::{
    record::{
        data::{DataKind, DataRecord},
        options::Labels,
    },
    system::{
        failure::{Failure, Kind, Result},
        path_text,
    },
};

/// Names the built-in pictures in place of a path.
pub const BUILT_IN: &str = "built-in";

pub const VARIABLE: &str = "THAWLINE_DATA";

/// The folder that is searched if the user names no data.
pub const FOLDER: &str = "data";

/// A data set and where it came from.
#[derive(Debug)]
pub struct Data {
    pub dataset: Dataset,
    pub kind: DataKind,
    /// The path as given or found; `None` for built-in pictures.
    pub path: Option<String>,
    /// Why these pictures were chosen, as a phrase.
    pub reason: String,
}

/// Finds and reads the pictures. Errors name the setting that chose them.
pub fn open(flag: Option<&Path>) -> Result<Data> {
    let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    match (flag, variable) {
        (Some(path), _) => named_by(path, "--data"),
        (None, Some(path)) => named_by(&path, VARIABLE),
        (None, None) if is_absent(Path::new(FOLDER)) => {
            built_in(format!("neither --data nor {VARIABLE} is set, and the folder {FOLDER}/ does not exist"))
        }
        (None, None) => match Dataset::open(FOLDER) {
            Ok(dataset) => Ok(Data::read(dataset, Path::new(FOLDER), format!("found in the folder {FOLDER}/"))),
            Err(error) if matches!(error.fault(), Fault::NoData(_)) => {
                built_in(format!("neither --data nor {VARIABLE} is set, and the folder {FOLDER}/ has no CIFAR data"))
            }
            Err(error) => {
                let Failure { kind, message } = error.into();
                Err(Failure::new(kind, format!("{message}; or name other pictures: --data PATH, --data {BUILT_IN}")))
            }
        },
    }
}

/// Whether nothing exists at a path. A dangling link exists.
fn is_absent(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Reads the pictures at a path, or the built-in ones if the path is [`BUILT_IN`].
pub fn named(path: &Path) -> Result<Data> {
    if path.as_os_str() == BUILT_IN {
        return built_in("named".to_owned());
    }
    if is_absent(path) {
        return Err(Failure::usage(format!(
            "{}: no such file or folder; expected a CIFAR .tar.gz archive or a folder of .bin files, or {BUILT_IN}",
            path.display()
        )));
    }
    Ok(Data::read(Dataset::open(path)?, path, "named".to_owned()))
}

/// Like [`named`], for a path that a setting names.
pub fn named_by(path: &Path, setting: &str) -> Result<Data> {
    match named(path) {
        Ok(data) => Ok(Data { reason: format!("{} by {setting}", data.reason), ..data }),
        Err(failure) => Err(failure.within(setting)),
    }
}

fn built_in(reason: String) -> Result<Data> {
    let dataset = draw(thawline_drawings::SEED, thawline_drawings::Size::default())?;
    Ok(Data { dataset, kind: DataKind::BuiltIn, path: None, reason })
}

/// Draws a set of built-in pictures, as CIFAR-10 records that pass through the CIFAR reader.
pub fn draw(seed: u64, size: thawline_drawings::Size) -> Result<Dataset> {
    let images = |split| {
        let count = size.of(split);
        let mut records = Vec::new();
        records.try_reserve_exact(count.saturating_mul(PIXEL_BYTES + 1)).map_err(|_| too_many(count))?;
        for (label, pixels) in thawline_drawings::records(seed, split, count) {
            records.push(label);
            records.extend_from_slice(&pixels);
        }
        Ok::<_, Failure>(Images::from_records(Format::Cifar10, records)?)
    };
    let classes = thawline_drawings::CLASSES.map(str::to_owned).to_vec();
    Ok(Dataset::new(Format::Cifar10, images(Split::Train)?, images(Split::Test)?, classes, Vec::new())?)
}

fn too_many(count: usize) -> Failure {
    Failure::new(
        Kind::Environment,
        format!("not enough memory for {count} pictures; close other programs, or use --limit"),
    )
}

impl Data {
    /// The same pictures, with coarse labels if these are asked for; fails if the data set has none.
    pub fn labelled(self, labels: Labels) -> Result<Self> {
        if labels.is_fine() {
            return Ok(self);
        }
        let place = self.path.as_deref().unwrap_or(BUILT_IN).to_owned();
        let format = self.dataset.format().name();
        let dataset = self.dataset.with_coarse_labels().ok_or_else(|| {
            Failure::usage(format!(
                "--labels coarse: {place} is in {format}'s format, which has no coarse labels; leave out --labels"
            ))
        })?;
        Ok(Data { dataset, ..self })
    }

    fn read(dataset: Dataset, path: &Path, reason: String) -> Self {
        let kind = match dataset.format() {
            Format::Cifar100 => DataKind::Cifar100,
            _ => DataKind::Cifar10,
        };
        Data { dataset, kind, path: Some(path_text::exact(path)), reason }
    }

    /// A sentence about the pictures' origin.
    pub fn sentence(&self) -> &'static str {
        match (self.kind, self.dataset.source()) {
            (DataKind::BuiltIn, _) => {
                "The program draws them from a seed; they are not photographs, so accuracies on them say nothing about CIFAR-10."
            }
            (_, Source::Archive { official: true, .. }) => "The official release, verified by its SHA-256.",
            (_, Source::Archive { .. }) => "An archive in the release's format, but not the official release.",
            _ => "Files in the release's format; whether they are the official ones is not known.",
        }
    }

    pub fn record(&self) -> DataRecord {
        DataRecord {
            kind: self.kind,
            official: self.dataset.source().is_official(),
            sha256: Some(self.dataset.sha256()),
            path: self.path.clone(),
            train_examples: self.dataset.train().len() as u64,
            test_examples: self.dataset.test().len() as u64,
            classes: self.dataset.classes().to_vec(),
            sentence: self.sentence().to_owned(),
        }
    }

    /// The files and folders that the pictures were read from; `named` is what the user gave.
    pub fn inputs(&self, named: Option<&Path>) -> Vec<PathBuf> {
        let read = match self.dataset.source() {
            Source::Archive { name: path, .. } | Source::Tar { name: path, .. } | Source::Folder { path } => {
                Some(PathBuf::from(path))
            }
            Source::Memory => None,
        };
        named.map(Path::to_owned).into_iter().chain(read).collect()
    }

    /// A phrase: the data set and where it came from.
    pub fn describe(&self) -> String {
        match self.kind {
            DataKind::BuiltIn => "built-in pictures: drawings made by this program, not CIFAR-10".to_owned(),
            kind => format!("{} from {}", kind.subject(self.dataset.classes()), self.dataset.source()),
        }
    }

    /// How to get CIFAR-10, if the pictures are built-in ones.
    pub fn advice(&self) -> Option<String> {
        (self.kind == DataKind::BuiltIn).then(|| {
            format!(
                "for CIFAR-10 run scripts/fetch_cifar10.sh (170 MB into {FOLDER}/), or name an archive you have: --data PATH"
            )
        })
    }
}
