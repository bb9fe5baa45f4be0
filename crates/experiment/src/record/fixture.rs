//! A made-up run for tests: plausible curves, no training.

use super::{
    data::{ClassRecord, DataKind, DataRecord, TaskRecord},
    pictures::{ClassPictures, ReportPictures},
    run::*,
};
use crate::system::machine::Environment;

const NAMES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Twenty epochs of each of the three models on CIFAR-10 with the tutorial's classes.
pub(crate) fn record() -> RunRecord {
    RunRecord {
        format: FORMAT,
        thawline: "0.1.0".to_owned(),
        command: ["thawline", "--data", "my pictures/cifar-10-binary.tar.gz", "--seed", "7"]
            .map(str::to_owned)
            .to_vec(),
        config: serde_json::json!({
            "seed": 7,
            "training": { "epochs": 20, "batch_size": 128, "learning_rate": 0.001 },
            "network": { "filters": [64, 64], "kernel": 3, "dense_units": 128 },
        }),
        seed: 7,
        environment: Environment {
            date: "2026-11-24T10:15:02Z".to_owned(),
            cpu: "AMD EPYC 9R14".to_owned(),
            logical_cpus: 2,
            simd: "avx512".to_owned(),
            threads: 2,
            memory_bytes: Some(8_200_000_000),
            os: "Debian GNU/Linux 13".to_owned(),
            rustc: "rustc 1.95.0".to_owned(),
            target: "x86_64-unknown-linux-gnu".to_owned(),
            profile: "release".to_owned(),
        },
        data: DataRecord {
            kind: DataKind::Cifar10,
            official: false,
            sha256: Some("ab".repeat(32)),
            path: Some("my pictures/cifar-10-binary.tar.gz".to_owned()),
            train_examples: 50_000,
            test_examples: 10_000,
            classes: NAMES.map(str::to_owned).to_vec(),
            sentence:
                "Sixty thousand photographs in CIFAR-10's format, whose bytes are not those of the official release."
                    .to_owned(),
        },
        source: Some(task(0..5)),
        target: task(5..10),
        head: HeadStart::Fresh,
        model_1: Some(ModelRecord {
            network: network(true),
            history: history(20, 4.3, (0.785, 0.19, 0.30), (0.94, 0.40, 0.11)),
            total_seconds: 88.4,
            features_seconds: 0.0,
            images_per_second: 6_120.4,
            confusion: confusion(0..5),
        }),
        from: None,
        model_2: ModelRecord {
            network: network(false),
            history: history(20, 0.9, (0.869, 0.038, 0.25), (0.965, 0.17, 0.12)),
            total_seconds: 24.75,
            features_seconds: 5.6,
            images_per_second: 28_407.0,
            confusion: confusion(5..10),
        },
        frozen_random: Some(ModelRecord {
            network: network(false),
            history: history(20, 1.9, (0.741, 0.09, 0.30), (0.79, 0.25, 0.2)),
            total_seconds: 24.1,
            features_seconds: 5.5,
            images_per_second: 28_610.0,
            confusion: confusion(5..10),
        }),
        frozen_unchanged: true,
        frozen: ["conv2d_1/kernel", "conv2d_1/bias", "conv2d_2/kernel", "conv2d_2/bias"]
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let hash = format!("{:016x}", 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(i as u64 + 1)).repeat(4);
                FrozenTensor { name: (*name).to_owned(), before: hash.clone(), after: hash }
            })
            .collect(),
        peak_memory_bytes: Some(1_712_000_000),
        unfinished: false,
    }
}

/// The same run on built-in pictures, for three epochs.
pub(crate) fn built_in_record() -> RunRecord {
    let mut record = record();
    record.data.kind = DataKind::BuiltIn;
    record.data.path = None;
    record.data.sentence = "Ten classes of 32 × 32 drawings, generated from seed 7.".to_owned();
    record.model_1.as_mut().unwrap().history.truncate(3);
    record.model_2.history.truncate(3);
    record.frozen_random.as_mut().unwrap().history.truncate(3);
    record
}

/// The same run with features from a file, one tensor of which has another shape.
pub(crate) fn record_from_file() -> RunRecord {
    let loaded = |name: &str, file: &[usize], model: &[usize], outcome| LoadedTensor {
        name: name.to_owned(),
        file: (!file.is_empty()).then(|| file.to_vec()),
        model: (!model.is_empty()).then(|| model.to_vec()),
        outcome,
    };
    let from = FeaturesRecord {
        path: "runs/2026-11-23-090000/weights-model_1.safetensors".to_owned(),
        sha256: "cd".repeat(32),
        model: "model_1".to_owned(),
        classes: NAMES[..5].iter().map(|&name| name.to_owned()).collect(),
        tensors: vec![
            loaded("conv2d_1/kernel", &[3, 3, 3, 64], &[3, 3, 3, 64], LoadOutcome::Frozen),
            loaded("conv2d_2/kernel", &[3, 3, 64, 32], &[3, 3, 64, 64], LoadOutcome::Mismatched),
            loaded("dense_2/kernel", &[128, 5], &[128, 5], LoadOutcome::New),
            loaded("dense_3/kernel", &[5, 5], &[], LoadOutcome::Skipped),
        ],
    };
    RunRecord { source: None, model_1: None, from: Some(from), ..record() }
}

