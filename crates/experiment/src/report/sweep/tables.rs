//! The tables of the page: arms, speed, classes, confusion, and the tutorial's own figures.

use maud::{Markup, html};

use super::{
    super::{number, published},
    analysis::{Analysis, ArmFigures, Pair, Reached, THRESHOLDS},
    answer::{signed, with_half_width},
    plots,
};
use crate::{
    arms::{Half, SAMPLES},
    record::ClassRecord,
    statistics::Sample,
    sweep::record::JobRecord,
};

/// Test accuracy of every arm.
pub(super) fn arms(analysis: &Analysis) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th.left scope="col" { "arm" }
                th.left scope="col" { "what it is" }
                th scope="col" { "seeds" }
                th scope="col" { "test accuracy, 95\u{a0}% interval" }
                th scope="col" { "standard deviation" }
                th scope="col" { "after the first epoch" }
                th scope="col" { "mean of all epochs" }
            } }
            tbody { @for figures in analysis.main().chain(stage_1(analysis)) {
                tr.quiet[plots::is_stage_1(figures)] {
                    (name(figures))
                    td.left { (figures.about()) }
                    td { (figures.accuracy.n) }
                    td { (with_half_width(&figures.accuracy)) }
                    td { (deviation(&figures.accuracy)) }
                    td { (number::percent(figures.first_epoch.mean)) }
                    td { (number::percent(figures.area.mean)) }
                }
            } }
        } }
    }
}

fn stage_1<'a, 'b>(analysis: &'b Analysis<'a>) -> impl Iterator<Item = &'b ArmFigures<'a>> {
    analysis.arms.iter().filter(|figures| plots::is_stage_1(figures))
}

fn name(figures: &ArmFigures) -> Markup {
    html! { th scope="row" class=(plots::ink(&figures.arm.name).name()) { (figures.arm.name) } }
}

fn deviation(sample: &Sample) -> String {
    sample.deviation.map_or_else(|| "–".to_owned(), |deviation| format!("{:.2}", deviation * 100.0))
}

/// How fast every arm learns.
pub(super) fn speed(analysis: &Analysis) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th.left scope="col" { "arm" }
                @for threshold in THRESHOLDS { th scope="col" { "epochs to " (number::percent_briefly(threshold).replace(".0", "")) } }
                @if analysis.times {
                    th scope="col" { "training" }
                    th scope="col" { "with stage 1" }
                }
                th scope="col" { "trainable weights" }
            } }
            tbody { @for figures in analysis.main() {
                tr {
                    (name(figures))
                    @for reached in &figures.reached { td { (epochs(reached, figures.accuracy.n)) } }
                    @if analysis.times {
                        td { (number::seconds(figures.mean(|record| record.times.learning()))) }
                        td { (number::seconds(figures.mean(|record| record.times.learning() + record.times.pretraining))) }
                    }
                    td { (number::count(figures.records[0].trainable)) }
                }
            } }
        } }
    }
}

/// Whether every arm knows how good it is.
pub(super) fn calibration(analysis: &Analysis) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th.left scope="col" { "arm" }
                th scope="col" { "accuracy" }
                th scope="col" { "mean confidence" }
                th scope="col" { "expected calibration error" }
                th scope="col" { "negative log-likelihood" }
            } }
            tbody { @for figures in analysis.main() {
                tr {
                    (name(figures))
                    td { (number::percent(figures.accuracy.mean)) }
                    td { (number::percent(figures.mean(JobRecord::mean_confidence))) }
                    td { (number::percent(figures.ece.mean)) }
                    td { (format!("{:.3}", figures.nll.mean)) }
                }
            } }
        } }
    }
}

/// `3.2 · 28 s`, and `(4/6)` where only 4 of 6 seeds get there.
fn epochs(reached: &Reached, seeds: usize) -> String {
    let Some(epochs) = reached.epochs else { return "–".to_owned() };
    let seconds = reached.seconds.map_or_else(String::new, |seconds| format!(" · {}", number::seconds(seconds)));
    let some = if reached.seeds == seeds { String::new() } else { format!(" ({}/{seeds})", reached.seeds) };
    format!("{epochs:.1}{seconds}{some}").replace(' ', "\u{a0}")
}

/// Share of each target class that is right, an arm a row.
pub(super) fn classes(analysis: &Analysis) -> Markup {
    let arms: Vec<&ArmFigures> = analysis.main().filter(|figures| figures.arm.learns == Half::Target).collect();
    let mean = |figures: &ArmFigures, class: usize| figures.mean(|record| record.per_class()[class]);
    html! {
        @if let Some(first) = arms.first() {
            h2 { "Class by class" }
            div.scroll { table {
                thead { tr {
                    th.left scope="col" { "share of the test pictures that is right" }
                    @for class in &first.records[0].classes { th scope="col" { (class) } }
                } }
                tbody { @for figures in &arms { tr {
                    (name(figures))
                    @for class in 0..first.records[0].classes.len() { td { (number::percent_briefly(mean(figures, class))) } }
                } } }
            } }
        }
    }
}

