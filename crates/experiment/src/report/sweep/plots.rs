//! The sweep's plots: learning curves with bands, few pictures, depth, time.

use std::collections::BTreeSet;

use super::{
    super::{
        bars::{self, Bar},
        canvas::Svg,
        curves::{self, Axis, Chart, Curve},
        number,
        palette::Ink,
    },
    analysis::{Analysis, ArmFigures},
};
use crate::{
    arms::{Half, Stage},
    statistics::{BINS, Sample},
};

/// The arms of the first plot: those that answer the question.
const ANSWER: [&str; 5] = ["frozen", "scratch", "fine-tune", "frozen-random", "frozen-warm"];

/// The colour of an arm; the same in every plot and table.
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

/// Validation accuracy by epoch of the arms that answer the question; nothing where there are none.
pub(super) fn accuracy(analysis: &Analysis) -> Option<Svg> {
    learning_curves(analysis, "validation accuracy in %", |arm| ANSWER.contains(&arm.arm.name.as_str()))
}

/// The same of the other arms that learn the target classes, with `frozen` to compare.
pub(super) fn other_accuracy(analysis: &Analysis) -> Option<Svg> {
    let other = |arm: &ArmFigures| {
        arm.arm.learns == Half::Target
            && !ANSWER.contains(&arm.arm.name.as_str())
            && !arm.arm.name.starts_with("depth-")
    };
    if !analysis.main().any(other) {
        return None;
    }
    learning_curves(analysis, "validation accuracy in %", |arm| arm.arm.name == "frozen" || other(arm))
}

/// Mean validation loss by epoch.
pub(super) fn loss(analysis: &Analysis) -> Option<Svg> {
    let curves: Vec<Curve> = analysis
        .main()
        .filter(|arm| ANSWER.contains(&arm.arm.name.as_str()))
        .map(|arm| {
            by_epoch(arm, |arm, epoch| arm.records[epoch.0].history[epoch.1].val_loss, |loss| format!("{loss:.3}"))
        })
        .collect();
    let highest = highest(&curves)?;
    Some(curves::draw(&Chart {
        title: "validation loss (cross-entropy)".to_owned(),
        description: describe("validation loss", &curves),
        x: Axis::epochs(&curves),
        y: 0.0..highest * 1.05,
        y_label: |value| format!("{value:.1}"),
        curves,
        marks: Vec::new(),
        marks_name: "",
    }))
}

fn learning_curves(analysis: &Analysis, title: &str, shown: impl Fn(&ArmFigures) -> bool) -> Option<Svg> {
    let curves: Vec<Curve> = analysis
        .main()
        .filter(|arm| shown(arm))
        .map(|arm| by_epoch(arm, |arm, (record, epoch)| arm.records[record].history[epoch].val_accuracy, percent))
        .collect();
    accuracy_chart(title, "validation accuracy", Axis::epochs(&curves), curves)
}

/// An arm's mean by epoch with its interval.
fn by_epoch(arm: &ArmFigures, value: impl Fn(&ArmFigures, (usize, usize)) -> f64, label: fn(f64) -> String) -> Curve {
    let epochs = arm.records.iter().map(|record| record.history.len()).min().unwrap_or(0);
    let samples = (0..epochs).filter_map(|epoch| {
        let values: Vec<f64> = (0..arm.records.len()).map(|record| value(arm, (record, epoch))).collect();
        Some(((epoch + 1) as f64, Sample::of(&values)?))
    });
    curve(&arm.arm.name, arm.arm.name == "frozen" || arm.arm.name == "scratch", samples.collect(), label)
}

