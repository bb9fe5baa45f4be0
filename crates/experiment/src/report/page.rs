//! What all pages share: the frame, figures with captions, notices, caveats, wrong predictions, and the commands that
//! reproduce the page.

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};
use serde_json::Value;

use super::{palette, svg::Plot};
use crate::{
    data::png,
    record::pictures::Contributions,
    system::{machine::Environment, number, path_text},
};

/// A complete page that needs no other file.
pub(super) fn document(title: &str, kicker: &str, main: &Markup, footer: &str) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(palette::page_colors())) (PreEscaped(include_str!("style.css"))) }
            }
            body {
                main { p.kicker { (kicker) } h1 { (title) } (main) }
                footer { (footer) }
            }
        }
    }
    .into_string()
}

/// Version, date and seed of a run.
pub(super) fn kicker(version: &str, environment: &Environment, seed: u64) -> String {
    let date = if environment.date.is_empty() { String::new() } else { format!(" · {}", environment.date) };
    format!("Thawline {version}{date} · seed {seed}")
}

/// A notice that a reader must not miss.
pub(super) fn notice(strong: &str, text: &str) -> Markup {
    html! { p.notice { strong { (strong) } " " (text) } }
}

pub(super) fn built_in_notice(sentence: &str) -> Markup {
    notice("These are built-in pictures, not CIFAR-10.", sentence)
}

/// A numbered figure.
pub(super) fn figure(plot: &Plot, caption: &str) -> Markup {
    html! { figure.plot { (plot.inline()) figcaption { (caption) } } }
}

/// A caveat, next to the claim that it limits.
pub(super) fn caveat(heading: &str, text: impl Render) -> Markup {
    html! { p.caveat { strong { (heading) } " " (text) } }
}

/// Links to the files with the same numbers.
pub(super) fn data_files(names: &[&str]) -> Markup {
    html! { p.note { "Data: " @for (index, name) in names.iter().enumerate() { @if index > 0 { ", " } a href=(name) { (name) } } "." } }
}

/// A PNG as the source of an image.
pub(super) fn image(png: &[u8]) -> String {
    image_of_base64(&BASE64_STANDARD.encode(png))
}

pub(super) fn image_of_base64(png: &str) -> String {
    format!("data:image/png;base64,{png}")
}

pub(super) struct Mistake<'a> {
    pub class: &'a str,
    pub predicted: &'a str,
    pub probability: f64,
    /// The picture, as PNG in base64.
    pub picture: &'a str,
    /// Which picture it is.
    pub origin: String,
    pub file_name: Option<&'a str>,
    /// What supports the predicted class.
    pub map: Option<&'a Contributions>,
}

pub(super) fn mistakes<'a>(mistakes: impl IntoIterator<Item = Mistake<'a>>) -> Markup {
    html! {
        div.mistakes { @for mistake in mistakes {
            figure {
                img alt={ (mistake.origin) ", " (mistake.class) } title=(mistake.origin) src=(image_of_base64(mistake.picture));
                @if let Some(map) = mistake.map {
                    (heat(mistake.picture, map, &format!("what supports {}", mistake.predicted)))
                }
                figcaption {
                    (mistake.class) ", predicted " strong { (mistake.predicted) } " (" (number::certainty(mistake.probability)) ")"
                    @if let Some(name) = mistake.file_name { br; span.file { (name) } }
                }
            }
        } }
    }
}

/// A heat map of what each position adds to a logit, over the picture (a PNG in base64), which is shown in grey.
pub(super) fn heat(picture: &str, map: &Contributions, description: &str) -> Markup {
    html! {
        div.heat {
            img alt="" src=(image_of_base64(picture));
            img alt=(description) title=(description) src=(image(&png::heat(map)));
        }
    }
}

/// The caveats of the whole page: whether each applies, its heading (which may be empty) and its text.
pub(super) fn caveats<'a>(caveats: impl IntoIterator<Item = (bool, &'a str, String)>) -> Markup {
    html! {
        h2 { "What this does not show" }
        ul { @for (_, heading, text) in caveats.into_iter().filter(|caveat| caveat.0) {
            li { @if !heading.is_empty() { strong { (heading) } " " } (text) }
        } }
    }
}

/// The machine and the build.
pub(super) fn machine(machine: &Environment) -> String {
    let Environment { cpu, threads, logical_cpus, simd, os, rustc, target, profile, .. } = machine;
    let memory = machine.memory_bytes.map_or_else(String::new, |bytes| format!(", {}", number::bytes(bytes)));
    format!(
        "{cpu}, {threads} of {logical_cpus} logical CPUs, {simd}{memory}, {os}; {rustc}, {target}, {profile} profile"
    )
}

/// At which SIMD levels the results have the same bits, as the end of a sentence.
pub(super) fn same_bits(simd: &str) -> &'static str {
    if simd == "portable" {
        "but only at the SIMD level portable: the others round differently"
    } else {
        "at every SIMD level but portable, which rounds differently"
    }
}

/// `cat, dog and ship`; for more than ten names `50 classes`.
pub(super) fn enumeration<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [] => "no classes".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] if names.len() <= 10 => format!("{} and {last}", first.join(", ")),
        many => format!("{} classes", many.len()),
    }
}

/// The commands that give the same page, and what will be the same.
pub(super) fn reproduction(commands: &[String], same: &str) -> Markup {
    html! {
        h2 { "Reproduce it" }
        @if !commands.is_empty() { pre { code { (commands.join("\n")) } } }
        p { (same) }
    }
}

/// A command as a shell takes it.
pub(super) fn command_line(words: &[String]) -> String {
    // Commas, `=` and `%` need no quotes, although `shlex` gives them some.
    let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./,@=:+%".contains(c));
    let quoted = |word: &String| if is_plain(word) { word.clone() } else { path_text::quoted(word) };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// Settings one by one, nested ones with dotted names.
pub(super) fn settings(name: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(field, value)| {
                settings(&if name.is_empty() { field.clone() } else { format!("{name}.{field}") }, value)
            })
            .collect(),
        Value::String(text) => vec![(name.to_owned(), text.clone())],
        other => vec![(name.to_owned(), other.to_string())],
    }
}