/// What arms take for what, all seeds together; the first two at once, the others on demand.
pub(super) fn confusion(analysis: &Analysis) -> Markup {
    let shown = |figures: &&ArmFigures| ["frozen", "scratch"].contains(&figures.arm.name.as_str());
    let others = |figures: &&ArmFigures| !shown(figures);
    html! {
        h2 { "What is mistaken for what" }
        div.matrices { @for figures in analysis.main().filter(shown) { (matrix(figures)) } }
        @if analysis.main().any(|figures| others(&figures)) {
            details {
                summary { "The other arms" }
                div.matrices { @for figures in analysis.main().filter(others) { (matrix(figures)) } }
            }
        }
        p.note {
            "Test pictures of all seeds by their class (rows) and by what they were taken for (columns). The shade is the "
            "square root of a cell's share of its row."
        }
    }
}

fn matrix(figures: &ArmFigures) -> Markup {
    let classes = &figures.records[0].classes;
    let n = classes.len();
    let count =
        |t: usize, p: usize| figures.records.iter().map(|record| record.test.confusion.counts[t][p]).sum::<u64>();
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    html! {
        div.scroll { h3 { (figures.arm.name) } table.confusion style=(format!("--ink:var(--{})", plots::ink(&figures.arm.name).name())) {
            thead { tr {
                th.corner { "true\u{a0}↓" br; "taken\u{a0}for\u{a0}→" }
                @for class in classes { th scope="col" { (class) } }
                th.corner { "right" }
            } }
            tbody { @for (t, class) in classes.iter().enumerate() {
                @let total = (0..n).map(|p| count(t, p)).sum::<u64>();
                tr {
                    th scope="row" { (class) }
                    @for p in 0..n { td style=(format!("--shade:{:.3}", share(count(t, p), total).sqrt())) { (number::count(count(t, p))) } }
                    td.recall { (number::percent_briefly(share(count(t, t), total))) }
                }
            } }
        } }
    }
}

/// The differences at each number of pictures a class.
pub(super) fn sampled_pairs(analysis: &Analysis) -> Markup {
    let arms: Vec<&str> = ["frozen", "fine-tune"]
        .into_iter()
        .filter(|arm| analysis.sampled_pairs.iter().any(|pair| base(pair) == *arm))
        .collect();
    let find = |arm: &str, size: usize| analysis.sampled_pairs.iter().find(|pair| pair.arm == format!("{arm}@{size}"));
    let sizes = SAMPLES.into_iter().filter(|&size| arms.iter().any(|arm| find(arm, size).is_some()));
    html! {
        div.scroll { table {
            thead { tr {
                th.left scope="col" { "pictures a class" }
                @for arm in &arms { th scope="col" { (arm) " − scratch, points" } }
                th scope="col" { "seeds" }
            } }
            tbody { @for size in sizes { tr {
                th.left scope="row" { (number::count(size as u64)) }
                @for arm in &arms { td { (find(arm, size).map_or_else(|| "–".to_owned(), |pair| signed(&pair.difference))) } }
                td { (arms.iter().filter_map(|arm| find(arm, size)).map(|pair| pair.differences.len()).max().unwrap_or(0)) }
            } } }
        } }
    }
}

/// The arm that learns from all pictures.
fn base(pair: &Pair) -> &str {
    pair.arm.split('@').next().unwrap_or_default()
}

/// The tutorial's published figures beside those of the arms that reproduce it.
pub(super) fn tutorial(analysis: &Analysis) -> Markup {
    let settings = &analysis.results.settings;
    let labels = |classes: &[ClassRecord]| classes.iter().map(|class| class.label).collect::<Vec<_>>();
    let asked = settings.is_cifar10()
        && labels(&settings.source) == [0, 1, 2, 3, 4]
        && labels(&settings.target) == [5, 6, 7, 8, 9];
    let ours =
        [("model_1", "pretrain-source-tutorial", &published::MODEL_1), ("model_2", "tutorial", &published::MODEL_2)];
    let substitutes = ["pretrain-source", "frozen-warm"];
    let validation = |figures: &ArmFigures, epoch: fn(usize) -> usize| {
        number::percent(
            figures.mean(|record| record.history.get(epoch(record.history.len())).map_or(0.0, |e| e.val_accuracy)),
        )
    };
    html! {
        @if asked {
            h2 { "The tutorial's own figures" }
            div.scroll { table {
                thead { tr {
                    th.left scope="col" { "validation accuracy" }
                    th scope="col" { "first epoch" }
                    th scope="col" { "last epoch" }
                    th scope="col" { "epochs" }
                } }
                tbody { @for ((model, arm, theirs), substitute) in ours.into_iter().zip(substitutes) {
                    tr {
                        th scope="row" { (model) ", published" }
                        td { (theirs.first.map_or_else(|| "–".to_owned(), number::percent)) }
                        td { (number::percent(theirs.last.1)) }
                        td { (theirs.last.0) }
                    }
                    @if let Some(figures) = analysis.arm(arm).or_else(|| analysis.arm(substitute)) { tr {
                        (name(figures))
                        td { (validation(figures, |_| 0)) }
                        td { (validation(figures, |epochs| epochs.saturating_sub(1))) }
                        td { (settings.epochs) }
                    } }
                } }
            } }
            p.note {
                "Published: another framework, a GPU, one seed, the official release. "
                @if analysis.arm("tutorial").is_some() {
                    "Ours, as there: all training pictures, validated on the test set, the head going on from model_1's."
                } @else {
                    "Ours hold pictures out for validation; the arm " code { "tutorial" } ", which does not, is not in this sweep."
                }
            }
        }
    }
}
