//! The difference of two means: its t-interval, its test, and the smallest difference it could detect.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// The probability with which a [detectable](Difference::detectable) difference is found.
const POWER: f64 = 0.8;

/// A difference of two means, with its standard error and degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    pub mean: f64,
    pub standard_error: f64,
    /// Of the t-distribution.
    pub degrees_of_freedom: f64,
}

impl Difference {
    /// The mean of paired differences; `None` for fewer than two.
    pub fn paired(differences: &[f64]) -> Option<Self> {
        let (mean, variance) = moments(differences)?;
        let n = differences.len() as f64;
        Some(Difference { mean, standard_error: (variance / n).sqrt(), degrees_of_freedom: n - 1.0 })
    }

    /// The difference of two independent groups with different variances (Welch 1947); `None` if one has fewer than two
    /// numbers.
    pub fn unpaired(x: &[f64], y: &[f64]) -> Option<Self> {
        let [(x_mean, x_variance), (y_mean, y_variance)] = [moments(x)?, moments(y)?];
        let [n, m] = [x, y].map(|group| group.len() as f64);
        let [a, b] = [x_variance / n, y_variance / m];
        // For two constant groups, the smallest possible number.
        let degrees_of_freedom =
            if a + b == 0.0 { n.min(m) - 1.0 } else { (a + b) * (a + b) / (a * a / (n - 1.0) + b * b / (m - 1.0)) };
        Some(Difference { mean: x_mean - y_mean, standard_error: (a + b).sqrt(), degrees_of_freedom })
    }

    /// Half the width of the 95 % interval.
    pub fn half_width(&self) -> f64 {
        self.quantile(0.5 + CONFIDENCE / 2.0) * self.standard_error
    }

    /// The two-sided p-value of the t-test.
    pub fn p(&self) -> f64 {
        (2.0 * self.above(self.mean.abs())).min(1.0)
    }

    /// The p-value of two one-sided tests (Schuirmann 1987): small where the difference is shown to be within `margin`.
    pub fn equivalence_p(&self, margin: f64) -> f64 {
        self.above(margin - self.mean.abs())
    }

    /// The smallest difference that a test at 5 % detects with a probability of 80 %: the standard error times the sum
    /// of two t-quantiles. For six pairs this is 0.7 % too small; the error falls with more pairs.
    pub fn detectable(&self) -> f64 {
        (self.quantile(0.5 + CONFIDENCE / 2.0) + self.quantile(POWER)) * self.standard_error
    }

    /// The probability, without a true difference, of a t-statistic above that of `mean`.
    fn above(&self, mean: f64) -> f64 {
        match self.standard_error {
            // Equal numbers in each group: any difference is certain.
            error if error <= 0.0 => f64::from(u8::from(mean <= 0.0)),
            error => self.t().sf(mean / error),
        }
    }

    fn quantile(&self, probability: f64) -> f64 {
        self.t().inverse_cdf(probability)
    }

    fn t(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, self.degrees_of_freedom).expect("the degrees of freedom are at least 1")
    }
}

/// Mean and variance, with n - 1 in the denominator.
pub(super) fn moments(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    if n < 2.0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    Some((mean, values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1.0)))
}

/// The least-squares line y = intercept + slope x.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Line {
    pub slope: Difference,
    pub intercept: f64,
    /// Pearson's correlation; `None` if y is constant.
    pub r: Option<f64>,
}

impl Line {
    /// `None` for fewer than three points, or if x is constant.
    pub fn fit(x: &[f64], y: &[f64]) -> Option<Self> {
        let ((x_mean, x_variance), (y_mean, y_variance)) = (moments(x)?, moments(y)?);
        let n = x.len() as f64;
        // The variance of equal values is not always 0: their mean is rounded.
        let is_constant = |values: &[f64]| values.iter().all(|&value| value == values[0]);
        if n < 3.0 || x.len() != y.len() || is_constant(x) {
            return None;
        }
        let products = x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean));
        let covariance = products.sum::<f64>() / (n - 1.0);
        let slope = covariance / x_variance;
        let residual = (y_variance - slope * covariance).max(0.0);
        let slope = Difference {
            mean: slope,
            standard_error: (residual / x_variance / (n - 2.0)).sqrt(),
            degrees_of_freedom: n - 2.0,
        };
        let r = (!is_constant(y)).then(|| covariance / (x_variance * y_variance).sqrt());
        Some(Line { intercept: y_mean - slope.mean * x_mean, slope, r })
    }
}
