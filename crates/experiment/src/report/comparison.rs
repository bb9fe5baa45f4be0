//! A comparison of runs: their curves in one plot, their results, and the settings in which they differ.

use std::collections::BTreeSet;

use maud::html;

use super::{
    curves::{Chart, Measure},
    page,
    palette::{CURVES, Ink},
    svg::Plot,
    table::{NOTHING, Row, table},
};
use crate::{
    record::run::{CONTROL, EpochRow, ModelRecord, RunRecord},
    system::number,
};

/// The page that compares these runs, each with its name.
pub fn comparison(runs: &[(String, RunRecord)], note: Option<&str>, times: bool) -> String {
    let kinds: BTreeSet<&str> = runs.iter().map(|(_, run)| run.data.subject()).collect();
    let validated_on = |run: &RunRecord| (run.data.sha256.clone(), run.target.classes.clone(), run.target.val_examples);
    let same_data = runs.windows(2).all(|pair| validated_on(&pair[0].1) == validated_on(&pair[1].1));
    let figure = |name: &str, measure, title: &str, caption: &str| {
        let plot = chart(runs, name, measure, title);
        html! { @if let Some(plot) = plot { (page::figure(&plot, caption)) } }
    };
    let main = html! {
        @if !same_data {
            (page::notice("Different pictures or target classes.", "The accuracies of these runs cannot be compared."))
        }
        @if let Some(note) = note { p { (note) } }
        (results(runs, times))
        p.note {
            "In parentheses: the epoch."
            @if runs.iter().any(|(_, run)| run.frozen_random.is_some()) { " " (CONTROL) ": the same head on untrained features." }
        }
        (page::caveat("One seed each.", html! {
            "Another seed gives somewhat different accuracies, so a small difference may be chance. " code { "thawline sweep" }
            " makes comparisons over many seeds."
        }))
        h2 { "Settings that differ" }
        (settings(runs))
        h2 { "Curves" }
        (figure("model_2", Measure::Accuracy, "validation accuracy of model_2 in %", "Validation accuracy of model_2 by epoch."))
        (figure("model_2", Measure::Loss, "validation loss of model_2", "Mean cross-entropy of model_2 on the validation pictures."))
        (figure("model_1", Measure::Accuracy, "validation accuracy of model_1 in %", "Validation accuracy of model_1 by epoch."))
    };
    let kicker = format!("{} on {}", number::counted(runs.len(), "run"), page::enumeration(kinds));
    let footer = format!("Written by Thawline {} from the runs' summary.json.", env!("CARGO_PKG_VERSION"));
    page::document("Runs compared", &kicker, &main, &footer)
}

fn model<'a>(run: &'a RunRecord, name: &str) -> Option<&'a ModelRecord> {
    run.models().find(|model| model.0 == name).map(|(_, _, model)| model)
}

/// The validation curves of one model, for all runs that have it.
fn chart(runs: &[(String, RunRecord)], name: &str, measure: Measure, title: &str) -> Option<Plot> {
    let curve = |((run_name, run), &ink): (&(String, RunRecord), &Ink)| {
        Some(measure.validation(run_name, ink, &model(run, name)?.history))
    };
    let curves: Vec<_> = runs.iter().zip(CURVES.iter().cycle()).filter_map(curve).collect();
    (!curves.is_empty()).then(|| Chart::by_epoch(title.to_owned(), measure, curves).draw())
}

fn results(runs: &[(String, RunRecord)], times: bool) -> maud::Markup {
    let mut head = vec!["validation accuracy", "model_1", "model_2, first epoch", "model_2, final weights", CONTROL];
    head.extend(times.then_some("training time of model_2"));
    let percent = |row: Option<&EpochRow>| {
        row.map_or_else(|| NOTHING.to_owned(), |row| format!("{} ({})", number::percent(row.val_accuracy), row.epoch))
    };
    let rows = runs.iter().zip(CURVES.iter().cycle()).map(|((name, run), ink)| -> Row {
        let kept = |name: &str| percent(model(run, name).and_then(|model| run.kept_epoch(model)));
        let mut cells =
            vec![name.clone(), kept("model_1"), percent(run.model_2.first()), kept("model_2"), kept(CONTROL)];
        cells.extend(times.then(|| number::duration(run.model_2.total_seconds)));
        (ink.name(), cells)
    });
    table(1, &head, rows)
}

/// The settings that differ between runs.
fn settings(runs: &[(String, RunRecord)]) -> maud::Markup {
    let of_runs: Vec<Vec<(String, String)>> = runs.iter().map(|(_, run)| page::settings("", &run.config)).collect();
    let names: BTreeSet<&str> = of_runs.iter().flatten().map(|(name, _)| name.as_str()).collect();
    let value = |of_run: &Vec<(String, String)>, name: &str| {
        of_run.iter().find(|setting| setting.0 == name).map_or_else(|| NOTHING.to_owned(), |(_, value)| value.clone())
    };
    let rows = names.into_iter().filter_map(|name| -> Option<Row> {
        let values: Vec<String> = of_runs.iter().map(|of_run| value(of_run, name)).collect();
        let differ = values.windows(2).any(|pair| pair[0] != pair[1]);
        differ.then(|| ("", std::iter::once(name.to_owned()).chain(values).collect()))
    });
    let rows: Vec<Row> = rows.collect();
    let head: Vec<&str> = std::iter::once("setting").chain(runs.iter().map(|(name, _)| name.as_str())).collect();
    html! { @if rows.is_empty() { p { "None." } } @else { (table(1, &head, rows)) } }
}
