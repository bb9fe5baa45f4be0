//! SVG drawings in the inks of the palette; all lengths are pixels.
//!
//! Each element has a class that gives it the colour of the reader's colour scheme, and the light colour as an
//! attribute for viewers without CSS.

use std::ops::Range;

use maud::{Markup, PreEscaped, html};

use super::palette::{self, Ink};

/// Pixels around a plot in a separate file.
const MARGIN: f64 = 16.0;

/// A plot in both layouts.
pub(super) struct Plot([Svg; 2]);

/// The page width that a plot is laid out for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// 860 pixels: names next to the marks.
    Wide,
    /// 390 pixels, a phone: names above or below the marks.
    Narrow,
}

impl Layout {
    pub(super) fn width(self) -> f64 {
        match self {
            Layout::Wide => 860.0,
            Layout::Narrow => 390.0,
        }
    }
}

impl Plot {
    pub(super) fn of(draw: impl FnMut(Layout) -> Svg) -> Self {
        Plot([Layout::Wide, Layout::Narrow].map(draw))
    }

    /// For a page with [`palette::page_colors`], whose style sheet shows the layout that fits.
    pub(super) fn inline(&self) -> Markup {
        let Plot([wide, narrow]) = self;
        html! { div.wide { (wide.inline()) } div.narrow { (narrow.inline()) } }
    }

    /// The wide layout, for a separate file.
    pub(super) fn standalone(&self) -> String {
        self.0[0].standalone()
    }
}

/// Pixels from the top left.
pub(super) type Point = (f64, f64);

pub(super) struct Svg {
    size: (f64, f64),
    /// The alt text.
    description: String,
    elements: String,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64, description: String) -> Self {
        Svg { size: (width, height), description, elements: String::new() }
    }

    fn add(&mut self, element: Markup) {
        self.elements += &element.0;
        self.elements.push('\n');
    }

    pub(super) fn line(&mut self, points: &[Point], ink: Ink, width: f64, opacity: f64) {
        self.dashed(points, ink, width, opacity, "none");
    }

    pub(super) fn dashed(&mut self, points: &[Point], ink: Ink, width: f64, opacity: f64, dash: &str) {
        let (class, color) = (format!("stroke-{}", ink.name()), ink.hex());
        let dash = (dash != "none").then_some(dash);
        self.add(html! {
            polyline class=(class) points=(outline(points)) fill="none" stroke=(color) stroke-width=(width) stroke-opacity=(opacity)
                stroke-dasharray=[dash] {}
        });
    }

    pub(super) fn area(&mut self, points: &[Point], ink: Ink, opacity: f64) {
        let (class, color) = (format!("fill-{}", ink.name()), ink.hex());
        self.add(html! { polygon class=(class) points=(outline(points)) fill=(color) fill-opacity=(opacity) {} });
    }

    pub(super) fn bar(&mut self, x: Range<f64>, y: Range<f64>, ink: Ink, opacity: f64) {
        self.area(&[(x.start, y.start), (x.end, y.start), (x.end, y.end), (x.start, y.end)], ink, opacity);
    }

    pub(super) fn dot(&mut self, (x, y): Point, radius: f64, ink: Ink, opacity: f64) {
        let (class, color) = (format!("fill-{}", ink.name()), ink.hex());
        self.add(
            html! { circle class=(class) cx=(px(x)) cy=(px(y)) r=(radius) fill=(color) fill-opacity=(opacity) {} },
        );
    }

    /// A circle that covers what was drawn inside it.
    pub(super) fn ring(&mut self, (x, y): Point, ink: Ink) {
        let (class, page, color) = (format!("fill-page stroke-{}", ink.name()), Ink::Page.hex(), ink.hex());
        self.add(
            html! { circle class=(class) cx=(px(x)) cy=(px(y)) r="5" fill=(page) stroke=(color) stroke-width="1.6" {} },
        );
    }

    /// Text beside the point, or centred on it.
    pub(super) fn text(&mut self, at: Point, side: Side, ink: Ink, text: &str) {
        self.write(at, side, ink, None, text);
    }

    pub(super) fn bold(&mut self, at: Point, side: Side, ink: Ink, text: &str) {
        self.write(at, side, ink, Some("bold"), text);
    }

    /// A halo in the page's colour keeps text legible on lines.
    fn write(&mut self, (x, y): Point, side: Side, ink: Ink, weight: Option<&str>, text: &str) {
        let anchor = match side {
            Side::Right => "start",
            Side::Centre => "middle",
            Side::Left => "end",
        };
        // Shifted down by half the height of a capital letter.
        let (class, y) = (format!("fill-{} stroke-page", ink.name()), px(y + 4.7));
        self.add(html! {
            text class=(class) x=(px(x)) y=(y) fill=(ink.hex()) stroke=(Ink::Page.hex()) stroke-width="3" paint-order="stroke"
                font-size="13" font-weight=[weight] text-anchor=(anchor) { (text) }
        });
    }

    fn inline(&self) -> Markup {
        let (width, height) = self.size;
        self.framed(&format!("0 0 {width} {height}"), None, html! {})
    }

    /// As a file, with a size, a margin, colours and a background.
    fn standalone(&self) -> String {
        let size = (self.size.0 + 2.0 * MARGIN, self.size.1 + 2.0 * MARGIN);
        let background = html! {
            style { (PreEscaped(palette::plot_colors())) }
            rect class="fill-page" x="-100%" y="-100%" width="300%" height="300%" fill=(Ink::Page.hex()) {}
        };
        self.framed(&format!("-{MARGIN} -{MARGIN} {} {}", size.0, size.1), Some(size), background).into_string() + "\n"
    }

    fn framed(&self, view: &str, size: Option<(f64, f64)>, before: Markup) -> Markup {
        html! {
            svg xmlns="http://www.w3.org/2000/svg" width=[size.map(|size| size.0)] height=[size.map(|size| size.1)] viewBox=(view)
                role="img" aria-label=(self.description) font-family="sans-serif" stroke-linejoin="round" stroke-linecap="round" {
                (before)
                (PreEscaped(&self.elements))
            }
        }
    }
}

