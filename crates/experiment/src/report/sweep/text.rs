//! The results as text for a terminal.

use super::{analysis::Analysis, answer};
use crate::{
    console::{Text, fitted},
    statistics::Sample,
};

/// The arms and the pairs, in columns.
pub(super) fn table(analysis: &Analysis) -> Text {
    let mut text = Text::heading(format!(
        "{:<30} {:>5} {:>15} {:>11} {:>6}{}",
        "",
        "seeds",
        "test accuracy %",
        "first epoch",
        "ECE %",
        if analysis.times { "  seconds" } else { "" }
    ));
    for figures in &analysis.arms {
        let seconds = figures.mean(|record| record.times.learning());
        text.push(format!(
            "{:<30} {:>5} {:>15} {:>11} {:>6}{}",
            fitted(&figures.arm.name, 30),
            figures.accuracy.n,
            with_half_width(&figures.accuracy),
            percent(figures.first_epoch.mean),
            percent(figures.ece.mean),
            if analysis.times { format!(" {seconds:>8.1}") } else { String::new() }
        ));
    }
    if !analysis.pairs.is_empty() {
        text.push("");
        text.push(Text::heading("paired differences of test accuracy, in points"));
    }
    for pair in &analysis.pairs {
        let p = match pair.p {
            Some(p) if pair.has_enough_seeds() => format!("p = {p:.3}"),
            _ => "too few seeds".to_owned(),
        };
        let name = fitted(&format!("{} - {}", pair.arm, pair.baseline), 46);
        text.push(format!("{name:<46} {:>15}  {p}", with_half_width(&pair.difference)));
    }
    text.and("").and(Text::wrapped("", answer::sentence(analysis))).and("")
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
