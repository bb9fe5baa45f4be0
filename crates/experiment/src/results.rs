//! The table at the end of a run.

use std::path::Path;

use crate::{
    progress::{bytes, duration, percent},
    record::{EpochRow, ModelRecord, RunRecord},
};

/// First, best and last validation accuracy and the seconds of both models, and what became of the frozen weights.
pub fn table(record: &RunRecord, folder: &Path) -> Vec<String> {
    let mut lines =
        vec!["validation accuracy      first epoch      best (epoch)     last epoch     seconds".to_owned()];
    for (name, _, model) in record.models() {
        let half = if name == "model_1" { "source" } else { "target" };
        lines.push(row(&format!("{name}, {half}"), model));
    }
    lines.push(String::new());
    lines.extend(record.from.as_ref().map(|from| format!("features from {}, SHA-256 {}", from.path, from.sha256)));
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
    lines
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
        for model in [record.model_1.as_mut().unwrap(), &mut record.model_2] {
            model.history.truncate(3);
            for (row, accuracy) in model.history.iter_mut().zip([0.5, 0.75, 0.7]) {
                row.val_accuracy = accuracy;
            }
        }
        let model_1 = record.model_1.as_mut().unwrap();
        (model_1.features_seconds, model_1.total_seconds) = (0.0, 86.61);
        let text = table(&record, Path::new("runs/one")).join("\n");
        let row = text.lines().find(|line| line.starts_with("model_1")).unwrap();
        assert_eq!(
            row.split_whitespace().collect::<Vec<_>>().join(" "),
            "model_1, source 50.00 % 75.00 % (2) 70.00 % 86.6"
        );
        assert!(text.contains("(features "), "{text}");
        assert!(text.contains("frozen weights are unchanged") && text.contains("peak memory 1.50 GB"), "{text}");
        assert!(text.ends_with("report: runs/one/report.html"), "{text}");
        record.frozen_unchanged = false;
        assert!(table(&record, Path::new("x")).join("\n").contains("THE FROZEN WEIGHTS CHANGED"));
    }

    #[test]
    fn features_from_a_file_are_named_and_there_is_no_model_1() {
        let text = table(&fixture::record_from_file(), Path::new("x")).join("\n");
        assert!(!text.contains("model_1, source") && text.contains("model_2, target"), "{text}");
        assert!(
            text.contains("features from runs/2026-11-23-090000/weights-model_1.safetensors, SHA-256 cdcd"),
            "{text}"
        );
    }
}
