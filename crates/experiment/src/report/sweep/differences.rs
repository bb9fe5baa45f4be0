//! The plot of paired differences: a row a pair, a point a seed, the mean with its interval.

use std::ops::Range;

use plotters::coord::{ranged1d::Ranged, types::RangedCoordf64};

use super::{
    super::{
        canvas::{Face, Pen, Plane, Side, Svg},
        palette::Ink,
    },
    analysis::{Analysis, Pair},
    plots,
};

const WIDTH: f64 = 860.0;
const ROW: f64 = 34.0;
/// The title's height.
const TOP: f64 = 34.0;
/// The axis's height.
const BOTTOM: f64 = 40.0;
/// The pixels that differences take; pairs stand to the left, figures to the right.
const ACROSS: Range<f64> = 268.0..640.0;

/// The plot; nothing where there is no pair.
pub(super) fn draw(analysis: &Analysis) -> Option<Svg> {
    let pairs = &analysis.pairs;
    let limit = limit(pairs);
    let height = TOP + ROW * pairs.len() as f64 + BOTTOM;
    let down = TOP..TOP + ROW * pairs.len() as f64;
    let plane = Plane::new(-limit..limit, 0.0..1.0, ACROSS, down.clone());
    let across = |points: f64| plane.point((points.clamp(-limit, limit), 0.0)).0;
    pairs.first()?;
    Some(Svg::draw((WIDTH, height), describe(pairs), |canvas| {
        let axis = Face::new(Ink::Muted, 13.0);
        canvas.text((ACROSS.start, 12.0), Side::Right, axis, "difference of test accuracies in points")?;
        for value in RangedCoordf64::from(-limit..limit).key_points(9) {
            let x = across(value);
            let pen = if value == 0.0 { Pen::new(Ink::Muted, 1.2) } else { Pen::new(Ink::Grid, 1.0) };
            canvas.line(&[(x, down.start), (x, down.end)], pen)?;
            canvas.text(
                (x, down.end + 14.0),
                Side::Centre,
                axis,
                &format!("{value:+.0}").replace("+0", "0").replace("-0", "0").replace('-', "−"),
            )?;
        }
        let (left, right) = (ACROSS.start, ACROSS.end);
        canvas.text((left, down.end + 32.0), Side::Right, axis, "← the second is better")?;
        canvas.text((right, down.end + 32.0), Side::Left, axis, "the first is better →")?;
        for (row, pair) in pairs.iter().enumerate() {
            let y = down.start + ROW * (row as f64 + 0.5);
            let ink = plots::ink(&pair.arm);
            canvas.text((left - 14.0, y), Side::Left, Face::new(Ink::Text, 13.0), &name(pair))?;
            for &difference in pair.differences.iter().filter(|difference| difference.abs() * 100.0 <= limit) {
                canvas.dot((across(difference * 100.0), y + 7.0), 2.4, Pen { ink, width: 0.0, opacity: 0.45 })?;
            }
            let mean = across(pair.difference.mean * 100.0);
            if let (Some((low, high)), None) = (pair.difference.interval(), outside(pair, limit)) {
                canvas.line(&[(across(low * 100.0), y - 3.0), (across(high * 100.0), y - 3.0)], Pen::new(ink, 2.2))?;
            }
            match outside(pair, limit) {
                None => canvas.dot((mean, y - 3.0), 4.6, Pen::new(ink, 0.0))?,
                Some(arrow) => canvas.text((mean, y), Side::Centre, Face::new(ink, 16.0).bold(), arrow)?,
            }
            canvas.text((right + 16.0, y), Side::Right, Face::new(Ink::Text, 13.0), &says(pair))?;
        }
        Ok(())
    }))
}

/// How far the axis goes on each side, in points: far enough for all but the few pairs that are much further apart than
/// most, and for all points where there are not many pairs.
fn limit(pairs: &[Pair]) -> f64 {
    let farthest = |pair: &Pair| pair.differences.iter().copied().map(f64::abs).fold(0.0, f64::max);
    let mut reaches: Vec<f64> = pairs.iter().map(farthest).collect();
    reaches.sort_by(f64::total_cmp);
    let (Some(&median), Some(&largest)) = (reaches.get(reaches.len() / 2), reaches.last()) else { return 1.0 };
    largest.min(4.0 * median).max(0.005) * 110.0
}

/// An arrow, for a mean that the axis does not reach.
fn outside(pair: &Pair, limit: f64) -> Option<&'static str> {
    let mean = pair.difference.mean * 100.0;
    (mean.abs() > limit).then_some(if mean > 0.0 { "→" } else { "←" })
}

fn name(pair: &Pair) -> String {
    format!("{} − {}", pair.arm, pair.baseline)
}

fn says(pair: &Pair) -> String {
    let mean = format!("{:+.2}", pair.difference.mean * 100.0).replace('-', "−");
    let half = pair.difference.half_width.map_or_else(String::new, |half| format!(" ± {:.2}", half * 100.0));
    let p = match pair.p {
        Some(p) if pair.has_enough_seeds() => format!(", p = {p:.3}"),
        _ => format!(", {} seed{}", pair.differences.len(), if pair.differences.len() == 1 { "" } else { "s" }),
    };
    format!("{mean}{half}{p}")
}

fn describe(pairs: &[Pair]) -> String {
    let rows: Vec<String> = pairs.iter().map(|pair| format!("{}: {}", name(pair), says(pair))).collect();
    format!("Paired differences of test accuracies, in points. {}.", rows.join("; "))
}
