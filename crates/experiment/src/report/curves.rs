//! A chart of accuracies or losses: curves, with their names, over epochs or over anything else with ticks.

use std::ops::Range;

use super::{
    palette::Ink,
    svg::{Layout, Plane, Plot, Point, Side, Svg, ticks},
};
use crate::record::run::EpochRow;

const NAME_HEIGHT: f64 = 20.0;
/// Length in pixels of the sample of a curve before its name.
const SAMPLE: f64 = 26.0;

/// What the vertical axis shows.
#[derive(Clone, Copy)]
pub(super) enum Measure {
    Accuracy,
    Loss,
}

impl Measure {
    /// The text of a value at the end of a curve.
    fn value(self, value: f64) -> String {
        let decimals = if let Measure::Accuracy = self { 1 } else { 3 };
        format!("{:.decimals$}", value * self.scale())
    }

    /// The factor from a value to the axis: accuracies are shown in per cent.
    fn scale(self) -> f64 {
        match self {
            Measure::Accuracy => 100.0,
            Measure::Loss => 1.0,
        }
    }

    fn limits(self, values: impl Iterator<Item = f64>) -> Range<f64> {
        let (low, high) = values.fold((1.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        match self {
            // Multiples of 5 %.
            Measure::Accuracy => {
                let (low, high) = ((low * 20.0).floor() / 20.0, ((high * 20.0).ceil() / 20.0).min(1.0));
                low.min(high - 0.05)..high
            }
            Measure::Loss => 0.0..if high > 0.0 { high * 1.05 } else { 1.0 },
        }
    }

    /// A curve whose name ends with its last value.
    pub(super) fn curve(self, name: &str, ink: Ink, main: bool, points: Vec<(f64, f64)>) -> Curve {
        let last = points.last().map_or(String::new(), |&(_, last)| self.value(last));
        Curve { name: format!("{name} {last}"), ink, main, points, ..Curve::default() }
    }

    /// A model's curves by epoch: validation (bold) and training (thin).
    pub(super) fn of_model(self, name: &str, ink: Ink, history: &[EpochRow]) -> [Curve; 2] {
        let name = |set: &str| format!("{name} {set}").trim_start().to_owned();
        let training: fn(&EpochRow) -> f64 = match self {
            Measure::Accuracy => |row| row.accuracy,
            Measure::Loss => |row| row.loss,
        };
        let points = history.iter().map(|row| (f64::from(row.epoch), training(row))).collect();
        [self.validation(&name("validation"), ink, history), self.curve(&name("training"), ink, false, points)]
    }

    /// A model's validation curve by epoch.
    pub(super) fn validation(self, name: &str, ink: Ink, history: &[EpochRow]) -> Curve {
        let value: fn(&EpochRow) -> f64 = match self {
            Measure::Accuracy => |row| row.val_accuracy,
            Measure::Loss => |row| row.val_loss,
        };
        self.curve(name, ink, true, history.iter().map(|row| (f64::from(row.epoch), value(row))).collect())
    }
}

#[derive(Default)]
pub(super) struct Curve {
    /// Empty for a line that the caption explains.
    pub name: String,
    pub ink: Ink,
    /// A main curve is bold, with dots if it has at most 40 points.
    pub main: bool,
    pub points: Vec<(f64, f64)>,
    /// An interval around the curve: x, lower and upper end; may be empty.
    pub band: Vec<(f64, [f64; 2])>,
    /// The curves of which this is the mean; may be none.
    pub seeds: Vec<Vec<(f64, f64)>>,
}

/// A published result: a ring with its value.
pub(super) struct Mark {
    pub ink: Ink,
    pub at: (f64, f64),
    pub value: String,
}

/// The horizontal axis.
pub(super) struct Axis {
    pub title: &'static str,
    /// x and label of each tick, from left to right.
    pub ticks: Vec<(f64, String)>,
    pub limits: Range<f64>,
}

impl Axis {
    /// From the first epoch to the last of the curves.
    fn epochs(curves: &[Curve]) -> Self {
        let epochs = curves.iter().flat_map(|curve| &curve.points).map(|&(epoch, _)| epoch);
        let last = epochs.fold(1.0, f64::max);
        Axis { title: "epoch", ticks: epoch_ticks(last), limits: 1.0..last }
    }
}

pub(super) struct Chart {
    /// What the vertical axis shows, in words.
    pub title: String,
    pub measure: Measure,
    pub x: Axis,
    pub curves: Vec<Curve>,
    pub marks: Vec<Mark>,
}

impl Chart {
    /// A chart over epochs, without curves that have no points.
    pub(super) fn by_epoch(title: String, measure: Measure, curves: Vec<Curve>) -> Self {
        let curves: Vec<Curve> = curves.into_iter().filter(|curve| !curve.points.is_empty()).collect();
        Chart { title, measure, x: Axis::epochs(&curves), curves, marks: Vec::new() }
    }

    pub(super) fn draw(&self) -> Plot {
        Plot::of(|layout| self.render(layout))
    }

    fn render(&self, layout: Layout) -> Svg {
        let Range { start, end } = self.x.limits;
        // A single point still needs a width.
        let margin = if end > start { (end - start) * 0.025 } else { 0.025 };
        let seeds = self.curves.iter().flat_map(|curve| curve.seeds.iter().flatten());
        let points = self.curves.iter().flat_map(|curve| &curve.points).chain(self.marks.iter().map(|mark| &mark.at));
        let y = self.measure.limits(points.chain(seeds).map(|&(_, y)| y));
        let (across, down) = match layout {
            Layout::Wide => (52.0..604.0, 34.0..376.0),
            Layout::Narrow => (40.0..380.0, 34.0..290.0),
        };
        let below = down.end + 44.0;
        let plane = Plane { x: start - margin..end + margin, y, across, down };
        let named: Vec<&Curve> = self.curves.iter().filter(|curve| !curve.name.is_empty()).collect();
        let ends: Vec<&str> = named.iter().map(|curve| curve.name.as_str()).collect();
        let description = format!("{} by {}. At the end: {}.", self.title, self.x.title, ends.join("; "));
        let rows = (named.len() + usize::from(!self.marks.is_empty())) as f64;
        let height = if layout == Layout::Wide { below } else { below + 10.0 + NAME_HEIGHT * rows };
        let mut svg = Svg::new(layout.width(), height, description);
        self.axes(&mut svg, &plane);
        for curve in &self.curves {
            band(&mut svg, &plane, curve);
        }
        for main in [false, true] {
            for (index, curve) in self.curves.iter().enumerate().filter(|(_, curve)| curve.main == main) {
                line(&mut svg, &plane, curve, self.dash(index));
            }
        }
        for mark in &self.marks {
            let (x, y) = plane.point(mark.at);
            svg.ring((x, y), mark.ink);
            let below = if y + 24.0 < plane.down.end { 16.0 } else { -16.0 };
            svg.text((x, y + below), Side::Centre, Ink::Muted, &mark.value);
        }
        self.names(&mut svg, &plane, layout, below);
        svg
    }

    fn dash(&self, index: usize) -> &'static str {
        let curve = &self.curves[index];
        curve.ink.dash(self.curves[..index].iter().filter(|other| other.ink == curve.ink).count())
    }

    fn axes(&self, svg: &mut Svg, plane: &Plane) {
        let (left, right, bottom) = (plane.across.start, plane.across.end, plane.down.end);
        svg.text((left, 12.0), Side::Right, Ink::Muted, &self.title);
        let scale = self.measure.scale();
        for (value, label) in ticks(&(plane.y.start * scale..plane.y.end * scale), 8.0, 0.0) {
            let (_, y) = plane.point((0.0, value / scale));
            svg.line(&[(left, y), (right, y)], Ink::Grid, 1.0, 1.0);
            svg.text((left - 8.0, y), Side::Left, Ink::Muted, &label);
        }
        svg.line(&[(left, bottom), (right, bottom)], Ink::Muted, 1.0, 1.0);
        let mut free = 0.0;
        for (place, label) in &self.x.ticks {
            let (x, _) = plane.point((*place, 0.0));
            svg.line(&[(x, bottom), (x, bottom + 5.0)], Ink::Muted, 1.0, 1.0);
            // A digit is about 7 pixels wide.
            let half = 3.5 * label.chars().count() as f64;
            if x - half >= free {
                svg.text((x, bottom + 16.0), Side::Centre, Ink::Muted, label);
                free = x + half + 5.0;
            }
        }
        svg.text((right, bottom + 34.0), Side::Left, Ink::Muted, self.x.title);
    }

    /// The curves' names, at their ends or in a list below, each after a sample of its curve; and the meaning of the
    /// rings.
    fn names(&self, svg: &mut Svg, plane: &Plane, layout: Layout, below: f64) {
        let last = |curve: &Curve| Some(plane.point(*curve.points.last()?).1);
        let mut ends: Vec<(usize, f64)> =
            self.curves.iter().enumerate().filter_map(|(index, curve)| Some((index, last(curve)?))).collect();
        ends.retain(|&(index, _)| !self.curves[index].name.is_empty());
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        let rows = (1..).map(|row| below + NAME_HEIGHT * f64::from(row) - 6.0).take(ends.len());
        let (x, heights): (_, Vec<f64>) = match layout {
            // The value of a ring at the last epoch needs space.
            Layout::Wide => (
                plane.across.end + if self.marks.is_empty() { 14.0 } else { 28.0 },
                spread(&ends.iter().map(|end| end.1).collect::<Vec<_>>(), NAME_HEIGHT, plane.down.clone()),
            ),
            Layout::Narrow => (plane.across.start, rows.collect()),
        };
        for (&(index, _), y) in ends.iter().zip(&heights) {
            let curve = &self.curves[index];
            let (width, opacity) = curve.stroke();
            svg.dashed(&[(x, *y), (x + SAMPLE, *y)], curve.ink, width, opacity, self.dash(index));
            let at = (x + SAMPLE + 8.0, *y);
            if curve.main {
                svg.bold(at, Side::Right, Ink::Text, &curve.name);
            } else {
                svg.text(at, Side::Right, Ink::Text, &curve.name);
            }
        }
        if !self.marks.is_empty() {
            let y = match layout {
                Layout::Wide => plane.down.end + 34.0,
                Layout::Narrow => heights.last().map_or(below, |last| last + NAME_HEIGHT),
            };
            svg.ring((x + SAMPLE / 2.0, y), Ink::Muted);
            svg.text((x + SAMPLE + 8.0, y), Side::Right, Ink::Muted, "published result");
        }
    }
}

impl Curve {
    /// Width and opacity.
    fn stroke(&self) -> (f64, f64) {
        if self.main { (2.4, 1.0) } else { (1.6, 0.9) }
    }
}

/// The interval around a curve, clipped to the chart.
fn band(svg: &mut Svg, plane: &Plane, curve: &Curve) {
    let point = |x: f64, value: f64| plane.point((x, value.clamp(plane.y.start, plane.y.end)));
    let upper = curve.band.iter().map(|&(x, [_, high])| point(x, high));
    let lower = curve.band.iter().rev().map(|&(x, [low, _])| point(x, low));
    let outline: Vec<Point> = upper.chain(lower).collect();
    if outline.len() >= 4 {
        svg.area(&outline, curve.ink, 0.1);
    }
}

fn line(svg: &mut Svg, plane: &Plane, curve: &Curve, dash: &str) {
    let pixels = |points: &[(f64, f64)]| points.iter().map(|&at| plane.point(at)).collect::<Vec<_>>();
    for seed in &curve.seeds {
        svg.line(&pixels(seed), curve.ink, 0.7, 0.4);
    }
    let points = pixels(&curve.points);
    let (width, opacity) = curve.stroke();
    svg.dashed(&points, curve.ink, width, opacity, dash);
    // More than 40 points would overlap; a single one has no line.
    if (curve.main && points.len() <= 40) || points.len() == 1 {
        for &point in &points {
            svg.dot(point, 3.0, curve.ink, 1.0);
        }
    }
}

/// The first epoch, and at most ten round ones.
fn epoch_ticks(last: f64) -> Vec<(f64, String)> {
    let round = ticks(&(0.0..last), 10.0, 1.0).into_iter().filter(|&(epoch, _)| epoch > 1.0);
    std::iter::once((1.0, "1".to_owned())).chain(round).collect()
}

/// Heights at least `gap` apart and, if there is room, within `limits`, in the order of the ascending `wanted`, and as
/// close to it as possible.
///
/// With the gaps taken out, the heights only have to ascend: least squares under that condition is isotonic regression,
/// solved by pooling neighbours that are out of order (Ayer et al. 1955).
fn spread(wanted: &[f64], gap: f64, limits: Range<f64>) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (rank, wanted) in wanted.iter().enumerate() {
        let mut pool = (wanted - gap * rank as f64, 1);
        while let Some(&(mean, size)) = pools.last().filter(|before| before.0 > pool.0) {
            pools.pop();
            let total = size + pool.1;
            pool = ((mean * size as f64 + pool.0 * pool.1 as f64) / total as f64, total);
        }
        pools.push(pool);
    }
    let room = (limits.end - limits.start - gap * wanted.len().saturating_sub(1) as f64).max(0.0);
    let pooled = pools.iter().flat_map(|&(mean, size)| std::iter::repeat_n(mean, size));
    pooled
        .enumerate()
        .map(|(rank, height)| height.clamp(limits.start, limits.start + room) + gap * rank as f64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap_and_keep_their_order() {
        let heights = spread(&[40.0, 100.0, 101.0, 104.0], 18.0, 0.0..400.0);
        assert_eq!(heights[0], 40.0, "a name with room stays where its curve ends");
        assert!(heights[1..].windows(2).all(|pair| pair[0] + 18.0 <= pair[1] + 1e-9), "{heights:?}");
        let mean = heights[1..].iter().sum::<f64>() / 3.0;
        assert!((mean - 305.0 / 3.0).abs() < 1e-9, "a crowd moves apart around its middle: {heights:?}");
        assert_eq!(spread(&[399.0, 400.0], 18.0, 0.0..400.0), [382.0, 400.0], "names stay within the limits");
        assert_eq!(spread(&[0.0, 0.0, 0.0], 18.0, 0.0..400.0), [0.0, 18.0, 36.0]);
        assert_eq!(spread(&[], 18.0, 0.0..400.0), [] as [f64; 0]);
    }

    #[test]
    fn epochs_have_few_ticks() {
        for (last, expected) in [(1.0, "1"), (6.0, "1 2 3 4 5 6"), (20.0, "1 2 4 6 8 10 12 14 16 18 20")] {
            let labels: Vec<String> = epoch_ticks(last).into_iter().map(|(_, label)| label).collect();
            assert_eq!(labels.join(" "), expected);
        }
        assert!(epoch_ticks(f64::from(u32::MAX)).len() <= 11);
    }
}
