//! The plot of paired differences: a row per pair, a point per seed, the mean with its interval.

use std::ops::Range;

use super::{
    analysis::{Analysis, Pair},
    answer::signed,
    plots,
};
use crate::report::{
    palette::Ink,
    svg::{Plane, Side, Svg, ticks},
};
use crate::system::number;

const WIDTH: f64 = 860.0;
const ROW: f64 = 34.0;
/// The title's height.
const TOP: f64 = 34.0;
/// The axis's height.
const BOTTOM: f64 = 40.0;
/// The pixels of the differences; the names of pairs are to the left, figures to the right.
const ACROSS: Range<f64> = 268.0..640.0;

/// The plot; `None` if there is no pair.
pub(super) fn draw(analysis: &Analysis) -> Option<Svg> {
    let pairs = &analysis.pairs;
    pairs.first()?;
    let limit = limit(pairs);
    let down = TOP..TOP + ROW * pairs.len() as f64;
    let plane = Plane { x: -limit..limit, y: 0.0..1.0, across: ACROSS, down: down.clone() };
    let across = |points: f64| plane.point((points.clamp(-limit, limit), 0.0)).0;
    let rows: Vec<String> = pairs.iter().map(|pair| format!("{}: {}", name(pair), says(pair))).collect();
    let description = format!("Paired differences of test accuracies, in points. {}.", rows.join("; "));
    let mut svg = Svg::new(WIDTH, down.end + BOTTOM, description);
    let Range { start: left, end: right } = ACROSS;
    svg.text((left, 12.0), Side::Right, Ink::Muted, "difference of test accuracies in points");
    for value in ticks(&plane.x, 9.0, 0.0) {
        let x = across(value);
        let (ink, width) = if value == 0.0 { (Ink::Muted, 1.2) } else { (Ink::Grid, 1.0) };
        svg.line(&[(x, down.start), (x, down.end)], ink, width, 1.0);
        let label = if value == 0.0 { "0".to_owned() } else { format!("{:+}", value as f32).replace('-', "−") };
        svg.text((x, down.end + 14.0), Side::Centre, Ink::Muted, &label);
    }
    svg.text((left, down.end + 32.0), Side::Right, Ink::Muted, "← the second is better");
    svg.text((right, down.end + 32.0), Side::Left, Ink::Muted, "the first is better →");
    for (row, pair) in pairs.iter().enumerate() {
        let y = down.start + ROW * (row as f64 + 0.5);
        let ink = plots::ink(&pair.arm);
        svg.text((left - 14.0, y), Side::Left, Ink::Text, &name(pair));
        for difference in
            pair.differences.iter().map(|difference| difference * 100.0).filter(|points| points.abs() <= limit)
        {
            svg.dot((across(difference), y + 7.0), 2.4, ink, 0.45);
        }
        let mean = pair.difference.mean * 100.0;
        if mean.abs() > limit {
            // The axis does not reach it.
            let arrow = if mean > 0.0 { "→" } else { "←" };
            svg.bold((across(mean), y), Side::Centre, ink, arrow);
        } else {
            if let Some((low, high)) = pair.difference.interval() {
                svg.line(&[(across(low * 100.0), y - 3.0), (across(high * 100.0), y - 3.0)], ink, 2.2, 1.0);
            }
            svg.dot((across(mean), y - 3.0), 4.6, ink, 1.0);
        }
        svg.text((right + 16.0, y), Side::Right, Ink::Text, &says(pair));
    }
    Some(svg)
}

/// How far the axis reaches on each side, in points: as far as all seeds, unless a few pairs are much farther apart than most.
fn limit(pairs: &[Pair]) -> f64 {
    let farthest = |pair: &Pair| pair.differences.iter().copied().map(f64::abs).fold(0.0, f64::max);
    let mut reaches: Vec<f64> = pairs.iter().map(farthest).collect();
    reaches.sort_by(f64::total_cmp);
    let (Some(&median), Some(&largest)) = (reaches.get(reaches.len() / 2), reaches.last()) else { return 1.0 };
    largest.min(4.0 * median).max(0.005) * 110.0
}

fn name(pair: &Pair) -> String {
    format!("{} − {}", pair.arm, pair.baseline)
}

fn says(pair: &Pair) -> String {
    let difference = signed(&pair.difference);
    match pair.p {
        Some(p) if pair.has_enough_seeds() => format!("{difference}, p = {p:.3}"),
        _ => format!("{difference}, {}", number::counted(pair.differences.len(), "seed")),
    }
}
