//! What jobs cost, in a common unit: one example in a step that trains all layers. Measured on the tutorial's network and
//! rough for others; good enough to tell how much of a sweep is left.

use super::arms::{Arm, Head, Training};
use super::settings::Settings;

/// An example in a step that trains all layers.
pub const EVERYTHING: f64 = 1.0;

/// An example in a step that trains the head on kept features.
pub const HEAD: f64 = 0.13;

/// An example's forward pass through the frozen layers.
pub const FEATURES: f64 = 0.28;

/// The work of a job's steps, which are counted as they are done.
pub fn of(arm: &Arm, settings: &Settings, epoch_examples: usize, features_are_shared: bool) -> f64 {
    let head = HEAD + if features_are_shared || arm.head == Head::Pixels { 0.0 } else { FEATURES };
    let epochs = settings.epochs_of(arm);
    let first = epochs.div_ceil(2);
    let examples = epoch_examples as f64;
    match arm.training {
        Training::Head => epochs as f64 * examples * head,
        Training::Everything(_) => epochs as f64 * examples * EVERYTHING,
        Training::HeadThenEverything(_) => examples * (first as f64 * head + (epochs - first) as f64 * EVERYTHING),
    }
}
