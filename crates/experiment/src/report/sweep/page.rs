//! The page of a sweep.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{Options, analysis::Analysis, answer, caveats, comparisons, differences, reproduction, tables};
use crate::report::{page, svg::Plot};
use crate::{
    record::run::DataKind,
    sweep::{arms::Stage, record::JobRecord},
    system::number,
};

pub(super) fn render(analysis: &Analysis, options: &Options) -> String {
    let settings = &analysis.results.settings;
    let epochs = number::counted(settings.epochs, "epoch");
    let plots = super::plots(analysis);
    let plot = |name: &str| plots.iter().find(|plot| plot.0 == name).and_then(|plot| plot.1.as_ref());
    let headline = answer::headline(analysis);
    let has_more_pairs = analysis.pairs.len() > headline.len();
    let main = html! {
        @if settings.data.kind == DataKind::BuiltIn { (page::built_in_notice(&settings.data.sentence)) }
        (answer::lead(analysis))
        (figure(differences::draw(&headline).as_ref(),
            "Differences of test accuracies. Each small point is a seed, with the same initial weights, order of pictures and dropout in both arms where they share them. Large points are means, bars their 95 % t-intervals, and p is from a t-test, adjusted for all declared pairs."))
        @if !has_more_pairs { (page::data_files(&["pairs.csv"])) }
        (page::caveat("Intervals over seeds.",
            "They show how much initial weights, order and dropout matter, for this training set and this test set. Other pictures of \
             the same classes would move all arms, mostly together."))
        (page::caveat("Learning rates.", if settings.tuning_seed.is_some() {
            "Every arm in the table of trials got the same trials; the other arms share a learning rate and schedule that were not tuned."
        } else {
            "Unless noted otherwise, all arms have the same learning rate and schedule; none was tuned."
        }))
        h2 { "Learning curves" }
        (figure(plot("accuracy"),
            "Accuracy on the held-out validation pictures by epoch: the mean over seeds, its 95 % t-interval as a band, and each seed \
             as a thin line."))
        (figure(plot("accuracy-others"), "The other arms trained on the target classes, with frozen for comparison."))
        @if let Some(loss) = plot("loss") {
            details {
                summary { "Validation loss" }
                (page::figure(loss, "Mean cross-entropy on the validation pictures."))
            }
        }
        (page::data_files(&["epochs.csv"]))
        (page::caveat(&format!("{epochs}."),
            "All arms are scored after the same number of epochs, fixed before the sweep; arms that are still improving would gain from more."))
        h2 { "Every arm" }
        (tables::arms(analysis))
        (tables::trials(analysis))
        p.note {
            "Test accuracy after " (epochs) "; the test set was scored once. Intermediate figures (first epoch, mean of all epochs) are "
            "measured on the last tenth of each class's training pictures, which no arm was trained on. ± is half the width of a 95 % "
            "t-interval over seeds. Stage 1, in grey, is the pretraining from which other arms take their features, scored on its own "
            "classes."
        }
        (page::data_files(&["arms.csv", "jobs.csv"]))
        @if has_more_pairs {
            (section("Paired differences", plot("differences"), "All paired differences of test accuracies, drawn as in figure 1."))
            (page::data_files(&["pairs.csv"]))
        }
        (comparisons::tests(analysis))
        (comparisons::splits(analysis))
        (section("When transfer pays", plot("samples"),
            "Test accuracy by the number of target pictures of each class. Smaller sets are subsets of larger ones. The number of steps is the \
             same for all: an epoch repeats a small set until it has as many pictures as an epoch of all."))
        @if !analysis.sampled_pairs.is_empty() { (tables::sampled_pairs(analysis)) }
        (section("How deep", plot("depth"),
            "Test accuracy by how many blocks of a pretrained network were transferred, frozen or fine-tuned; the rest starts from fresh \
             weights. A block is a convolution or a hidden dense layer with what follows it. frozen and fine-tune: features of the \
             source classes; self: features of the target classes themselves."))
        @if analysis.times {
            (section("Time", plot("time"),
                "Mean wall-clock time per seed, validation included: features, computed once (lighter), epochs (full colour), and stage 1, the pretraining of the features (faint)."))
            p { (saved(analysis)) }
            (page::caveat("Shared times.",
                "Each arm is charged the whole time of the features that it shares with others. Times include other load on the machine."))
        }
        h2 { "Training speed" }
        (tables::speed(analysis))
        p.note {
            "Mean epochs"
            @if analysis.times { " (and seconds, without pretraining)" }
            " to reach each validation accuracy; (4/6) means that four of six seeds reached it."
        }
        (tables::tutorial(analysis))
        (tables::classes(analysis))
        h2 { "Calibration: does confidence match accuracy?" }
        (figure(plot("reliability"),
            "Test pictures of all seeds, sorted by the probability of the predicted class into 15 bins of equal width: how many were \
             correct. The grey diagonal is perfect calibration; below it the network is overconfident. The number after each name is the \
             expected calibration error (ECE) in points; bins with less than a hundredth of the pictures are left out."))
        (tables::calibration(analysis))
        (tables::confusions(analysis))
        (mistakes(analysis))
        (caveats::section(analysis, options))
        (reproduction::section(analysis))
    };
    let records = &analysis.results.records;
    let arms = analysis.arms.iter().filter(|figures| !figures.is_stage_1()).count();
    let seeds: BTreeSet<u64> = records.iter().map(|record| record.seed).collect();
    let kicker = format!(
        "Thawline {} · {}, {}, {} training runs of {epochs} each",
        settings.thawline,
        number::counted(arms, "arm"),
        number::counted(seeds.len(), "seed"),
        records.len(),
    );
    let (version, format) = (&settings.thawline, settings.format);
    let footer = format!("Written by Thawline {version} from {} job records of format {format}.", records.len());
    page::document(&format!("What transfer is worth on {}", settings.subject()), &kicker, &main, &footer)
}

