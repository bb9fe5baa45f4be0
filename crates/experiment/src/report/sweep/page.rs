//! The page: its head and the order of its sections.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    super::{canvas::Svg, number, palette},
    Options,
    analysis::Analysis,
    answer::{self, plural},
    caveats, differences, pictures, plots, tables,
};
use crate::{
    arms::Stage,
    record::{ClassRecord, DataKind},
    sweep::settings::Settings,
};

pub(super) fn render(analysis: &Analysis, options: &Options) -> String {
    let settings = &analysis.results.settings;
    let title = format!("What transfer is worth on {}", settings.data.kind.name());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style {
                    (PreEscaped(palette::page_colors()))
                    (PreEscaped(include_str!("../style.css")))
                    (PreEscaped(include_str!("style.css")))
                }
            }
            body {
                main {
                    p.kicker { (kicker(analysis)) }
                    h1 { (title) }
                    @if settings.data.kind == DataKind::BuiltIn {
                        p.notice { strong { "These are built-in pictures, not CIFAR-10." } " " (settings.data.sentence) }
                    }
                    (answer::lead(analysis))
                    (curves(analysis))
                    h2 { "Every arm" }
                    (tables::arms(analysis))
                    (protocol(settings))
                    (differences(analysis))
                    (samples(analysis))
                    (depth(analysis))
                    (time(analysis))
                    h2 { "Speed and calibration" }
                    (tables::speed(analysis))
                    (speed_note(analysis))
                    (tables::tutorial(analysis))
                    (tables::classes(analysis))
                    (tables::confusion(analysis))
                    (pictures::mistakes(analysis))
                    (pictures::filters(analysis))
                    (caveats::section(analysis, options))
                    (reproduction(analysis))
                }
                footer { "Written by Thawline " (settings.thawline) " from " (analysis.results.records.len()) " job records of format " (settings.format) "." }
            }
        }
    }
    .into_string()
}

fn kicker(analysis: &Analysis) -> String {
    let settings = &analysis.results.settings;
    let arms = analysis.arms.iter().filter(|figures| figures.arm.stage == Stage::Transfer).count();
    let seeds: BTreeSet<u64> = analysis.results.records.iter().map(|record| record.seed).collect();
    let jobs = analysis.results.records.len();
    format!(
        "Thawline {} · {arms} arm{}, {} seed{}, {jobs} trainings of {} epoch{}",
        settings.thawline,
        plural(arms),
        seeds.len(),
        plural(seeds.len()),
        settings.epochs,
        plural(settings.epochs)
    )
}

fn figure(plot: Option<Svg>, caption: &Markup) -> Markup {
    html! { @if let Some(plot) = plot { figure { div.scroll { (PreEscaped(plot.inline())) } figcaption { (caption) } } } }
}

fn curves(analysis: &Analysis) -> Markup {
    let caption = html! {
        "Accuracy on the held-out validation pictures by epoch: the mean over seeds, with its 95 % t-interval as a band."
    };
    let others = html! { "The other arms that learn the target classes, with " code { "frozen" } " to compare." };
    html! {
        h2 { "How they learn" }
        (figure(plots::accuracy(analysis), &caption))
        (figure(plots::other_accuracy(analysis), &others))
        @if let Some(loss) = plots::loss(analysis) {
            details { summary { "Validation loss" } (figure(Some(loss), &html! { "Mean cross-entropy on the validation pictures." })) }
        }
    }
}

fn protocol(settings: &Settings) -> Markup {
    html! {
        p.note {
            "Test accuracy after " (settings.epochs) " epoch" (plural(settings.epochs)) ", declared before the sweep; the test set was "
            "scored once. All that happens on the way (first epoch, mean of all epochs) is measured on the last tenth of each class's "
            "training pictures, which nothing learned from. ± is half the width of a 95 % t-interval over seeds. Stage 1, in grey, is "
            "the training that other arms take their features from, judged on its own classes."
        }
    }
}

