//! Statistics of few seeds: means with their t-intervals, paired differences with an exact test, calibration.
//!
//! Quantiles of Student's t come from the statrs library; every figure is checked against SciPy's in a test.

mod calibration;
mod curve;
mod sample;
mod sign_flip;
#[cfg(test)]
mod tests;

pub use calibration::{BINS, CalibrationBin, calibration_error};
pub use curve::{area_under_curve, first_reaching};
pub use sample::{CONFIDENCE, Sample};
pub use sign_flip::{FEWEST_FOR_A_CLAIM, sign_flip_p};