fn figure(plot: Option<&Plot>, caption: &str) -> Markup {
    html! { @if let Some(plot) = plot { (page::figure(plot, caption)) } }
}

fn section(heading: &str, plot: Option<&Plot>, caption: &str) -> Markup {
    html! { @if plot.is_some() { h2 { (heading) } (figure(plot, caption)) } }
}

/// The time that sharing saved.
fn saved(analysis: &Analysis) -> String {
    let records = &analysis.results.records;
    let (stage_1, transfer): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| record.arm.stage == Stage::Pretraining);
    let spent: f64 = stage_1.iter().map(|record| record.times.learning()).sum();
    let charged: f64 = transfer.iter().map(|record| record.times.pretraining).sum();
    // For each set of jobs that share features: the seconds of the features, and how many pictures were read.
    let key = |record: &JobRecord| {
        let arm = &record.arm;
        (record.seed, arm.features, arm.learns, arm.validation, arm.blocks.min(2))
    };
    let mut kinds: Vec<(_, f64, usize)> = Vec::new();
    for record in transfer.iter().filter(|record| record.times.features > 0.0) {
        let key = key(record);
        let read = (record.epoch_examples + record.validation_examples) * record.history.len();
        match kinds.iter_mut().find(|(other, ..)| *other == key) {
            Some((.., pictures)) => *pictures += read,
            None => kinds.push((key, record.times.features, read)),
        }
    }
    // The seconds are those of all pictures, once. Without the cache, features are computed whenever a picture is read.
    let all = records.iter().map(|record| record.train_examples + record.validation_examples).max().unwrap_or(0).max(1);
    let once: f64 = kinds.iter().map(|(_, seconds, _)| seconds).sum();
    let again: f64 = kinds.iter().map(|&(_, seconds, read)| seconds * read as f64 / all as f64).sum();
    format!(
        "Sharing pretraining between the arms of a seed cut it from {} to {}. Computing frozen features once for all heads took {} \
         instead of {} for every epoch of every arm.",
        number::duration(charged.max(spent)),
        number::duration(spent),
        number::duration(once),
        number::duration(again.max(once))
    )
}

/// The most confident mistakes of the arms on test pictures.
fn mistakes(analysis: &Analysis) -> Markup {
    let shown: Vec<_> = ["frozen", "scratch"].into_iter().filter_map(|arm| analysis.arm(arm)).collect();
    html! {
        @if !shown.is_empty() {
            h2 { "Most confident mistakes" }
            @for figures in shown {
                h3 { (figures.name) }
                (page::mistakes(figures.records[0].mistakes.iter().map(|mistake| page::Mistake {
                    class: &mistake.class,
                    predicted: &mistake.predicted,
                    probability: mistake.confidence,
                    picture: &mistake.picture,
                    origin: format!("test picture {}", mistake.index),
                    file_name: None,
                })))
            }
            p.note { "Test pictures, with the predicted class and its probability; first seed." }
        }
    }
}