fn differences(analysis: &Analysis) -> Markup {
    let caption = html! {
        "Small points are seeds: the same initial weights, order of pictures and dropout in both arms, as far as they have them in "
        "common. Large points are means, bars their 95 % t-intervals, and p is that of the exact two-sided sign-flip test."
    };
    html! { @if !analysis.pairs.is_empty() { h2 { "Paired differences" } (figure(differences::draw(analysis), &caption)) } }
}

fn samples(analysis: &Analysis) -> Markup {
    let caption = html! {
        "Test accuracy by the number of target pictures a class. Smaller sets lie within larger ones; an epoch passes over a small set "
        "as often as it takes to see a fifth as many pictures as an epoch of all."
    };
    html! {
        @if analysis.sampled().next().is_some() {
            h2 { "When transfer pays" }
            (figure(plots::samples(analysis), &caption))
            @if !analysis.sampled_pairs.is_empty() { (tables::sampled_pairs(analysis)) }
        }
    }
}

fn depth(analysis: &Analysis) -> Markup {
    let caption = html! {
        "Test accuracy by how much of the pretrained network was taken over, frozen or trained on; the rest begins anew."
    };
    let plot = plots::depth(analysis);
    html! { @if plot.is_some() { h2 { "How deep" } (figure(plot, &caption)) } }
}

fn time(analysis: &Analysis) -> Markup {
    let caption = html! {
        "Mean wall-clock time of one seed, validation included: features that are computed once (lighter), epochs (full), and stage 1, "
        "without which there would be no features (faint)."
    };
    html! {
        @if analysis.times {
            h2 { "Time" }
            (figure(plots::time(analysis), &caption))
            p { (saved(analysis)) }
        }
    }
}

/// What sharing saved.
fn saved(analysis: &Analysis) -> String {
    let records = &analysis.results.records;
    let transfer = || records.iter().filter(|record| record.arm.stage == Stage::Transfer);
    let charged: f64 = transfer().map(|record| record.times.pretraining).sum();
    let stage_1: Vec<_> = records.iter().filter(|record| record.arm.stage == Stage::Pretraining).collect();
    let spent: f64 = stage_1.iter().map(|record| record.times.learning()).sum();
    // Without a cache, every epoch would compute the features of all its pictures.
    let cached = |record: &&crate::sweep::record::JobRecord| record.times.features > 0.0;
    let again: f64 = transfer().filter(cached).map(|record| record.times.features * record.history.len() as f64).sum();
    let mut kinds: Vec<(String, u64)> = Vec::new();
    let mut once = 0.0;
    for record in transfer().filter(cached) {
        let kind =
            (format!("{:?} {:?} {}", record.arm.features, record.arm.learns, record.arm.blocks.min(2)), record.seed);
        if !kinds.contains(&kind) {
            kinds.push(kind);
            once += record.times.features;
        }
    }
    format!(
        "Sharing one stage 1 between all arms of a seed took {} instead of {}. Keeping the features, once for all heads behind \
         them, took {} instead of {} for computing them in every epoch of every arm.",
        number::seconds(spent),
        number::seconds(charged.max(spent)),
        number::seconds(once),
        number::seconds(again.max(once))
    )
}

fn speed_note(analysis: &Analysis) -> Markup {
    html! {
        p.note {
            "Epochs to a validation accuracy"
            @if analysis.times { ", and seconds without stage 1" }
            ": the mean over the seeds that reach it, with their number where not all do. "
            @if analysis.times { "Training: features and epochs. " }
            "Calibration error: expected calibration error of the test set over 15 bins; log-likelihood loss: mean negative "
            "log-likelihood of the true class."
        }
    }
}

fn reproduction(analysis: &Analysis) -> Markup {
    let settings = &analysis.results.settings;
    let data = &settings.data;
    let mut facts = vec![
        ("source classes", names(&settings.source)),
        ("target classes", names(&settings.target)),
        ("data", format!("{}: {}", data.kind.name(), data.sentence)),
    ];
    facts.extend(data.sha256.as_ref().map(|hash| ("SHA-256 of the data", hash.clone())));
    facts.extend([
        ("batch size", settings.batch_size.to_string()),
        ("arithmetic", settings.arithmetic.clone()),
        ("SHA-256 of the settings", settings.hash()),
    ]);
    html! {
        h2 { "Reproduce it" }
        pre { code { (commands(analysis).join("\n")) } }
        p {
            "With the same data, seeds and version, every accuracy and loss comes out the same to the last bit, for any number of "
            "threads or processes, on AVX2 and AVX-512 alike."
        }
        div.scroll { table.facts { tbody { @for (name, value) in &facts { tr { th scope="row" { (name) } td { (value) } } } } } }
        @if analysis.times { (machines(analysis)) }
    }
}

