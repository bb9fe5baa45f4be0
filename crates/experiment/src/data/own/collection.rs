//! The decoded pictures of a folder of class folders: for training, held out for validation, or skipped.

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
    pub path: PathBuf,
    /// Index of its class.
    pub class: usize,
    pub assignment: Assignment,
}

/// What a file is used for.
#[derive(Debug)]
pub enum Assignment {
    Training(Box<Pixels>),
    /// Held out.
    Validation(Box<Pixels>),
    /// Unreadable; the reason follows the file's name.
    Skipped(String),
}

impl Assignment {
    /// Its name in `pictures.csv`.
    pub fn name(&self) -> &'static str {
        match self {
            Assignment::Training(_) => "training",
            Assignment::Validation(_) => "validation",
            Assignment::Skipped(_) => "skipped",
        }
    }
}

/// All files of all classes.
#[derive(Debug)]
pub struct Collection {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The files by class, sorted by name.
    pub entries: Vec<Entry>,
}

impl Collection {
    /// Decodes every picture to `size` rows and columns and holds out a share of each class; see [`split::validation`]. A file that is not a picture
    /// is skipped; an I/O error, or `stop` returning true, is an error.
    pub fn read(
        found: &[Class],
        size: usize,
        seed: u64,
        share: f64,
        stop: impl Fn() -> bool + Send + Sync,
    ) -> Result<Self> {
        let (mut classes, mut entries) = (Vec::new(), Vec::new());
        for (number, class) in found.iter().enumerate() {
            classes.push(class.name.clone());
            let read = read_all(&class.files, size, &stop);
            let readable = read.iter().filter(|picture| matches!(picture, Some(Ok(_)))).count();
            let held_out =
                if readable >= 2 { split::validation(seed, number, readable, share) } else { vec![false; readable] };
            let mut held_out = held_out.into_iter();
            for (path, picture) in class.files.iter().zip(read) {
                let assignment = match picture {
                    None => return Err(Failure::usage("reading the pictures was stopped")),
                    Some(Ok(pixels)) if held_out.next() == Some(true) => Assignment::Validation(pixels),
                    Some(Ok(pixels)) => Assignment::Training(pixels),
                    Some(Err(failure)) if failure.kind == Kind::Usage => Assignment::Skipped(failure.message),
                    Some(Err(failure)) => return Err(failure.within(&path_text::printable(path))),
                };
                entries.push(Entry { path: path.clone(), class: number, assignment });
            }
        }
        Ok(Collection { classes, entries })
    }

    /// The skipped files, and why.
    pub fn skipped(&self) -> impl Iterator<Item = (&Entry, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.assignment {
            Assignment::Skipped(reason) => Some((entry, reason.as_str())),
            _ => None,
        })
    }

    /// The held-out pictures.
    pub fn validation(&self) -> impl Iterator<Item = (&Entry, &Pixels)> {
        self.entries.iter().filter_map(|entry| match &entry.assignment {
            Assignment::Validation(pixels) => Some((entry, &**pixels)),
            _ => None,
        })
    }

    fn training(&self) -> impl Iterator<Item = (&Entry, &Pixels)> {
        self.entries.iter().filter_map(|entry| match &entry.assignment {
            Assignment::Training(pixels) => Some((entry, &**pixels)),
            _ => None,
        })
    }

    /// How many files of each class are used for what.
    pub fn counts(&self) -> Vec<ClassCount> {
        let count = |name: &String| ClassCount { name: name.clone(), training: 0, validation: 0, skipped: 0 };
        let mut counts: Vec<_> = self.classes.iter().map(count).collect();
        for entry in &self.entries {
            let count = &mut counts[entry.class];
            match entry.assignment {
                Assignment::Training(_) => count.training += 1,
                Assignment::Validation(_) => count.validation += 1,
                Assignment::Skipped(_) => count.skipped += 1,
            }
        }
        counts
    }

    /// Number of held-out pictures that also occur in the training set.
    pub fn duplicates(&self) -> usize {
        let trained_on: HashSet<&Pixels> = self.training().map(|(_, pixels)| pixels).collect();
        self.validation().filter(|(_, pixels)| trained_on.contains(pixels)).count()
    }

    /// The pictures as a task. Fails if a class has fewer than two of them.
    pub fn task(&self) -> Result<Task<'_>> {
        if let Some(few) = self.counts().iter().find(|class| class.validation == 0) {
            return Err(Failure::usage(format!(
                "class {} has {}; expected at least 2, one for training and one for validation",
                few.name,
                if few.training == 1 {
                    "1 readable picture".to_owned()
                } else {
                    format!("{} readable pictures", few.training)
                }
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
