//! The report of an adaptation: how well a new head tells a user's own pictures apart, and where it errs.

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{Markup, html};

use super::{
    canvas::Svg,
    curves::{self, Axis, Chart, Curve},
    networks, number, page,
    palette::Ink,
    results,
};
use crate::{
    adaptation::{Adaptation, Mistake},
    png,
    record::EpochRow,
};

/// The most mistakes that are shown.
const MISTAKES: usize = 36;

/// The whole page.
pub(super) fn render(record: &Adaptation, mistakes: &[Mistake]) -> String {
    let title = match record.classes.len() {
        few @ ..=6 => {
            format!("Telling {} apart", number::listed(record.classes[..few].iter().map(|class| class.name.as_str())))
        }
        many => format!("Telling {many} classes of pictures apart"),
    };
    page::document(
        &title,
        "",
        &html! {
            p.kicker { "Thawline " (record.thawline) @if !record.environment.date.is_empty() { " · " (record.environment.date) } " · seed " (record.config.seed) }
            h1 { (title) }
            @if !record.frozen_unchanged {
                p.notice { strong { "The frozen weights have changed." } " They must keep every bit: this model is void." }
            }
            (lead(record))
            (classes(record))
            h2 { "Accuracy" }
            (page::figure(&accuracy(record), &html! {
                "Accuracy by epoch: bold on the pictures kept back, thin on those learned from, while dropout is on."
            }))
            h2 { "Loss" }
            (page::figure(&loss(record), &html! {
                "Mean cross-entropy by epoch. Where the bold curve turns upwards, the head begins to learn its pictures by heart."
            }))
            h2 { "What it mistakes for what" }
            figure {
                (results::confusion_table(&record.model.confusion))
                figcaption {
                    "The pictures kept back, by their class (rows) and by what they were taken for (columns). The shade is "
                    "the square root of a cell's share of its row."
                }
            }
            (worst(record, mistakes))
            h2 { "The network" }
            (networks::summary(&record.model.network))
            (caveats(record))
            (reproduction(record))
        },
        &html! { "Written by Thawline " (record.thawline) "." },
    )
}

/// How many pictures were kept back and how many of them were right, by class.
fn diagonal(record: &Adaptation) -> impl Iterator<Item = (u64, u64)> {
    record.model.confusion.counts.iter().enumerate().map(|(class, row)| (row[class], row.iter().sum()))
}

