//! Which classes each [`ClassSet`] of a sweep has.

use std::collections::BTreeSet;

use super::ClassSet;
use crate::{
    record::data::ClassRecord,
    system::{
        failure::{Failure, Result},
        streams::Stream,
    },
};

/// The source and target classes of a sweep, among all classes of its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    pub source: Vec<ClassRecord>,
    pub target: Vec<ClassRecord>,
    /// The names of all classes of the target's data, by label.
    pub names: Vec<String>,
    /// Whether the source classes are those of another data set.
    pub two_data_sets: bool,
}

/// The maximum number of splits drawn until enough of them differ.
const MAX_DRAWS: u64 = 2_000;

const VEHICLES: [&str; 4] = ["airplane", "automobile", "ship", "truck"];
const ANIMALS: [&str; 6] = ["bird", "cat", "deer", "dog", "frog", "horse"];

/// Whether a class of CIFAR-10 is a vehicle; `None` for classes of other data.
pub fn is_vehicle(name: &str) -> Option<bool> {
    let is_vehicle = VEHICLES.contains(&name);
    (is_vehicle || ANIMALS.contains(&name)).then_some(is_vehicle)
}

impl Classes {
    /// The classes of a set, in the order of a network's outputs.
    ///
    /// # Errors
    /// If the data set has no such classes or not that many splits, or a set needs classes of two data sets.
    pub fn of(&self, set: ClassSet) -> Result<Vec<ClassRecord>> {
        match set {
            ClassSet::Source => Ok(self.source.clone()),
            ClassSet::Target => Ok(self.target.clone()),
            ClassSet::All => self.all(),
            ClassSet::SplitSource(split) => Ok(self.split(split)?.0),
            ClassSet::SplitTarget(split) => Ok(self.split(split)?.1),
            ClassSet::Vehicles => self.by_name(&VEHICLES),
            ClassSet::Animals => self.by_name(&ANIMALS),
        }
    }

    /// Whether all of CIFAR-10's vehicles and animals are among the classes.
    pub fn has_vehicles_and_animals(&self) -> bool {
        VEHICLES.iter().chain(&ANIMALS).all(|&wanted| self.names.iter().any(|name| name == wanted))
    }

    fn all(&self) -> Result<Vec<ClassRecord>> {
        if self.two_data_sets {
            return Err(Failure::usage(
                "with --source-data, arms on source and target classes together cannot be trained",
            ));
        }
        Ok(self.source.iter().chain(&self.target).cloned().collect())
    }

    /// The halves of a random split, which depend on its number, not on a seed. No two splits are equal, even with
    /// their halves swapped, because each split is used in both directions.
    fn split(&self, split: u32) -> Result<(Vec<ClassRecord>, Vec<ClassRecord>)> {
        let mut all = self.all()?;
        all.sort_by_key(|class| class.label);
        let mut seen: BTreeSet<Vec<u16>> = BTreeSet::new();
        for draw in 1..=MAX_DRAWS {
            let mut source = all.clone();
            Stream::ClassSplit.bits(draw, 0, 0).shuffle(&mut source);
            let mut target = source.split_off(self.source.len());
            source.sort_by_key(|class| class.label);
            target.sort_by_key(|class| class.label);
            let labels = |half: &[ClassRecord]| half.iter().map(|class| class.label).collect::<Vec<_>>();
            if seen.contains(&labels(&target)) || !seen.insert(labels(&source)) {
                continue;
            }
            if seen.len() == split as usize {
                return Ok((source, target));
            }
        }
        Err(Failure::usage(format!("--splits: {} classes have fewer than {split} different splits", all.len())))
    }

    fn by_name(&self, wanted: &[&str]) -> Result<Vec<ClassRecord>> {
        let class = |&name: &&str| {
            let label = self.names.iter().position(|other| other == name).ok_or_else(|| {
                Failure::usage(format!(
                    "the data set has no class '{name}': vehicles and animals are classes of CIFAR-10"
                ))
            })?;
            Ok(ClassRecord { label: label as u16, name: name.to_owned() })
        };
        wanted.iter().map(class).collect()
    }
}
