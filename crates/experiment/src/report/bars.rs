//! A chart of times: one bar a row, made of parts, with its total where it ends.

use super::{
    canvas::{Face, Pen, Plane, Side, Svg},
    palette::Ink,
};

const WIDTH: f64 = 860.0;
/// The title's height.
const TOP: f64 = 30.0;
const ROW: f64 = 34.0;
const BAR: f64 = 18.0;
/// Where bars begin; their names stand to the left.
const START: f64 = 184.0;
/// Where the longest bar ends; what it says stands to the right.
const END: f64 = 600.0;

/// One row.
pub(super) struct Bar {
    pub name: String,
    pub ink: Ink,
    /// Seconds and opacity of each part, from the left.
    pub parts: Vec<(f64, f64)>,
    /// Stands where the bar ends.
    pub says: String,
}

/// The chart as SVG.
pub(super) fn draw(title: &str, bars: &[Bar], description: String) -> Svg {
    let total = |bar: &Bar| bar.parts.iter().map(|part| part.0).sum::<f64>();
    let longest = bars.iter().map(total).fold(0.0, f64::max);
    let height = TOP + ROW * bars.len() as f64;
    // A run that took no time at all still has a range to draw.
    let plane = Plane::new(0.0..longest.max(1e-9), 0.0..1.0, START..END, 0.0..height);
    Svg::draw((WIDTH, height), description, |canvas| {
        canvas.text((START, 12.0), Side::Right, Face::new(Ink::Muted, 13.0), title)?;
        for (row, bar) in bars.iter().enumerate() {
            let middle = TOP + ROW * (row as f64 + 0.5);
            let name = Face::new(if bar.ink == Ink::Muted { Ink::Muted } else { Ink::Text }, 13.0);
            canvas.text((START - 12.0, middle), Side::Left, name, &bar.name)?;
            let mut seconds = 0.0;
            for &(part, opacity) in &bar.parts {
                let (from, to) = (plane.point((seconds, 0.0)).0, plane.point((seconds + part, 0.0)).0);
                let pen = Pen { ink: bar.ink, width: 0.0, opacity };
                canvas.bar(from..to, middle - BAR / 2.0..middle + BAR / 2.0, pen)?;
                seconds += part;
            }
            let end = plane.point((seconds, 0.0)).0;
            canvas.text((end + 10.0, middle), Side::Right, Face::new(Ink::Text, 13.0), &bar.says)?;
        }
        Ok(())
    })
}
