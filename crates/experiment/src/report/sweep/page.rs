//! The page of a sweep.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{Options, Plots, analysis::Analysis, answer, comparisons, differences, reproduction, tables};
use crate::{
    record::data::DataKind,
    report::{page, svg::Plot},
    sweep::statistics::FEWEST_FOR_A_CLAIM,
    system::number,
};

/// The caption of a plot of differences.
const DIFFERENCES: &str = "\
    Differences of test accuracy. Each small point is a seed that both arms have. The large point is the mean difference \
    over all runs, and the bar its 95\u{a0}% t-interval; p is from a t-test, adjusted for all pairs of this sweep that \
    are declared in advance. An arrow stands for a mean outside the axis.";

pub(super) fn render(analysis: &Analysis, plots: &Plots, options: &Options) -> String {
    let settings = &analysis.results.settings;
    let main = html! {
        (opening(analysis, plots))
        (learning_curves(analysis, plots))
        (arms(analysis, plots))
        (pictures_and_depth(analysis, plots))
        (speed(analysis, plots))
        (tables::tutorial(analysis))
        (calibration(plots))
        (tables::confusions(analysis))
        (mistakes(analysis))
        (caveats(analysis, options))
        (reproduction::section(analysis))
    };
    let records = &analysis.results.records;
    let arms = analysis.arms.iter().filter(|figures| !figures.is_stage_1()).count();
    let seeds: BTreeSet<u64> = records.iter().map(|record| record.seed).collect();
    let kicker = format!(
        "Thawline {} · {}, {}, {}, {}",
        settings.thawline,
        number::counted(arms, "arm"),
        number::counted(seeds.len(), "seed"),
        number::counted(settings.epochs, "epoch"),
        number::counted(records.len(), "training run"),
    );
    let (version, format) = (&settings.thawline, settings.format);
    let records = number::counted(records.len(), "job record");
    let footer = format!("Written by Thawline {version} from {records} of format {format}.");
    page::document(&format!("What transfer is worth on {}", settings.data.subject()), &kicker, &main, &footer)
}

/// The answer, and the figure and the caveats next to it.
fn opening(analysis: &Analysis, plots: &Plots) -> Markup {
    let (settings, headline) = (&analysis.results.settings, answer::headline(analysis));
    html! {
        @if settings.data.kind == DataKind::BuiltIn { (page::built_in_notice(&settings.data.sentence)) }
        (answer::lead(analysis))
        @if !settings.data.official && settings.data.kind != DataKind::BuiltIn {
            (page::caveat("The data.", &settings.data.sentence))
        }
        (figure(differences::of_pairs(&headline).as_ref(), &format!(
            "{DIFFERENCES} With the same seed, layers that are pretrained in neither arm start from the same weights, and both arms see \
             the pictures in the same order.")))
        @if !has_more_pairs(analysis) && !headline.is_empty() { (page::data_files(&["pairs.csv"])) }
        @if headline.is_empty() {
            (comparisons::splits(analysis, plots.splits.as_ref()))
        } @else {
            (page::caveat("Intervals over seeds.",
                "These intervals cover random initial weights, picture order and dropout, but not the choice of the classes, the \
                 pictures, or the learning rates and schedules. The errors over seeds and pictures under \"All declared \
                 differences\" cover the test pictures too."))
        }
        (page::caveat("Learning rates.", if settings.tuning_seed.is_some() {
            "Learning rate and schedule of the arms under \"Tuning trials\", and of these arms with few pictures, were chosen from the \
             same candidates; those of all other arms were not tuned."
        } else {
            "No learning rate or schedule was tuned. All arms use those under \"Reproduce it\", except arms whose description names others."
        }))
    }
}

/// Accuracy and loss by epoch.
fn learning_curves(analysis: &Analysis, plots: &Plots) -> Markup {
    html! {
        @if plots.accuracy.is_some() || plots.accuracy_others.is_some() {
            h2 { "Learning curves" }
            (figure(plots.accuracy.as_ref(),
                "Accuracy on the held-out validation pictures by epoch: the mean over seeds, its 95\u{a0}% t-interval as a band, and each \
                 seed as a thin line."))
            (figure(plots.accuracy_others.as_ref(), &format!(
                "Validation accuracy of the other arms trained on the target classes{}{}.",
                if analysis.arm("frozen").is_some() { ", with frozen for comparison" } else { "" },
                if plots.depth.is_some() { "; without those under \"How deep\"" } else { "" })))
            @if let Some(loss) = plots.loss.as_ref() {
                details {
                    summary { "Validation loss" }
                    (page::figure(loss, "Mean cross-entropy on the validation pictures."))
                }
            }
            (page::data_files(&["epochs.csv"]))
            (page::caveat("A fixed number of epochs.",
                "The number was chosen before the sweep; an arm whose curve still rises may gain from more epochs."))
        }
    }
}

/// The test results of all arms and their differences.
fn arms(analysis: &Analysis, plots: &Plots) -> Markup {
    html! {
        h2 { "The arms" }
        (tables::arms(analysis))
        p.note {
            "Each network was scored on the test set once, after the last epoch"
            @if analysis.arm("tutorial").is_some() { " (the arm tutorial and its stage 1 were also validated on it)" }
            "; ± is half the width of a 95\u{a0}% t-interval over seeds. The last two "
            "columns are mean validation accuracies, on a tenth of each class's training pictures, which was held out."
            @if analysis.arms.iter().any(|figures| figures.is_stage_1()) {
                " The arms in grey are stage 1, the pretraining, scored on the classes that it was trained on."
            }
            @if analysis.sampled().next().is_some() { " Arms trained on few pictures are under \"When transfer pays\"." }
        }
        (page::data_files(&["arms.csv", "jobs.csv"]))
        (tables::trials(analysis))
        (comparisons::tests(analysis))
        @if has_more_pairs(analysis) {
            (figure(plots.differences.as_ref(), DIFFERENCES))
            (page::data_files(&["pairs.csv"]))
        }
        @if !answer::headline(analysis).is_empty() { (comparisons::splits(analysis, plots.splits.as_ref())) }
    }
}

