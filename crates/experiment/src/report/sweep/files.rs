//! The numbers as JSON and CSV.

use std::fmt::Display;

use serde::Serialize;

use super::analysis::{Analysis, ArmFigures, Pair, THRESHOLDS};
use crate::{
    sweep::{
        record::{Epoch, JobRecord},
        settings::SweepSettings,
        splits::{Split, Splits},
        statistics::Sample,
    },
    system::{json, spreadsheet},
};

/// `report.json`: the settings and the numbers of arms, pairs and splits.
pub(super) fn json(analysis: &Analysis) -> Vec<u8> {
    #[derive(Serialize)]
    struct Report<'a> {
        settings: &'a SweepSettings,
        thresholds: [f64; 3],
        arms: &'a [ArmFigures<'a>],
        pairs: &'a [Pair],
        /// The declared pairs, with adjusted p-values.
        declared_pairs: &'a [Pair],
        #[serde(skip_serializing_if = "Option::is_none")]
        splits: Option<&'a Splits>,
    }
    let Analysis { results, arms, pairs, declared_pairs, .. } = analysis;
    let splits = analysis.splits.as_ref();
    let report = Report { settings: &results.settings, thresholds: THRESHOLDS, arms, pairs, declared_pairs, splits };
    json::pretty(&report).into_bytes()
}

/// The columns of a CSV file: their names, and a row's cells.
struct Columns<'a, R>(Vec<(String, Cell<'a, R>)>);

type Cell<'a, R> = Box<dyn Fn(&R) -> String + 'a>;

impl<'a, R> Columns<'a, R> {
    fn add<V: Display>(&mut self, name: impl Into<String>, value: impl Fn(&R) -> V + 'a) {
        self.0.push((name.into(), Box::new(move |row| value(row).to_string())));
    }

    fn add_optional(&mut self, name: impl Into<String>, value: impl Fn(&R) -> Option<f64> + 'a) {
        self.0.push((name.into(), Box::new(move |row| value(row).map_or_else(String::new, |value| value.to_string()))));
    }

    fn add_sample(&mut self, name: &str, sample: impl Fn(&R) -> Sample + Copy + 'a) {
        self.add(format!("{name}_mean"), move |row| sample(row).mean);
        self.add_optional(format!("{name}_deviation"), move |row| sample(row).deviation);
        self.add_optional(format!("{name}_half_width"), move |row| sample(row).half_width);
    }

    fn table(&self, rows: impl IntoIterator<Item = R>) -> Vec<u8> {
        let names = self.0.iter().map(|(name, _)| name.clone()).collect();
        let cells = |row: R| self.0.iter().map(|(_, cell)| cell(&row)).collect();
        let lines = std::iter::once::<Vec<String>>(names).chain(rows.into_iter().map(cells));
        spreadsheet::table(lines).expect("a Vec takes every byte, and all rows have the same number of cells")
    }
}

