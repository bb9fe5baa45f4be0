//! The run's plots: accuracy and loss by epoch, and training time.

use super::{
    bars::{self, Bar},
    canvas::Svg,
    curves::{self, Axis, Chart, Curve, Mark},
    number,
    palette::Ink,
    published::{self, Published},
};
use crate::record::{EpochRow, ModelRecord, RunRecord};

/// Validation and training accuracy of both models: the tutorial's figure.
pub(super) fn accuracy(record: &RunRecord) -> Svg {
    let curves = curves(record, |row| row.val_accuracy, |row| row.accuracy, |share| format!("{:.1}", share * 100.0));
    let last_epoch = record.models().filter_map(|(_, _, model)| model.last()).map(|row| row.epoch).max();
    let marks: Vec<Mark> = if published::applies_to(record) {
        let within = |model: &Published, ink| {
            let points = model.points.iter().filter(|point| Some(point.0) <= last_epoch);
            points.map(|&(epoch, value)| mark(ink, epoch, value)).collect::<Vec<_>>()
        };
        within(&published::MODEL_1, Ink::Model1).into_iter().chain(within(&published::MODEL_2, Ink::Model2)).collect()
    } else {
        Vec::new()
    };
    let values = || curves.iter().flat_map(|curve| &curve.points).chain(marks.iter().map(|m| &m.at)).map(|at| at.1);
    // Limits at multiples of 5 %, so that the grid's outer lines carry labels.
    let low = (values().fold(1.0, f64::min) * 20.0).floor() / 20.0;
    let high = (values().fold(0.0, f64::max) * 20.0).ceil() / 20.0;
    curves::draw(&Chart {
        title: format!("accuracy in %, {}", record.data.kind.name()),
        description: describe("accuracy", record, |row| number::percent(row.val_accuracy)),
        x: Axis::epochs(&curves),
        y: low.min(high - 0.05)..high,
        y_label: |value| format!("{:.0}", value * 100.0),
        curves,
        marks,
        marks_name: "published result",
    })
}

fn mark(ink: Ink, epoch: u32, value: f64) -> Mark {
    Mark { ink, at: (f64::from(epoch), value), value: format!("{:.2}", value * 100.0) }
}

/// Validation and training loss of both models.
pub(super) fn loss(record: &RunRecord) -> Svg {
    let curves = curves(record, |row| row.val_loss, |row| row.loss, |loss| format!("{loss:.3}"));
    let highest = curves.iter().flat_map(|curve| &curve.points).map(|at| at.1).fold(0.0, f64::max);
    curves::draw(&Chart {
        title: format!("loss (cross-entropy), {}", record.data.kind.name()),
        description: describe("loss", record, |row| format!("{:.3}", row.val_loss)),
        x: Axis::epochs(&curves),
        y: 0.0..if highest > 0.0 { highest * 1.05 } else { 1.0 },
        y_label: |value| format!("{value:.1}"),
        curves,
        marks: Vec::new(),
        marks_name: "",
    })
}

fn curves(
    record: &RunRecord,
    validation: fn(&EpochRow) -> f64,
    training: fn(&EpochRow) -> f64,
    label: fn(f64) -> String,
) -> Vec<Curve> {
    let mut curves = Vec::new();
    for (model, _, ModelRecord { history, .. }) in record.models() {
        let ink = if model == "model_1" { Ink::Model1 } else { Ink::Model2 };
        for (set, value, main) in [("validation", validation, true), ("training", training, false)] {
            let points: Vec<_> = history.iter().map(|row| (f64::from(row.epoch), value(row))).collect();
            let last = points.last().map_or(String::new(), |&(_, last)| label(last));
            let name = format!("{model} {set} {last}");
            curves.push(Curve { name, ink, main, points, band: Vec::new() });
        }
    }
    curves
}

fn describe(what: &str, record: &RunRecord, value: impl Fn(&EpochRow) -> String) -> String {
    let mut text = format!("Validation and training {what} by epoch.");
    for (name, _, model) in record.models() {
        if let (Some(first), Some(last)) = (model.first(), model.last()) {
            let (from, to) = (value(first), value(last));
            text += &format!(
                " {name}: validation {what} {from} after epoch {}, {to} after epoch {}.",
                first.epoch, last.epoch
            );
        }
    }
    text
}

/// Training time of both models, with the part that computed the frozen features.
pub(super) fn time(record: &RunRecord) -> Svg {
    let mut bars = Vec::new();
    for (name, _, model) in record.models() {
        let ink = if name == "model_1" { Ink::Model1 } else { Ink::Model2 };
        let features = model.features_seconds;
        let head = (model.total_seconds - features).max(0.0);
        let mut says = number::seconds(model.total_seconds);
        if features > 0.0 {
            says += &format!(": features {}, head {}", number::seconds(features), number::seconds(head));
        }
        bars.push(Bar { name: name.to_owned(), ink, parts: vec![(features, 0.5), (head, 1.0)], says });
    }
    let times: Vec<String> = bars.iter().map(|bar| format!("{}: {}", bar.name, bar.says)).collect();
    let description = format!("Training time. {}.", times.join(". "));
    if published::applies_to(record) {
        for (name, model) in [("model_1", published::MODEL_1), ("model_2", published::MODEL_2)] {
            bars.push(Bar {
                name: format!("{name}, published"),
                ink: Ink::Muted,
                parts: vec![(model.seconds, 0.45)],
                says: format!("{:.2}\u{a0}s on a GPU, {} epochs", model.seconds, model.last.0),
            });
        }
    }
    let environment = &record.environment;
    let title =
        format!("training time, {}, {} with {} threads", record.data.kind.name(), environment.cpu, environment.threads);
    bars::draw(&title, &bars, description)
}