fn curve(name: &str, main: bool, samples: Vec<(f64, Sample)>, label: fn(f64) -> String) -> Curve {
    let last = samples.last().map_or(String::new(), |(_, sample)| label(sample.mean));
    let band = samples.iter().filter_map(|&(x, sample)| sample.interval().map(|(low, high)| (x, [low, high])));
    Curve {
        name: format!("{name} {last}"),
        ink: ink(name),
        main,
        band: band.collect(),
        points: samples.iter().map(|&(x, sample)| (x, sample.mean)).collect(),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

fn accuracy_chart(title: &str, what: &str, x: Axis, mut curves: Vec<Curve>) -> Option<Svg> {
    let high = highest(&curves)?;
    let low = curves.iter().flat_map(|curve| &curve.points).map(|at| at.1).fold(1.0, f64::min);
    // Limits at multiples of 5 %, so that the grid's outer lines carry labels; no band leaves the chart.
    let (low, high) = ((low * 20.0).floor() / 20.0, ((high * 20.0).ceil() / 20.0).min(1.0));
    let limits = low.min(high - 0.05)..high;
    for band in curves.iter_mut().flat_map(|curve| &mut curve.band) {
        band.1 = band.1.map(|value| value.clamp(limits.start, limits.end));
    }
    Some(curves::draw(&Chart {
        title: title.to_owned(),
        description: describe(what, &curves),
        x,
        y: limits,
        y_label: |value| format!("{:.0}", value * 100.0),
        curves,
        marks: Vec::new(),
        marks_name: "",
    }))
}

/// The highest mean; nothing where there is none.
fn highest(curves: &[Curve]) -> Option<f64> {
    curves.iter().flat_map(|curve| &curve.points).map(|at| at.1).reduce(f64::max)
}

fn describe(what: &str, curves: &[Curve]) -> String {
    let ends: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
    format!("Mean {what} over seeds. At the last place: {}.", ends.join("; "))
}

/// Test accuracy against pictures a class, on a logarithmic axis.
pub(super) fn samples(analysis: &Analysis) -> Option<Svg> {
    let size = |arm: &ArmFigures| arm.records[0].train_examples as f64 / arm.records[0].classes.len() as f64;
    let sampled: BTreeSet<&str> = analysis.sampled().map(|(base, _)| base).collect();
    let mut sizes: Vec<usize> = Vec::new();
    let mut curves = Vec::new();
    for base in ["frozen", "scratch", "fine-tune", "frozen-random"].into_iter().filter(|base| sampled.contains(base)) {
        let of_base = analysis.sampled().filter(|(other, _)| *other == base).map(|(_, arm)| arm);
        let all = analysis.arm(base).into_iter();
        let mut points: Vec<(f64, Sample)> =
            of_base.chain(all).map(|arm| (libm::log10(size(arm)), arm.accuracy)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        sizes.extend(points.iter().map(|point| libm::round(libm::pow(10.0, point.0)) as usize));
        curves.push(curve(base, base != "frozen-random", points, percent));
    }
    sizes.sort_unstable();
    sizes.dedup();
    let place = |&size: &usize| libm::log10(size as f64);
    let ticks = sizes.iter().map(|size| (place(size), number::count(*size as u64))).collect();
    let limits = place(sizes.first()?)..place(sizes.last()?);
    let x = Axis { title: "training pictures a class, logarithmic".to_owned(), ticks, limits };
    accuracy_chart("test accuracy in %", "test accuracy", x, curves)
}

/// Test accuracy against the number of blocks that were taken over.
pub(super) fn depth(analysis: &Analysis) -> Option<Svg> {
    const PLACES: [&str; 4] = ["0: none", "1: conv", "2: conv, pool", "3: dense"];
    let lines = [
        ("frozen", ["scratch", "depth-1-frozen", "frozen", "depth-3-frozen"]),
        ("fine-tune", ["scratch", "depth-1-fine-tune", "fine-tune", "depth-3-fine-tune"]),
    ];
    analysis.arms.iter().find(|arm| arm.arm.name.starts_with("depth-"))?;
    let curves = lines.iter().map(|(name, arms)| {
        let points =
            arms.iter().enumerate().filter_map(|(blocks, arm)| Some((blocks as f64, analysis.arm(arm)?.accuracy)));
        curve(name, true, points.collect(), percent)
    });
    let ticks = PLACES.iter().enumerate().map(|(blocks, name)| (blocks as f64, (*name).to_owned())).collect();
    let x = Axis { title: "blocks taken over".to_owned(), ticks, limits: 0.0..3.0 };
    accuracy_chart("test accuracy in %", "test accuracy", x, curves.collect())
}

/// Accuracy against confidence on the test set, all seeds of an arm together. Bins with less than a hundredth of the
/// predictions are left out: they scatter too much to say anything.
pub(super) fn reliability(analysis: &Analysis) -> Option<Svg> {
    let of_arm = |arm: &ArmFigures| {
        let bin = |index: usize| {
            let of_bin = || arm.records.iter().filter_map(move |record| record.test.calibration.get(index));
            let predictions = of_bin().map(|bin| bin.predictions).sum::<u64>() as f64;
            let all: usize = arm.records.iter().map(|record| record.test.examples).sum();
            let mean = |sum: f64| sum / predictions;
            (predictions > 0.0 && predictions >= 0.01 * all as f64).then(|| {
                (mean(of_bin().map(|bin| bin.confidence).sum()), mean(of_bin().map(|bin| bin.right as f64).sum()))
            })
        };
        let name = &arm.arm.name;
        let main = name == "frozen" || name == "scratch";
        let points = (0..BINS).filter_map(bin).collect();
        Curve { name: format!("{name} {}", percent(arm.ece.mean)), ink: ink(name), main, points, band: Vec::new() }
    };
    let arms = analysis.main().filter(|arm| ANSWER.contains(&arm.arm.name.as_str()));
    let mut curves: Vec<Curve> = arms.map(of_arm).collect();
    let places = || curves.iter().flat_map(|curve| &curve.points);
    let lowest = places().map(|&(x, y)| x.min(y)).reduce(f64::min)?;
    let lowest = ((lowest * 10.0).floor() / 10.0).min(0.9);
    let description = describe("accuracy by confidence; expected calibration errors", &curves);
    let diagonal = vec![(lowest, lowest), (1.0, 1.0)];
    curves.push(Curve {
        name: "as sure as right".to_owned(),
        ink: Ink::Muted,
        main: false,
        points: diagonal,
        band: Vec::new(),
    });
    let tenths = (lowest * 10.0).round() as u32..=10;
    let ticks = tenths.map(|tenth| (f64::from(tenth) / 10.0, (tenth * 10).to_string())).collect();
    Some(curves::draw(&Chart {
        title: "test accuracy in %".to_owned(),
        description,
        x: Axis { title: "confidence in %".to_owned(), ticks, limits: lowest..1.0 },
        y: lowest..1.0,
        y_label: |value| format!("{:.0}", value * 100.0),
        curves,
        marks: Vec::new(),
        marks_name: "",
    }))
}

/// Mean seconds of each arm: stage 1, features, and the rest.
pub(super) fn time(analysis: &Analysis) -> Option<Svg> {
    let bars: Vec<Bar> = analysis
        .main()
        .map(|arm| {
            let pretraining = arm.mean(|record| record.times.pretraining);
            let features = arm.mean(|record| record.times.features);
            let epochs = arm.mean(|record| record.times.epochs.iter().sum());
            let mut says = number::seconds(features + epochs);
            if pretraining > 0.0 {
                says += &format!(", with stage 1 {}", number::seconds(pretraining + features + epochs));
            }
            Bar {
                name: arm.arm.name.clone(),
                ink: ink(&arm.arm.name),
                parts: vec![(features, 0.6), (epochs, 1.0), (pretraining, 0.22)],
                says,
            }
        })
        .collect();
    if bars.is_empty() {
        return None;
    }
    let description = bars.iter().map(|bar| format!("{}: {}", bar.name, bar.says)).collect::<Vec<_>>().join("; ");
    Some(bars::draw("mean seconds of a seed", &bars, format!("Training time. {description}.")))
}

/// Whether an arm is stage 1.
pub(super) fn is_stage_1(arm: &ArmFigures) -> bool {
    arm.arm.stage == Stage::Pretraining
}