pub(super) fn csv(analysis: &Analysis) -> [(&'static str, Vec<u8>); 4] {
    [
        ("arms.csv", arms(analysis)),
        ("pairs.csv", pairs(analysis)),
        ("jobs.csv", jobs(analysis)),
        ("epochs.csv", epochs(analysis)),
    ]
}

fn arms(analysis: &Analysis) -> Vec<u8> {
    let mut columns: Columns<&ArmFigures> = Columns(Vec::new());
    columns.add("arm", |arm| arm.name);
    columns.add("seeds", |arm| arm.seeds.len());
    columns.add("train_examples", |arm| arm.train_examples);
    columns.add("trainable", |arm| arm.trainable);
    columns.add_sample("test_accuracy", |arm| arm.accuracy);
    columns.add_sample("first_epoch", |arm| arm.first_epoch);
    columns.add_sample("area_under_curve", |arm| arm.area);
    columns.add_sample("ece", |arm| arm.ece);
    columns.add_sample("nll", |arm| arm.nll);
    for (index, threshold) in THRESHOLDS.into_iter().enumerate() {
        let percent = (threshold * 100.0).round();
        columns.add(format!("seeds_to_{percent}"), move |arm| arm.reached[index].seeds);
        columns.add_optional(format!("epochs_to_{percent}"), move |arm| arm.reached[index].epochs);
        if analysis.times {
            columns.add_optional(format!("seconds_to_{percent}"), move |arm| arm.reached[index].seconds);
        }
    }
    if analysis.times {
        columns.add_optional("seconds_stage_1", |arm| Some(arm.seconds?.stage_1));
        columns.add_optional("seconds_features", |arm| Some(arm.seconds?.features));
        columns.add_optional("seconds_epochs", |arm| Some(arm.seconds?.epochs));
    }
    columns.table(&analysis.arms)
}

fn pairs(analysis: &Analysis) -> Vec<u8> {
    let mut columns: Columns<&Pair> = Columns(Vec::new());
    columns.add("arm", |pair| pair.arm.clone());
    columns.add("baseline", |pair| pair.baseline.clone());
    columns.add("seeds", |pair| pair.comparison.differences.len());
    columns.add("arm_seeds", |pair| pair.comparison.seeds[0]);
    columns.add("baseline_seeds", |pair| pair.comparison.seeds[1]);
    columns.add_sample("test_accuracy_difference", |pair| pair.difference);
    columns.add("agreeing_seeds", |pair| pair.comparison.agreeing_seeds);
    columns.add_optional("correlation", |pair| pair.comparison.correlation);
    columns.add("paired", |Pair { comparison, .. }| {
        comparison.estimate.map_or_else(String::new, |_| comparison.paired.to_string())
    });
    columns.add("pooled_with", |pair| pair.comparison.pooled_with.clone().unwrap_or_default());
    columns.add_optional("t_p", |pair| pair.comparison.p);
    columns.add_optional("adjusted_p", |pair| pair.comparison.adjusted_p);
    columns.add_optional("sign_flip_p", |pair| pair.comparison.sign_flip_p);
    columns.add_optional("within_one_point_p", |pair| pair.comparison.equivalence_p);
    columns.add_optional("detectable", |pair| pair.comparison.detectable);
    columns.add_optional("error_over_pictures", |pair| Some(pair.comparison.components?.picture_error));
    columns.add_optional("error_over_seeds_and_pictures", |pair| Some(pair.comparison.components?.standard_error));
    columns.add_sample("first_epoch_difference", |pair| pair.first_epoch);
    columns.table(&analysis.pairs)
}

/// `splits.csv`, if there are random splits.
pub(super) fn splits(analysis: &Analysis) -> Option<Vec<u8>> {
    let mut columns: Columns<&Split> = Columns(Vec::new());
    columns.add("split", |split| split.number);
    columns.add_optional("difference", |split| split.gaps.first().copied());
    columns.add_optional("difference_reversed", |split| split.gaps.get(1).copied());
    columns.add("difference_mean", |split| split.gap());
    columns.add_optional("pairs_of_one_kind", |split| split.likeness);
    Some(columns.table(&analysis.splits.as_ref()?.splits))
}

fn jobs(analysis: &Analysis) -> Vec<u8> {
    let mut columns: Columns<&JobRecord> = Columns(Vec::new());
    columns.add("arm", |job| job.arm.name.clone());
    columns.add("seed", |job| job.seed);
    columns.add("test_accuracy", |job| job.test.accuracy);
    columns.add("nll", |job| job.test.nll);
    columns.add("ece", |job| job.test.ece);
    columns.add("first_epoch", |job| job.first_epoch());
    columns.add_optional("last_validation_accuracy", |job| Some(job.history.last()?.val_accuracy));
    if analysis.times {
        columns.add("seconds_stage_1", |job| job.times.pretraining);
        columns.add("seconds_features", |job| job.times.features);
        columns.add("seconds_epochs", |job| job.times.epochs.iter().sum::<f64>());
    }
    columns.table(analysis.results.records.iter())
}

fn epochs(analysis: &Analysis) -> Vec<u8> {
    let mut columns: Columns<(&JobRecord, usize, &Epoch)> = Columns(Vec::new());
    columns.add("arm", |(job, ..)| job.arm.name.clone());
    columns.add("seed", |(job, ..)| job.seed);
    columns.add("epoch", |(_, index, _)| index + 1);
    columns.add("loss", |(.., epoch)| epoch.loss);
    columns.add("accuracy", |(.., epoch)| epoch.accuracy);
    columns.add("val_loss", |(.., epoch)| epoch.val_loss);
    columns.add("val_accuracy", |(.., epoch)| epoch.val_accuracy);
    if analysis.times {
        columns.add_optional("seconds", |(job, index, _)| job.times.epochs.get(*index).copied());
    }
    let rows = analysis
        .results
        .records
        .iter()
        .flat_map(|job| job.history.iter().enumerate().map(move |(index, epoch)| (job, index, epoch)));
    columns.table(rows)
}
