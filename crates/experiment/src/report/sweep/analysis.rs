//! The numbers of each arm, and of each pair of arms.

use serde::Serialize;

use crate::sweep::{
    arms::{self, Arm, Stage},
    comparison::{self, Comparison},
    merge::Results,
    record::JobRecord,
    settings::SweepSettings,
    splits::Splits,
    statistics::Sample,
};

/// Validation accuracies for which epochs and seconds to reach them are counted.
pub const THRESHOLDS: [f64; 3] = [0.70, 0.80, 0.85];

pub struct Analysis<'a> {
    pub results: &'a Results,
    /// In the catalogue's order; stage 1 comes last.
    pub arms: Vec<ArmFigures<'a>>,
    /// The trials by which recipes were chosen.
    pub trials: Vec<&'a JobRecord>,
    /// The differences of `PAIRS`.
    pub declared_pairs: Vec<Pair>,
    /// `frozen` and `fine-tune` minus `scratch`, for each number of pictures per class.
    pub sampled_pairs: Vec<Pair>,
    /// The differences of any two arms trained on the same classes and labels, with the same limit of pictures per
    /// class: those above as they are, all others as the catalogue orders the arms.
    pub pairs: Vec<Pair>,
    /// The random splits of the classes, if there are any.
    pub splits: Option<Splits>,
    /// Whether the report has times and machines.
    pub times: bool,
}

/// The numbers of an arm over its seeds: an arm of `report.json`.
#[derive(Serialize)]
pub struct ArmFigures<'a> {
    #[serde(skip)]
    pub arm: &'a Arm,
    /// By seed.
    #[serde(skip)]
    pub records: Vec<&'a JobRecord>,
    #[serde(rename = "arm")]
    pub name: &'a str,
    /// What the arm is, in a phrase.
    pub about: String,
    pub seeds: Vec<u64>,
    pub train_examples: usize,
    pub trainable: u64,
    #[serde(rename = "test_accuracy")]
    pub accuracy: Sample,
    /// Validation accuracy after the first epoch.
    pub first_epoch: Sample,
    /// Mean validation accuracy over all epochs.
    #[serde(rename = "area_under_curve")]
    pub area: Sample,
    #[serde(rename = "expected_calibration_error")]
    pub ece: Sample,
    #[serde(rename = "negative_log_likelihood")]
    pub nll: Sample,
    /// For each of `THRESHOLDS`.
    pub reached: [Reached; 3],
    /// Absent if the report has no times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Seconds>,
}

/// Mean seconds of an arm.
#[derive(Clone, Copy, Serialize)]
pub struct Seconds {
    pub stage_1: f64,
    pub features: f64,
    pub epochs: f64,
}

/// How many seeds reach a validation accuracy, and their mean epochs and seconds (with features, without stage 1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reached {
    pub seeds: usize,
    pub epochs: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// A difference of test accuracies, arm minus baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    pub baseline: String,
    pub arm: String,
    /// Mean and interval.
    pub difference: Sample,
    /// Paired differences of the validation accuracies after the first epoch.
    pub first_epoch: Sample,
    #[serde(flatten)]
    pub comparison: Comparison,
}

impl<'a> Analysis<'a> {
    pub fn of(results: &'a Results, times: bool) -> Self {
        let settings = &results.settings;
        let mut arms: Vec<ArmFigures> = Vec::new();
        let (trials, records): (Vec<_>, Vec<_>) =
            results.records.iter().partition(|record| record.arm.stage == Stage::Trial);
        for chunk in records.chunk_by(|a, b| a.arm.name == b.arm.name) {
            arms.extend(ArmFigures::of(chunk, times));
        }
        let mut declared_pairs: Vec<Pair> =
            PAIRS.iter().filter_map(|&[arm, baseline]| pair(&arms, settings, arm, baseline)).collect();
        comparison::adjust(declared_pairs.iter_mut().map(|pair| &mut pair.comparison));
        let sampled = |(arm, baseline): (&str, &str)| {
            let of_size = |n: &usize| pair(&arms, settings, &format!("{arm}@{n}"), &format!("{baseline}@{n}"));
            arms::SAMPLES.iter().filter_map(of_size).collect::<Vec<_>>()
        };
        let mut sampled_pairs: Vec<Pair> =
            [("frozen", "scratch"), ("fine-tune", "scratch")].into_iter().flat_map(sampled).collect();
        comparison::adjust(sampled_pairs.iter_mut().map(|pair| &mut pair.comparison));
        let splits = Splits::of(&results.records, arms::is_vehicle);
        let comparable = |a: &ArmFigures, b: &ArmFigures| {
            (a.arm.classes, a.arm.per_class, a.arm.labels) == (b.arm.classes, b.arm.per_class, b.arm.labels)
        };
        let named = |[arm, baseline]: [&str; 2]| {
            let is_named = |pair: &&Pair| [&*pair.arm, &*pair.baseline] == [arm, baseline];
            declared_pairs.iter().chain(&sampled_pairs).find(is_named).cloned()
        };
        let mut pairs = Vec::new();
        for (index, one) in arms.iter().enumerate() {
            for other in arms[index + 1..].iter().filter(|other| comparable(one, other)) {
                let names = [one.name, other.name];
                let declared = named(names).or_else(|| named([other.name, one.name]));
                pairs.extend(declared.or_else(|| pair(&arms, settings, one.name, other.name)));
            }
        }
        Analysis { results, arms, trials, declared_pairs, sampled_pairs, pairs, splits, times }
    }

