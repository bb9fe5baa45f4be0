//! The page of a sweep.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{Options, analysis::Analysis, answer, caveats, pictures, reproduction, tables};
use crate::report::{page, svg::Svg};
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
    let main = html! {
        @if settings.data.kind == DataKind::BuiltIn { (page::built_in_notice(&settings.data.sentence)) }
        (answer::lead(analysis))
        h2 { "How they learn" }
        (figure(plot("accuracy"),
            "Accuracy on the held-out validation pictures by epoch: the mean over seeds, with its 95 % t-interval as a band."))
        (figure(plot("accuracy-others"), "The other arms that learn the target classes, with frozen to compare."))
        @if let Some(loss) = plot("loss") {
            details {
                summary { "Validation loss" }
                (page::figure(loss, "Mean cross-entropy on the validation pictures."))
            }
        }
        h2 { "Every arm" }
        (tables::arms(analysis))
        p.note {
            "Test accuracy after " (epochs) ", declared before the sweep; the test set was scored once. Everything on the way (first "
            "epoch, mean of all epochs) is measured on the last tenth of each class's training pictures, which are held out. ± is half "
            "the width of a 95 % t-interval over seeds. Stage 1, in grey, is the training from which other arms take their features, "
            "scored on its own classes."
        }
        (section("Paired differences", plot("differences"),
            "Small points are seeds: the same initial weights, order of pictures and dropout in both arms, as far as they have them in \
             common. Large points are means, bars their 95 % t-intervals, and p is that of the exact two-sided sign-flip test."))
        (section("When transfer pays", plot("samples"),
            "Test accuracy by the number of target pictures a class. Smaller sets lie within larger ones; an epoch passes over a small \
             set as often as it takes to see a fifth as many pictures as an epoch of all."))
        @if !analysis.sampled_pairs.is_empty() { (tables::sampled_pairs(analysis)) }
        (section("How deep", plot("depth"),
            "Test accuracy by how much of the pretrained network was taken over, frozen or trained on; the rest starts from fresh weights."))
        @if analysis.times {
            (section("Time", plot("time"),
                "Mean wall-clock time of one seed, validation included: features that are computed once (lighter), epochs (full), and \
                 stage 1, without which there would be no features (faint)."))
            p { (saved(analysis)) }
        }
        h2 { "How fast they learn" }
        (tables::speed(analysis))
        p.note {
            "Epochs to a validation accuracy"
            @if analysis.times { ", and seconds without stage 1" }
            ": the mean over the seeds that reach it, with their number where not all do. "
            @if analysis.times { "Training: features and epochs." }
        }
        (tables::tutorial(analysis))
        (tables::classes(analysis))
        h2 { "How sure, how right" }
        (figure(plot("reliability"),
            "Test pictures of all seeds, sorted by the probability of the predicted class into 15 bins of equal width: how often it was \
             right there. Below the diagonal the network is overconfident. Each name ends with the expected calibration error in points; \
             bins with less than a hundredth of the pictures are left out."))
        (tables::calibration(analysis))
        (tables::confusions(analysis))
        (pictures::mistakes(analysis))
        (pictures::filters(analysis))
        (caveats::section(analysis, options))
        (reproduction::section(analysis))
    };
    let records = &analysis.results.records;
    let arms = analysis.arms.iter().filter(|figures| !figures.is_stage_1()).count();
    let seeds: BTreeSet<u64> = records.iter().map(|record| record.seed).collect();
    let kicker = format!(
        "Thawline {} · {}, {}, {} trainings of {epochs}",
        settings.thawline,
        number::counted(arms, "arm"),
        number::counted(seeds.len(), "seed"),
        records.len(),
    );
    let (version, format) = (&settings.thawline, settings.format);
    let footer = format!("Written by Thawline {version} from {} job records of format {format}.", records.len());
    page::document(&format!("What transfer is worth on {}", settings.subject()), &kicker, &main, &footer)
}

fn figure(plot: Option<&Svg>, caption: &str) -> Markup {
    html! { @if let Some(plot) = plot { (page::figure(plot, caption)) } }
}

fn section(heading: &str, plot: Option<&Svg>, caption: &str) -> Markup {
    html! { @if plot.is_some() { h2 { (heading) } (figure(plot, caption)) } }
}

/// What sharing saved.
fn saved(analysis: &Analysis) -> String {
    let records = &analysis.results.records;
    let (stage_1, transfer): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| record.arm.stage == Stage::Pretraining);
    let spent: f64 = stage_1.iter().map(|record| record.times.learning()).sum();
    let charged: f64 = transfer.iter().map(|record| record.times.pretraining).sum();
    // Jobs with the same features, by all that decides them: the seconds of the features, and how many pictures were read.
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
        "Sharing one stage 1 between all arms of a seed took {} instead of {}. Keeping the features, computed once for all heads on \
         top of them, took {} instead of {} for computing them in every epoch of every arm.",
        number::duration(spent),
        number::duration(charged.max(spent)),
        number::duration(once),
        number::duration(again.max(once))
    )
}