/// The machines that did the jobs, each once.
fn machines(analysis: &Analysis) -> Markup {
    let machine = |record: &crate::sweep::record::JobRecord| {
        let machine = &record.machine;
        let memory = machine.memory_bytes.map_or_else(String::new, |bytes| format!(", {}", number::bytes(bytes)));
        format!(
            "{}, {} of {} logical processors, {}{memory}, {}; {}, {}, {} profile",
            machine.cpu,
            machine.threads,
            machine.logical_cpus,
            machine.simd,
            machine.os,
            machine.rustc,
            machine.target,
            machine.profile
        )
    };
    let machines: BTreeSet<String> = analysis.results.records.iter().map(machine).collect();
    let dates = || analysis.results.records.iter().map(|record| record.machine.date.as_str());
    html! {
        div.scroll { table.facts { tbody {
            @for machine in &machines { tr { th scope="row" { "machine" } td { (machine) } } }
            tr { th scope="row" { "first and last job" } td { (dates().min().unwrap_or_default()) " to " (dates().max().unwrap_or_default()) } }
        } } }
    }
}

/// The commands that give this report: one for each set of seeds that arms have in common.
fn commands(analysis: &Analysis) -> Vec<String> {
    let settings = &analysis.results.settings;
    let mut sets: Vec<(Vec<u64>, Vec<&str>)> = Vec::new();
    for figures in analysis.arms.iter().filter(|figures| figures.arm.stage == Stage::Transfer) {
        let seeds: Vec<u64> = figures.records.iter().map(|record| record.seed).collect();
        match sets.iter_mut().find(|set| set.0 == seeds) {
            Some(set) => set.1.push(&figures.arm.name),
            None => sets.push((seeds, vec![&figures.arm.name])),
        }
    }
    let data = settings.data.path.clone().unwrap_or_else(|| crate::data::BUILT_IN.to_owned());
    let network = serde_json::to_value(&settings.network).unwrap_or_default();
    let default = serde_json::to_value(crate::models::Tutorial::default()).unwrap_or_default();
    let command = |(seeds, arms): &(Vec<u64>, Vec<&str>)| {
        let mut words = vec!["thawline".to_owned(), "sweep".to_owned()];
        let mut flag = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        flag("arms", arms.join(","));
        flag("seeds", ranges(seeds));
        flag("epochs", settings.epochs.to_string());
        flag("data", data.clone());
        if settings.batch_size != 128 {
            flag("batch-size", settings.batch_size.to_string());
        }
        if let Some(per_class) = settings.per_class {
            flag("per-class", per_class.to_string());
        }
        for (halves, name, usual) in
            [(&settings.source, "source", "0,1,2,3,4"), (&settings.target, "target", "5,6,7,8,9")]
        {
            let labels = halves.iter().map(|class| class.label.to_string()).collect::<Vec<_>>().join(",");
            if labels != usual {
                flag(name, labels);
            }
        }
        for (name, value) in
            network.as_object().into_iter().flatten().filter(|(name, value)| default[name.as_str()] != **value)
        {
            flag(name, value.to_string().replace(['[', ']', '"'], ""));
        }
        flag("out", "sweep".to_owned());
        shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
    };
    sets.iter().map(command).collect()
}

/// `0..6`, or `1,2,5`.
fn ranges(seeds: &[u64]) -> String {
    match seeds {
        [first, .., last] if last - first + 1 == seeds.len() as u64 => format!("{first}..{}", last + 1),
        _ => seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
    }
}

fn names(classes: &[ClassRecord]) -> String {
    number::listed(classes.iter().map(|class| class.name.as_str()))
}
