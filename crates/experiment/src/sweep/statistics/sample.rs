//! A few numbers: their mean, standard deviation and t-interval.

use serde::Serialize;

use super::difference::{Difference, moments};

/// Mean and spread of a few numbers, such as one per seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sample {
    /// How many.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation with n - 1 in the denominator; absent for one number.
    pub deviation: Option<f64>,
    /// Half the width of the 95 % confidence interval of the mean (Student 1908); absent for one number.
    pub half_width: Option<f64>,
}

impl Sample {
    /// From some numbers; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let deviation = moments(values).map(|(_, variance)| variance.sqrt());
        let half_width = Difference::paired(values).map(|difference| difference.half_width());
        Some(Sample { n, mean, deviation, half_width })
    }

    /// The ends of the interval.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.half_width.map(|half| (self.mean - half, self.mean + half))
    }
}