/// Ten pictures of each class: a disc at varying places on a gradient.
pub(crate) fn pictures() -> ReportPictures {
    let half = |range: std::ops::Range<usize>| {
        range.map(|label| ClassPictures {
            class: NAMES[label].to_owned(),
            pictures: (0..10).map(|n| disc(label, n)).collect(),
        })
    };
    ReportPictures { source: half(0..5).collect(), target: half(5..10).collect() }
}

fn disc(label: usize, number: usize) -> [u8; 3072] {
    std::array::from_fn(|i| {
        let (plane, y, x) = (i / 1024, i % 1024 / 32, i % 32);
        let (cx, cy) = (8 + (number * 7 + label) % 16, 8 + (number * 5) % 16);
        let inside = x.abs_diff(cx).pow(2) + y.abs_diff(cy).pow(2) < 36 + 4 * label;
        if inside { (60 + 83 * plane * (label + 1) % 190) as u8 } else { (120 + 3 * y + x - 20 * plane) as u8 }
    })
}

fn task(range: std::ops::Range<usize>) -> TaskRecord {
    let classes = range.map(|label| ClassRecord { label: label as u16, name: NAMES[label].to_owned() }).collect();
    TaskRecord { classes, train_examples: 25_000, val_examples: 5_000 }
}

/// Each accuracy is `end - fall * exp(-rate * (epoch - 1))`, with a little noise for validation.
fn history(epochs: u32, seconds: f64, val: (f64, f64, f64), train: (f64, f64, f64)) -> Vec<EpochRow> {
    let curve = |(end, fall, rate): (f64, f64, f64), epoch: u32| end - fall * libm::exp(-rate * f64::from(epoch - 1));
    let noise = |epoch: u32| 0.006 * libm::sin(f64::from(epoch * epoch));
    (1..=epochs)
        .map(|epoch| {
            let (accuracy, val_accuracy) = (curve(train, epoch), curve(val, epoch) + noise(epoch));
            EpochRow {
                epoch,
                seconds: seconds + 0.05 * libm::sin(f64::from(epoch)),
                loss: 2.6 * (1.0 - accuracy) + 0.02,
                accuracy,
                val_loss: 2.4 * (1.0 - val_accuracy) + 0.004 * f64::from(epoch),
                val_accuracy,
            }
        })
        .collect()
}

/// The tutorial's network with trainable or frozen features.
fn network(features_trainable: bool) -> NetworkRecord {
    let layer = |name: &str, kind: &str, output: &[usize], parameters: u64, trainable: bool, flops: u64| LayerRecord {
        name: name.to_owned(),
        kind: kind.to_owned(),
        output: output.to_vec(),
        parameters,
        trainable,
        flops,
        activation_bytes: 4 * output.iter().product::<usize>() as u64,
    };
    NetworkRecord {
        layers: vec![
            layer("conv2d_1", "Conv2D", &[30, 30, 64], 1_792, features_trainable, 3_168_000),
            layer("activation_1", "Activation", &[30, 30, 64], 0, false, 57_600),
            layer("conv2d_2", "Conv2D", &[28, 28, 64], 36_928, features_trainable, 57_852_928),
            layer("activation_2", "Activation", &[28, 28, 64], 0, false, 50_176),
            layer("max_pooling2d_1", "MaxPooling2D", &[14, 14, 64], 0, false, 37_632),
            layer("dropout_1", "Dropout", &[14, 14, 64], 0, false, 0),
            layer("flatten_1", "Flatten", &[12_544], 0, false, 0),
            layer("dense_1", "Dense", &[128], 1_605_760, true, 3_211_392),
            layer("activation_3", "Activation", &[128], 0, false, 128),
            layer("dropout_2", "Dropout", &[128], 0, false, 0),
            layer("dense_2", "Dense", &[5], 645, true, 1_285),
        ],
        trainable: if features_trainable { 1_645_125 } else { 1_606_405 },
        frozen: if features_trainable { 0 } else { 38_720 },
    }
}

fn confusion(range: std::ops::Range<usize>) -> ConfusionMatrix {
    let counts = (0..5_u64)
        .map(|t| {
            let mut row: Vec<u64> = (0..5_u64).map(|p| 11 + (13 * t + 29 * p) % 41).collect();
            row[t as usize] = 0;
            row[t as usize] = 1_000 - row.iter().sum::<u64>();
            row
        })
        .collect();
    ConfusionMatrix { classes: range.map(|label| NAMES[label].to_owned()).collect(), counts }
}
