//! Arms and seeds as a user names them: presets, lists, groups.

use super::{
    Arm, ClassSet, Head,
    catalogue::{GROUPS, Scope, VEHICLES_AND_ANIMALS, catalogue, group},
    classes::Classes,
};
use crate::system::failure::{Failure, Result};

/// A ready-made sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// The main controls on the built-in pictures, in a few minutes
    Quick,
    /// The tutorial's experiment, corrected versions of it, and controls
    Controls,
    /// Every arm of the catalogue
    Full,
}

const QUICK: &[&str] = &["frozen", "frozen-warm", "scratch", "frozen-random", "frozen-random-matched", "fine-tune"];

/// The arms of the quick preset with few pictures.
const QUICK_SAMPLES: &[&str] = &["frozen@10", "frozen@50", "scratch@10", "scratch@50"];

const CONTROLS: &[&str] = &[
    "tutorial",
    "frozen",
    "frozen-warm",
    "scratch",
    "scratch-long",
    "frozen-random",
    "frozen-random-matched",
    "fine-tune",
    "fine-tune-1e-4",
    "head-then-all",
    "self",
    "reversed",
    "joint",
];

impl Preset {
    /// Its arms, except those that the classes do not allow.
    pub fn arms(self, classes: &Classes, scope: Scope) -> Vec<Arm> {
        let names: Vec<&str> = match self {
            Preset::Quick => QUICK.iter().chain(QUICK_SAMPLES).copied().collect(),
            Preset::Controls => CONTROLS.to_vec(),
            Preset::Full => Vec::new(),
        };
        let is_possible = |arm: &Arm| {
            let source = arm.features.pretraining().map(|pretraining| pretraining.classes);
            (classes.has_vehicles_and_animals() || !VEHICLES_AND_ANIMALS.contains(&arm.name.as_str()))
                && (arm.head != Head::Warm || classes.source.len() == classes.target.len())
                && !(classes.two_data_sets && (source == Some(ClassSet::All) || arm.classes.split().is_some()))
        };
        let wanted = |arm: &Arm| self == Preset::Full || names.contains(&arm.name.as_str());
        catalogue(scope).into_iter().filter(|arm| wanted(arm) && is_possible(arm)).collect()
    }

    /// Its pictures per step. The built-in pictures are few: with 128, an epoch has 22 steps, and `scratch` ends at
    /// 71 % after five epochs instead of 86 % (seed 0).
    pub fn batch_size(self) -> usize {
        if self == Preset::Quick { 32 } else { 128 }
    }

    pub fn seeds(self) -> &'static str {
        match self {
            Preset::Quick => "0..6",
            Preset::Controls | Preset::Full => "0..10",
        }
    }

    pub fn epochs(self) -> usize {
        match self {
            Preset::Quick => 5,
            Preset::Controls => 10,
            Preset::Full => 20,
        }
    }
}

/// The arms of a list of names and groups, in the catalogue's order, each once.
///
/// # Errors
/// If a name is neither an arm nor a group; suggests the nearest one.
pub fn select(list: &str, scope: Scope) -> Result<Vec<Arm>> {
    let arms = catalogue(scope);
    let mut wanted: Vec<String> = Vec::new();
    for name in list.split(',').map(str::trim) {
        match group(name, scope) {
            Some(names) => wanted.extend(names),
            None if name.is_empty() => {
                return Err(Failure::usage(format!(
                    "--arms '{list}': a name is empty; expected a list such as frozen,scratch"
                )));
            }
            None if arms.iter().any(|arm| arm.name == name) => wanted.push(name.to_owned()),
            None => {
                let names = arms.iter().map(|arm| &*arm.name).chain(GROUPS.map(|(group, _)| group));
                let nearest = names.min_by_key(|known| strsim::levenshtein(name, known)).unwrap_or_default();
                return Err(Failure::usage(format!(
                    "--arms: unknown arm '{name}'; did you mean {nearest}? docs/experiment.md lists all arms"
                )));
            }
        }
    }
    Ok(arms.into_iter().filter(|arm| wanted.contains(&arm.name)).collect())
}

/// Seeds as a list of numbers and half-open ranges: `0..6`, `1,2,5`, `0..3,7`.
///
/// # Errors
/// If a part is neither, a range is empty, a seed is listed twice, or there are more than 10,000.
pub fn parse_seeds(list: &str) -> std::result::Result<Vec<u64>, String> {
    const MAX: usize = 10_000;
    let mut seeds = Vec::new();
    for part in list.split(',').map(str::trim) {
        let number = |text: &str| {
            let seed = text.parse::<u64>().ok().filter(|&seed| seed <= i64::MAX as u64);
            seed.ok_or_else(|| format!("'{part}' is not a seed; expected numbers or ranges such as 0..6"))
        };
        let range = match part.split_once("..") {
            None => number(part)?..number(part)? + 1,
            Some((from, to)) => number(from)?..number(to)?,
        };
        if range.is_empty() {
            return Err(format!("the range {part} is empty: its end is excluded, so 0..3 is 0, 1, 2"));
        }
        seeds.extend(range.take(MAX + 1));
        if seeds.len() > MAX {
            return Err(format!("expected at most {MAX} seeds"));
        }
    }
    let mut sorted = seeds.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("seed {} is listed twice", pair[0])),
        None => Ok(sorted),
    }
}
