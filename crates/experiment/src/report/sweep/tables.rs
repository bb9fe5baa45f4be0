//! The figures as tables: text for a terminal, CSV.

use super::analysis::Analysis;
use crate::statistics::Sample;

/// The arms and the pairs, in columns.
pub(super) fn text(analysis: &Analysis) -> String {
    let percent = |value: f64| format!("{:.2}", 100.0 * value);
    let with = |sample: &Sample| match sample.half_width {
        Some(half) => format!("{} +- {}", percent(sample.mean), percent(half)),
        None => percent(sample.mean),
    };
    let mut lines = vec![format!(
        "{:<28} {:>5}  {:>16}  {:>12}  {:>9}  {:>9}",
        "", "seeds", "test accuracy %", "first epoch", "ECE %", "seconds"
    )];
    for figures in &analysis.arms {
        lines.push(format!(
            "{:<28} {:>5}  {:>16}  {:>12}  {:>9}  {:>9.1}",
            figures.arm.name,
            figures.accuracy.n,
            with(&figures.accuracy),
            percent(figures.first_epoch.mean),
            percent(figures.ece.mean),
            figures.mean(|record| record.times.learning()),
        ));
    }
    lines.push(String::new());
    for pair in &analysis.pairs {
        lines.push(format!(
            "{:<40} {:>16} points, p = {}",
            format!("{} minus {}", pair.arm, pair.baseline),
            with(&pair.difference),
            pair.p.map_or_else(|| "-".to_owned(), |p| format!("{p:.4}")),
        ));
    }
    lines.join("\n")
}

/// A row an arm.
pub(super) fn arms_csv(analysis: &Analysis) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["arm", "seeds", "accuracy", "deviation", "half_width"];
    writer.write_record(header).expect("a Vec takes every byte");
    for figures in &analysis.arms {
        let optional = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let row = [
            figures.arm.name.clone(),
            figures.accuracy.n.to_string(),
            figures.accuracy.mean.to_string(),
            optional(figures.accuracy.deviation),
            optional(figures.accuracy.half_width),
        ];
        writer.write_record(row).expect("a Vec takes every byte");
    }
    writer.into_inner().expect("a Vec takes every byte")
}
