//! A chart of curves, each named where it ends: over epochs, or over anything else that has ticks.

use std::ops::Range;

use plotters::coord::{ranged1d::Ranged, types::RangedCoordf64};

use super::{
    canvas::{Canvas, Drawn, Face, Pen, Plane, Point, Side, Svg},
    palette::Ink,
};

const SIZE: (f64, f64) = (860.0, 420.0);
/// The pixels that the curves take; names of curves stand to the right.
const ACROSS: Range<f64> = 52.0..624.0;
const DOWN: Range<f64> = 34.0..376.0;

const AXIS: Face = Face::new(Ink::Muted, 13.0);
const NAME_HEIGHT: f64 = 18.0;

/// Values by epoch, or by whatever the axis shows.
pub(super) struct Curve {
    /// Stands at the curve's end.
    pub name: String,
    pub ink: Ink,
    /// A main curve is bold and shows its points; a quiet one accompanies it.
    pub main: bool,
    pub points: Vec<(f64, f64)>,
    /// Place, lower and upper end of what the values scatter in; may be empty.
    pub band: Vec<(f64, [f64; 2])>,
}

/// Someone else's result at an epoch: a ring with its value.
pub(super) struct Mark {
    pub ink: Ink,
    pub at: (f64, f64),
    pub value: String,
}

/// The horizontal axis.
pub(super) struct Axis {
    /// What it shows.
    pub title: String,
    /// Places and their labels, from left to right.
    pub ticks: Vec<(f64, String)>,
    /// The first and the last place.
    pub limits: Range<f64>,
}

impl Axis {
    /// From the first epoch to the last of the curves.
    pub(super) fn epochs(curves: &[Curve]) -> Self {
        let epochs = curves.iter().flat_map(|curve| &curve.points).map(|&(epoch, _)| epoch);
        let last = epochs.fold(1.0, f64::max);
        let ticks = epoch_ticks(last as u32).into_iter().map(|epoch| (f64::from(epoch), epoch.to_string()));
        Axis { title: "epoch".to_owned(), ticks: ticks.collect(), limits: 1.0..last }
    }
}

/// What [`draw`] draws.
pub(super) struct Chart {
    /// What the vertical axis shows.
    pub title: String,
    pub description: String,
    pub x: Axis,
    /// The limits of the vertical axis.
    pub y: Range<f64>,
    pub y_label: fn(f64) -> String,
    pub curves: Vec<Curve>,
    pub marks: Vec<Mark>,
    /// What the rings are.
    pub marks_name: &'static str,
}

/// The chart as SVG.
pub(super) fn draw(chart: &Chart) -> Svg {
    let Range { start, end } = chart.x.limits;
    // A single place still has a width.
    let margin = if end > start { (end - start) * 0.025 } else { 0.025 };
    let plane = Plane::new(start - margin..end + margin, chart.y.clone(), ACROSS, DOWN);
    Svg::draw(SIZE, chart.description.clone(), |canvas| {
        axes(canvas, &plane, chart)?;
        for curve in &chart.curves {
            band(canvas, &plane, curve)?;
        }
        for main in [false, true] {
            for curve in chart.curves.iter().filter(|curve| curve.main == main) {
                self::curve(canvas, &plane, curve)?;
            }
        }
        marks(canvas, &plane, chart)?;
        names(canvas, &plane, chart)
    })
}

fn axes(canvas: &Canvas, plane: &Plane, chart: &Chart) -> Drawn {
    canvas.text((ACROSS.start, 12.0), Side::Right, AXIS, &chart.title)?;
    for value in RangedCoordf64::from(chart.y.clone()).key_points(7) {
        let (_, y) = plane.point((chart.x.limits.start, value));
        canvas.line(&[(ACROSS.start, y), (ACROSS.end, y)], Pen::new(Ink::Grid, 1.0))?;
        canvas.text((ACROSS.start - 8.0, y), Side::Left, AXIS, &(chart.y_label)(value))?;
    }
    canvas.line(&[(ACROSS.start, DOWN.end), (ACROSS.end, DOWN.end)], Pen::new(Ink::Muted, 1.0))?;
    for (place, label) in &chart.x.ticks {
        let (x, _) = plane.point((*place, chart.y.start));
        canvas.line(&[(x, DOWN.end), (x, DOWN.end + 5.0)], Pen::new(Ink::Muted, 1.0))?;
        canvas.text((x, DOWN.end + 16.0), Side::Centre, AXIS, label)?;
    }
    canvas.text((ACROSS.end, DOWN.end + 34.0), Side::Left, AXIS, &chart.x.title)
}

/// What a curve's values scatter in, as a faint area.
fn band(canvas: &Canvas, plane: &Plane, curve: &Curve) -> Drawn {
    let upper = curve.band.iter().map(|&(x, [_, high])| plane.point((x, high)));
    let lower = curve.band.iter().rev().map(|&(x, [low, _])| plane.point((x, low)));
    let outline: Vec<Point> = upper.chain(lower).collect();
    if outline.len() < 4 {
        return Ok(());
    }
    canvas.area(&outline, Pen { ink: curve.ink, width: 0.0, opacity: 0.16 })
}

/// The first epoch and the multiples of 1, 2 or 5 times a power of ten, about ten in all.
fn epoch_ticks(last: u32) -> Vec<u32> {
    let step = (0..=9).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let step = step.into_iter().find(|step| u64::from(last) / step <= 10).and_then(|step| u32::try_from(step).ok());
    let step = step.unwrap_or(u32::MAX);
    let multiples = (1..=last / step).map(|n| n * step);
    std::iter::once(1).chain(multiples.filter(|&epoch| epoch > 1)).collect()
}

