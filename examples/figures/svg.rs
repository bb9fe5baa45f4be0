//! A small SVG writer; lengths are pixels. A figure is a light card, so it can be read on light and on dark pages.

use std::fmt::Write;

pub const TEXT: &str = "#1F2328";
pub const MUTED: &str = "#636870";
pub const GRID: &str = "#D5D5CE";
// Okabe and Ito's colours, adapted to a light page as in the report.
pub const BLUE: &str = "#0072B2";
pub const VERMILION: &str = "#B63D02";
pub const GREEN: &str = "#0BA95C";
pub const PURPLE: &str = "#E8669A";
pub const ORANGE: &str = "#C48700";

pub type Point = (f64, f64);

/// Where a text is, relative to its point.
#[derive(Clone, Copy)]
pub enum Align {
    Right,
    Centre,
    Left,
}

pub struct Figure {
    size: Point,
    description: String,
    elements: String,
}

impl Figure {
    /// An empty figure; the description is for readers who cannot see it.
    pub fn new(width: f64, height: f64, description: &str) -> Self {
        Self { size: (width, height), description: escape(description), elements: String::new() }
    }

    /// A filled rectangle with an outline of the same colour.
    pub fn cell(&mut self, (x, y): Point, (width, height): Point, color: &str, opacity: f64) {
        self.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{color}\" \
             fill-opacity=\"{opacity}\" stroke=\"{color}\"/>"
        ));
    }

    pub fn line(&mut self, points: &[Point], color: &str, width: f64) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"/>",
            points.join(" ")
        ));
    }

    /// A line with a head at its end.
    pub fn arrow(&mut self, from: Point, to: Point, color: &str) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = (dx * dx + dy * dy).sqrt();
        let (dx, dy) = (dx / length, dy / length);
        let side = |sign: f64| (to.0 - 9.0 * dx - sign * 4.5 * dy, to.1 - 9.0 * dy + sign * 4.5 * dx);
        self.line(&[from, (to.0 - 8.0 * dx, to.1 - 8.0 * dy)], color, 1.8);
        let ((ax, ay), (bx, by)) = (side(1.0), side(-1.0));
        self.add(format_args!(
            "<polygon points=\"{:.1},{:.1} {ax:.1},{ay:.1} {bx:.1},{by:.1}\" fill=\"{color}\"/>",
            to.0, to.1
        ));
    }

    pub fn dot(&mut self, (x, y): Point, color: &str) {
        self.add(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{color}\"/>"));
    }

    pub fn text(&mut self, at: Point, align: Align, color: &str, text: &str) {
        self.write(at, align, color, "", text);
    }

    pub fn bold(&mut self, at: Point, align: Align, color: &str, text: &str) {
        self.write(at, align, color, " font-weight=\"bold\"", text);
    }

    /// The point is level with the middle of the text.
    fn write(&mut self, (x, y): Point, align: Align, color: &str, weight: &str, text: &str) {
        let anchor = match align {
            Align::Right => "start",
            Align::Centre => "middle",
            Align::Left => "end",
        };
        let (y, text) = (y + 4.7, escape(text));
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{color}\" text-anchor=\"{anchor}\"{weight} stroke=\"#FDFDFB\" \
             stroke-width=\"3\" stroke-opacity=\"0.8\" paint-order=\"stroke\">{text}</text>"
        ));
    }

    /// Numbers in square cells. A highlighted cell has more of the colour.
    pub fn numbers<const COLUMNS: usize>(
        &mut self,
        (x, y): Point,
        color: &str,
        rows: &[[i32; COLUMNS]],
        is_highlighted: impl Fn(usize, usize) -> bool,
    ) {
        for (row, numbers) in rows.iter().enumerate() {
            for (column, number) in numbers.iter().enumerate() {
                let at = (x + column as f64 * CELL, y + row as f64 * CELL);
                let opacity = if is_highlighted(row, column) { 0.4 } else { 0.08 };
                self.cell(at, (CELL, CELL), color, opacity);
                let middle = (at.0 + CELL / 2.0, at.1 + CELL / 2.0);
                self.text(middle, Align::Centre, TEXT, &number.to_string());
            }
        }
    }

    /// A square picture, its colours row by row.
    pub fn pixels(&mut self, (x, y): Point, side: usize, colors: &[[u8; 3]]) {
        let mut paths = String::new();
        for (index, [red, green, blue]) in colors.iter().enumerate() {
            let (column, row) = (index % side, index / side);
            write!(paths, "<path d=\"M{column} {row}h1v1h-1z\" fill=\"#{red:02x}{green:02x}{blue:02x}\"/>")
                .expect("a string takes any text");
        }
        let style = "shape-rendering=\"crispEdges\"";
        self.add(format_args!("<g transform=\"translate({x:.1} {y:.1}) scale({PIXEL})\" {style}>{paths}</g>"));
    }

    fn add(&mut self, element: std::fmt::Arguments) {
        writeln!(self.elements, "{element}").expect("a string takes any text");
    }

    pub fn svg(&self) -> String {
        let Self { size: (width, height), description, elements } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
             {height}\" role=\"img\" aria-label=\"{description}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#FDFDFB\"/>\n{elements}</svg>\n"
        )
    }
}

/// The side of a pixel of [`Figure::pixels`].
pub const PIXEL: f64 = 8.0;

/// Pixels of a cell of [`Figure::numbers`].
pub const CELL: f64 = 30.0;

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
