//! Arms and seeds as a user names them: presets, lists, groups.

use super::{
    Arm,
    catalogue::{self, group},
    classes::Classes,
};
use crate::system::failure::{Failure, Result};

/// A ready-made sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// The main controls on the built-in pictures, in a few minutes
    Quick,
    /// The tutorial, its repairs and its controls
    Controls,
    /// Every arm of the catalogue
    Full,
}

const QUICK: &[&str] = &["frozen", "frozen-warm", "scratch", "frozen-random", "fine-tune"];

/// Those of the quick preset that show what few pictures do.
const QUICK_SAMPLES: &[&str] = &["frozen@10", "frozen@50", "scratch@10", "scratch@50"];

const CONTROLS: &[&str] = &[
    "tutorial",
    "frozen",
    "frozen-warm",
    "scratch",
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
    /// Its arms, as far as the data have their classes.
    pub fn arms(self, classes: &Classes) -> Vec<Arm> {
        let names: Vec<&str> = match self {
            Preset::Quick => QUICK.iter().chain(QUICK_SAMPLES).copied().collect(),
            Preset::Controls => CONTROLS.to_vec(),
            Preset::Full => Vec::new(),
        };
        let foreign = if classes.has_vehicles_and_animals() { Vec::new() } else { catalogue::vehicles_and_animals() };
        let wanted = |arm: &Arm| self == Preset::Full || names.contains(&arm.name.as_str());
        catalogue::catalogue().into_iter().filter(|arm| wanted(arm) && !foreign.contains(&arm.name)).collect()
    }

    /// Its passes over the pictures.
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
/// Names what is neither.
pub fn select(list: &str) -> Result<Vec<Arm>> {
    let mut wanted: Vec<String> = Vec::new();
    for name in list.split(',').map(str::trim) {
        match (group(name), catalogue::named(name)) {
            (Some(names), _) => wanted.extend(names),
            (None, Some(arm)) => wanted.push(arm.name),
            (None, None) => return Err(Failure::usage(format!("--arms: there is no arm '{name}'; {}", known()))),
        }
    }
    Ok(catalogue::catalogue().into_iter().filter(|arm| wanted.contains(&arm.name)).collect())
}

fn known() -> String {
    let names: Vec<String> =
        catalogue::catalogue().into_iter().map(|arm| arm.name).filter(|name| !name.contains('@')).collect();
    format!("expected some of {}, or the groups samples, depth, splits", names.join(", "))
}

/// Seeds as a list of numbers and half-open ranges: `0..6`, `1,2,5`, `0..3,7`.
///
/// # Errors
/// Names the part that is neither, or a seed that is there twice.
pub fn parse_seeds(list: &str) -> std::result::Result<Vec<u64>, String> {
    const MOST: usize = 10_000;
    let mut seeds = Vec::new();
    for part in list.split(',').map(str::trim) {
        let number = |text: &str| {
            let seed = text.parse::<u64>().ok().filter(|&seed| seed <= i64::MAX as u64);
            seed.ok_or_else(|| format!("'{part}' is no seed; expected numbers or ranges such as 0..6"))
        };
        let range = match part.split_once("..") {
            None => number(part)?..number(part)? + 1,
            Some((from, to)) => number(from)?..number(to)?,
        };
        if range.is_empty() {
            return Err(format!("the range {part} is empty; its end does not belong to it"));
        }
        seeds.extend(range.take(MOST + 1));
        if seeds.len() > MOST {
            return Err(format!("expected at most {MOST} seeds"));
        }
    }
    let mut sorted = seeds.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("seed {} is there twice", pair[0])),
        None => Ok(sorted),
    }
}
