//! The tutorial's published results, and when they may stand beside a run's.
//!
//! They were measured on a GPU with the official CIFAR-10, source classes 0-4, target classes 5-9, a head that
//! went on from model_1's weights, and the test set as validation.

use crate::record::{DataKind, RunRecord, TaskRecord};

/// One model's published figures; accuracies are on the validation set.
pub(super) struct Published {
    /// Epochs and accuracies that were published.
    pub points: &'static [(u32, f64)],
    /// Accuracy after the first epoch.
    pub first: Option<f64>,
    /// Epoch and accuracy of the best one.
    pub best: Option<(u32, f64)>,
    /// Epoch and accuracy of the last one.
    pub last: (u32, f64),
    /// Training time.
    pub seconds: f64,
}

pub(super) const MODEL_1: Published = Published {
    points: &[(13, 0.7850), (20, 0.7742)],
    first: None,
    best: Some((13, 0.7850)),
    last: (20, 0.7742),
    seconds: 86.61,
};

pub(super) const MODEL_2: Published = Published {
    points: &[(1, 0.7046), (20, 0.8594)],
    first: Some(0.7046),
    best: None,
    last: (20, 0.8594),
    seconds: 52.11,
};

/// Whether the run asked the published question: CIFAR-10, classes 0-4, then 5-9.
pub(super) fn applies_to(record: &RunRecord) -> bool {
    let Some(source) = &record.source else { return false };
    let labels = |task: &TaskRecord| task.classes.iter().map(|class| class.label).collect::<Vec<_>>();
    record.data.kind == DataKind::Cifar10
        && labels(source) == [0, 1, 2, 3, 4]
        && labels(&record.target) == [5, 6, 7, 8, 9]
}