fn outline(points: &[Point]) -> String {
    points.iter().map(|&(x, y)| format!("{},{}", px(x), px(y))).collect::<Vec<_>>().join(" ")
}

/// Tenths of a pixel are enough.
fn px(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

/// The side of a point on which its text is written.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Right,
    Left,
    Centre,
}

/// The part of a drawing onto which data coordinates are mapped.
pub(super) struct Plane {
    pub x: Range<f64>,
    pub y: Range<f64>,
    /// The pixels of `x`, from the left.
    pub across: Range<f64>,
    /// The pixels of `y`, whose upper end is at the top.
    pub down: Range<f64>,
}

impl Plane {
    pub(super) fn point(&self, (x, y): (f64, f64)) -> Point {
        let place = |value: f64, range: &Range<f64>| (value - range.start) / (range.end - range.start);
        let across = self.across.start + place(x, &self.x) * (self.across.end - self.across.start);
        (across, self.down.end - place(y, &self.y) * (self.down.end - self.down.start))
    }
}

/// At most `count` + 1 ticks within a range, each with a label that has enough decimals to distinguish neighbours. The
/// step between ticks is 1, 2 or 5 times a power of ten, and at least `least_step`.
pub(super) fn ticks(range: &Range<f64>, count: f64, least_step: f64) -> Vec<(f64, String)> {
    let wanted = ((range.end - range.start) / count).max(least_step);
    let exponent = libm::floor(libm::log10(wanted));
    let power = libm::pow(10.0, exponent);
    // Differences below this are rounding errors.
    const ROUNDING: f64 = 1e-9;
    let step = [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter().find(|step| step + ROUNDING >= wanted);
    let step = step.unwrap_or(10.0 * power);
    let decimals = (-libm::floor(libm::log10(step * (1.0 + ROUNDING)))).max(0.0) as usize;
    let (first, last) = ((range.start / step - ROUNDING).ceil(), (range.end / step + ROUNDING).floor());
    let tick = |multiple: i64| {
        let value = multiple as f64 * step;
        (value, format!("{value:.decimals$}").replace('-', "−"))
    };
    (first as i64..=last as i64).map(tick).collect()
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn ticks_are_few_and_round_and_their_labels_differ() {
        for (range, expected) in [
            (0.0..8.0, "0 1 2 3 4 5 6 7 8"),
            (-1.0..1.3, "−1.0 −0.5 0.0 0.5 1.0"),
            (0.0..0.31, "0.00 0.05 0.10 0.15 0.20 0.25 0.30"),
            (15.0..30.0, "16 18 20 22 24 26 28 30"),
            (-0.004..0.003, "−0.004 −0.003 −0.002 −0.001 0.000 0.001 0.002 0.003"),
            (0.0..950.0, "0 200 400 600 800"),
        ] {
            let labels: Vec<String> = ticks(&range, 8.0, 0.0).into_iter().map(|(_, label)| label).collect();
            assert_eq!(labels.join(" "), expected);
        }
        assert!(ticks(&(0.0..3e38), 8.0, 0.0).len() <= 9);
    }
}
