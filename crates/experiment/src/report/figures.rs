//! The run's plots: accuracy and loss by epoch, and training time.

use super::{
    bars::{self, Bar},
    curves::{Chart, Mark, Measure},
    palette::Ink,
    published::{self, MODEL_1, MODEL_2, Published},
    svg::Plot,
};
use crate::{
    record::run::{CONTROL, RunRecord},
    system::number,
};

/// Accuracy by epoch, the plot that the tutorial shows.
pub(super) fn accuracy(record: &RunRecord) -> Plot {
    let mut chart = by_epoch(record, "accuracy in %", Measure::Accuracy);
    if published::applies_to(record) {
        let last = record.models().filter_map(|(_, _, model)| model.last()).map(|row| row.epoch).max();
        let marks = |ink: Ink, model: &Published| {
            let shown: Vec<_> = model.points().filter(|&(epoch, _)| Some(epoch) <= last).collect();
            shown.into_iter().map(move |(epoch, accuracy)| {
                let value = format!("{:.2}", accuracy * 100.0);
                Mark { ink, at: (f64::from(epoch), accuracy), value }
            })
        };
        chart.marks = marks(Ink::Model1, &MODEL_1).chain(marks(Ink::Model2, &MODEL_2)).collect();
    }
    chart.draw()
}

pub(super) fn loss(record: &RunRecord) -> Plot {
    by_epoch(record, "loss (cross-entropy)", Measure::Loss).draw()
}

fn by_epoch(record: &RunRecord, title: &str, measure: Measure) -> Chart {
    let curves = record.models().flat_map(|(name, _, model)| measure.of_model(name, ink(name), &model.history));
    Chart::by_epoch(format!("{title}, {}", record.data.subject()), measure, curves.collect())
}

pub(super) fn ink(model: &str) -> Ink {
    match model {
        "model_1" => Ink::Model1,
        CONTROL => Ink::Untrained,
        _ => Ink::Model2,
    }
}

/// Training time of each model, with the part spent computing the frozen features.
pub(super) fn time(record: &RunRecord) -> Plot {
    let mut bars = Vec::new();
    for (name, _, model) in record.models() {
        let features = model.features_seconds;
        let head = (model.total_seconds - features).max(0.0);
        let mut label = number::duration(model.total_seconds);
        if features > 0.0 {
            label += &format!(": features {}, head {}", number::duration(features), number::duration(head));
        }
        bars.push(Bar { name: name.to_owned(), ink: ink(name), parts: vec![(features, 0.5), (head, 1.0)], label });
    }
    if published::applies_to(record) {
        for (name, model) in [("model_1", MODEL_1), ("model_2", MODEL_2)] {
            bars.push(Bar {
                name: format!("{name}, published"),
                ink: Ink::Muted,
                parts: vec![(model.seconds, 0.45)],
                label: format!("{:.2}\u{a0}s on a GPU, {} epochs", model.seconds, model.last.0),
            });
        }
    }
    bars::draw(&format!("training time, {}", record.data.subject()), &bars)
}
