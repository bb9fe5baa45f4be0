//! The figures as CSV and JSON.

use serde::Serialize;

use super::analysis::{Analysis, Pair, Reached, THRESHOLDS};
use crate::{spreadsheet, statistics::Sample, sweep::settings::Settings};

/// `report.json`: everything that the report shows, as numbers.
#[derive(Serialize)]
struct Report<'a> {
    settings: &'a Settings,
    thresholds: [f64; 3],
    arms: Vec<Arm<'a>>,
    pairs: &'a [Pair],
}

/// An arm of `report.json`, and a row of `arms.csv`, where nested figures have a column each.
#[derive(Serialize)]
struct Arm<'a> {
    arm: &'a str,
    about: String,
    seeds: Vec<u64>,
    train_examples: usize,
    trainable: u64,
    test_accuracy: Sample,
    first_epoch: Sample,
    area_under_curve: Sample,
    expected_calibration_error: Sample,
    negative_log_likelihood: Sample,
    reached: [Reached; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<Seconds>,
}

/// Mean seconds of an arm.
#[derive(Serialize)]
struct Seconds {
    stage_1: f64,
    features: f64,
    epochs: f64,
}

fn arms<'a>(analysis: &'a Analysis) -> Vec<Arm<'a>> {
    let arm = |figures: &'a super::analysis::ArmFigures| Arm {
        arm: &figures.arm.name,
        about: figures.about(),
        seeds: figures.records.iter().map(|record| record.seed).collect(),
        train_examples: figures.records[0].train_examples,
        trainable: figures.records[0].trainable,
        test_accuracy: figures.accuracy,
        first_epoch: figures.first_epoch,
        area_under_curve: figures.area,
        expected_calibration_error: figures.ece,
        negative_log_likelihood: figures.nll,
        reached: figures.reached,
        seconds: analysis.times.then(|| Seconds {
            stage_1: figures.mean(|record| record.times.pretraining),
            features: figures.mean(|record| record.times.features),
            epochs: figures.mean(|record| record.times.epochs.iter().sum()),
        }),
    };
    analysis.arms.iter().map(arm).collect()
}

/// The JSON file.
pub(super) fn json(analysis: &Analysis) -> Vec<u8> {
    let report = Report {
        settings: &analysis.results.settings,
        thresholds: THRESHOLDS,
        arms: arms(analysis),
        pairs: &analysis.all_pairs,
    };
    let mut bytes = serde_json::to_vec_pretty(&report).expect("no map has keys that are no strings");
    bytes.push(b'\n');
    bytes
}

/// The CSV files: arms, pairs, jobs, epochs.
pub(super) fn csv(analysis: &Analysis) -> [(&'static str, Vec<u8>); 4] {
    [
        ("arms.csv", arms_csv(analysis)),
        ("pairs.csv", pairs_csv(analysis)),
        ("jobs.csv", jobs_csv(analysis)),
        ("epochs.csv", epochs_csv(analysis)),
    ]
}

/// Rows of cells, the first with the names of the columns.
fn table(rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    spreadsheet::table(rows).expect("a Vec takes every byte, and all rows have as many cells")
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Mean, standard deviation and half width of a sample.
fn cells(sample: &Sample) -> [String; 3] {
    [sample.mean.to_string(), optional(sample.deviation), optional(sample.half_width)]
}

fn arms_csv(analysis: &Analysis) -> Vec<u8> {
    let mut header = names(&["arm", "seeds", "train_examples", "trainable"]);
    for figure in ["test_accuracy", "first_epoch", "area_under_curve", "ece", "nll"] {
        header.extend(["mean", "deviation", "half_width"].map(|part| format!("{figure}_{part}")));
    }
    for threshold in THRESHOLDS {
        let percent = (threshold * 100.0).round();
        header.extend([format!("seeds_to_{percent}"), format!("epochs_to_{percent}")]);
        header.extend(analysis.times.then(|| format!("seconds_to_{percent}")));
    }
    if analysis.times {
        header.extend(names(&["seconds_stage_1", "seconds_features", "seconds_epochs"]));
    }
    let row = |arm: Arm| {
        let mut row = vec![
            arm.arm.to_owned(),
            arm.seeds.len().to_string(),
            arm.train_examples.to_string(),
            arm.trainable.to_string(),
        ];
        let figures = [
            &arm.test_accuracy,
            &arm.first_epoch,
            &arm.area_under_curve,
            &arm.expected_calibration_error,
            &arm.negative_log_likelihood,
        ];
        row.extend(figures.into_iter().flat_map(cells));
        for reached in arm.reached {
            row.extend([reached.seeds.to_string(), optional(reached.epochs)]);
            row.extend(analysis.times.then(|| optional(reached.seconds)));
        }
        if let Some(Seconds { stage_1, features, epochs }) = arm.seconds {
            row.extend([stage_1, features, epochs].map(|seconds| seconds.to_string()));
        }
        row
    };
    table(std::iter::once(header).chain(arms(analysis).into_iter().map(row)))
}

fn pairs_csv(analysis: &Analysis) -> Vec<u8> {
    let header = names(&[
        "arm",
        "baseline",
        "seeds",
        "test_accuracy_difference_mean",
        "test_accuracy_difference_deviation",
        "test_accuracy_difference_half_width",
        "sign_flip_p",
        "first_epoch_difference_mean",
        "first_epoch_difference_deviation",
        "first_epoch_difference_half_width",
    ]);
    let row = |pair: &Pair| {
        let mut row = vec![pair.arm.clone(), pair.baseline.clone(), pair.differences.len().to_string()];
        row.extend(cells(&pair.difference));
        row.push(optional(pair.p));
        row.extend(cells(&pair.first_epoch));
        row
    };
    table(std::iter::once(header).chain(analysis.all_pairs.iter().map(row)))
}

fn jobs_csv(analysis: &Analysis) -> Vec<u8> {
    let mut header = names(&["arm", "seed", "test_accuracy", "nll", "ece", "first_epoch", "last_validation_accuracy"]);
    if analysis.times {
        header.extend(names(&["seconds_stage_1", "seconds_features", "seconds_epochs"]));
    }
    let rows = analysis.arms.iter().flat_map(|arm| &arm.records).map(|record| {
        let last = record.history.last().map(|epoch| epoch.val_accuracy);
        let mut row = vec![
            record.arm.name.clone(),
            record.seed.to_string(),
            record.test.accuracy.to_string(),
            record.test.nll.to_string(),
            record.test.ece.to_string(),
            record.first_epoch().to_string(),
            optional(last),
        ];
        if analysis.times {
            let times = &record.times;
            row.extend([times.pretraining, times.features, times.epochs.iter().sum()].map(|s: f64| s.to_string()));
        }
        row
    });
    table(std::iter::once(header).chain(rows))
}

fn epochs_csv(analysis: &Analysis) -> Vec<u8> {
    let mut header = names(&["arm", "seed", "epoch", "loss", "accuracy", "val_loss", "val_accuracy"]);
    header.extend(analysis.times.then(|| "seconds".to_owned()));
    let rows = analysis.arms.iter().flat_map(|arm| &arm.records).flat_map(|record| {
        record.history.iter().enumerate().map(|(index, epoch)| {
            let mut row = vec![record.arm.name.clone(), record.seed.to_string(), (index + 1).to_string()];
            row.extend([epoch.loss, epoch.accuracy, epoch.val_loss, epoch.val_accuracy].map(|value| value.to_string()));
            row.extend(analysis.times.then(|| optional(record.times.epochs.get(index).copied())));
            row
        })
    });
    table(std::iter::once(header).chain(rows))
}
