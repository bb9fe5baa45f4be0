//! What the records come to: a figure for each arm, and one for each pair of arms.

use crate::{
    arms::{self, Arm, Stage},
    statistics::{Sample, area_under_curve, first_reaching, sign_flip_p},
    sweep::{merge::Results, record::JobRecord},
};

/// Validation accuracies to which epochs and seconds are told.
pub const THRESHOLDS: [f64; 3] = [0.70, 0.80, 0.85];

/// All figures of a sweep.
pub struct Analysis<'a> {
    /// The records and what they have in common.
    pub results: &'a Results,
    /// One entry an arm, in the catalogue's order; stage 1 last.
    pub arms: Vec<ArmFigures<'a>>,
    /// Paired differences: each arm against `frozen`, as far as both learn the same classes.
    pub pairs: Vec<Pair>,
}

/// The figures of an arm over its seeds.
pub struct ArmFigures<'a> {
    /// The arm.
    pub arm: &'a Arm,
    /// Its records by seed.
    pub records: Vec<&'a JobRecord>,
    /// Test accuracy.
    pub accuracy: Sample,
    /// Validation accuracy after the first epoch.
    pub first_epoch: Sample,
    /// Mean validation accuracy over all epochs.
    pub area: Sample,
    /// Expected calibration error.
    pub ece: Sample,
    /// Negative log-likelihood.
    pub nll: Sample,
    /// For each threshold: seeds that reach it, and their mean epochs.
    pub reached: [Reached; 3],
}

/// How many seeds reach a validation accuracy, and what it took them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reached {
    /// Seeds that reach it.
    pub seeds: usize,
    /// Their mean epochs.
    pub epochs: f64,
    /// Their mean seconds, with features and without the pretraining.
    pub seconds: f64,
}

/// A paired difference of test accuracies.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The arm whose accuracy is taken from the other's.
    pub baseline: String,
    /// The other arm.
    pub arm: String,
    /// The differences of the seeds that both have, arm minus baseline.
    pub differences: Vec<f64>,
    /// Their mean and interval.
    pub difference: Sample,
    /// The exact sign-flip p-value.
    pub p: Option<f64>,
}

impl<'a> Analysis<'a> {
    /// Of all records.
    pub fn of(results: &'a Results) -> Self {
        let mut arms: Vec<ArmFigures> = Vec::new();
        for chunk in results.records.chunk_by(|a, b| a.arm.name == b.arm.name) {
            arms.extend(ArmFigures::of(chunk));
        }
        let pairs = PAIRS.iter().filter_map(|&[arm, baseline]| pair(&arms, arm, baseline));
        let pairs = pairs.collect();
        Analysis { results, arms, pairs }
    }

    /// The figures of an arm.
    pub fn arm(&self, name: &str) -> Option<&ArmFigures<'a>> {
        self.arms.iter().find(|figures| figures.arm.name == name)
    }

    /// The arms themselves, without stage 1 and without those that learn from few pictures.
    pub fn main(&self) -> impl Iterator<Item = &ArmFigures<'a>> {
        self.arms.iter().filter(|figures| figures.arm.stage == Stage::Transfer && figures.arm.per_class.is_none())
    }
}

/// The pairs that the experiment is about: arm, baseline.
const PAIRS: &[[&str; 2]] = &[
    ["frozen", "scratch"],
    ["frozen", "frozen-random"],
    ["frozen", "frozen-random-matched"],
    ["frozen", "frozen-warm"],
    ["frozen", "self"],
    ["frozen", "joint"],
    ["frozen", "linear"],
    ["frozen", "pixels"],
    ["frozen", "shuffled-labels"],
    ["fine-tune", "scratch"],
    ["fine-tune", "frozen"],
    ["fine-tune-1e-4", "fine-tune"],
    ["head-then-all", "fine-tune"],
    ["reversed", "pretrain-source"],
    ["depth-1-frozen", "scratch"],
    ["depth-3-frozen", "scratch"],
    ["depth-1-fine-tune", "scratch"],
    ["depth-3-fine-tune", "scratch"],
    ["split-1", "split-1-scratch"],
    ["split-2", "split-2-scratch"],
    ["split-3", "split-3-scratch"],
    ["vehicles-to-animals", "animals-scratch"],
    ["animals-to-vehicles", "vehicles-scratch"],
];

fn pair(arms: &[ArmFigures], arm: &str, baseline: &str) -> Option<Pair> {
    let find = |name: &str| arms.iter().find(|figures| figures.arm.name == name);
    let (one, other) = (find(arm)?, find(baseline)?);
    let differences: Vec<f64> = one
        .records
        .iter()
        .filter_map(|record| {
            let same = other.records.iter().find(|other| other.seed == record.seed)?;
            Some(record.test.accuracy - same.test.accuracy)
        })
        .collect();
    Some(Pair {
        baseline: baseline.to_owned(),
        arm: arm.to_owned(),
        difference: Sample::of(&differences)?,
        p: sign_flip_p(&differences),
        differences,
    })
}

impl<'a> ArmFigures<'a> {
    fn of(records: &'a [JobRecord]) -> Option<Self> {
        let sample = |value: &dyn Fn(&JobRecord) -> f64| {
            let values: Vec<f64> = records.iter().map(value).collect();
            Sample::of(&values)
        };
        let curve = |record: &JobRecord| record.history.iter().map(|epoch| epoch.val_accuracy).collect::<Vec<_>>();
        let reached = THRESHOLDS.map(|threshold| {
            let epochs: Vec<(usize, &JobRecord)> = records
                .iter()
                .filter_map(|record| Some((first_reaching(&curve(record), threshold)?, record)))
                .collect();
            let mean = |value: &dyn Fn(&(usize, &JobRecord)) -> f64| {
                epochs.iter().map(value).sum::<f64>() / epochs.len().max(1) as f64
            };
            Reached {
                seeds: epochs.len(),
                epochs: mean(&|&(epochs, _)| epochs as f64),
                seconds: mean(&|&(epochs, record)| {
                    record.times.features + record.times.epochs.iter().take(epochs).sum::<f64>()
                }),
            }
        });
        Some(ArmFigures {
            arm: &records.first()?.arm,
            accuracy: sample(&|record| record.test.accuracy)?,
            first_epoch: sample(&|record| record.history.first().map_or(0.0, |epoch| epoch.val_accuracy))?,
            area: sample(&|record| area_under_curve(&curve(record)).unwrap_or(0.0))?,
            ece: sample(&|record| record.test.ece)?,
            nll: sample(&|record| record.test.nll)?,
            reached,
            records: records.iter().collect(),
        })
    }

    /// What the arm is, in a phrase.
    pub fn about(&self) -> String {
        arms::about(self.arm)
    }

    /// Mean seconds of something.
    pub fn mean(&self, seconds: impl Fn(&JobRecord) -> f64) -> f64 {
        self.records.iter().map(|record| seconds(record)).sum::<f64>() / self.records.len().max(1) as f64
    }
}
