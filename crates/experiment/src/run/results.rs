//! The table at the end of a run.

use std::path::Path;

use crate::{
    record::run::{EpochRow, ModelRecord, RunRecord},
    system::{console::Text, number},
};

/// Validation accuracies and times of all models, and whether the frozen weights are unchanged.
pub fn table(record: &RunRecord, folder: &Path) -> Text {
    let mut text = Text::heading("validation accuracy     first epoch     best (epoch)    last epoch     seconds");
    for (name, _, model) in record.models() {
        let half = if name == "model_1" { "source" } else { "target" };
        text.push(row(&format!("{name}, {half}"), model));
    }
    text.push("");
    if record.model_2.features_seconds > 0.0 {
        let seconds = number::duration(record.model_2.features_seconds);
        text.push(format!("model_2's time includes {seconds} for its frozen features"));
    }
    if let Some(from) = &record.from {
        text.push(Text::wrapped("features from ", format!("{}, SHA-256 {}", from.path, from.sha256)));
    }
    text.push(match (record.frozen.len(), record.frozen_unchanged) {
        (0, _) => "no weights were frozen".into(),
        (n, true) => Text::verdict(format!("frozen weights: {n} tensors, bit-for-bit unchanged"), true),
        (n, false) => {
            Text::verdict(format!("THE FROZEN WEIGHTS CHANGED: {n} tensors, see frozen in summary.json"), false)
        }
    });
    if let Some(peak) = record.peak_memory_bytes {
        text.push(format!("peak memory: {}", number::bytes(peak)));
    }
    text.and(format!("report: {}", folder.join("report.html").display()))
}

fn row(name: &str, model: &ModelRecord) -> String {
    let accuracy = |row: Option<&EpochRow>| row.map_or_else(|| "-".to_owned(), |row| number::percent(row.val_accuracy));
    let best = model
        .best()
        .map_or_else(|| "-".to_owned(), |row| format!("{} ({})", number::percent(row.val_accuracy), row.epoch));
    format!(
        "{name:<22} {:>12} {best:>16}  {:>12}  {:>10.1}",
        accuracy(model.first()),
        accuracy(model.last()),
        model.total_seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture;

    #[test]
    fn the_summary_shows_the_first_best_and_last_epoch() {
        let mut record = fixture::record();
        record.frozen_unchanged = true;
        record.peak_memory_bytes = Some(1_500_000_000);
        for model in [record.model_1.as_mut().unwrap(), &mut record.model_2] {
            model.history.truncate(3);
            for (row, accuracy) in model.history.iter_mut().zip([0.5, 0.75, 0.7]) {
                row.val_accuracy = accuracy;
            }
        }
        let model_1 = record.model_1.as_mut().unwrap();
        (model_1.features_seconds, model_1.total_seconds) = (0.0, 86.61);
        let text = table(&record, Path::new("runs/one")).to_string();
        let row = text.lines().find(|line| line.starts_with("model_1")).unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>().join(" "),
            "model_1, source 50.00 % 75.00 % (2) 70.00 % 86.6"
        );
        assert!(text.contains("for its frozen features"), "{text}");
        assert!(text.contains("bit-for-bit unchanged") && text.contains("peak memory: 1.50 GB"), "{text}");
        assert!(text.ends_with("report: runs/one/report.html\n"), "{text}");
        record.frozen_unchanged = false;
        assert!(table(&record, Path::new("x")).to_string().contains("THE FROZEN WEIGHTS CHANGED"));
    }
}
