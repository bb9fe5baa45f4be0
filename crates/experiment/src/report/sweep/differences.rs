//! The plot of differences: a row per pair, a point per seed, the mean with its interval.

use std::ops::Range;

use super::{
    analysis::Pair,
    numbers::{p_of, signed},
    plots,
};
use crate::report::{
    palette::Ink,
    rows::Rows,
    svg::{Plane, Plot, Side, Svg, ticks},
};
use crate::system::number;

/// The plot of pairs; `None` if there is none.
pub(super) fn draw(pairs: &[&Pair]) -> Option<Plot> {
    pairs.first()?;
    let says: Vec<String> = pairs.iter().map(|pair| format!("{}: {}", name(pair), value(pair))).collect();
    let description = format!("Differences of test accuracies, in points. {}.", says.join("; "));
    let x = limits(pairs);
    Some(Plot::of(|layout| {
        let rows = Rows::new(layout, pairs.len(), 268.0, 220.0);
        let (across, down) = (rows.across.clone(), rows.down.clone());
        let mut svg = Svg::new(layout.width(), down.end + 40.0, description.clone());
        let plane = Plane { x: x.clone(), y: 0.0..1.0, across, down };
        axis(&mut svg, &plane);
        for (row, pair) in pairs.iter().enumerate() {
            mark(&mut svg, &plane, rows.middle(row), pair);
            rows.write(&mut svg, row, Ink::Text, &name(pair), &value(pair), plane.across.end + 16.0);
        }
        svg
    }))
}

fn axis(svg: &mut Svg, plane: &Plane) {
    let (left, right, Range { start: top, end: bottom }) = (plane.across.start, plane.across.end, plane.down.clone());
    svg.text((left, 12.0), Side::Right, Ink::Muted, "difference of test accuracies in points");
    for (value, label) in ticks(&plane.x, 8.0, 0.0) {
        let (x, _) = plane.point((value, 0.0));
        let (ink, width) = if value == 0.0 { (Ink::Muted, 1.2) } else { (Ink::Grid, 1.0) };
        svg.line(&[(x, top), (x, bottom)], ink, width, 1.0);
        let sign = if value > 0.0 { "+" } else { "" };
        svg.text((x, bottom + 14.0), Side::Centre, Ink::Muted, &format!("{sign}{label}"));
    }
    svg.text((left, bottom + 32.0), Side::Right, Ink::Muted, "← the second is better");
    svg.text((right, bottom + 32.0), Side::Left, Ink::Muted, "the first is better →");
}

/// A pair's seeds as points, and its mean with its interval; an arrow if the mean is outside the axis.
fn mark(svg: &mut Svg, plane: &Plane, y: f64, pair: &Pair) {
    let Range { start: low, end: high } = plane.x;
    let across = |points: f64| plane.point((points.clamp(low, high), 0.0)).0;
    let ink = plots::ink(&pair.arm);
    let points = pair.comparison.differences.iter().map(|difference| difference * 100.0);
    for seed in points.filter(|points| (low..=high).contains(points)) {
        svg.dot((across(seed), y + 7.0), 2.4, ink, 0.45);
    }
    let mean = pair.difference.mean * 100.0;
    if !(low..=high).contains(&mean) {
        return svg.bold((across(mean), y), Side::Centre, ink, if mean > high { "→" } else { "←" });
    }
    if let Some((low, high)) = pair.difference.interval() {
        svg.line(&[(across(low * 100.0), y - 3.0), (across(high * 100.0), y - 3.0)], ink, 2.2, 1.0);
    }
    svg.dot((across(mean), y - 3.0), 4.6, ink, 1.0);
}

/// The range of the axis in points: zero, and all seeds and intervals, unless a few pairs differ much more than most.
fn limits(pairs: &[&Pair]) -> Range<f64> {
    let ends = |pair: &Pair| {
        let (low, high) = pair.difference.interval().unwrap_or_default();
        let seeds = pair.comparison.differences.iter();
        seeds.fold([low.min(0.0), high.max(0.0)], |[low, high], &seed| [low.min(seed), high.max(seed)])
    };
    let ends: Vec<[f64; 2]> = pairs.iter().map(|pair| ends(pair)).collect();
    let mut reaches: Vec<f64> = ends.iter().map(|[low, high]| high.max(-low)).collect();
    reaches.sort_by(f64::total_cmp);
    let most = (4.0 * reaches[reaches.len() / 2]).max(0.005);
    let low = ends.iter().map(|end| end[0]).fold(0.0, f64::min).max(-most);
    let high = ends.iter().map(|end| end[1]).fold(0.0, f64::max).min(most);
    let margin = 0.04 * (high - low).max(0.002);
    (low - margin) * 100.0..(high + margin) * 100.0
}

fn name(pair: &Pair) -> String {
    format!("{} − {}", pair.arm, pair.baseline)
}

fn value(pair: &Pair) -> String {
    let difference = signed(&pair.difference);
    if pair.comparison.has_enough_seeds() {
        format!("{difference}, {}", p_of(&pair.comparison))
    } else {
        format!("{difference}, {}", number::counted(pair.comparison.differences.len(), "seed"))
    }
}
