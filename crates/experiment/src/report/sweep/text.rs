//! The results as text for a terminal.

use super::{analysis::Analysis, answer};
use crate::{
    sweep::statistics::Sample,
    system::console::{Text, fitted},
};

/// The arms and the pairs, in columns.
pub(super) fn table(analysis: &Analysis) -> Text {
    let row = |name: &str, seeds: &str, accuracy: &str, first: &str, ece: &str, seconds: &str| {
        let times = if analysis.times { format!(" {seconds:>8}") } else { String::new() };
        format!("{name:<30} {seeds:>5} {accuracy:>15} {first:>11} {ece:>6}{times}")
    };
    let mut text = Text::heading(row("", "seeds", "test accuracy %", "first epoch", "ECE %", "seconds"));
    for figures in &analysis.arms {
        text.push(row(
            &fitted(figures.name, 30),
            &figures.accuracy.n.to_string(),
            &with_half_width(&figures.accuracy),
            &percent(figures.first_epoch.mean),
            &percent(figures.ece.mean),
            &figures.seconds.map_or_else(String::new, |seconds| format!("{:.1}", seconds.learning())),
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