/// Accuracy by the number of training pictures, and by that of transferred blocks.
fn pictures_and_depth(analysis: &Analysis, plots: &Plots) -> Markup {
    html! {
        (section("When transfer pays", plots.samples.as_ref(),
            "Test accuracy by the number of training pictures of each target class: the mean over seeds, and its 95\u{a0}% t-interval as \
             a band. With the same seed, each set of pictures contains the smaller ones. All networks are trained for the same number \
             of steps: an epoch repeats the pictures of a small set."))
        @if !analysis.sampled_pairs.is_empty() { (tables::sampled_pairs(analysis)) }
        (section("How deep", plots.depth.as_ref(),
            "Test accuracy (mean over seeds, and its 95\u{a0}% t-interval as a band) by the number of blocks that were transferred from \
             a pretrained network; the others start from fresh weights. A block is a convolution or a hidden dense layer with the \
             layers up to the next one. frozen, fine-tune: blocks pretrained on the \
             source classes. self, self-fine-tune: blocks pretrained on the target classes."))
    }
}

/// Training times.
fn speed(analysis: &Analysis, plots: &Plots) -> Markup {
    html! {
        h2 { "Speed" }
        (figure(plots.time.as_ref(),
            "Mean wall-clock time of training per seed, with validation: computing the frozen features (lighter), the epochs (full \
             colour), and stage 1, the pretraining (faint)."))
        @if analysis.times {
            (page::caveat("Shared work.",
                "Arms share stage 1 and frozen features, but each bar shows the time the arm would take on its own. \
                 Other programs on the machine lengthen the times."))
        }
        (tables::speed(analysis))
        p.note {
            "Mean epochs"
            @if analysis.times { " and seconds, without pretraining," }
            " to reach each validation accuracy, over the seeds that reached it: (4/6) means four of six, – none."
        }
        (page::data_files(&["arms.csv"]))
    }
}

/// Confidence and accuracy.
fn calibration(plots: &Plots) -> Markup {
    html! {
        (section("Calibration: does confidence match accuracy?", plots.reliability.as_ref(),
            "Share of test pictures classified correctly, by the probability of the predicted class, in 15 bins of equal width; the \
             pictures of all seeds together. On the grey diagonal confidence matches accuracy; below it the network is \
             overconfident. The number after each name is the expected calibration error in points, the mean over seeds. Bins with \
             less than a hundredth of the pictures are not drawn."))
        @if plots.reliability.is_some() { (page::data_files(&["arms.csv"])) }
    }
}

/// Whether there are declared pairs besides those of the answer.
fn has_more_pairs(analysis: &Analysis) -> bool {
    analysis.declared_pairs.len() > answer::headline(analysis).len()
}

fn figure(plot: Option<&Plot>, caption: &str) -> Markup {
    html! { @if let Some(plot) = plot { (page::figure(plot, caption)) } }
}

fn section(heading: &str, plot: Option<&Plot>, caption: &str) -> Markup {
    html! { @if plot.is_some() { h2 { (heading) } (figure(plot, caption)) } }
}

/// The most confident mistakes of `frozen` and `scratch` on test pictures, if their records have pictures.
fn mistakes(analysis: &Analysis) -> Markup {
    let mut shown: Vec<_> = ["frozen", "scratch"].into_iter().filter_map(|arm| analysis.arm(arm)).collect();
    shown.retain(|figures| {
        let mistakes = &figures.records[0].mistakes;
        !mistakes.is_empty() && mistakes.iter().all(|mistake| mistake.picture.is_some())
    });
    html! {
        @if !shown.is_empty() {
            h2 { "Most confident mistakes" }
            @for figures in shown {
                h3 { (figures.name) }
                (page::mistakes(figures.records[0].mistakes.iter().map(|mistake| page::Mistake {
                    class: &mistake.class,
                    predicted: &mistake.predicted,
                    probability: mistake.confidence,
                    picture: mistake.picture.as_deref().unwrap_or_default(),
                    origin: format!("test picture {}", mistake.index),
                    file_name: None,
                    map: None,
                })))
            }
            p.note { "Test pictures of the first seed, with the predicted class and its probability." }
        }
    }
}

/// Caveats about the whole sweep; a caveat about a single claim appears next to it.
fn caveats(analysis: &Analysis, options: &Options) -> Markup {
    // A random split's arms are repeated over splits, not seeds.
    let arms = analysis.arms.iter().filter(|figures| !figures.is_stage_1() && figures.arm.classes.split().is_none());
    let few = arms.filter(|figures| figures.accuracy.n < FEWEST_FOR_A_CLAIM).count();
    let few_text = format!(
        "{} {} fewer than {FEWEST_FOR_A_CLAIM} seeds. Five seeds that all agree give p\u{a0}=\u{a0}0.06 in an exact sign-flip test, so the \
         report makes no claim about such arms and shows no p-value over seeds.",
        number::counted(few, "arm"),
        if few == 1 { "has" } else { "have" }
    );
    let scope = "Deep networks pretrained on many pictures, the usual case of transfer, may behave differently.";
    page::caveats([
        (options.note.is_some(), "", options.note.clone().unwrap_or_default()),
        (few > 0, "Few seeds.", few_text),
        (true, "One small network, few classes.", scope.to_owned()),
    ])
}
