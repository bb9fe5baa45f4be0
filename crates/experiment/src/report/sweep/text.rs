//! The results as text for a terminal.

use super::{
    analysis::Analysis,
    answer,
    numbers::{p_of, signed, with_half_width},
};
use crate::system::{
    console::{Text, fitted},
    number,
};

/// The arms and the pairs in columns, then the answer.
pub(super) fn table(analysis: &Analysis) -> Text {
    let row = |name: &str, seeds: &str, accuracy: &str, first: &str, ece: &str, seconds: &str| {
        let times = if analysis.times { format!(" {seconds:>8}") } else { String::new() };
        format!("{name:<25} {seeds:>5} {accuracy:>15} {first:>15} {ece:>7}{times}")
    };
    let mut text = Text::heading(row("", "seeds", "test accuracy", "valid., epoch 1", "ECE", "seconds"));
    for figures in &analysis.arms {
        text.push(row(
            &fitted(figures.name, 25),
            &figures.accuracy.n.to_string(),
            &with_half_width(&figures.accuracy),
            &number::percent(figures.first_epoch.mean),
            &number::percent(figures.ece.mean),
            &figures.seconds.map_or_else(String::new, |seconds| format!("{:.1}", seconds.training())),
        ));
    }
    if !analysis.declared_pairs.is_empty() {
        text.push("");
        text.push(Text::heading("differences of test accuracy in points; p adjusted for all pairs"));
    }
    for pair in &analysis.declared_pairs {
        let p = p_of(&pair.comparison).replace('\u{a0}', " ");
        let name = fitted(&format!("{} - {}", pair.arm, pair.baseline), 46);
        text.push(format!("{name:<46} {:>15}  {p}", signed(&pair.difference)));
    }
    text.and("").and(Text::wrapped("", answer::text(analysis))).and("")
}
