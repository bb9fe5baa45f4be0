//! The sweep's plots: learning curves with 95 % intervals, accuracy by training pictures and by transferred blocks,
//! calibration, training time.

use std::collections::BTreeSet;

use super::analysis::{Analysis, ArmFigures};
use crate::{
    report::{
        bars::{self, Bar},
        curves::{Axis, Chart, Curve, Measure},
        palette::Ink,
        svg::Plot,
    },
    sweep::{
        arms::{Blocks, ClassSet},
        record::{Epoch, JobRecord},
        statistics::{BINS, Sample},
    },
    system::number,
};

/// The arms that answer the sweep's main question, what pretrained features are worth. The plots of accuracy, loss and
/// calibration show these.
const ANSWER: [&str; 6] = ["frozen", "scratch", "fine-tune", "frozen-random-matched", "frozen-random", "frozen-warm"];

/// The colour of an arm in plots and tables; the table of all arms shows stage 1 in grey.
pub(super) fn ink(name: &str) -> Ink {
    match name.split('@').next().unwrap_or_default() {
        "frozen" => Ink::Model2,
        base if base.starts_with("frozen-random") => Ink::Untrained,
        "frozen-warm" | "tutorial" => Ink::Warm,
        base if base.contains("fine-tune") || base == "head-then-all" => Ink::FineTuned,
        base if base.ends_with("scratch") || base.starts_with("pretrain-") => Ink::Model1,
        _ => Ink::Other,
    }
}

fn is_answer(arm: &ArmFigures) -> bool {
    ANSWER.contains(&arm.name)
}

fn is_main(name: &str) -> bool {
    name == "frozen" || name == "scratch"
}

/// Validation accuracy by epoch of the arms that answer the question.
pub(super) fn accuracy(analysis: &Analysis) -> Option<Plot> {
    by_epoch(analysis, Measure::Accuracy, is_answer)
}

/// The same for the other arms trained on the target classes but `depth-*`, with `frozen` for comparison.
pub(super) fn other_accuracy(analysis: &Analysis) -> Option<Plot> {
    let is_other =
        |arm: &ArmFigures| arm.arm.classes == ClassSet::Target && !is_answer(arm) && !arm.name.starts_with("depth-");
    analysis.main().find(|arm| is_other(arm))?;
    by_epoch(analysis, Measure::Accuracy, |arm| arm.name == "frozen" || is_other(arm))
}

/// Validation loss by epoch of the arms that answer the question.
pub(super) fn loss(analysis: &Analysis) -> Option<Plot> {
    by_epoch(analysis, Measure::Loss, is_answer)
}

/// The mean of each arm by epoch, with its interval.
fn by_epoch(analysis: &Analysis, measure: Measure, shown: impl Fn(&ArmFigures) -> bool) -> Option<Plot> {
    let (title, value): (_, fn(&Epoch) -> f64) = match measure {
        Measure::Accuracy => ("validation accuracy in %", |epoch| epoch.val_accuracy),
        Measure::Loss => ("validation loss (cross-entropy)", |epoch| epoch.val_loss),
    };
    let of_arm = |arm: &ArmFigures| {
        let epochs = arm.records.iter().map(|record| record.history.len()).min().unwrap_or(0);
        let sample = |epoch: usize| {
            let values: Vec<f64> = arm.records.iter().map(|record| value(&record.history[epoch])).collect();
            Some(((epoch + 1) as f64, Sample::of(&values)?))
        };
        let seed = |record: &&JobRecord| (1..).map(f64::from).zip(record.history.iter().map(value)).collect();
        let mean = curve(arm.name, measure, is_main(arm.name), (0..epochs).filter_map(sample).collect());
        // Only these arms have a thin line per seed: the lines of more arms would hide each other.
        let has_seeds = arm.records.len() > 1 && is_answer(arm);
        Curve { seeds: arm.records.iter().filter(|_| has_seeds).map(seed).collect(), ..mean }
    };
    let curves: Vec<Curve> = analysis.main().filter(|arm| shown(arm)).map(of_arm).collect();
    drawn(Chart::by_epoch(title.to_owned(), measure, curves))
}

fn curve(name: &str, measure: Measure, main: bool, samples: Vec<(f64, Sample)>) -> Curve {
    let band =
        samples.iter().filter_map(|&(x, sample)| sample.interval().map(|(low, high)| (x, [low, high]))).collect();
    let points = samples.iter().map(|&(x, sample)| (x, sample.mean)).collect();
    Curve { band, ..measure.curve(name, ink(name), main, points) }
}

fn test_accuracy(x: Axis, curves: Vec<Curve>) -> Option<Plot> {
    let title = "test accuracy in %".to_owned();
    drawn(Chart { title, measure: Measure::Accuracy, x, curves, marks: Vec::new() })
}

/// The chart, unless it is empty.
fn drawn(chart: Chart) -> Option<Plot> {
    chart.curves.iter().any(|curve| !curve.points.is_empty()).then(|| chart.draw())
}

