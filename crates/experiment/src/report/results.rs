//! The results in words and numbers: the opening paragraph, the table of epochs, the confusion matrix.

use maud::{Markup, html};

use super::{
    number,
    published::{self, Published},
};
use crate::record::{ConfusionMatrix, EpochRow, HeadStart, ModelRecord, RunRecord, TaskRecord};

/// What happened, in a paragraph with the numbers in it.
pub(super) fn lead(record: &RunRecord) -> Markup {
    let two = &record.model_2;
    let classes = |task: &TaskRecord| number::listed(task.classes.iter().map(|class| class.name.as_str()));
    html! {
        p.lead {
            @if let (Some(one), Some(source)) = (&record.model_1, &record.source) {
                @if let (Some(last), Some(best)) = (one.last(), one.best()) {
                    strong.model-1 { "model_1" } " learned to tell " (classes(source)) " apart. After "
                    (epochs(last.epoch)) " it was right on " (number::percent_briefly(last.val_accuracy)) " of "
                    (number::count(source.val_examples)) " pictures that it had not been trained on"
                    @if best.epoch != last.epoch { " (at its best, after epoch " (best.epoch) ", " (number::percent_briefly(best.val_accuracy)) ")" }
                    ". "
                }
            }
            @if let Some(from) = &record.from {
                "The first layers, " (number::count(two.network.frozen)) " weights, came from " code { (from.path) }
                ", a model for " (number::listed(from.classes.iter().map(String::as_str)))
                ", and were held fixed. Then "
            } @else if record.frozen.is_empty() { "Nothing was frozen, and " } @else {
                "Its first layers, " (number::count(two.network.frozen)) " weights, were then frozen, and "
            }
            @match record.head { HeadStart::Fresh => "a new head", HeadStart::Warm => "its head" }
            " of " (number::count(two.network.trainable)) " weights "
            @match record.head { HeadStart::Fresh => "learned ", HeadStart::Warm => "went on to learn " }
            (classes(&record.target)) " on top of them: " strong.model-2 { "model_2" } " was right on "
            @if let (Some(first), Some(last)) = (two.first(), two.last()) {
                (number::percent_briefly(first.val_accuracy)) " of " (number::count(record.target.val_examples))
                " pictures after its first epoch"
                @if last.epoch > first.epoch { " and on " (number::percent_briefly(last.val_accuracy)) " after " (epochs(last.epoch)) }
            }
            ". Training took "
            @if let Some(one) = &record.model_1 { (number::seconds(one.total_seconds)) " for model_1 and " }
            (number::seconds(two.total_seconds)) " for model_2"
            @if let Some(times) = record.model_1.as_ref().and_then(|one| faster(one, two)) { ", " (times) " times less" }
            ". The frozen weights "
            @if record.frozen_unchanged { "kept every bit." } @else { strong { "did not keep their bits." } }
        }
    }
}

fn epochs(number: u32) -> String {
    if number == 1 { "one epoch".to_owned() } else { format!("{number} epochs") }
}

/// How many times less model_2 took for the same number of epochs, where it was less.
fn faster(one: &ModelRecord, two: &ModelRecord) -> Option<String> {
    let comparable = one.history.len() == two.history.len() && one.total_seconds > two.total_seconds;
    comparable.then(|| number::times(one.total_seconds, two.total_seconds)).flatten()
}

/// First, best and last validation accuracy and the time, ours above the published.
pub(super) fn table(record: &RunRecord) -> Markup {
    let published = published::applies_to(record);
    let rows = record.models().map(|(name, _, model)| match name {
        "model_1" => (name, "model-1", model, published::MODEL_1),
        _ => (name, "model-2", model, published::MODEL_2),
    });
    html! {
        div.scroll { table {
            thead { tr {
                th.left scope="col" { "validation accuracy" }
                th scope="col" { "first epoch" }
                th scope="col" { "best epoch" }
                th scope="col" { "last epoch" }
                th scope="col" { "training time" }
                th scope="col" { "pictures/s" }
            } }
            tbody { @for (name, class, model, theirs) in rows {
                tr {
                    th scope="row" class=(class) { (name) }
                    td { (model.first().map_or_else(absent, |row| number::percent(row.val_accuracy))) }
                    td { (model.best().map_or_else(absent, at_epoch)) }
                    td { (model.last().map_or_else(absent, at_epoch)) }
                    td { (number::seconds(model.total_seconds)) }
                    td { (number::count(model.images_per_second.round() as u64)) }
                }
                @if published { (published_row(name, &theirs)) }
            } }
        } }
    }
}

fn published_row(name: &str, theirs: &Published) -> Markup {
    let at = |(epoch, accuracy): (u32, f64)| format!("{} ({epoch})", number::percent(accuracy));
    html! {
        tr.quiet {
            th scope="row" { (name) ", published" }
            td { (theirs.first.map_or_else(absent, number::percent)) }
            td { (theirs.best.map_or_else(absent, at)) }
            td { (at(theirs.last)) }
            td { (format!("{:.2}\u{a0}s", theirs.seconds)) ", GPU" }
            td { (absent()) }
        }
    }
}

fn at_epoch(row: &EpochRow) -> String {
    format!("{} ({})", number::percent(row.val_accuracy), row.epoch)
}

fn absent() -> String {
    "–".to_owned()
}

/// What model_2 took the validation pictures for.
pub(super) fn confusion(record: &RunRecord) -> Markup {
    html! {
        h2 { "What model_2 mistakes for what" }
        figure {
            (confusion_table(&record.model_2.confusion))
            figcaption {
                "Validation pictures by their class (rows) and by what model_2 took them for after its last epoch (columns). "
                "The shade is the square root of a cell's share of its row."
            }
        }
    }
}

pub(super) fn confusion_table(matrix: &ConfusionMatrix) -> Markup {
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    html! {
        div.scroll { table.confusion {
            thead { tr {
                th.corner { "true ↓ taken for →" }
                @for class in &matrix.classes { th scope="col" { (class) } }
                th.corner { "right" }
            } }
            tbody { @for ((t, class), row) in matrix.classes.iter().enumerate().zip(&matrix.counts) {
                @let total = row.iter().sum::<u64>();
                tr {
                    th scope="row" { (class) }
                    // The root spreads the small shares, where the mistakes are.
                    @for &count in row { td style=(format!("--shade:{:.3}", share(count, total).sqrt())) { (number::count(count)) } }
                    td.recall { (number::percent_briefly(share(row.get(t).copied().unwrap_or(0), total))) }
                }
            } }
        } }
    }
}
