//! The record of a trained model, for files and reports.

use std::time::Duration;

use thawline_tensor::nn::{EpochReport, History, Metrics, Network};

use crate::{
    data::task::Task,
    record::run::{ConfusionMatrix, EpochRow, LayerRecord, ModelRecord, NetworkRecord},
};

impl From<&EpochReport> for EpochRow {
    fn from(report: &EpochReport) -> Self {
        let validation = report.validation.unwrap_or_default();
        EpochRow {
            epoch: report.epoch as u32,
            seconds: report.duration.as_secs_f64(),
            loss: report.training.loss,
            accuracy: report.training.accuracy,
            val_loss: validation.loss,
            val_accuracy: validation.accuracy,
        }
    }
}

/// For resuming.
impl From<&EpochRow> for EpochReport {
    fn from(row: &EpochRow) -> Self {
        EpochReport {
            epoch: row.epoch as usize,
            duration: Duration::try_from_secs_f64(row.seconds).unwrap_or_default(),
            training: Metrics { loss: row.loss, accuracy: row.accuracy },
            validation: Some(Metrics { loss: row.val_loss, accuracy: row.val_accuracy }),
        }
    }
}

/// The confusion matrix of a trained network on the validation pictures.
pub fn confusion(network: &Network, task: &Task) -> ConfusionMatrix {
    let predicted = network.predict(&task.validation).classes().into_iter().map(|class| class as usize);
    ConfusionMatrix::of(task.names(), task.validation.labels(), predicted)
}

/// Records a trained network with its history and its results. `cached` says whether frozen features were cached.
pub fn record(
    network: &Network,
    task: &Task,
    history: &History,
    cached: bool,
    confusion: ConfusionMatrix,
) -> ModelRecord {
    let rows: Vec<EpochRow> = history.epochs.iter().map(EpochRow::from).collect();
    let epochs: f64 = rows.iter().map(|row| row.seconds).sum();
    ModelRecord {
        network: describe(network),
        images_per_second: (rows.len() * task.train.len()) as f64 / epochs,
        history: rows,
        total_seconds: history.total.as_secs_f64(),
        features_seconds: if cached { history.features.as_secs_f64() } else { 0.0 },
        confusion,
    }
}

pub fn describe(network: &Network) -> NetworkRecord {
    let summary = network.summary();
    NetworkRecord {
        trainable: summary.trainable() as u64,
        frozen: summary.frozen() as u64,
        layers: summary
            .rows
            .into_iter()
            .map(|row| LayerRecord {
                name: row.name,
                kind: row.kind.to_owned(),
                output: row.output.dims().to_vec(),
                parameters: row.parameters as u64,
                trainable: row.trainable > 0,
                flops: row.flops,
                activation_bytes: row.activation_bytes,
            })
            .collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use thawline_tensor::{Tensor, nn::Examples};

    use super::*;
    use crate::{
        models::TutorialNetwork,
        record::{config::Config, data::ClassRecord},
    };

    /// Dark and light pictures, alternating.
    pub(crate) fn two_classes(train: usize, validation: usize) -> Task<'static> {
        let examples = |count: usize| {
            let pixels: Vec<f32> = (0..count * 3072).map(|i| if i / 3072 % 2 == 0 { 0.1 } else { 0.9 }).collect();
            let labels = (0..count as u32).map(|i| i % 2).collect();
            Examples::new(Tensor::from_slice([count, 32, 32, 3], &pixels), labels)
        };
        let classes = ["dark", "light"].into_iter().enumerate();
        Task {
            classes: classes.map(|(label, name)| ClassRecord { label: label as u16, name: name.to_owned() }).collect(),
            train: examples(train),
            validation: examples(validation),
        }
    }

    #[test]
    fn dark_and_light_can_be_learned() {
        let task = two_classes(20, 7);
        let architecture =
            TutorialNetwork { filters: [2, 2], dense: 4, dropout: [0.0; 2], ..TutorialNetwork::default() };
        let mut network = architecture.build(2, 5).unwrap();
        let config = Config { epochs: 12, batch_size: 8, learning_rate: 0.01, ..Config::small() };
        let options = config.fit(5, false);
        let history = network.fit(&task.train, options.validate(&task.validation)).unwrap();
        let record = record(&network, &task, &history, false, confusion(&network, &task));
        assert_eq!(record.history.len(), 12);
        assert_eq!(record.last().unwrap().val_accuracy, 1.0);
        assert_eq!(record.confusion.counts, [[4, 0], [0, 3]]);
        assert_eq!(record.confusion.classes, ["dark", "light"]);
        assert!(record.total_seconds >= record.history.iter().map(|row| row.seconds).sum());
        assert!(record.images_per_second > 0.0);
        // A checkpoint keeps everything about an epoch.
        let reports: Vec<_> = record.history.iter().map(EpochReport::from).collect();
        assert_eq!(reports, history.epochs);
    }
}