/// Test accuracy by pictures per class, on a logarithmic axis.
pub(super) fn samples(analysis: &Analysis) -> Option<Plot> {
    let size = |arm: &ArmFigures| arm.train_examples as f64 / arm.records[0].classes.len() as f64;
    let sampled: BTreeSet<&str> = analysis.sampled().map(|(base, _)| base).collect();
    let mut sizes: Vec<usize> = Vec::new();
    let mut curves = Vec::new();
    for base in ["frozen", "scratch", "fine-tune", "frozen-random"].into_iter().filter(|base| sampled.contains(base)) {
        let of_base = analysis.sampled().filter(|(other, _)| *other == base).map(|(_, arm)| arm);
        let mut arms: Vec<&ArmFigures> = of_base.chain(analysis.arm(base)).collect();
        arms.sort_by(|a, b| size(a).total_cmp(&size(b)));
        sizes.extend(arms.iter().map(|arm| size(arm).round() as usize));
        let points = arms.iter().map(|arm| (libm::log10(size(arm)), arm.accuracy)).collect();
        curves.push(curve(base, Measure::Accuracy, base != "frozen-random", points));
    }
    sizes.sort_unstable();
    sizes.dedup();
    let place = |&size: &usize| libm::log10(size as f64);
    let ticks = sizes.iter().map(|size| (place(size), number::count(*size as u64))).collect();
    let limits = place(sizes.first()?)..place(sizes.last()?);
    test_accuracy(Axis { title: "training pictures of each class, log scale", ticks, limits }, curves)
}

/// Test accuracy by the number of transferred blocks, which were pretrained on the source classes or (`self`) on the
/// target classes, and are frozen or fine-tuned.
pub(super) fn depth(analysis: &Analysis) -> Option<Plot> {
    analysis.arms.iter().find(|arm| arm.name.starts_with("depth-"))?;
    let blocks = Blocks::of(&analysis.results.settings.network).ok()?;
    let curves = ["frozen", "fine-tune", "self", "self-fine-tune"].into_iter().filter_map(|name| {
        let figures = |count: usize| match count {
            0 => analysis.arm("scratch"),
            count if count == blocks.features => analysis.arm(name),
            count => analysis.arm(&format!("depth-{count}-{name}")),
        };
        // `scratch` alone, the point for no blocks, is not a result of these arms.
        (1..=blocks.count()).find_map(figures)?;
        let point = |count: usize| Some((count as f64, figures(count)?.accuracy));
        let points = (0..=blocks.count()).filter_map(point).collect();
        Some(curve(name, Measure::Accuracy, !name.starts_with("self"), points))
    });
    let ticks = (0..=blocks.count()).map(|count| (count as f64, count.to_string())).collect();
    test_accuracy(Axis { title: "blocks transferred", ticks, limits: 0.0..blocks.count() as f64 }, curves.collect())
}

/// Test accuracy by confidence, all seeds of an arm together. Bins with less than a hundredth of the predictions are
/// not drawn: they scatter too much to be informative.
pub(super) fn reliability(analysis: &Analysis) -> Option<Plot> {
    let of_arm = |arm: &ArmFigures| {
        let all: usize = arm.records.iter().map(|record| record.test.examples).sum();
        let bin = |index: usize| {
            let of_bin = || arm.records.iter().filter_map(move |record| record.test.calibration.get(index));
            let predictions = of_bin().map(|bin| bin.predictions).sum::<u64>() as f64;
            let confidence: f64 = of_bin().map(|bin| bin.confidence).sum();
            let right: f64 = of_bin().map(|bin| bin.right as f64).sum();
            (predictions > 0.0 && predictions >= 0.01 * all as f64)
                .then(|| (confidence / predictions, right / predictions))
        };
        let name = format!("{} {:.1}", arm.name, arm.ece.mean * 100.0);
        let points = (0..BINS).filter_map(bin).collect();
        Curve { name, ink: ink(arm.name), main: is_main(arm.name), points, ..Curve::default() }
    };
    let mut curves: Vec<Curve> = analysis.main().filter(|arm| is_answer(arm)).map(of_arm).collect();
    let lowest = curves.iter().flat_map(|curve| &curve.points).map(|&(x, y)| x.min(y)).reduce(f64::min)?;
    let lowest = ((lowest * 10.0).floor() / 10.0).min(0.9);
    curves.push(Curve { ink: Ink::Muted, points: vec![(lowest, lowest), (1.0, 1.0)], ..Curve::default() });
    let tenths = (lowest * 10.0).round() as u32..=10;
    let ticks = tenths.map(|tenth| (f64::from(tenth) / 10.0, (tenth * 10).to_string())).collect();
    test_accuracy(Axis { title: "confidence in %", ticks, limits: lowest..1.0 }, curves)
}

/// Mean seconds of each arm: features, epochs, and stage 1.
pub(super) fn time(analysis: &Analysis) -> Option<Plot> {
    let bar = |arm: &ArmFigures| {
        let seconds = arm.seconds?;
        let mut label = number::duration(seconds.training());
        if seconds.stage_1 > 0.0 {
            label += &format!(", with pretraining {}", number::duration(seconds.with_stage_1()));
        }
        let parts = vec![(seconds.features, 0.6), (seconds.epochs, 1.0), (seconds.stage_1, 0.22)];
        Some(Bar { name: arm.name.to_owned(), ink: ink(arm.name), parts, label })
    };
    let bars: Vec<Bar> = analysis.main().filter_map(bar).collect();
    (!bars.is_empty()).then(|| bars::draw("mean training time per seed", &bars))
}
