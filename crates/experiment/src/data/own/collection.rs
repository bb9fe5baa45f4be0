//! The decoded pictures of a folder of class folders: for training, held out for validation, for testing, or skipped.

use std::{collections::HashMap, path::PathBuf};

use thawline_tensor::nn::Examples;

use super::{examples, folder::Class, read_all, split};
use crate::{
    data::task::Task,
    record::{
        adaptation::{ClassCount, Duplicate, Duplicates},
        data::ClassRecord,
        pictures::Pixels,
    },
    system::{
        console,
        failure::{Failure, Kind, Result},
        memory::Memory,
        number, path_text,
    },
};

/// A file of a class folder.
#[derive(Debug)]
pub struct Entry {
    pub path: PathBuf,
    /// Index of its class.
    pub class: usize,
    pub set: Set,
    /// The pixels, or why the file was skipped, to be printed after its name.
    pub picture: Result<Box<Pixels>, String>,
}

/// What a picture is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    Training,
    /// Held out of the training pictures.
    Validation,
    Test,
}

/// All files of all classes.
#[derive(Debug)]
pub struct Collection {
    pub classes: Vec<String>,
    /// The files class by class, sorted by name; in each class, those for testing come last.
    pub entries: Vec<Entry>,
}

impl Entry {
    /// Its set in `pictures.csv`.
    pub fn set(&self) -> &'static str {
        match (&self.picture, self.set) {
            (Err(_), _) => "skipped",
            (_, Set::Training) => "training",
            (_, Set::Validation) => "validation",
            (_, Set::Test) => "test",
        }
    }
}

impl Collection {
    /// Decodes every picture to `size` rows and columns. If `share` is given, it is the fraction of each class's
    /// training pictures to hold out; see [`split::validation`]. A file that is not a readable picture is skipped; a
    /// fault of the machine, too little memory, or `stop` returning true, is an error.
    pub fn read(
        found: &[Class],
        size: usize,
        seed: u64,
        share: Option<f64>,
        stop: impl Fn() -> bool + Send + Sync,
    ) -> Result<Self> {
        let files = found.iter().map(|class| class.files.len() + class.test.len()).sum();
        Memory::of_pictures(files, size)
            .require("reading the pictures", "use fewer pictures, or features of smaller pictures")?;
        let (mut classes, mut entries) = (Vec::new(), Vec::new());
        for (number, class) in found.iter().enumerate() {
            classes.push(class.name.clone());
            let first = entries.len();
            for (files, set) in [(&class.files, Set::Training), (&class.test, Set::Test)] {
                for (path, picture) in files.iter().zip(read_all(files, size, &stop)) {
                    let picture = match picture {
                        None => return Err(Failure::usage("reading the pictures was stopped")),
                        Some(Ok(pixels)) => Ok(pixels),
                        Some(Err(failure)) if failure.kind == Kind::Usage => Err(failure.message),
                        Some(Err(failure)) => return Err(failure.within(&path_text::printable(path))),
                    };
                    entries.push(Entry { path: path.clone(), class: number, set, picture });
                }
            }
            let readable = |entry: &&mut Entry| entry.picture.is_ok() && entry.set == Set::Training;
            let readable: Vec<_> = entries[first..].iter_mut().filter(readable).collect();
            if let Some(share) = share.filter(|_| readable.len() >= 2) {
                let held_out = split::validation(seed, number, readable.len(), share);
                readable
                    .into_iter()
                    .zip(held_out)
                    .filter(|(_, is)| *is)
                    .for_each(|(entry, _)| entry.set = Set::Validation);
            }
        }
        Ok(Collection { classes, entries })
    }

    /// The skipped files, and why.
    pub fn skipped(&self) -> impl Iterator<Item = (&Entry, &str)> {
        self.entries.iter().filter_map(|entry| Some((entry, entry.picture.as_ref().err()?.as_str())))
    }

    /// Prints the skipped files on standard error.
    pub fn warn_of_skipped(&self) {
        for (entry, reason) in self.skipped() {
            console::warn(format!("skipped {}: {reason}", path_text::printable(&entry.path)));
        }
    }

    /// The pictures of a set.
    pub fn of(&self, set: Set) -> impl Iterator<Item = (&Entry, &Pixels)> {
        let of_set = self.entries.iter().filter(move |entry| entry.set == set);
        of_set.filter_map(|entry| Some((entry, &**entry.picture.as_ref().ok()?)))
    }

    pub fn examples(&self, set: Set) -> Examples<'_> {
        let (pictures, labels) = self.of(set).map(|(entry, pixels)| (pixels, entry.class as u32)).unzip();
        examples(pictures, labels)
    }

    /// How many files of each class are used for what.
    pub fn counts(&self) -> Vec<ClassCount> {
        let count = |name: &String| ClassCount { name: name.clone(), ..ClassCount::default() };
        let mut counts: Vec<_> = self.classes.iter().map(count).collect();
        for entry in &self.entries {
            let count = &mut counts[entry.class];
            match (&entry.picture, entry.set) {
                (Err(_), _) => count.skipped += 1,
                (_, Set::Training) => count.training += 1,
                (_, Set::Validation) => count.validation += 1,
                (_, Set::Test) => count.test += 1,
            }
        }
        counts
    }

    /// Pictures that occur more than once.
    pub fn duplicates(&self) -> Vec<Duplicates> {
        let mut groups: Vec<Duplicates> = Vec::new();
        let mut group_of: HashMap<&Pixels, usize> = HashMap::new();
        for entry in &self.entries {
            let Ok(pixels) = &entry.picture else { continue };
            let group = *group_of.entry(pixels).or_insert_with(|| {
                groups.push(Duplicates::default());
                groups.len() - 1
            });
            groups[group].pictures.push(Duplicate {
                file: path_text::printable(&entry.path),
                class: self.classes[entry.class].clone(),
                set: entry.set().to_owned(),
            });
        }
        groups.retain(|group| group.pictures.len() > 1);
        groups
    }

    /// For each training picture, the fold in which it is held out. Duplicates of a picture share a fold: none is
    /// classified by a head that learned from another.
    pub fn folds(&self, seed: u64) -> Vec<usize> {
        let mut first: HashMap<&Pixels, usize> = HashMap::new();
        let training: Vec<_> = self.of(Set::Training).collect();
        let originals: Vec<usize> =
            training.iter().enumerate().map(|(index, (_, pixels))| *first.entry(*pixels).or_insert(index)).collect();
        let labels: Vec<usize> = training.iter().map(|(entry, _)| entry.class).collect();
        split::folds(seed, &labels, &originals)
    }

    /// Fails if a class has fewer than two pictures for training, held-out ones included.
    pub fn require_two_of_each(&self) -> Result<()> {
        let pictures = |class: &ClassCount| class.training + class.validation;
        match self.counts().iter().find(|class| pictures(class) < 2) {
            None => Ok(()),
            Some(few) => Err(Failure::usage(format!(
                "class {} has {}; expected at least 2, one for training and one for validation",
                few.name,
                number::counted(pictures(few) as usize, "readable training picture")
            ))),
        }
    }

    /// The training pictures and those held out, as a task.
    pub fn task(&self) -> Task<'_> {
        let classes = self.classes.iter().enumerate();
        let classes = classes.map(|(label, name)| ClassRecord { label: label as u16, name: name.clone() }).collect();
        Task { classes, train: self.examples(Set::Training), validation: self.examples(Set::Validation) }
    }
}
