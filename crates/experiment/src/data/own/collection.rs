//! A folder of class folders, read: which pictures are learned from, which are kept back, and which were skipped.

use std::{collections::HashSet, path::PathBuf};

use super::{examples, folder::Class, read_all, split};
use crate::{
    data::task::Task,
    record::{
        adaptation::ClassCount,
        run::{ClassRecord, Pixels},
    },
    system::{
        failure::{Failure, Kind, Result},
        path_text,
    },
};

/// A file of a class folder.
#[derive(Debug)]
pub struct Entry {
    /// The file.
    pub path: PathBuf,
    /// The number of its class.
    pub class: usize,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a file.
#[derive(Debug)]
pub enum Fate {
    /// It is learned from.
    Training(Box<Pixels>),
    /// It is kept back, to judge by.
    Validation(Box<Pixels>),
    /// It cannot be read; the words follow its name.
    Skipped(String),
}

impl Fate {
    /// The word for it in `pictures.csv`.
    pub fn name(&self) -> &'static str {
        match self {
            Fate::Training(_) => "training",
            Fate::Validation(_) => "validation",
            Fate::Skipped(_) => "skipped",
        }
    }
}

/// All files of all classes.
#[derive(Debug)]
pub struct Collection {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The files, class by class, sorted by name.
    pub entries: Vec<Entry>,
}

impl Collection {
    /// Reads every picture of a folder and keeps a share of each class back; see [`split::validation`].
    ///
    /// # Errors
    /// If the machine fails, or `stop` says so. A picture that cannot be read for a reason of its own is no error.
    pub fn read(found: &[Class], seed: u64, share: f64, stop: impl Fn() -> bool + Send + Sync) -> Result<Self> {
        let (mut classes, mut entries) = (Vec::new(), Vec::new());
        for (number, class) in found.iter().enumerate() {
            classes.push(class.name.clone());
            let read = read_all(&class.files, &stop);
            let whole = read.iter().filter(|picture| matches!(picture, Some(Ok(_)))).count();
            let mut kept_back =
                if whole >= 2 { split::validation(seed, number, whole, share) } else { vec![false; whole] }.into_iter();
            for (path, picture) in class.files.iter().zip(read) {
                let fate = match picture {
                    None => return Err(Failure::usage("reading the pictures was stopped")),
                    Some(Ok(pixels)) if kept_back.next() == Some(true) => Fate::Validation(pixels),
                    Some(Ok(pixels)) => Fate::Training(pixels),
                    Some(Err(failure)) if failure.kind == Kind::Usage => Fate::Skipped(failure.message),
                    Some(Err(failure)) => return Err(failure.within(&path_text::printable(path))),
                };
                entries.push(Entry { path: path.clone(), class: number, fate });
            }
        }
        Ok(Collection { classes, entries })
    }

    /// What cannot be read, and why.
    pub fn skipped(&self) -> impl Iterator<Item = (&Entry, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.fate {
            Fate::Skipped(reason) => Some((entry, reason.as_str())),
            _ => None,
        })
    }

    /// What is kept back.
    pub fn validation(&self) -> impl Iterator<Item = (&Entry, &Pixels)> {
        self.entries.iter().filter_map(|entry| match &entry.fate {
            Fate::Validation(pixels) => Some((entry, &**pixels)),
            _ => None,
        })
    }

    fn training(&self) -> impl Iterator<Item = (&Entry, &Pixels)> {
        self.entries.iter().filter_map(|entry| match &entry.fate {
            Fate::Training(pixels) => Some((entry, &**pixels)),
            _ => None,
        })
    }

    /// How many of each class became what.
    pub fn counts(&self) -> Vec<ClassCount> {
        let count = |name: &String| ClassCount { name: name.clone(), training: 0, validation: 0, skipped: 0 };
        let mut counts: Vec<_> = self.classes.iter().map(count).collect();
        for entry in &self.entries {
            let count = &mut counts[entry.class];
            match entry.fate {
                Fate::Training(_) => count.training += 1,
                Fate::Validation(_) => count.validation += 1,
                Fate::Skipped(_) => count.skipped += 1,
            }
        }
        counts
    }

    /// Pictures that are kept back although the same are learned from.
    pub fn twins(&self) -> usize {
        let learned: HashSet<&Pixels> = self.training().map(|(_, pixels)| pixels).collect();
        self.validation().filter(|(_, pixels)| learned.contains(pixels)).count()
    }

    /// The task that they make.
    ///
    /// # Errors
    /// A class with fewer than two pictures.
    pub fn task(&self) -> Result<Task<'_>> {
        if let Some(few) = self.counts().iter().find(|class| class.validation == 0) {
            return Err(Failure::usage(format!(
                "class {} has {} that can be read; expected at least 2, one to learn from and one to judge by",
                few.name,
                if few.training == 1 { "1 picture".to_owned() } else { format!("{} pictures", few.training) }
            )));
        }
        let (training, labels): (Vec<_>, Vec<_>) =
            self.training().map(|(entry, pixels)| (pixels, entry.class as u32)).unzip();
        let train = examples(training, labels);
        let (validation, labels): (Vec<_>, Vec<_>) =
            self.validation().map(|(entry, pixels)| (pixels, entry.class as u32)).unzip();
        let classes = self.classes.iter().enumerate();
        let classes = classes.map(|(label, name)| ClassRecord { label: label as u16, name: name.clone() }).collect();
        Ok(Task { classes, train, validation: examples(validation, labels) })
    }
}
