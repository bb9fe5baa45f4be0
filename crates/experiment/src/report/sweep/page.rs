//! The page: its head and the order of its sections.

use std::collections::BTreeSet;

use maud::{Markup, PreEscaped, html};

use super::{
    super::{canvas::Svg, number, page},
    Options,
    analysis::Analysis,
    answer::{self, plural},
    caveats, differences, pictures, plots, reproduction, tables,
};
use crate::{
    arms::Stage,
    record::DataKind,
    sweep::{record::JobRecord, settings::Settings},
};

pub(super) fn render(analysis: &Analysis, options: &Options) -> String {
    let settings = &analysis.results.settings;
    let title = format!("What transfer is worth on {}", settings.subject());
    page::document(
        &title,
        include_str!("style.css"),
        &html! {
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
            h2 { "How fast they learn" }
            (tables::speed(analysis))
            (speed_note(analysis))
            (tables::tutorial(analysis))
            (tables::classes(analysis))
            (calibration(analysis))
            (tables::confusion(analysis))
            (pictures::mistakes(analysis))
            (pictures::filters(analysis))
            (caveats::section(analysis, options))
            (reproduction::section(analysis))
        },
        &html! { "Written by Thawline " (settings.thawline) " from " (analysis.results.records.len()) " job records of format " (settings.format) "." },
    )
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
    // Jobs with the same features, by all that decides them.
    let mut kinds: Vec<(&JobRecord, usize)> = Vec::new();
    for record in transfer().filter(|record| record.times.features > 0.0) {
        let same = |other: &JobRecord| {
            let key = |record: &JobRecord| {
                let arm = &record.arm;
                (record.seed, arm.features, arm.learns, arm.validation, arm.blocks.min(2))
            };
            key(other) == key(record)
        };
        let pictures = record.epoch_examples + record.validation_examples;
        match kinds.iter_mut().find(|(other, _)| same(other)) {
            Some((_, read)) => *read += pictures * record.history.len(),
            None => kinds.push((record, pictures * record.history.len())),
        }
    }
    // The seconds of a kind are those of all its pictures; without the cache each would be sent through again whenever it is read.
    let all = records.iter().map(|record| record.train_examples + record.validation_examples).max().unwrap_or(0).max(1);
    let once: f64 = kinds.iter().map(|(record, _)| record.times.features).sum();
    let again: f64 = kinds.iter().map(|(record, read)| record.times.features * *read as f64 / all as f64).sum();
    format!(
        "Sharing one stage 1 between all arms of a seed took {} instead of {}. Keeping the features, once for all heads behind \
         them, took {} instead of {} for computing them in every epoch of every arm.",
        number::seconds(spent),
        number::seconds(charged.max(spent)),
        number::seconds(once),
        number::seconds(again.max(once))
    )
}

fn calibration(analysis: &Analysis) -> Markup {
    let caption = html! {
        "Test pictures of all seeds, sorted by the probability that the network gave to the class it chose, into 15 bins of equal "
        "width: how often it was right there. Below the diagonal it is surer than it should be. Behind each name stands the expected "
        "calibration error in points; bins with less than a hundredth of the pictures are left out."
    };
    html! {
        h2 { "How sure, how right" }
        (figure(plots::reliability(analysis), &caption))
        (tables::calibration(analysis))
    }
}

fn speed_note(analysis: &Analysis) -> Markup {
    html! {
        p.note {
            "Epochs to a validation accuracy"
            @if analysis.times { ", and seconds without stage 1" }
            ": the mean over the seeds that reach it, with their number where not all do. "
            @if analysis.times { "Training: features and epochs." }
        }
    }
}