    pub fn arm(&self, name: &str) -> Option<&ArmFigures<'a>> {
        self.arms.iter().find(|figures| figures.name == name)
    }

    /// The arms trained on few pictures, each with the name of the arm trained on all.
    pub fn sampled(&self) -> impl Iterator<Item = (&str, &ArmFigures<'a>)> {
        self.arms.iter().filter_map(|figures| Some((figures.name.split_once('@')?.0, figures)))
    }

    pub fn pair(&self, arm: &str, baseline: &str) -> Option<&Pair> {
        self.declared_pairs.iter().find(|pair| pair.arm == arm && pair.baseline == baseline)
    }

    /// The arms except stage 1 and those trained on few pictures.
    pub fn main(&self) -> impl Iterator<Item = &ArmFigures<'a>> {
        self.arms.iter().filter(|figures| !figures.is_stage_1() && figures.arm.per_class.is_none())
    }
}

/// The declared pairs: arm, baseline.
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
    ["fine-tune", "scratch-long"],
    ["fine-tune", "frozen"],
    ["fine-tune-1e-4", "fine-tune"],
    ["head-then-all", "fine-tune"],
    ["reversed", "pretrain-source"],
    ["vehicles-to-animals", "animals-scratch"],
    ["animals-to-vehicles", "vehicles-scratch"],
];

fn pair(arms: &[ArmFigures], settings: &SweepSettings, arm: &str, baseline: &str) -> Option<Pair> {
    let find = |name: &str| arms.iter().find(|figures| figures.name == name);
    let (arm_figures, baseline_figures) = (find(arm)?, find(baseline)?);
    let epochs = |figures: &ArmFigures| figures.records[0].history.len();
    // Stage 1 may have another number of epochs; then the budgets differ.
    if baseline_figures.is_stage_1() && epochs(arm_figures) != epochs(baseline_figures) {
        return None;
    }
    // An arm without a recipe of its own has the sweep's. Trials may have chosen the same one for another arm.
    let with_recipe = |arm: &Arm| Arm { recipe: Some(settings.recipe_of(arm)), ..arm.clone() };
    let repeats = |figures: &&ArmFigures| {
        ![arm_figures.name, baseline_figures.name].contains(&figures.name)
            && with_recipe(figures.arm).is_same_training(&with_recipe(baseline_figures.arm))
            && epochs(figures) == epochs(baseline_figures)
    };
    let repeated = arms.iter().find(repeats).map_or(&[][..], |figures| &figures.records);
    let of_seed = |seed: u64| baseline_figures.records.iter().find(|record| record.seed == seed);
    let first = arm_figures.records.iter().filter_map(|a| Some(a.first_epoch() - of_seed(a.seed)?.first_epoch()));
    let first_epoch = Sample::of(&first.collect::<Vec<_>>())?;
    let comparison = Comparison::of(&arm_figures.records, &baseline_figures.records, repeated)?;
    let of_seeds = Sample::of(&comparison.differences)?;
    let difference = Sample {
        mean: comparison.mean(),
        half_width: comparison.estimate.map(|estimate| estimate.half_width()),
        deviation: of_seeds.deviation.filter(|_| comparison.paired),
        ..of_seeds
    };
    Some(Pair { baseline: baseline.to_owned(), arm: arm.to_owned(), difference, first_epoch, comparison })
}

impl<'a> ArmFigures<'a> {
    fn of(records: &[&'a JobRecord], times: bool) -> Option<Self> {
        let &first = records.first()?;
        let sample =
            |value: &dyn Fn(&JobRecord) -> f64| Sample::of(&records.iter().copied().map(value).collect::<Vec<_>>());
        let mean = |value: &dyn Fn(&JobRecord) -> f64| sample(value).map_or(0.0, |sample| sample.mean);
        let curve = |record: &JobRecord| record.history.iter().map(|epoch| epoch.val_accuracy).collect::<Vec<_>>();
        let reached = THRESHOLDS.map(|threshold| {
            let (epochs, seconds): (Vec<f64>, Vec<f64>) = records
                .iter()
                .filter_map(|record| {
                    let epochs = curve(record).iter().position(|&accuracy| accuracy >= threshold)? + 1;
                    let seconds = record.times.features + record.times.epochs.iter().take(epochs).sum::<f64>();
                    Some((epochs as f64, seconds))
                })
                .unzip();
            let mean = |values: &[f64]| Sample::of(values).map(|sample| sample.mean);
            Reached { seeds: epochs.len(), epochs: mean(&epochs), seconds: mean(&seconds).filter(|_| times) }
        });
        Some(ArmFigures {
            arm: &first.arm,
            name: &first.arm.name,
            about: arms::about(&first.arm),
            seeds: records.iter().map(|record| record.seed).collect(),
            train_examples: first.train_examples,
            trainable: first.trainable,
            accuracy: sample(&|record| record.test.accuracy)?,
            first_epoch: sample(&JobRecord::first_epoch)?,
            area: sample(&|record| Sample::of(&curve(record)).map_or(0.0, |epochs| epochs.mean))?,
            ece: sample(&|record| record.test.ece)?,
            nll: sample(&|record| record.test.nll)?,
            reached,
            seconds: times.then(|| Seconds {
                stage_1: mean(&|record| record.times.pretraining),
                features: mean(&|record| record.times.features),
                epochs: mean(&|record| record.times.epochs.iter().sum()),
            }),
            records: records.to_vec(),
        })
    }

    pub fn is_stage_1(&self) -> bool {
        self.arm.stage == Stage::Pretraining
    }

    /// The mean of something over the seeds.
    pub fn mean(&self, value: impl Fn(&JobRecord) -> f64) -> f64 {
        self.records.iter().map(|record| value(record)).sum::<f64>() / self.records.len().max(1) as f64
    }
}

impl Seconds {
    /// The training time without stage 1.
    pub fn training(&self) -> f64 {
        self.features + self.epochs
    }

    pub fn with_stage_1(&self) -> f64 {
        self.stage_1 + self.training()
    }
}
