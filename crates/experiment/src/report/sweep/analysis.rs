//! What the records come to: a figure for each arm, and one for each pair of arms.

use serde::Serialize;

use crate::{
    arms::{self, Arm, Stage},
    statistics::{CONFIDENCE, FEWEST_FOR_A_CLAIM, Sample, area_under_curve, first_reaching, sign_flip_p},
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
    /// The differences that the experiment is about.
    pub pairs: Vec<Pair>,
    /// Those at each number of pictures a class.
    pub sampled_pairs: Vec<Pair>,
    /// Those of any two arms that learn the same classes from as many pictures.
    pub all_pairs: Vec<Pair>,
    /// Whether times and machines are told.
    pub times: bool,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Reached {
    /// Seeds that reach it.
    pub seeds: usize,
    /// Their mean epochs; absent where none does.
    pub epochs: Option<f64>,
    /// Their mean seconds, with features and without stage 1; absent where none does, or where no times are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// A paired difference of test accuracies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// The arm whose accuracy is taken from the other's.
    pub baseline: String,
    /// The other arm.
    pub arm: String,
    /// The differences of the seeds that both have, arm minus baseline.
    pub differences: Vec<f64>,
    /// Their mean and interval.
    pub difference: Sample,
    /// The same of the validation accuracies after the first epoch.
    pub first_epoch: Sample,
    /// The exact sign-flip p-value.
    pub p: Option<f64>,
}

impl<'a> Analysis<'a> {
    /// Of all records.
    pub fn of(results: &'a Results, times: bool) -> Self {
        let mut arms: Vec<ArmFigures> = Vec::new();
        for chunk in results.records.chunk_by(|a, b| a.arm.name == b.arm.name) {
            arms.extend(ArmFigures::of(chunk, times));
        }
        let pairs = PAIRS.iter().filter_map(|&[arm, baseline]| pair(&arms, arm, baseline)).collect();
        let sampled = |(arm, baseline): (&str, &str)| {
            let of_size = |n: &usize| pair(&arms, &format!("{arm}@{n}"), &format!("{baseline}@{n}"));
            arms::SAMPLES.iter().filter_map(of_size).collect::<Vec<_>>()
        };
        let sampled_pairs = [("frozen", "scratch"), ("fine-tune", "scratch")].into_iter().flat_map(sampled).collect();
        let comparable = |a: &ArmFigures, b: &ArmFigures| {
            (a.arm.learns, a.arm.per_class, a.arm.labels) == (b.arm.learns, b.arm.per_class, b.arm.labels)
        };
        let mut all_pairs = Vec::new();
        for (index, one) in arms.iter().enumerate() {
            for other in arms[index + 1..].iter().filter(|other| comparable(one, other)) {
                all_pairs.extend(pair(&arms, &one.arm.name, &other.arm.name));
            }
        }
        Analysis { results, arms, pairs, sampled_pairs, all_pairs, times }
    }

    /// The figures of an arm.
    pub fn arm(&self, name: &str) -> Option<&ArmFigures<'a>> {
        self.arms.iter().find(|figures| figures.arm.name == name)
    }

    /// The arms that learn from few pictures, each with the name of the arm that learns from all.
    pub fn sampled(&self) -> impl Iterator<Item = (&str, &ArmFigures<'a>)> {
        self.arms.iter().filter_map(|figures| Some((figures.arm.name.split_once('@')?.0, figures)))
    }

    /// The pair of two arms.
    pub fn pair(&self, arm: &str, baseline: &str) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.arm == arm && pair.baseline == baseline)
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
    let both: Vec<[&JobRecord; 2]> = one
        .records
        .iter()
        .filter_map(|&record| Some([record, *other.records.iter().find(|other| other.seed == record.seed)?]))
        .collect();
    let differences: Vec<f64> = both.iter().map(|[a, b]| a.test.accuracy - b.test.accuracy).collect();
    let first: Vec<f64> = both.iter().map(|[a, b]| a.first_epoch() - b.first_epoch()).collect();
    Some(Pair {
        baseline: baseline.to_owned(),
        arm: arm.to_owned(),
        difference: Sample::of(&differences)?,
        first_epoch: Sample::of(&first)?,
        p: sign_flip_p(&differences),
        differences,
    })
}

impl Pair {
    /// Whether there are as many seeds as the exact test needs to find anything at 5 %.
    pub fn has_enough_seeds(&self) -> bool {
        self.differences.len() >= FEWEST_FOR_A_CLAIM
    }

    /// Whether the difference is beyond what chance explains at 5 %: by the interval and by the exact test.
    pub fn is_shown(&self) -> bool {
        let apart = self.difference.interval().is_some_and(|(low, high)| low > 0.0 || high < 0.0);
        apart && self.p.is_some_and(|p| p <= 1.0 - CONFIDENCE)
    }
}

impl<'a> ArmFigures<'a> {
    fn of(records: &'a [JobRecord], times: bool) -> Option<Self> {
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
                (!epochs.is_empty()).then(|| epochs.iter().map(value).sum::<f64>() / epochs.len() as f64)
            };
            let seconds =
                mean(&|&(epochs, record)| record.times.features + record.times.epochs.iter().take(epochs).sum::<f64>());
            Reached {
                seeds: epochs.len(),
                epochs: mean(&|&(epochs, _)| epochs as f64),
                seconds: seconds.filter(|_| times),
            }
        });
        Some(ArmFigures {
            arm: &records.first()?.arm,
            accuracy: sample(&|record| record.test.accuracy)?,
            first_epoch: sample(&JobRecord::first_epoch)?,
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
