//! Statistics of few seeds: means with their t-intervals, differences and their tests, calibration.
//!
//! Distributions come from the statrs library; the tests check most figures against SciPy's or statsmodels'.

mod calibration;
mod difference;
mod multiple;
mod pictures;
mod sample;
mod sign_flip;
#[cfg(test)]
mod tests;

pub use calibration::{BINS, CalibrationBin, calibration_error};
pub use difference::{CONFIDENCE, Difference, Line};
pub use multiple::holm;
pub use pictures::{Components, mcnemar_p};
pub use sample::Sample;
pub use sign_flip::{FEWEST_FOR_A_CLAIM, sign_flip_p};
