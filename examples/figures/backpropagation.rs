//! The products of a dense layer, and the kernel gradient of a convolution.

use crate::svg::{Align::Centre, BLUE, CELL, Figure, GREEN, MUTED, Point, TEXT, VERMILION};

/// y = x W, dW = x' dy, dx = dy W', as rectangles.
pub fn dense() -> Figure {
    let mut figure = Figure::new(
        720.0,
        330.0,
        "Three products as rectangles: y, M x N, is x, M x K, times W, K x N; dW is x transposed times dy; dx is dy \
         times W transposed.",
    );
    let (m, n, k) = (46.0, 30.0, 70.0);
    let rows = [
        ("forward", [("y", m, n, BLUE, "M x N"), ("x", m, k, BLUE, "M x K"), ("W", k, n, GREEN, "K x N")]),
        (
            "weights",
            [("dW", k, n, VERMILION, "K x N"), ("x\u{1d40}", k, m, BLUE, "K x M"), ("dy", m, n, VERMILION, "M x N")],
        ),
        (
            "input",
            [("dx", m, k, VERMILION, "M x K"), ("dy", m, n, VERMILION, "M x N"), ("W\u{1d40}", n, k, GREEN, "N x K")],
        ),
    ];
    for (column, (title, matrices)) in rows.into_iter().enumerate() {
        let left = 20.0 + 240.0 * column as f64;
        figure.bold((left + 100.0, 34.0), Centre, TEXT, title);
        let mut x = left;
        let widths: f64 = matrices.iter().map(|matrix| matrix.2).sum();
        let gap = (200.0 - widths) / 2.0;
        for (index, (name, height, width, color, size)) in matrices.into_iter().enumerate() {
            let y = 130.0 - height / 2.0;
            figure.cell((x, y), (width, height), color, 0.25);
            figure.bold((x + width / 2.0, 130.0), Centre, TEXT, name);
            figure.text((x + width / 2.0, y + height + 14.0), Centre, MUTED, size);
            if index < 2 {
                figure.text((x + width + gap / 2.0, 130.0), Centre, TEXT, if index == 0 { "=" } else { "\u{b7}" });
            }
            x += width + gap;
        }
    }
    let notes = [
        "M examples, K inputs, N units. Blue: activations. Green: weights. Red: gradients.",
        "The three products have the same 2 M N K operations: backward costs twice as much as forward.",
        "A gradient has the shape of what it is the gradient of. That alone fixes which factor is transposed.",
    ];
    for (line, note) in notes.into_iter().enumerate() {
        figure.text((360.0, 240.0 + 26.0 * line as f64), Centre, TEXT, note);
    }
    figure
}

/// The worked example of the chapter: four windows of a 3 x 3 image under a 2 x 2 gradient.
pub fn kernel_gradient() -> Figure {
    let mut figure = Figure::new(
        760.0,
        330.0,
        "Four panels. In each, the 2 x 2 gradient dy lies on another window of the 3 x 3 image x, and the sum of their \
         products is one element of dW: 37, 47, 67, 77.",
    );
    let (x, dy) = ([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[1, 2], [3, 4]]);
    let mut dw = [[0; 2]; 2];
    for kh in 0..2 {
        for kw in 0..2 {
            let left = 48.0 + 185.0 * (2 * kh + kw) as f64;
            figure.bold((left + 1.5 * CELL, 26.0), Centre, TEXT, &format!("kh = {kh}, kw = {kw}"));
            figure.numbers((left, 46.0), BLUE, &x, |row, column| {
                (kh..kh + 2).contains(&row) && (kw..kw + 2).contains(&column)
            });
            let terms: Vec<(i32, i32)> = (0..4).map(|i| (x[kh + i / 2][kw + i % 2], dy[i / 2][i % 2])).collect();
            dw[kh][kw] = terms.iter().map(|(x, dy)| x * dy).sum();
            let products: Vec<String> = terms.iter().map(|(x, dy)| format!("{x}\u{b7}{dy}")).collect();
            figure.text((left + 1.5 * CELL, 158.0), Centre, MUTED, &products.join(" + "));
            figure.bold((left + 1.5 * CELL, 180.0), Centre, VERMILION, &format!("= {}", dw[kh][kw]));
        }
    }
    let matrix = |figure: &mut Figure, at: Point, name: &str, numbers: &[[i32; 2]]| {
        figure.bold((at.0 - 24.0, at.1 + CELL), Centre, TEXT, name);
        figure.numbers(at, VERMILION, numbers, |_, _| true);
    };
    matrix(&mut figure, (90.0, 220.0), "dy", &dy);
    matrix(&mut figure, (660.0, 220.0), "dW", &dw);
    figure.text((380.0, 235.0), Centre, TEXT, "dW[kh, kw] is the inner product of dy with the window of x");
    figure.text((380.0, 258.0), Centre, TEXT, "that starts at row kh, column kw.");
    figure.text(
        (380.0, 288.0),
        Centre,
        MUTED,
        "With C channels and F filters: one such sum for each of the C \u{b7} F pairs.",
    );
    figure
}
