//! A chart of accuracies or losses: curves over epochs, or over anything else with ticks, each named at its end.

use std::ops::Range;

use super::{
    palette::Ink,
    svg::{Plane, Point, Side, Svg, ticks},
};
use crate::record::run::EpochRow;

/// The pixels of the curves; their names are to the right.
const ACROSS: Range<f64> = 52.0..624.0;
const DOWN: Range<f64> = 34.0..376.0;

const NAME_HEIGHT: f64 = 18.0;

/// What the vertical axis shows.
#[derive(Clone, Copy)]
pub(super) enum Measure {
    Accuracy,
    Loss,
}

impl Measure {
    /// A value at the end of a curve.
    fn value(self, value: f64) -> String {
        match self {
            Measure::Accuracy => format!("{:.1}", value * 100.0),
            Measure::Loss => format!("{value:.3}"),
        }
    }

    fn tick(self, value: f64) -> String {
        match self {
            Measure::Accuracy => format!("{:.0}", value * 100.0),
            Measure::Loss => format!("{value:.1}"),
        }
    }

    fn limits(self, values: impl Iterator<Item = f64>) -> Range<f64> {
        let (low, high) = values.fold((1.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        match self {
            // Multiples of 5 %, so that the outer grid lines have labels.
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
        Curve { name: format!("{name} {last}"), ink, main, points, band: Vec::new() }
    }

    /// A model's validation (bold) and training (thin) by epoch.
    pub(super) fn of_model(self, name: &str, ink: Ink, history: &[EpochRow]) -> [Curve; 2] {
        [("validation", true), ("training", false)].map(|(set, main)| {
            let value = |row: &EpochRow| match (self, main) {
                (Measure::Accuracy, true) => row.val_accuracy,
                (Measure::Accuracy, false) => row.accuracy,
                (Measure::Loss, true) => row.val_loss,
                (Measure::Loss, false) => row.loss,
            };
            let points = history.iter().map(|row| (f64::from(row.epoch), value(row))).collect();
            self.curve(format!("{name} {set}").trim_start(), ink, main, points)
        })
    }
}

pub(super) struct Curve {
    pub name: String,
    pub ink: Ink,
    /// A main curve is bold and shows its points.
    pub main: bool,
    pub points: Vec<(f64, f64)>,
    /// Place, lower and upper end of an interval around the curve; may be empty.
    pub band: Vec<(f64, [f64; 2])>,
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
    /// Places and their labels, from left to right.
    pub ticks: Vec<(f64, String)>,
    pub limits: Range<f64>,
}

impl Axis {
    /// From the first epoch to the last of the curves.
    fn epochs(curves: &[Curve]) -> Self {
        let epochs = curves.iter().flat_map(|curve| &curve.points).map(|&(epoch, _)| epoch);
        let last = epochs.fold(1.0, f64::max);
        let ticks = epoch_ticks(last).into_iter().map(|epoch| (epoch, epoch.to_string())).collect();
        Axis { title: "epoch", ticks, limits: 1.0..last }
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
    /// A chart over epochs.
    pub(super) fn by_epoch(title: String, measure: Measure, curves: Vec<Curve>) -> Self {
        Chart { title, measure, x: Axis::epochs(&curves), curves, marks: Vec::new() }
    }

    pub(super) fn draw(&self) -> Svg {
        let Range { start, end } = self.x.limits;
        // A single place still has a width.
        let margin = if end > start { (end - start) * 0.025 } else { 0.025 };
        let points = self.curves.iter().flat_map(|curve| &curve.points).chain(self.marks.iter().map(|mark| &mark.at));
        let y = self.measure.limits(points.map(|&(_, y)| y));
        let plane = Plane { x: start - margin..end + margin, y, across: ACROSS, down: DOWN };
        let ends: Vec<&str> = self.curves.iter().map(|curve| curve.name.as_str()).collect();
        let description = format!("{} by {}. At the end: {}.", self.title, self.x.title, ends.join("; "));
        let mut svg = Svg::new(860.0, 420.0, description);
        self.axes(&mut svg, &plane);
        for curve in &self.curves {
            band(&mut svg, &plane, curve);
        }
        for main in [false, true] {
            for curve in self.curves.iter().filter(|curve| curve.main == main) {
                line(&mut svg, &plane, curve);
            }
        }
        for mark in &self.marks {
            let (x, y) = plane.point(mark.at);
            svg.ring((x, y), mark.ink);
            let below = if y + 24.0 < DOWN.end { 16.0 } else { -16.0 };
            svg.text((x, y + below), Side::Centre, Ink::Muted, &mark.value);
        }
        self.names(&mut svg, &plane);
        svg
    }

    fn axes(&self, svg: &mut Svg, plane: &Plane) {
        svg.text((ACROSS.start, 12.0), Side::Right, Ink::Muted, &self.title);
        for value in ticks(&plane.y, 8.0, 0.0) {
            let (_, y) = plane.point((0.0, value));
            svg.line(&[(ACROSS.start, y), (ACROSS.end, y)], Ink::Grid, 1.0, 1.0);
            svg.text((ACROSS.start - 8.0, y), Side::Left, Ink::Muted, &self.measure.tick(value));
        }
        svg.line(&[(ACROSS.start, DOWN.end), (ACROSS.end, DOWN.end)], Ink::Muted, 1.0, 1.0);
        for (place, label) in &self.x.ticks {
            let (x, _) = plane.point((*place, 0.0));
            svg.line(&[(x, DOWN.end), (x, DOWN.end + 5.0)], Ink::Muted, 1.0, 1.0);
            svg.text((x, DOWN.end + 16.0), Side::Centre, Ink::Muted, label);
        }
        svg.text((ACROSS.end, DOWN.end + 34.0), Side::Left, Ink::Muted, self.x.title);
    }

    /// The curves' names, with a line to their ends where they had to move; and what the rings are.
    fn names(&self, svg: &mut Svg, plane: &Plane) {
        // The value of a ring at the last epoch needs room.
        let x = ACROSS.end + if self.marks.is_empty() { 16.0 } else { 32.0 };
        let ends = self.curves.iter().filter_map(|curve| Some((curve, plane.point(*curve.points.last()?))));
        let ends: Vec<(&Curve, Point)> = ends.collect();
        let wanted: Vec<f64> = ends.iter().map(|(_, end)| end.1).collect();
        for (&(curve, end), y) in ends.iter().zip(spread(&wanted, NAME_HEIGHT, DOWN)) {
            if curve.main {
                svg.bold((x, y), Side::Right, curve.ink, &curve.name);
            } else {
                svg.text((x, y), Side::Right, curve.ink, &curve.name);
            }
            if (y - end.1).abs() > 4.0 {
                svg.line(&[(end.0 + 6.0, end.1), (x - 4.0, y)], curve.ink, 0.8, 0.5);
            }
        }
        if !self.marks.is_empty() {
            let y = DOWN.end + 34.0;
            svg.ring((ACROSS.end + 21.0, y), Ink::Muted);
            svg.text((ACROSS.end + 32.0, y), Side::Right, Ink::Muted, "published result");
        }
    }
}

/// The interval around a curve, as far as the chart reaches.
fn band(svg: &mut Svg, plane: &Plane, curve: &Curve) {
    let point = |x: f64, value: f64| plane.point((x, value.clamp(plane.y.start, plane.y.end)));
    let upper = curve.band.iter().map(|&(x, [_, high])| point(x, high));
    let lower = curve.band.iter().rev().map(|&(x, [low, _])| point(x, low));
    let outline: Vec<Point> = upper.chain(lower).collect();
    if outline.len() >= 4 {
        svg.area(&outline, curve.ink, 0.16);
    }
}

fn line(svg: &mut Svg, plane: &Plane, curve: &Curve) {
    let points: Vec<Point> = curve.points.iter().map(|&at| plane.point(at)).collect();
    let (width, opacity) = if curve.main { (2.2, 1.0) } else { (1.2, 0.75) };
    svg.line(&points, curve.ink, width, opacity);
    // More than 40 points run into each other; a single one has no line.
    if (curve.main && points.len() <= 40) || points.len() == 1 {
        for &point in &points {
            svg.dot(point, 3.0, curve.ink, 1.0);
        }
    }
}

/// The first epoch, and about ten round ones.
fn epoch_ticks(last: f64) -> Vec<f64> {
    let round = ticks(&(0.0..last), 10.0, 1.0).into_iter().filter(|&epoch| epoch > 1.0);
    std::iter::once(1.0).chain(round).collect()
}

/// Heights at least `gap` apart and within `limits`, in the order of `wanted` and as near to it as can be.
///
/// With the gaps taken out, the heights only have to ascend: least squares under that condition is isotonic regression,
/// solved by pooling neighbours that are out of order (Ayer et al. 1955).
fn spread(wanted: &[f64], gap: f64, limits: Range<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (rank, &index) in order.iter().enumerate() {
        let mut pool = (wanted[index] - gap * rank as f64, 1);
        while let Some(&(mean, size)) = pools.last().filter(|before| before.0 > pool.0) {
            pools.pop();
            let total = size + pool.1;
            pool = ((mean * size as f64 + pool.0 * pool.1 as f64) / total as f64, total);
        }
        pools.push(pool);
    }
    let room = (limits.end - limits.start - gap * wanted.len().saturating_sub(1) as f64).max(0.0);
    let mut heights = vec![0.0; wanted.len()];
    let pooled = pools.iter().flat_map(|&(mean, size)| std::iter::repeat_n(mean, size));
    for (rank, (&index, height)) in order.iter().zip(pooled).enumerate() {
        heights[index] = height.clamp(limits.start, limits.start + room) + gap * rank as f64;
    }
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_distance_and_their_order() {
        let wanted = [100.0, 104.0, 40.0, 101.0];
        let heights = spread(&wanted, 18.0, 0.0..400.0);
        assert_eq!(heights[2], 40.0, "a name with room stays where its curve ends");
        assert!(heights[0] + 18.0 <= heights[3] + 1e-9 && heights[3] + 18.0 <= heights[1] + 1e-9, "{heights:?}");
        let mean = (heights[0] + heights[1] + heights[3]) / 3.0;
        assert!((mean - 305.0 / 3.0).abs() < 1e-9, "a crowd moves apart around its middle: {heights:?}");
    }

    #[test]
    fn names_stay_on_the_sheet() {
        assert_eq!(spread(&[399.0, 400.0], 18.0, 0.0..400.0), [382.0, 400.0]);
        assert_eq!(spread(&[0.0, 0.0, 0.0], 18.0, 0.0..400.0), [0.0, 18.0, 36.0]);
        assert_eq!(spread(&[], 18.0, 0.0..400.0), [] as [f64; 0]);
    }

    #[test]
    fn ticks_are_few_and_round() {
        for (last, expected) in [
            (1.0, &[1.0][..]),
            (6.0, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            (20.0, &[1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0]),
            (100.0, &[1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]),
        ] {
            assert_eq!(epoch_ticks(last), expected);
        }
        assert!(epoch_ticks(f64::from(u32::MAX)).len() <= 11);
        let shown: Vec<String> = ticks(&(0.15..0.3), 8.0, 0.0).iter().map(|tick| format!("{tick:.2}")).collect();
        assert_eq!(shown, ["0.16", "0.18", "0.20", "0.22", "0.24", "0.26", "0.28", "0.30"]);
        assert!(ticks(&(0.0..3e38), 8.0, 0.0).len() <= 9);
    }
}
