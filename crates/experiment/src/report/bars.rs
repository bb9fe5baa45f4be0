//! A chart of times: one bar per row, made of parts, with its total at the end.

use super::{
    palette::Ink,
    rows::Rows,
    svg::{Plane, Plot, Side, Svg},
};

const BAR: f64 = 18.0;

pub(super) struct Bar {
    pub name: String,
    pub ink: Ink,
    /// Seconds and opacity of each part, from the left.
    pub parts: Vec<(f64, f64)>,
    /// The text at the end of the bar.
    pub label: String,
}

pub(super) fn draw(title: &str, bars: &[Bar]) -> Plot {
    let times: Vec<String> = bars.iter().map(|bar| format!("{}: {}", bar.name, bar.label)).collect();
    let description = format!("{title}. {}.", times.join("; "));
    let total = |bar: &Bar| bar.parts.iter().map(|part| part.0).sum::<f64>();
    // A run that took no time at all still has a range to draw.
    let longest = bars.iter().map(total).fold(1e-9, f64::max);
    Plot::of(|layout| {
        let rows = Rows::new(layout, bars.len(), 184.0, 260.0);
        let plane = Plane { x: 0.0..longest, y: 0.0..1.0, across: rows.across.clone(), down: rows.down.clone() };
        let mut svg = Svg::new(layout.width(), rows.down.end, description.clone());
        svg.text((rows.across.start, 12.0), Side::Right, Ink::Muted, title);
        for (row, bar) in bars.iter().enumerate() {
            let middle = rows.middle(row);
            let mut seconds = 0.0;
            for &(part, opacity) in &bar.parts {
                let (from, to) = (plane.point((seconds, 0.0)).0, plane.point((seconds + part, 0.0)).0);
                svg.bar(from..to, middle - BAR / 2.0..middle + BAR / 2.0, bar.ink, opacity);
                seconds += part;
            }
            let ink = if bar.ink == Ink::Muted { Ink::Muted } else { Ink::Text };
            rows.write(&mut svg, row, ink, &bar.name, &bar.label, plane.point((seconds, 0.0)).0 + 10.0);
        }
        svg
    })
}