fn lead(record: &Adaptation) -> Markup {
    let (right, all) = diagonal(record).fold((0, 0), |(right, all), (r, a)| (right + r, all + a));
    html! {
        p.lead {
            "Behind the frozen features of a model for " (number::listed(record.features.classes.iter().map(String::as_str)))
            ", a new head of " (number::count(record.model.network.trainable)) " weights learned from "
            (number::count(record.training())) " pictures in " (number::seconds(record.model.total_seconds)) ". Of "
            (number::count(all)) " pictures kept back, it is right on " (number::count(right)) ": "
            strong.model-2 { (number::percent_briefly(share(right, all))) } ". Guessing would give "
            (number::percent_briefly(1.0 / record.classes.len() as f64)) "."
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn classes(record: &Adaptation) -> Markup {
    let skipped = record.classes.iter().any(|class| class.skipped > 0);
    html! {
        div.scroll { table {
            thead { tr {
                th.left scope="col" { "class" }
                th scope="col" { "learned from" }
                th scope="col" { "kept back" }
                th scope="col" { "of these, right" }
                @if skipped { th scope="col" { "skipped" } }
            } }
            tbody { @for (class, (right, all)) in record.classes.iter().zip(diagonal(record)) { tr {
                th scope="row" { (class.name) }
                td { (number::count(class.training)) }
                td { (number::count(class.validation)) }
                td { (number::count(right)) " (" (number::percent_briefly(share(right, all))) ")" }
                @if skipped { td { (number::count(class.skipped)) } }
            } } }
        } }
        @if skipped {
            p { "Files were skipped that are no pictures, or damaged; " code { "pictures.csv" } " says why, for each." }
        }
    }
}

fn accuracy(record: &Adaptation) -> Svg {
    let curves = both(record, |row| row.val_accuracy, |row| row.accuracy, |share| format!("{:.1}", share * 100.0));
    let lowest = curves.iter().flat_map(|curve| &curve.points).map(|at| at.1).fold(1.0, f64::min);
    chart(
        record,
        "accuracy in %",
        ((lowest * 10.0).floor() / 10.0).min(0.9)..1.0,
        |value| format!("{:.0}", value * 100.0),
        curves,
    )
}

fn loss(record: &Adaptation) -> Svg {
    let curves = both(record, |row| row.val_loss, |row| row.loss, |loss| format!("{loss:.3}"));
    let highest = curves.iter().flat_map(|curve| &curve.points).map(|at| at.1).fold(0.0, f64::max);
    chart(
        record,
        "loss (cross-entropy)",
        0.0..if highest > 0.0 { highest * 1.05 } else { 1.0 },
        |value| format!("{value:.1}"),
        curves,
    )
}

fn both(
    record: &Adaptation,
    validation: fn(&EpochRow) -> f64,
    training: fn(&EpochRow) -> f64,
    label: fn(f64) -> String,
) -> Vec<Curve> {
    let curve = |(name, value, main): (&str, fn(&EpochRow) -> f64, bool)| {
        let points: Vec<_> = record.model.history.iter().map(|row| (f64::from(row.epoch), value(row))).collect();
        let last = points.last().map_or(String::new(), |&(_, last)| label(last));
        Curve { name: format!("{name} {last}"), ink: Ink::Model2, main, points, band: Vec::new() }
    };
    [("kept back", validation, true), ("learned from", training, false)].map(curve).into()
}

fn chart(
    record: &Adaptation,
    title: &str,
    y: std::ops::Range<f64>,
    y_label: fn(f64) -> String,
    curves: Vec<Curve>,
) -> Svg {
    let ends = curves.iter().map(|curve| curve.name.as_str()).collect::<Vec<_>>().join(", ");
    curves::draw(&Chart {
        title: title.to_owned(),
        description: format!("{title} by epoch; after epoch {}: {ends}.", record.model.history.len()),
        x: Axis::epochs(&curves),
        y,
        y_label,
        curves,
        marks: Vec::new(),
        marks_name: "",
    })
}

/// The mistakes that the network was surest of, as it saw them.
fn worst(record: &Adaptation, mistakes: &[Mistake]) -> Markup {
    html! {
        h2 { "Its worst mistakes" }
        @if mistakes.is_empty() {
            p { "There are none: all " (number::count(record.validation())) " pictures kept back were told right." }
        } @else {
            p {
                @if mistakes.len() > MISTAKES {
                    "The " (MISTAKES) " of " (number::count(mistakes.len() as u64)) " that it was surest of, as it saw them."
                } @else {
                    "All of them, as it saw them, the surest first."
                }
                " Perhaps some lie in the wrong folder."
            }
            div.mistakes { @for mistake in mistakes.iter().take(MISTAKES) {
                figure {
                    img alt={ (mistake.file) ", " (mistake.class) } title=(mistake.file)
                        src={ "data:image/png;base64," (BASE64_STANDARD.encode(png::picture(&mistake.pixels))) };
                    figcaption {
                        (mistake.class) ", taken for " strong { (mistake.predicted) } " with "
                        (number::percent_of_certainty(f64::from(mistake.probability))) br;
                        span.file { (mistake.file.rsplit(['/', '\\']).next().unwrap_or_default()) }
                    }
                }
            } }
        }
    }
}

fn caveats(record: &Adaptation) -> Markup {
    let few = record.validation() < 200;
    html! {
        h2 { "What this does not show" }
        ul {
            @if few {
                li {
                    strong { "Few pictures." } " Of " (number::count(record.validation())) " pictures kept back, one more or "
                    "less is " (number::percent_briefly(share(1, record.validation())))
                    ": another " code { "--seed" } " gives another accuracy."
                }
            }
            @if record.twins > 0 {
                li {
                    strong { "The same picture twice." } " " (number::count(record.twins)) " of the pictures kept back are "
                    "among those learned from too, which flatters the accuracy."
                }
            }
            li {
                strong { "32 × 32 pixels." } " The network sees the middle square of each picture, as small as that. "
                " What cannot be told there, it cannot tell."
            }
            li {
                strong { "No other classes." } " Shown a picture of something else, it will still name one of these classes, "
                "perhaps with a high probability."
            }
        }
    }
}

fn reproduction(record: &Adaptation) -> Markup {
    let environment = &record.environment;
    let facts = [
        ("processor", format!("{}, {} threads, {}", environment.cpu, environment.threads, environment.simd)),
        ("build", format!("{}, {}, {} profile", environment.rustc, environment.target, environment.profile)),
        ("features", format!("{}, SHA-256 {}", record.config.from, record.features.sha256)),
    ];
    html! {
        h2 { "Reproduce it" }
        pre { code { (page::command_line(&record.command)) } }
        p { "With the same pictures, features, seed, version and SIMD level, every number comes out the same, times excepted." }
        div.scroll { table.facts { tbody {
            @for (name, value) in &facts { tr { th scope="row" { (name) } td { (value) } } }
            @if let Ok(settings) = serde_json::to_value(&record.config) { (page::settings("", &settings)) }
        } } }
    }
}
