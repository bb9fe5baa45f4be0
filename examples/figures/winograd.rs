//! Winograd's tiles, and the three passes as one chain read in both directions.

use crate::svg::{
    Align::{Centre, Right},
    BLUE, Figure, GREEN, GRID, MUTED, ORANGE, PURPLE, Point, TEXT, VERMILION,
};

/// Four tiles: their inputs overlap, their outputs do not.
pub fn tiles() -> Figure {
    let mut figure = Figure::new(
        760.0,
        330.0,
        "Left, an image of 10 x 10 inputs with four overlapping tiles of 6 x 6. Right, the 8 x 8 outputs in four tiles of \
         4 x 4. Neighbouring input tiles share two rows or columns.",
    );
    let side = 24.0;
    let colors = [BLUE, ORANGE, GREEN, PURPLE];
    let grid = |figure: &mut Figure, (x, y): Point, cells: usize| {
        for line in 0..=cells {
            let offset = line as f64 * side;
            let length = cells as f64 * side;
            figure.line(&[(x + offset, y), (x + offset, y + length)], GRID, 1.0);
            figure.line(&[(x, y + offset), (x + length, y + offset)], GRID, 1.0);
        }
    };
    let (inputs, outputs) = ((90.0, 44.0), (470.0, 68.0));
    for (tile, color) in colors.into_iter().enumerate() {
        let at = |(x, y): Point| (x + 4.0 * side * (tile % 2) as f64, y + 4.0 * side * (tile / 2) as f64);
        figure.cell(at(inputs), (6.0 * side, 6.0 * side), color, 0.2);
        figure.cell(at(outputs), (4.0 * side, 4.0 * side), color, 0.2);
        let (x, y) = at(outputs);
        figure.text((x + 2.0 * side, y + 2.0 * side), Centre, TEXT, &format!("tile {tile}"));
    }
    grid(&mut figure, inputs, 10);
    grid(&mut figure, outputs, 8);
    figure.text((210.0, 24.0), Centre, TEXT, "inputs d: tiles of 6 x 6, four apart");
    figure.text((566.0, 24.0), Centre, TEXT, "outputs Y: tiles of 4 x 4");
    figure.arrow((345.0, 164.0), (455.0, 164.0), MUTED);
    figure.text((400.0, 148.0), Centre, MUTED, "3 x 3 kernel");
    figure.text(
        (380.0, 308.0),
        Centre,
        MUTED,
        "Tiles share inputs: forward, each reads them; backward, each adds to their gradients.",
    );
    figure
}

/// V, U, M and their gradients: three products per position, between linear maps.
pub fn passes() -> Figure {
    let mut figure = Figure::new(
        760.0,
        370.0,
        "Forward: d becomes V, g becomes U, their product at each position is M, and M becomes Y. Backward, every arrow is \
         reversed and transposed: dY becomes dM; dM times U transposed is dV; V transposed times dM is dU.",
    );
    let node = |figure: &mut Figure, (x, y): Point, name: &str, color: &str| {
        figure.cell((x - 34.0, y - 19.0), (68.0, 38.0), color, 0.25);
        figure.bold((x, y), Centre, TEXT, name);
    };
    for (y, names, color) in [(120.0, ["d", "V", "M", "Y"], BLUE), (270.0, ["dd", "dV", "dM", "dY"], VERMILION)] {
        for (name, x) in names.into_iter().zip([90.0, 280.0, 480.0, 670.0]) {
            node(&mut figure, (x, y), name, color);
        }
    }
    for (y, names) in [(40.0, ["g", "U"]), (335.0, ["dg", "dU"])] {
        let color = if y < 100.0 { GREEN } else { VERMILION };
        node(&mut figure, (190.0, y), names[0], color);
        node(&mut figure, (380.0, y), names[1], color);
    }
    let mut arrow = |from: Point, to: Point, label: &str, at: Point, align| {
        figure.arrow(from, to, MUTED);
        figure.text(at, align, TEXT, label);
    };
    arrow((126.0, 120.0), (244.0, 120.0), "B\u{1d40} d B", (185.0, 104.0), Centre);
    arrow((316.0, 120.0), (444.0, 120.0), "V U", (380.0, 136.0), Centre);
    arrow((516.0, 120.0), (634.0, 120.0), "A\u{1d40} M A", (575.0, 104.0), Centre);
    arrow((226.0, 40.0), (344.0, 40.0), "G g G\u{1d40}", (285.0, 24.0), Centre);
    arrow((380.0, 60.0), (380.0, 114.0), "", (0.0, 0.0), Right);
    arrow((634.0, 270.0), (516.0, 270.0), "A dY A\u{1d40}", (575.0, 254.0), Centre);
    arrow((444.0, 270.0), (316.0, 270.0), "dM U\u{1d40}", (380.0, 254.0), Centre);
    arrow((244.0, 270.0), (126.0, 270.0), "B dV B\u{1d40}", (185.0, 254.0), Centre);
    arrow((470.0, 291.0), (416.0, 330.0), "V\u{1d40} dM", (460.0, 320.0), Right);
    arrow((344.0, 335.0), (226.0, 335.0), "G\u{1d40} dU G", (285.0, 319.0), Centre);
    figure.text((380.0, 196.0), Centre, MUTED, "Backward needs U again for dV, and V for dU.");
    figure
}
