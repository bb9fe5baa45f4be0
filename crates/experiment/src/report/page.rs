//! The page: its head, the order of its sections, and what every section shares.

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{canvas::Svg, caveats, figures, networks, number, palette, pictures, published, results};
use crate::{
    path_text,
    record::{ClassPictures, DataKind, ReportPictures, RunRecord, TaskRecord},
};

pub(super) fn render(record: &RunRecord, pictures: &ReportPictures) -> String {
    let title = format!("Frozen-feature transfer on {}", record.data.kind.name());
    document(
        &title,
        "",
        &html! {
            p.kicker { "Thawline " (record.thawline) @if !record.environment.date.is_empty() { " · " (record.environment.date) } " · seed " (record.seed) }
            h1 { (title) }
            (notices(record))
            (results::lead(record))
            (results::table(record))
            (accuracy(record))
            (samples(record, pictures))
            (losses(record))
            (times(record))
            (results::confusion(record))
            (networks::section(record))
            (caveats::section(record))
            (reproduction(record))
        },
        &html! { "Written by Thawline " (record.thawline) " from summary.json, record format " (record.format) "." },
    )
}

/// A whole page that needs no other file, with styles beside those that all pages have.
pub(super) fn document(title: &str, styles: &str, main: &Markup, footer: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(palette::page_colors())) (PreEscaped(include_str!("style.css"))) (PreEscaped(styles)) }
            }
            body {
                main { (main) }
                footer { (footer) }
            }
        }
    }
    .into_string()
}

/// What a reader must not miss: pictures that are no photographs, weights that moved.
fn notices(record: &RunRecord) -> Markup {
    html! {
        @if record.data.kind == DataKind::BuiltIn {
            p.notice {
                strong { "These are built-in pictures, not CIFAR-10." } " " (record.data.sentence)
            }
        }
        @if !record.frozen_unchanged {
            p.notice {
                strong { "The frozen weights have changed." }
                " They must keep every bit; the hashes below tell which did not. The results of model_2 are void."
            }
        }
    }
}

pub(super) fn figure(plot: &Svg, caption: &Markup) -> Markup {
    html! { figure { div.scroll { (PreEscaped(plot.inline())) } figcaption { (caption) } } }
}

fn accuracy(record: &RunRecord) -> Markup {
    let caption = html! {
        "Accuracy by epoch: bold on the validation pictures, thin on the training pictures while dropout is on."
        @if published::applies_to(record) { " Rings are the tutorial's published validation accuracies, in their model's colour." }
    };
    html! { h2 { "Accuracy" } (figure(&figures::accuracy(record), &caption)) }
}

fn losses(record: &RunRecord) -> Markup {
    let caption = html! {
        "Mean cross-entropy by epoch: bold on the validation pictures, thin on the training pictures. Dropout makes "
        "training harder than validation; where the bold curve turns upwards, the model begins to learn its training "
        "pictures by heart."
    };
    html! { h2 { "Loss" } (figure(&figures::loss(record), &caption)) }
}

fn times(record: &RunRecord) -> Markup {
    let features = record.model_2.features_seconds > 0.0;
    let caption = html! {
        "Wall-clock time of training, validation after each epoch included."
        @if features { " The fainter part of model_2's bar computed the frozen features, once for all epochs." }
        @if published::applies_to(record) { " The published times come from another machine and tell nothing about this one." }
    };
    html! { h2 { "Training time" } (figure(&figures::time(record), &caption)) }
}

fn samples(record: &RunRecord, pictures: &ReportPictures) -> Markup {
    let half = |heading: &str, rows: &[ClassPictures], task: &TaskRecord| -> Markup {
        let description = pictures::describe(rows, record.data.kind);
        html! {
            @if let Some(png) = pictures::grid(rows, &description) {
                h3 { (heading) }
                figure {
                    div.pictures {
                        ol.names { @for row in rows { li { (row.class) } } }
                        img alt=(description) src={ "data:image/png;base64," (BASE64_STANDARD.encode(png)) };
                    }
                    figcaption {
                        (number::count(task.train_examples)) " training and "
                        (number::count(task.val_examples)) " validation pictures of these classes, 32 × 32 pixels each."
                    }
                }
            }
        }
    };
    html! {
        h2 { "The pictures" }
        p { (record.data.sentence) }
        @if let Some(source) = &record.source { (half("Source: what model_1 learned", &pictures.source, source)) }
        (half("Target: what model_2 learned", &pictures.target, &record.target))
    }
}

fn reproduction(record: &RunRecord) -> Markup {
    let environment = &record.environment;
    let data = &record.data;
    let mut facts = vec![
        ("processor", environment.cpu.clone()),
        ("threads", format!("{} of {} logical processors", environment.threads, environment.logical_cpus)),
        ("SIMD level", environment.simd.clone()),
    ];
    facts.extend(environment.memory_bytes.map(|bytes| ("memory", number::bytes(bytes))));
    facts.extend(record.peak_memory_bytes.map(|bytes| ("peak memory of the run", number::bytes(bytes))));
    facts.extend([
        ("system", environment.os.clone()),
        ("build", format!("{}, {}, {} profile", environment.rustc, environment.target, environment.profile)),
        (
            "data",
            format!(
                "{}, {}",
                data.kind.name(),
                if data.official { "official release" } else { "not the official release" }
            ),
        ),
    ]);
    facts.extend(data.path.as_ref().map(|path| ("data read from", path.clone())));
    facts.extend(data.sha256.as_ref().map(|hash| ("SHA-256 of the data", hash.clone())));
    html! {
        h2 { "Reproduce it" }
        pre { code { (command_line(&record.command)) } }
        p {
            "With the same data, seed, version and SIMD level, losses and accuracies come out the same to the last "
            "bit, for any number of threads. Times are this machine's."
        }
        div.scroll { table.facts { tbody { @for (name, value) in &facts { tr { th scope="row" { (name) } td { (value) } } } } } }
        details {
            summary { "Every setting of the run" }
            div.scroll { table.facts { tbody { (settings("", &record.config)) } } }
        }
    }
}

/// The command as a shell takes it.
pub(super) fn command_line(command: &[String]) -> String {
    command.iter().map(|word| path_text::quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Settings as rows, nested ones with dotted names.
pub(super) fn settings(name: &str, value: &serde_json::Value) -> Markup {
    html! {
        @match value {
            serde_json::Value::Object(fields) => @for (field, value) in fields {
                @let dotted = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                (settings(&dotted, value))
            },
            serde_json::Value::String(text) => tr { th scope="row" { (name) } td { (text) } },
            other => tr { th scope="row" { (name) } td { (other.to_string()) } },
        }
    }
}
