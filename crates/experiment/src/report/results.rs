//! The results of a run: the opening paragraph, and the table of epochs.

use maud::{Markup, html};

use super::{
    figures,
    published::{self, MODEL_1, MODEL_2},
    table::{self, NOTHING, Row},
};
use crate::{
    record::run::{CONTROL, EpochRow, HeadStart, ModelRecord, RunRecord, TaskRecord},
    system::number,
};

/// The results in one paragraph, with the numbers.
pub(super) fn lead(record: &RunRecord) -> Markup {
    let two = &record.model_2;
    let classes = |task: &TaskRecord| number::listed(task.classes.iter().map(|class| class.name.as_str()));
    html! {
        p.lead {
            @if let (Some(one), Some(source)) = (&record.model_1, &record.source) {
                @if let (Some(last), Some(best)) = (one.last(), one.best()) {
                    strong { "model_1" } " learned to recognise " (classes(source)) ". After "
                    (number::counted(last.epoch as usize, "epoch")) " it classified " (number::percent_briefly(last.val_accuracy))
                    " of " (number::count(source.val_examples)) " unseen pictures correctly"
                    @if best.epoch != last.epoch { " (at its best, after epoch " (best.epoch) ", " (number::percent_briefly(best.val_accuracy)) ")" }
                    ". "
                }
            }
            @if let Some(from) = &record.from {
                "The first layers, " (number::count(two.network.frozen)) " weights, came from " code { (from.path) }
                ", a model for " (number::listed(from.classes.iter().map(String::as_str))) ", and stayed frozen. On top of them, "
            } @else if record.frozen.is_empty() { "Nothing was frozen, and " } @else {
                "Its first layers, " (number::count(two.network.frozen)) " weights, were then frozen, and on top of them "
            }
            @match record.head { HeadStart::Fresh => "a new head", HeadStart::Warm => "its head" }
            " of " (number::count(two.network.trainable)) " weights learned to recognise " (classes(&record.target)) ": "
            strong { "model_2" } " classified "
            @if let (Some(first), Some(last)) = (two.first(), two.last()) {
                (number::percent_briefly(first.val_accuracy)) " of " (number::count(record.target.val_examples))
                " unseen pictures correctly after its first epoch"
                @if last.epoch > first.epoch {
                    " and " (number::percent_briefly(last.val_accuracy)) " after " (number::counted(last.epoch as usize, "epoch"))
                }
            }
            ". "
            (control(record))
            "Training took "
            @if let Some(one) = &record.model_1 { (number::duration(one.total_seconds)) " for model_1 and " }
            (number::duration(two.total_seconds)) " for model_2"
            @if let Some(times) = record.model_1.as_ref().and_then(|one| faster(one, two)) { ", " (times) " times faster" }
            ". "
            @if record.frozen_unchanged { "The frozen weights are bit-for-bit unchanged." }
            @else { strong { "The frozen weights have changed." } }
        }
    }
}

/// The accuracy of the same head on untrained features. The difference does not measure what pretraining adds: on
/// features at their initial scale the head may have hardly begun to learn.
fn control(record: &RunRecord) -> Markup {
    let last = record.frozen_random.as_ref().and_then(ModelRecord::last);
    html! {
        @if let Some(untrained) = last {
            "The same head on untrained features reaches " (number::percent_briefly(untrained.val_accuracy))
            ". Those features have a different scale, on which a head learns more slowly, so the difference does not say how much \
             pretraining adds. "
        }
    }
}

/// How many times faster model_2 was trained, if it was faster and had as many epochs.
fn faster(one: &ModelRecord, two: &ModelRecord) -> Option<String> {
    let ratio = one.total_seconds / two.total_seconds;
    let decimals = usize::from(ratio < 9.95);
    (one.history.len() == two.history.len() && ratio > 1.0 && ratio.is_finite()).then(|| format!("{ratio:.decimals$}"))
}

/// First, best and last validation accuracy and the time; the published ones below.
pub(super) fn table(record: &RunRecord) -> Markup {
    let at = |(epoch, accuracy): (u32, f64)| format!("{} ({epoch})", number::percent(accuracy));
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let of_row = |row: Option<&EpochRow>| or_nothing(row.map(|row| at((row.epoch, row.val_accuracy))));
    let mut rows: Vec<Row> = Vec::new();
    for (name, _, model) in record.models() {
        let cells = vec![
            name.to_owned(),
            or_nothing(model.first().map(|row| number::percent(row.val_accuracy))),
            of_row(model.best()),
            of_row(model.last()),
            number::duration(model.total_seconds),
            if record.unfinished { NOTHING.to_owned() } else { number::count(model.images_per_second.round() as u64) },
        ];
        rows.push((figures::ink(name).name(), cells));
        if published::applies_to(record) && name != CONTROL {
            let theirs = if name == "model_1" { MODEL_1 } else { MODEL_2 };
            let cells = vec![
                format!("{name}, published"),
                or_nothing(theirs.first.map(number::percent)),
                or_nothing(theirs.best.map(at)),
                at(theirs.last),
                format!("{:.2}\u{a0}s, GPU", theirs.seconds),
                NOTHING.to_owned(),
            ];
            rows.push(("quiet", cells));
        }
    }
    let head = ["validation accuracy", "first epoch", "best epoch", "last epoch", "training time", "pictures/s"];
    table::table(1, &head, rows)
}
