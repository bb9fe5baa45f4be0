//! Plots of rows: a name, a mark on a common axis, and its value.

use std::ops::Range;

use super::{
    palette::Ink,
    svg::{Layout, Side, Svg},
};

/// Where the rows are: names to the left of the marks and values to the right; in the narrow layout both above them.
pub(super) struct Rows {
    layout: Layout,
    /// Where the marks are drawn, in pixels from the left and from the top.
    pub across: Range<f64>,
    pub down: Range<f64>,
    row: f64,
}

impl Rows {
    /// A chart of `rows` rows below a title. The wide layout reserves `names` pixels for the names and `values` for the
    /// values.
    pub(super) fn new(layout: Layout, rows: usize, names: f64, values: f64) -> Self {
        let (across, row) = match layout {
            Layout::Wide => (names..layout.width() - values, 34.0),
            Layout::Narrow => (16.0..layout.width() - 16.0, 46.0),
        };
        Rows { layout, across, down: 30.0..30.0 + row * rows as f64, row }
    }

    /// The vertical position of a row's mark, in pixels.
    pub(super) fn middle(&self, row: usize) -> f64 {
        let upper = if self.layout == Layout::Wide { 0.0 } else { 10.0 };
        self.down.start + self.row * (row as f64 + 0.5) + upper
    }

    /// Writes a row's name and value; in the wide layout the value begins at `x`.
    pub(super) fn write(&self, svg: &mut Svg, row: usize, ink: Ink, name: &str, value: &str, x: f64) {
        let middle = self.middle(row);
        match self.layout {
            Layout::Wide => {
                svg.text((self.across.start - 14.0, middle), Side::Left, ink, name);
                svg.text((x, middle), Side::Right, ink, value);
            }
            Layout::Narrow => {
                svg.text((2.0, middle - 21.0), Side::Right, ink, &format!("{name}: {value}"));
            }
        }
    }
}
