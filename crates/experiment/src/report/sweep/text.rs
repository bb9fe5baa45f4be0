//! The results as text for a terminal.

use super::analysis::Analysis;
use crate::{console::shown, statistics::Sample};

/// The arms and the pairs, in columns.
pub(super) fn table(analysis: &Analysis) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<28} {:>5}  {:>16}  {:>11}  {:>6}{}",
        "",
        "seeds",
        "test accuracy %",
        "first epoch",
        "ECE %",
        if analysis.times { "   seconds" } else { "" }
    )];
    for figures in &analysis.arms {
        let seconds = figures.mean(|record| record.times.learning());
        lines.push(format!(
            "{:<28} {:>5}  {:>16}  {:>11}  {:>6}{}",
            shown(&figures.arm.name),
            figures.accuracy.n,
            with_half_width(&figures.accuracy),
            percent(figures.first_epoch.mean),
            percent(figures.ece.mean),
            if analysis.times { format!("  {seconds:>8.1}") } else { String::new() }
        ));
    }
    if !analysis.pairs.is_empty() {
        lines.extend([String::new(), "paired differences of test accuracies, in points".to_owned()]);
    }
    for pair in &analysis.pairs {
        let p = match pair.p {
            Some(p) if pair.has_enough_seeds() => format!("p = {p:.3}"),
            _ => "too few seeds for a test".to_owned(),
        };
        let name = format!("{} - {}", shown(&pair.arm), shown(&pair.baseline));
        lines.push(format!("{name:<40} {:>16}  {p}", with_half_width(&pair.difference)));
    }
    lines.push(String::new());
    lines
}

fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

fn with_half_width(sample: &Sample) -> String {
    match sample.half_width {
        Some(half) => format!("{} +- {}", percent(sample.mean), percent(half)),
        None => percent(sample.mean),
    }
}
