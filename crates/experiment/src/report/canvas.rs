//! A sheet to draw on through plotters, and the SVG that comes off it.

use std::{io, ops::Range};

use plotters::{
    coord::{Shift, types::RangedCoordf64},
    element::{Circle, PathElement, Polygon, Rectangle, Text},
    prelude::{Cartesian2d, CoordTranslate, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, SVGBackend},
    style::{
        Color, FontDesc, FontFamily, FontStyle, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::palette::{self, Ink};

/// plotters rounds to whole units of its sheet. A unit is a tenth of a pixel, so that curves stay smooth.
const UNITS: f64 = 10.0;

/// plotters takes a font's size for its line height and writes this part of it.
const LINE_HEIGHT: f64 = 1.24;

/// Pixels around a plot that stands alone.
const MARGIN: f64 = 16.0;

/// What plotters answers; it cannot fail here, see [`Svg::draw`].
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// A finished plot.
pub(super) struct Svg {
    size: (f64, f64),
    /// What the plot shows, for those who cannot see it.
    description: String,
    /// The elements, marked with their inks.
    elements: String,
}

impl Svg {
    /// Draws a plot of `size` pixels, width and height.
    ///
    /// # Panics
    /// If plotters cannot write into a string, which has no cause: there is no file and no font behind it.
    pub(super) fn draw(size: (f64, f64), description: String, paint: impl FnOnce(&Canvas) -> Drawn) -> Self {
        let mut text = String::new();
        let units = (units(size.0) as u32, units(size.1) as u32);
        let area = SVGBackend::with_string(&mut text, units).into_drawing_area();
        paint(&Canvas { area: &area }).and_then(|()| area.present()).expect("a string takes every element");
        drop(area);
        // plotters' own frame, its first and last line, makes room for one that fits the page.
        let elements = text.split_once('\n').and_then(|(_, rest)| rest.rsplit_once("</svg>")).map_or("", |(e, _)| e);
        Svg { size, description, elements: palette::mark_inks(elements) }
    }

    /// For a page that has [`palette::page_colors`]: as wide as its place.
    pub(super) fn inline(&self) -> String {
        let (width, height) = self.size;
        self.framed("", (0.0, 0.0, width, height), "")
    }

    /// For a file of its own: with a size, a margin, colours and a ground.
    pub(super) fn standalone(&self) -> String {
        let (width, height) = (self.size.0 + 2.0 * MARGIN, self.size.1 + 2.0 * MARGIN);
        let ground = r##"<rect x="-100%" y="-100%" width="300%" height="300%" fill="#FDFDFB"/>"##;
        let before = format!("<style>\n{}</style>\n{}\n", palette::plot_colors(), palette::mark_inks(ground));
        self.framed(&format!(r#" width="{width}" height="{height}""#), (-MARGIN, -MARGIN, width, height), &before)
    }

    /// The elements as a document that shows the rectangle `view`: left, top, width and height in pixels.
    fn framed(&self, size: &str, view: (f64, f64, f64, f64), before: &str) -> String {
        let (left, top, width, height) = (units(view.0), units(view.1), units(view.2), units(view.3));
        let description = maud::html! { (self.description) }.into_string();
        let elements = &self.elements;
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg"{size} viewBox="{left} {top} {width} {height}" role="img" aria-label="{description}" stroke-linejoin="round" stroke-linecap="round">
{before}{elements}</svg>
"#
        )
    }
}

fn units(pixels: f64) -> i32 {
    (pixels * UNITS).round() as i32
}

/// Where a text stands relative to its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    /// It begins there.
    Right,
    /// It ends there.
    Left,
    /// It is centred there.
    Centre,
}

/// Ink, size in pixels and weight of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Face {
    pub ink: Ink,
    pub size: f64,
    pub bold: bool,
}

impl Face {
    pub(super) const fn new(ink: Ink, size: f64) -> Self {
        Face { ink, size, bold: false }
    }

    pub(super) const fn bold(self) -> Self {
        Face { bold: true, ..self }
    }
}

/// A line's ink, width in pixels and opacity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    pub ink: Ink,
    pub width: f64,
    pub opacity: f64,
}

