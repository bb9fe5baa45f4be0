//! The classes of each half.

use super::Half;
use crate::{
    record::run::ClassRecord,
    system::{
        failure::{Failure, Result},
        streams::Stream,
    },
};

/// The source and target classes of a sweep, among all classes of its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// The source classes.
    pub source: Vec<ClassRecord>,
    /// The target classes.
    pub target: Vec<ClassRecord>,
    /// The names of all classes of the data, by label.
    pub names: Vec<String>,
}

const VEHICLES: [&str; 4] = ["airplane", "automobile", "ship", "truck"];
const ANIMALS: [&str; 6] = ["bird", "cat", "deer", "dog", "frog", "horse"];

impl Classes {
    /// The classes of a half, in the order of a network's outputs.
    ///
    /// # Errors
    /// If the data have no such classes.
    pub fn of(&self, half: Half) -> Result<Vec<ClassRecord>> {
        match half {
            Half::Source => Ok(self.source.clone()),
            Half::Target => Ok(self.target.clone()),
            Half::All => Ok(self.all()),
            Half::SplitSource(split) => Ok(self.split(split).0),
            Half::SplitTarget(split) => Ok(self.split(split).1),
            Half::Vehicles => self.by_name(&VEHICLES),
            Half::Animals => self.by_name(&ANIMALS),
        }
    }

    /// Whether vehicles and animals are among the classes.
    pub fn has_vehicles_and_animals(&self) -> bool {
        VEHICLES.iter().chain(&ANIMALS).all(|&wanted| self.names.iter().any(|name| name == wanted))
    }

    fn all(&self) -> Vec<ClassRecord> {
        self.source.iter().chain(&self.target).cloned().collect()
    }

    /// Halves of a random order that depends on nothing but the split's number.
    fn split(&self, split: u32) -> (Vec<ClassRecord>, Vec<ClassRecord>) {
        let mut all = self.all();
        all.sort_by_key(|class| class.label);
        Stream::ClassSplit.bits(u64::from(split), 0, 0).shuffle(&mut all);
        let mut target = all.split_off(self.source.len());
        all.sort_by_key(|class| class.label);
        target.sort_by_key(|class| class.label);
        (all, target)
    }

    fn by_name(&self, wanted: &[&str]) -> Result<Vec<ClassRecord>> {
        let class = |&name: &&str| {
            let label = self.names.iter().position(|other| other == name).ok_or_else(|| {
                Failure::usage(format!("the data have no class '{name}': vehicles and animals are CIFAR-10's"))
            })?;
            Ok(ClassRecord { label: label as u16, name: name.to_owned() })
        };
        wanted.iter().map(class).collect()
    }
}
