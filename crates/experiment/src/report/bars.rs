//! A chart of times: a bar a row, made of parts, with its total at the end.

use super::{
    palette::Ink,
    svg::{Plane, Side, Svg},
};

const WIDTH: f64 = 860.0;
/// The title's height.
const TOP: f64 = 30.0;
const ROW: f64 = 34.0;
const BAR: f64 = 18.0;
/// Where bars begin; their names are to the left.
const START: f64 = 184.0;
/// Where the longest bar ends; the totals are to the right.
const END: f64 = 600.0;

pub(super) struct Bar {
    pub name: String,
    pub ink: Ink,
    /// Seconds and opacity of each part, from the left.
    pub parts: Vec<(f64, f64)>,
    /// The text at the end of the bar.
    pub says: String,
}

pub(super) fn draw(title: &str, bars: &[Bar]) -> Svg {
    let times: Vec<String> = bars.iter().map(|bar| format!("{}: {}", bar.name, bar.says)).collect();
    let description = format!("{title}. {}.", times.join("; "));
    let total = |bar: &Bar| bar.parts.iter().map(|part| part.0).sum::<f64>();
    let longest = bars.iter().map(total).fold(0.0, f64::max);
    let height = TOP + ROW * bars.len() as f64;
    // A run that took no time at all still has a range to draw.
    let plane = Plane { x: 0.0..longest.max(1e-9), y: 0.0..1.0, across: START..END, down: 0.0..height };
    let mut svg = Svg::new(WIDTH, height, description);
    svg.text((START, 12.0), Side::Right, Ink::Muted, title);
    for (row, bar) in bars.iter().enumerate() {
        let middle = TOP + ROW * (row as f64 + 0.5);
        let name = if bar.ink == Ink::Muted { Ink::Muted } else { Ink::Text };
        svg.text((START - 12.0, middle), Side::Left, name, &bar.name);
        let mut seconds = 0.0;
        for &(part, opacity) in &bar.parts {
            let (from, to) = (plane.point((seconds, 0.0)).0, plane.point((seconds + part, 0.0)).0);
            svg.bar(from..to, middle - BAR / 2.0..middle + BAR / 2.0, bar.ink, opacity);
            seconds += part;
        }
        let end = plane.point((seconds, 0.0)).0;
        svg.text((end + 10.0, middle), Side::Right, Ink::Text, &bar.says);
    }
    svg
}
