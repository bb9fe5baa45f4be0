//! Calibration: whether a network that is 80 % sure is right 80 % of the time.

/// Bins of [`calibration_error`], as in Guo et al. (2017).
pub const BINS: usize = 15;

/// The expected calibration error (Naeini et al. 2015): predictions are sorted by confidence into 15 bins of equal width,
/// open below and closed above; the mean over all predictions of the distance between a bin's accuracy and its mean
/// confidence. Each outcome is a confidence in 0..=1 and whether the prediction was right; 0 for none.
pub fn calibration_error(outcomes: &[(f64, bool)]) -> f64 {
    let mut bins = [(0.0, 0_usize); BINS];
    for &(confidence, right) in outcomes {
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        bins[bin].0 += confidence;
        bins[bin].1 += usize::from(right);
    }
    let distance = |&(confidence, right): &(f64, usize)| (confidence - right as f64).abs();
    bins.iter().map(distance).sum::<f64>() / outcomes.len().max(1) as f64
}
