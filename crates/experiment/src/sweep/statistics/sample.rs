//! A few numbers: their mean, standard deviation and t-interval.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

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
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        let half_width = deviation.map(|deviation| t_quantile(n - 1) * deviation / (n as f64).sqrt());
        Some(Sample { n, mean, deviation, half_width })
    }

    /// The ends of the interval.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.half_width.map(|half| (self.mean - half, self.mean + half))
    }
}

/// The quantile of Student's t that leaves (1 - [`CONFIDENCE`]) / 2 above it.
pub(super) fn t_quantile(freedom: usize) -> f64 {
    let t = StudentsT::new(0.0, 1.0, freedom as f64).expect("the degrees of freedom are at least 1");
    t.inverse_cdf(0.5 + CONFIDENCE / 2.0)
}
