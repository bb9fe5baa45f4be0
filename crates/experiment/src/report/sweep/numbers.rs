//! Differences and p-values in words.

use super::analysis::Pair;
use crate::sweep::statistics::{Difference, Sample};

/// `+0.72 ± 0.79`.
pub(super) fn difference(difference: &Difference) -> String {
    let Difference { mean, .. } = *difference;
    signed(&Sample { n: 0, mean, deviation: None, half_width: Some(difference.half_width()) })
}

/// `1.4 ± 0.2 points`, without a sign.
pub(super) fn points(sample: &Sample) -> String {
    let half = sample.half_width.map_or_else(String::new, |half| format!("\u{a0}±\u{a0}{:.1}", half * 100.0));
    format!("{:.1}{half}\u{a0}points", sample.mean.abs() * 100.0)
}

/// `−1.43 ± 0.21`.
pub(super) fn signed(sample: &Sample) -> String {
    let half = sample.half_width.map_or_else(String::new, |half| format!("\u{a0}±\u{a0}{:.2}", half * 100.0));
    format!("{:+.2}{half}", sample.mean * 100.0).replace('-', "−")
}

/// `84.21 ± 0.35 %`.
pub(super) fn with_half_width(sample: &Sample) -> String {
    let half = sample.half_width.map_or_else(String::new, |half| format!("\u{a0}±\u{a0}{:.2}", half * 100.0));
    format!("{:.2}{half}\u{a0}%", sample.mean * 100.0)
}

/// `0.031`, or `< 0.001`.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { "<\u{a0}0.001".to_owned() } else { format!("{p:.3}") }
}

/// `p = 0.031`, adjusted for all declared pairs; or that there are too few seeds.
pub(super) fn adjusted_p(pair: &Pair) -> String {
    match pair.comparison.adjusted_p.or(pair.comparison.p) {
        Some(p) if pair.comparison.has_enough_seeds() => format!("p = {}", p_value(p)).replace("= <", "<"),
        _ => "too few seeds".to_owned(),
    }
}

/// `6 of 6 seeds agree`.
pub(super) fn agreement(pair: &Pair) -> String {
    format!("{} of {} seeds agree", pair.comparison.agreeing_seeds, pair.comparison.differences.len())
}