impl Pen {
    pub(super) const fn new(ink: Ink, width: f64) -> Self {
        Pen { ink, width, opacity: 1.0 }
    }

    fn stroke(self) -> ShapeStyle {
        self.ink.color().mix(self.opacity).stroke_width(units(self.width) as u32)
    }

    fn fill(self) -> ShapeStyle {
        self.ink.color().mix(self.opacity).filled()
    }
}

/// A point of the sheet, in pixels from the top left.
pub(super) type Point = (f64, f64);

/// The sheet, while a plot is drawn.
pub(super) struct Canvas<'a, 'b> {
    area: &'a DrawingArea<SVGBackend<'b>, Shift>,
}

impl Canvas<'_, '_> {
    pub(super) fn line(&self, points: &[Point], pen: Pen) -> Drawn {
        let points: Vec<_> = points.iter().map(|&(x, y)| (units(x), units(y))).collect();
        self.area.draw(&PathElement::new(points, pen.stroke()))
    }

    /// A filled polygon.
    pub(super) fn area(&self, outline: &[Point], pen: Pen) -> Drawn {
        let outline: Vec<_> = outline.iter().map(|&(x, y)| (units(x), units(y))).collect();
        self.area.draw(&Polygon::new(outline, pen.fill()))
    }

    pub(super) fn dot(&self, (x, y): Point, radius: f64, pen: Pen) -> Drawn {
        self.area.draw(&Circle::new((units(x), units(y)), units(radius), pen.fill()))
    }

    /// A hollow circle: its inside hides what is behind.
    pub(super) fn ring(&self, (x, y): Point, radius: f64, pen: Pen) -> Drawn {
        self.area.draw(&Circle::new((units(x), units(y)), units(radius), Pen::new(Ink::Page, 0.0).fill()))?;
        self.area.draw(&Circle::new((units(x), units(y)), units(radius), pen.stroke()))
    }

    pub(super) fn bar(&self, x: Range<f64>, y: Range<f64>, pen: Pen) -> Drawn {
        let corners = [(units(x.start), units(y.start)), (units(x.end), units(y.end))];
        self.area.draw(&Rectangle::new(corners, pen.fill()))
    }

    /// Writes `text`, vertically centred on the point.
    pub(super) fn text(&self, (x, y): Point, side: Side, face: Face, text: &str) -> Drawn {
        let horizontal = match side {
            Side::Right => HPos::Left,
            Side::Left => HPos::Right,
            Side::Centre => HPos::Center,
        };
        let style = if face.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::SansSerif, face.size * UNITS * LINE_HEIGHT, style);
        let color = face.ink.color();
        let style = TextStyle::from(font).color(&color).pos(Pos::new(horizontal, VPos::Center));
        self.area.draw(&Text::new(text.to_owned(), (units(x), units(y)), style))
    }
}

/// The part of a sheet that has coordinates: values to pixels.
pub(super) struct Plane {
    coordinates: Cartesian2d<RangedCoordf64, RangedCoordf64>,
}

impl Plane {
    /// `x` and `y` are what the axes show, `across` and `down` the pixels they take.
    pub(super) fn new(x: Range<f64>, y: Range<f64>, across: Range<f64>, down: Range<f64>) -> Self {
        let place = (units(across.start)..units(across.end), units(down.end)..units(down.start));
        Plane { coordinates: Cartesian2d::new(x, y, place) }
    }

    pub(super) fn point(&self, at: (f64, f64)) -> Point {
        let (x, y) = self.coordinates.translate(&at);
        (f64::from(x) / UNITS, f64::from(y) / UNITS)
    }
}
