//! The plots of differences: a row per pair of arms or per split. Small points are the differences of its seeds, splits
//! or directions; the large point is their mean, with its interval.

use std::ops::Range;

use super::{
    analysis::{Analysis, Pair},
    numbers::{p_of, signed},
    plots,
};
use crate::{
    report::{
        palette::Ink,
        rows::Rows,
        svg::{Plane, Plot, Side, Svg, ticks},
    },
    sweep::{comparison::Comparison, splits::Split, statistics::Sample},
    system::number,
};

/// A difference of test accuracies.
struct Row {
    name: String,
    value: String,
    ink: Ink,
    /// The differences that `mean` averages.
    parts: Vec<f64>,
    mean: Sample,
}

/// The plot of pairs, a small point per seed; `None` without pairs.
pub(super) fn of_pairs(pairs: &[&Pair]) -> Option<Plot> {
    let row = |pair: &&Pair| Row {
        name: format!("{} − {}", pair.arm, pair.baseline),
        value: value(pair),
        ink: plots::ink(&pair.arm),
        parts: pair.comparison.differences.clone(),
        mean: pair.difference,
    };
    draw(&pairs.iter().map(row).collect::<Vec<_>>(), ["the second", "the first"])
}

/// The plot of random splits: first a row for all of them, with a small point per split, then a row for each, with a
/// small point per direction.
pub(super) fn of_splits(analysis: &Analysis) -> Option<Plot> {
    let splits = analysis.splits.as_ref()?;
    let gaps: Vec<f64> = splits.splits.iter().map(Split::gap).collect();
    let p = Comparison::of_differences(gaps.clone())
        .filter(Comparison::has_enough_seeds)
        .map_or_else(String::new, |comparison| format!(", {}", p_of(&comparison)));
    let all = Row {
        name: number::counted(gaps.len(), "split"),
        value: signed(&splits.gap) + &p,
        ink: Ink::Text,
        parts: gaps,
        mean: splits.gap,
    };
    let row = |split: &Split| {
        let mean = Sample { n: 1, mean: split.gap(), deviation: None, half_width: None };
        let (name, value) = (format!("split {}", split.number), signed(&mean));
        Row { name, value, ink: plots::ink("frozen"), parts: split.gaps.clone(), mean }
    };
    let rows: Vec<Row> = std::iter::once(all).chain(splits.splits.iter().map(row)).collect();
    draw(&rows, ["scratch", "frozen"])
}

/// `negative` and `positive` name the better arm of a negative and of a positive difference.
fn draw(rows: &[Row], [negative, positive]: [&str; 2]) -> Option<Plot> {
    rows.first()?;
    let says: Vec<String> = rows.iter().map(|row| format!("{}: {}", row.name, row.value)).collect();
    let description = format!("Differences of test accuracies, in points. {}.", says.join("; "));
    let x = limits(rows);
    Some(Plot::of(|layout| {
        let lines = Rows::new(layout, rows.len(), 268.0, 220.0);
        let (across, down) = (lines.across.clone(), lines.down.clone());
        let mut svg = Svg::new(layout.width(), down.end + 40.0, description.clone());
        let plane = Plane { x: x.clone(), y: 0.0..1.0, across, down };
        axis(&mut svg, &plane, [negative, positive]);
        for (index, row) in rows.iter().enumerate() {
            mark(&mut svg, &plane, lines.middle(index), row);
            lines.write(&mut svg, index, Ink::Text, &row.name, &row.value, plane.across.end + 16.0);
        }
        svg
    }))
}

fn axis(svg: &mut Svg, plane: &Plane, [negative, positive]: [&str; 2]) {
    let (left, right, Range { start: top, end: bottom }) = (plane.across.start, plane.across.end, plane.down.clone());
    svg.text((left, 12.0), Side::Right, Ink::Muted, "difference of test accuracies in points");
    for (value, label) in ticks(&plane.x, 8.0, 0.0) {
        let (x, _) = plane.point((value, 0.0));
        let (ink, width) = if value == 0.0 { (Ink::Muted, 1.2) } else { (Ink::Grid, 1.0) };
        svg.line(&[(x, top), (x, bottom)], ink, width, 1.0);
        let sign = if value > 0.0 { "+" } else { "" };
        svg.text((x, bottom + 14.0), Side::Centre, Ink::Muted, &format!("{sign}{label}"));
    }
    svg.text((left, bottom + 32.0), Side::Right, Ink::Muted, &format!("← {negative} is better"));
    svg.text((right, bottom + 32.0), Side::Left, Ink::Muted, &format!("{positive} is better →"));
}

/// The parts as small points, and the mean with its interval; an arrow if the mean is outside the axis.
fn mark(svg: &mut Svg, plane: &Plane, y: f64, row: &Row) {
    let Range { start: low, end: high } = plane.x;
    let across = |points: f64| plane.point((points.clamp(low, high), 0.0)).0;
    let ink = row.ink;
    let points = row.parts.iter().map(|difference| difference * 100.0);
    for part in points.filter(|points| (low..=high).contains(points)) {
        svg.dot((across(part), y + 7.0), 2.4, ink, 0.45);
    }
    let mean = row.mean.mean * 100.0;
    if !(low..=high).contains(&mean) {
        return svg.bold((across(mean), y), Side::Centre, ink, if mean > high { "→" } else { "←" });
    }
    if let Some((low, high)) = row.mean.interval() {
        svg.line(&[(across(low * 100.0), y - 3.0), (across(high * 100.0), y - 3.0)], ink, 2.2, 1.0);
    }
    svg.dot((across(mean), y - 3.0), 4.6, ink, 1.0);
}

/// The range of the axis in points: zero, all parts and all intervals; a few rows that differ much more than most are
/// cut off.
fn limits(rows: &[Row]) -> Range<f64> {
    let ends = |row: &Row| {
        let (low, high) = row.mean.interval().unwrap_or_default();
        row.parts.iter().fold([low.min(0.0), high.max(0.0)], |[low, high], &part| [low.min(part), high.max(part)])
    };
    let ends: Vec<[f64; 2]> = rows.iter().map(ends).collect();
    let mut reaches: Vec<f64> = ends.iter().map(|[low, high]| high.max(-low)).collect();
    reaches.sort_by(f64::total_cmp);
    let most = (4.0 * reaches[reaches.len() / 2]).max(0.005);
    let low = ends.iter().map(|end| end[0]).fold(0.0, f64::min).max(-most);
    let high = ends.iter().map(|end| end[1]).fold(0.0, f64::max).min(most);
    let margin = 0.04 * (high - low).max(0.002);
    (low - margin) * 100.0..(high + margin) * 100.0
}

fn value(pair: &Pair) -> String {
    let difference = signed(&pair.difference);
    if pair.comparison.has_enough_seeds() {
        format!("{difference}, {}", p_of(&pair.comparison))
    } else {
        format!("{difference}, {}", number::counted(pair.comparison.differences.len(), "seed"))
    }
}
