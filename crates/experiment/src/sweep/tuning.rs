//! Trials: the learning rate and the schedule of an arm are chosen on held-out pictures.
//!
//! Each tuned arm gets the same trials, each as long as stage 2, so of two tuned arms neither is tuned more than the
//! other.

use super::{
    arms::{Arm, Budget, Recipe, Stage},
    plan::Job,
    record::JobRecord,
};
use crate::record::options::Schedule;

/// The learning rates tried, each with every schedule.
pub const RATES: [f64; 3] = [3e-4, 1e-3, 3e-3];

/// The schedules tried, with the names that trials have from them.
pub const SCHEDULES: [(Schedule, &str); 3] =
    [(Schedule::Constant, "constant"), (Schedule::Cosine, "cosine"), (Schedule::OneCycle, "one-cycle")];

/// The arms with trials of their own: those that the tutorial's claims are judged by.
pub const TUNED: [&str; 8] =
    ["frozen", "frozen-warm", "frozen-random", "frozen-random-matched", "scratch", "fine-tune", "self", "joint"];

/// The arm whose trials give an arm its recipe, if any.
pub fn tuned_as(arm: &Arm) -> Option<&'static str> {
    let base = arm.name.split('@').next()?;
    let base = if base == "scratch-long" { "scratch" } else { base };
    TUNED.into_iter().find(|tuned| *tuned == base)
}

/// The name of the trial of a recipe for an arm.
pub fn trial_name(base: &str, recipe: Recipe) -> String {
    let (_, schedule) = SCHEDULES.into_iter().find(|(schedule, _)| *schedule == recipe.schedule).expect("one of these");
    format!("try-{base}-{:e}-{schedule}", recipe.learning_rate)
}

/// The trials that some arms need, with one seed.
pub fn trials(arms: &[Arm], seed: u64) -> Vec<Job> {
    let mut jobs = Vec::new();
    for base in TUNED {
        let Some(arm) = arms.iter().find(|arm| tuned_as(arm) == Some(base)) else { continue };
        for learning_rate in RATES {
            for (schedule, _) in SCHEDULES {
                let recipe = Recipe { learning_rate, schedule };
                let arm = Arm {
                    name: trial_name(base, recipe),
                    budget: Budget::Stage,
                    per_class: None,
                    recipe: Some(recipe),
                    stage: Stage::Trial,
                    ..arm.clone()
                };
                jobs.push(Job { arm, seed });
            }
        }
    }
    jobs
}

/// Gives each tuned arm the recipe with the highest held-out accuracy after the last epoch; among equals, the first
/// tried.
pub fn with_best_recipes(arms: Vec<Arm>, trials: &[JobRecord]) -> Vec<Arm> {
    let best = |base: &str| {
        let tried = trials.iter().filter(|record| is_trial_of(record, base));
        let better = |best: &JobRecord, record: &JobRecord| record.last_epoch() > best.last_epoch();
        tried
            .reduce(|best, record| if better(best, record) { record } else { best })
            .and_then(|record| record.arm.recipe)
    };
    let tuned = |arm: Arm| match tuned_as(&arm) {
        Some(base) => Arm { recipe: best(base), ..arm },
        None => arm,
    };
    arms.into_iter().map(tuned).collect()
}

fn is_trial_of(record: &JobRecord, base: &str) -> bool {
    record.arm.recipe.is_some_and(|recipe| record.arm.name == trial_name(base, recipe))
}
