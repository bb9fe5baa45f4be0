//! The results of a run: the opening paragraphs, a function for each sentence or two; and the table below them.

use maud::{Markup, html};

use super::{
    figures, page,
    published::{self, MODEL_1, MODEL_2},
    table::{self, NOTHING, Row},
};
use crate::{
    record::{
        data::TaskRecord,
        run::{CONTROL, EpochRow, HeadStart, NetworkRecord, RunRecord},
        scores::wilson,
    },
    system::number,
};

/// The result, then what it rests on.
pub(super) fn lead(record: &RunRecord) -> Markup {
    let details = [head(record), pretraining(record), untrained(record), Some(time(record))];
    html! {
        p.lead { strong { (result(record)) } }
        p {
            @for sentence in details.iter().flatten() { (sentence) " " }
            @if !record.frozen.is_empty() {
                @if record.frozen_unchanged { "The frozen weights are bit-for-bit unchanged." }
                @else { strong { "The frozen weights have changed." } }
            }
        }
    }
}

fn result(record: &RunRecord) -> String {
    let TaskRecord { classes, val_examples: pictures, .. } = &record.target;
    let Some(last) = record.kept_epoch(&record.model_2) else { return "model_2 was not trained.".to_owned() };
    let right = (last.val_accuracy * *pictures as f64).round() as u64;
    let [low, high] = wilson(right, *pictures).map(|share| format!("{:.1}", share * 100.0));
    format!(
        "model_2 classifies {} of {} validation pictures of {} correctly after {} (95\u{a0}% confidence interval \
         for other pictures: {low} to {high}\u{a0}%; one seed).",
        number::percent_briefly(last.val_accuracy),
        number::count(*pictures),
        page::enumeration(classes.iter().map(|class| class.name.as_str())),
        number::counted(last.epoch as usize, "epoch"),
    )
}

fn head(record: &RunRecord) -> Option<String> {
    let NetworkRecord { trainable, frozen, .. } = &record.model_2.network;
    let [trainable, frozen] = [*trainable, *frozen].map(number::count);
    let head = match record.head {
        HeadStart::Fresh => "a new head",
        HeadStart::Warm => "a pretrained head, trained further",
    };
    let network = match &record.from {
        _ if record.frozen.is_empty() => format!("All of its {trainable} parameters were trained"),
        None => format!(
            "It is {head} ({trainable} parameters) on the first layers of model_1 ({frozen} parameters), which are frozen"
        ),
        Some(from) => {
            let classes = page::enumeration(from.classes.iter().map(String::as_str));
            format!(
                "It is {head} ({trainable} parameters) on frozen layers ({frozen} parameters) from {}, a model trained on {classes}",
                from.path
            )
        }
    };
    let first = number::percent_briefly(record.model_2.first()?.val_accuracy);
    Some(format!("{network}. After the first epoch it classified {first} correctly."))
}

fn pretraining(record: &RunRecord) -> Option<String> {
    let (last, source) = (record.kept_epoch(record.model_1.as_ref()?)?, record.source.as_ref()?);
    Some(format!(
        "model_1, with every layer trained, classifies {} of {} validation pictures of {} correctly after {}.",
        number::percent_briefly(last.val_accuracy),
        number::count(source.val_examples),
        page::enumeration(source.classes.iter().map(|class| class.name.as_str())),
        number::counted(last.epoch as usize, "epoch"),
    ))
}

/// The control. The difference does not measure what pretraining adds: on features at their initial scale the head may
/// have hardly begun to learn.
fn untrained(record: &RunRecord) -> Option<String> {
    let last = record.kept_epoch(record.frozen_random.as_ref()?)?;
    Some(format!(
        "The same head on untrained features (frozen-random) reaches {}; guessing gives {}. Those features have a different scale, on which a head learns more slowly, so the \
         difference does not say how much pretraining adds.",
        number::percent_briefly(last.val_accuracy),
        number::percent_briefly(1.0 / record.target.classes.len() as f64),
    ))
}

fn time(record: &RunRecord) -> String {
    let two = record.model_2.total_seconds;
    match &record.model_1 {
        None => format!("Training took {}, not counting the pretraining of the features.", number::duration(two)),
        Some(one) => format!(
            "Training took {} for model_1 and {} for model_2, together {}.",
            number::duration(one.total_seconds),
            number::duration(two),
            number::duration(one.total_seconds + two)
        ),
    }
}

/// First, best and last validation accuracy, time and speed of each model; below it, what was published.
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
