//! Calibration: whether predictions with 80 % confidence are correct 80 % of the time.

use serde::{Deserialize, Serialize};

/// Bins of [`CalibrationBin::sort`], as in Guo et al. (2017).
pub const BINS: usize = 15;

/// The predictions whose confidences lie in one of [`BINS`] intervals of equal width, open below and closed above.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// How many.
    pub predictions: u64,
    /// How many of them are correct.
    pub right: u64,
    /// The sum of their confidences.
    pub confidence: f64,
}

impl CalibrationBin {
    /// Sorts predictions into bins; each is a confidence in 0..=1 and whether it was correct.
    pub fn sort(predictions: &[(f64, bool)]) -> Vec<CalibrationBin> {
        let mut bins = vec![CalibrationBin::default(); BINS];
        for &(confidence, right) in predictions {
            let bin = &mut bins[((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1];
            bin.predictions += 1;
            bin.right += u64::from(right);
            bin.confidence += confidence;
        }
        bins
    }
}

/// The expected calibration error (Naeini et al. 2015): the mean over all predictions of the distance between the
/// accuracy and the mean confidence of the bin they are in; 0 for none.
pub fn calibration_error(bins: &[CalibrationBin]) -> f64 {
    let distance = |bin: &CalibrationBin| (bin.confidence - bin.right as f64).abs();
    let predictions: u64 = bins.iter().map(|bin| bin.predictions).sum();
    bins.iter().map(distance).sum::<f64>() / predictions.max(1) as f64
}