fn curve(canvas: &Canvas, plane: &Plane, curve: &Curve) -> Drawn {
    let points: Vec<Point> = curve.points.iter().map(|&at| plane.point(at)).collect();
    let pen = if curve.main { Pen::new(curve.ink, 2.2) } else { Pen { ink: curve.ink, width: 1.2, opacity: 0.75 } };
    canvas.line(&points, pen)?;
    // Points are shown while they can be told apart, and always where there is no line between two.
    if (curve.main && points.len() <= 40) || points.len() == 1 {
        for &point in &points {
            canvas.dot(point, 3.0, Pen::new(curve.ink, 0.0))?;
        }
    }
    Ok(())
}

fn marks(canvas: &Canvas, plane: &Plane, chart: &Chart) -> Drawn {
    let crowd: Vec<Point> = chart.curves.iter().flat_map(|curve| along(plane, &curve.points)).collect();
    for mark in &chart.marks {
        let (x, y) = plane.point(mark.at);
        canvas.ring((x, y), 5.0, Pen::new(mark.ink, 1.6))?;
        let width = 6.2 * mark.value.chars().count() as f64;
        // Of the four places beside the ring, the one that is farthest from any curve.
        let sides = [
            ((x, y + 16.0), Side::Centre, x),
            ((x, y - 16.0), Side::Centre, x),
            ((x + 10.0, y), Side::Right, x + 10.0 + width / 2.0),
            ((x - 10.0, y), Side::Left, x - 10.0 - width / 2.0),
        ];
        let inside = sides.into_iter().filter(|&((_, y), _, middle)| {
            let (left, right) = (middle - width / 2.0, middle + width / 2.0);
            left >= ACROSS.start && right <= names_start(chart) - 8.0 && DOWN.contains(&y)
        });
        let free = |&((_, y), _, middle): &(Point, Side, f64)| {
            let distance = |&(px, py): &Point| {
                let (dx, dy) = (((px - middle).abs() - width / 2.0).max(0.0), ((py - y).abs() - 7.0).max(0.0));
                dx * dx + dy * dy
            };
            crowd.iter().map(distance).fold(f64::INFINITY, f64::min)
        };
        // max_by takes the last of equals; reversed, the first place of the list wins.
        let places: Vec<_> = inside.collect();
        if let Some(&(at, side, _)) = places.iter().rev().max_by(|a, b| free(a).total_cmp(&free(b))) {
            canvas.text(at, side, Face::new(Ink::Muted, 12.0), &mark.value)?;
        }
    }
    Ok(())
}

/// Points on a curve that are close enough together that no label fits between two.
fn along(plane: &Plane, points: &[(f64, f64)]) -> Vec<Point> {
    let mut dense: Vec<Point> = points.iter().take(1).map(|&at| plane.point(at)).collect();
    for pair in points.windows(2) {
        let ((ax, ay), (bx, by)) = (plane.point(pair[0]), plane.point(pair[1]));
        dense.extend((1..=8).map(|n| f64::from(n) / 8.0).map(|t| (ax + (bx - ax) * t, ay + (by - ay) * t)));
    }
    dense
}

/// Where the curves' names begin; a ring at the last epoch needs room for its value.
fn names_start(chart: &Chart) -> f64 {
    ACROSS.end + if chart.marks.is_empty() { 16.0 } else { 44.0 }
}

fn names(canvas: &Canvas, plane: &Plane, chart: &Chart) -> Drawn {
    let ends: Vec<(&Curve, Point)> =
        chart.curves.iter().filter_map(|c| c.points.last().map(|&at| (c, plane.point(at)))).collect();
    let wanted: Vec<f64> = ends.iter().map(|&(_, (_, y))| y).collect();
    let heights = spread(&wanted, NAME_HEIGHT, DOWN);
    let x = names_start(chart);
    for (&(curve, end), y) in ends.iter().zip(heights) {
        let face = Face::new(curve.ink, 13.0);
        canvas.text((x, y), Side::Right, if curve.main { face.bold() } else { face }, &curve.name)?;
        if (y - end.1).abs() > 4.0 {
            canvas.line(&[(end.0 + 6.0, end.1), (x - 4.0, y)], Pen { ink: curve.ink, width: 0.8, opacity: 0.5 })?;
        }
    }
    if !chart.marks.is_empty() {
        let y = DOWN.end + 34.0;
        canvas.ring((x + 5.0, y), 5.0, Pen::new(Ink::Muted, 1.6))?;
        canvas.text((x + 16.0, y), Side::Right, AXIS, chart.marks_name)?;
    }
    Ok(())
}

/// Heights at least `gap` apart and within `limits`, in the order of `wanted` and as near to it as can be.
///
/// With the gaps taken out, the heights only have to ascend: least squares under that condition is isotonic
/// regression, solved by pooling neighbours that are out of order (Ayer et al. 1955).
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
        assert_eq!(epoch_ticks(1), [1]);
        assert_eq!(epoch_ticks(6), [1, 2, 3, 4, 5, 6]);
        assert_eq!(epoch_ticks(20), [1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
        assert_eq!(epoch_ticks(100), [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        assert!(epoch_ticks(u32::MAX).len() <= 11);
    }
}
