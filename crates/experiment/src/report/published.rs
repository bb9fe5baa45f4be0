//! The tutorial's published results.
//!
//! They were measured on a GPU with the official CIFAR-10, source classes 0-4, target classes 5-9, a head that started
//! from model_1's weights, and the test set as validation.

use crate::record::{data::ClassRecord, run::RunRecord};

/// A model's published validation accuracies, with their epochs, and its training time.
pub(super) struct Published {
    pub first: Option<f64>,
    pub best: Option<(u32, f64)>,
    pub last: (u32, f64),
    pub seconds: f64,
}

pub(super) const MODEL_1: Published =
    Published { first: None, best: Some((13, 0.7850)), last: (20, 0.7742), seconds: 86.61 };

pub(super) const MODEL_2: Published = Published { first: Some(0.7046), best: None, last: (20, 0.8594), seconds: 52.11 };

impl Published {
    pub(super) fn points(&self) -> impl Iterator<Item = (u32, f64)> {
        self.first.map(|accuracy| (1, accuracy)).into_iter().chain(self.best).chain([self.last])
    }
}

/// Whether the run has the published experiment's data and classes; its settings may differ.
pub(super) fn applies_to(record: &RunRecord) -> bool {
    let source = record.source.as_ref();
    record.data.is_cifar10()
        && source.is_some_and(|source| are_published_classes(&source.classes, &record.target.classes))
}

pub(super) fn are_published_classes(source: &[ClassRecord], target: &[ClassRecord]) -> bool {
    let labels = |classes: &[ClassRecord]| classes.iter().map(|class| class.label).collect::<Vec<_>>();
    labels(source) == [0, 1, 2, 3, 4] && labels(target) == [5, 6, 7, 8, 9]
}
