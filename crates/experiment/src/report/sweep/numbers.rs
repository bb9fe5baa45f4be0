//! Accuracies, differences and p-values as text.

use crate::sweep::{comparison::Comparison, statistics::Sample};

/// `1.43 ± 0.21 points`, without a sign.
pub(super) fn points(sample: &Sample) -> String {
    format!("{}\u{a0}points", signed(sample).trim_start_matches(['+', '−']))
}

/// `−1.43 ± 0.21`.
pub(super) fn signed(sample: &Sample) -> String {
    format!("{:+.2}{}", sample.mean * 100.0, half_width(sample)).replace('-', "−")
}

/// `84.21 ± 0.35 %`.
pub(super) fn with_half_width(sample: &Sample) -> String {
    format!("{:.2}{}\u{a0}%", sample.mean * 100.0, half_width(sample))
}

/// ` ± 0.21`; empty without an interval.
fn half_width(sample: &Sample) -> String {
    sample.half_width.map_or_else(String::new, |half| format!("\u{a0}±\u{a0}{:.2}", half * 100.0))
}

/// `0.031`, or `< 0.001`. At least three digits, and enough to show on which side of 0.05 it lies.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        return "<\u{a0}0.001".to_owned();
    }
    let rounded = |digits: usize| format!("{p:.digits$}");
    (3..9).map(rounded).find(|text| text.parse() != Ok(0.05)).unwrap_or_else(|| rounded(3))
}

/// `p = 0.031`, or `p < 0.001`.
pub(super) fn p_equals(p: f64) -> String {
    format!("p\u{a0}=\u{a0}{}", p_value(p)).replace("=\u{a0}<", "<")
}

/// `p_equals`, with the adjusted p-value if there is one; or `too few seeds`.
pub(super) fn p_of(comparison: &Comparison) -> String {
    match comparison.adjusted_p.or(comparison.p) {
        Some(p) if comparison.has_enough_seeds() => p_equals(p),
        _ => "too few seeds".to_owned(),
    }
}
