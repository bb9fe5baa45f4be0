//! The table at the end of a run.

use std::path::Path;

use crate::{
    progress::{bytes, duration, percent},
    record::{EpochRow, ModelRecord, RunRecord},
};

/// First, best and last validation accuracy and the seconds of both models, and what became of the frozen weights.
pub fn table(record: &RunRecord, folder: &Path) -> String {
    let mut lines =
        vec!["validation accuracy      first epoch      best (epoch)     last epoch     seconds".to_owned()];
    for (name, model) in [("model_1, source", &record.model_1), ("model_2, target", &record.model_2)] {
        lines.push(row(name, model));
    }
    lines.push(String::new());
    lines.push(match (record.frozen.len(), record.frozen_unchanged) {
        (0, _) => "no weights were frozen".to_owned(),
        (n, true) => {
            format!("the frozen weights are unchanged: {n} tensors, the same SHA-256 before and after model_2")
        }
        (n, false) => format!("THE FROZEN WEIGHTS CHANGED: {n} tensors, see frozen in summary.json"),
    });
    if let Some(peak) = record.peak_memory_bytes {
        lines.push(format!("peak memory {}", bytes(peak)));
    }
    lines.push(format!("report: {}", folder.join("report.html").display()));
    lines.join("\n")
}

fn row(name: &str, model: &ModelRecord) -> String {
    let accuracy = |row: Option<&EpochRow>| row.map_or_else(|| "-".to_owned(), |row| percent(row.val_accuracy));
    let best =
        model.best().map_or_else(|| "-".to_owned(), |row| format!("{} ({})", percent(row.val_accuracy), row.epoch));
    let features = match model.features_seconds {
        0.0 => String::new(),
        seconds => format!(" (features {})", duration(seconds)),
    };
    format!(
        "{name:<22} {:>13}  {best:>17} {:>13}  {:>9.1}{features}",
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
    fn first_best_and_last_epoch_of_both_models() {
        let mut record = fixture::record();
        record.frozen_unchanged = true;
        record.peak_memory_bytes = Some(1_500_000_000);
        for model in [&mut record.model_1, &mut record.model_2] {
            model.history.truncate(3);
            for (row, accuracy) in model.history.iter_mut().zip([0.5, 0.75, 0.7]) {
                row.val_accuracy = accuracy;
            }
        }
        record.model_1.features_seconds = 0.0;
        record.model_1.total_seconds = 86.61;
        let text = table(&record, Path::new("runs/one"));
        let row = text.lines().find(|line| line.starts_with("model_1")).unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>().join(" "),
            "model_1, source 50.00 % 75.00 % (2) 70.00 % 86.6"
        );
        assert!(text.contains("(features "), "{text}");
        assert!(text.contains("frozen weights are unchanged") && text.contains("peak memory 1.50 GB"), "{text}");
        assert!(text.ends_with("report: runs/one/report.html"), "{text}");
        record.frozen_unchanged = false;
        assert!(table(&record, Path::new("x")).contains("THE FROZEN WEIGHTS CHANGED"));
    }
}
