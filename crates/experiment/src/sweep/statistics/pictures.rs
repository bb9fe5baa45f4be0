//! Test pictures as a source of variance, in addition to seeds: computed from which of them each network classifies
//! correctly.

use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

/// The exact two-sided p-value of McNemar's test (1947), from the numbers of pictures that only one of two networks
/// classifies correctly.
pub fn mcnemar_p(only_one: u64, only_other: u64) -> f64 {
    let tosses = Binomial::new(0.5, only_one + only_other).expect("a half is a probability");
    (2.0 * tosses.cdf(only_one.min(only_other))).min(1.0)
}

/// Where the variance of a difference comes from if both seeds and pictures are drawn at random: the components of a
/// two-way analysis of variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Components {
    /// Variance between seeds.
    pub seed: f64,
    /// Variance between pictures.
    pub picture: f64,
    /// What neither explains: the interaction of a seed and a picture.
    pub residual: f64,
    /// Standard error of the mean for new seeds and new pictures.
    pub standard_error: f64,
    /// Standard error for new pictures and these seeds, as a bootstrap over pictures estimates it.
    pub picture_error: f64,
}

impl Components {
    /// From a table with a row per seed and a column per picture; `None` for fewer than two of either.
    pub fn of(table: &[Vec<f64>]) -> Option<Self> {
        let (seeds, pictures) = (table.len(), table.first()?.len());
        if seeds < 2 || pictures < 2 || table.iter().any(|row| row.len() != pictures) {
            return None;
        }
        let (s, p) = (seeds as f64, pictures as f64);
        let rows: Vec<f64> = table.iter().map(|row| row.iter().sum::<f64>() / p).collect();
        let columns: Vec<f64> = (0..pictures).map(|at| table.iter().map(|row| row[at]).sum::<f64>() / s).collect();
        let mean = rows.iter().sum::<f64>() / s;
        let squares = |means: &[f64]| means.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
        let (row_squares, column_squares) = (squares(&rows), squares(&columns));
        let all: f64 = table.iter().flatten().map(|value| (value - mean) * (value - mean)).sum();
        let seed = p * row_squares / (s - 1.0);
        let picture = s * column_squares / (p - 1.0);
        let residual = ((all - p * row_squares - s * column_squares) / ((s - 1.0) * (p - 1.0))).max(0.0);
        let [seed, picture] = [(seed - residual) / p, (picture - residual) / s].map(|component| component.max(0.0));
        Some(Components {
            seed,
            picture,
            residual,
            standard_error: (seed / s + picture / p + residual / (s * p)).sqrt(),
            picture_error: (column_squares / p / p).sqrt(),
        })
    }
}
