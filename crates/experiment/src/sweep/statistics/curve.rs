//! Summaries of a learning curve, the accuracies after each epoch.

/// The area under the curve, divided by its length: the mean accuracy over all epochs. `None` without epochs.
pub fn area_under_curve(accuracies: &[f64]) -> Option<f64> {
    (!accuracies.is_empty()).then(|| accuracies.iter().sum::<f64>() / accuracies.len() as f64)
}

/// The first epoch, counted from 1, whose accuracy is at least the threshold.
pub fn first_reaching(accuracies: &[f64], threshold: f64) -> Option<usize> {
    accuracies.iter().position(|&accuracy| accuracy >= threshold).map(|index| index + 1)
}
