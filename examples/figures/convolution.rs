//! Why channels last needs no copy of the patches, and how fast the four convolution methods are.

use crate::product::Bench;
use crate::svg::{
    Align::{Centre, Left, Right},
    BLUE, Figure, GREEN, GRID, MUTED, ORANGE, PURPLE, TEXT, VERMILION,
};

/// A row of pixels in memory, and its windows as rows of a matrix.
pub fn overlapping_rows() -> Figure {
    let mut figure = Figure::new(
        760.0,
        330.0,
        "Five pixels of three channels are fifteen floats in a row. Each window of three pixels is nine of them, three \
         floats after the one before. The windows are the rows of the patch matrix.",
    );
    let (pixels, channels, windows) = (5, 3, 3);
    let (left, side) = (150.0, 34.0);
    let colors = [BLUE, GREEN, ORANGE, PURPLE, VERMILION];
    let strip = |figure: &mut Figure, y: f64, pixels: std::ops::Range<usize>| {
        for pixel in pixels {
            for channel in 0..channels {
                let x = left + side * (pixel * channels + channel) as f64;
                figure.cell((x, y), (side, side), colors[pixel], 0.25);
                figure.text(
                    (x + side / 2.0, y + side / 2.0),
                    Centre,
                    TEXT,
                    &format!("{pixel}{}", ["r", "g", "b"][channel]),
                );
            }
        }
    };
    figure.text((left - 12.0, 67.0), Left, TEXT, "a row of x");
    figure.text((left, 30.0), Right, MUTED, "in memory: W = 5 pixels of C = 3 channels, 15 floats");
    strip(&mut figure, 50.0, 0..pixels);
    for window in 0..windows {
        let y = 130.0 + 46.0 * window as f64;
        figure.text((left - 12.0, y + 17.0), Left, TEXT, &format!("output {window}"));
        strip(&mut figure, y, window..window + 3);
    }
    figure.text((left + 14.0 * side, 147.0), Centre, MUTED, "stride C = 3");
    figure.text(
        (380.0, 288.0),
        Centre,
        TEXT,
        "Row ow of the matrix starts ow \u{b7} C floats into the row of x and has KW \u{b7} C floats.",
    );
    figure.text(
        (380.0, 310.0),
        Centre,
        TEXT,
        "Neighbouring rows share (KW - 1) \u{b7} C of them, and nothing is copied.",
    );
    figure
}

/// GFLOP/s of the second convolution by method, from the benchmark in docs/performance.md.
pub fn ladder() -> Figure {
    let bench = Bench::read();
    let mut figure = Figure::new(
        760.0,
        310.0,
        "Bars: GFLOP/s of the tutorial's second convolution by naive loops, im2col, the implicit product and Winograd's \
         method, for the forward pass and both gradients, beside the peak of two threads.",
    );
    let (left, right, top) = (170.0, 730.0, 44.0);
    let scale = (right - left) / 650.0;
    for gflops in [0.0, 200.0, 400.0, 600.0] {
        let x = left + gflops * scale;
        figure.line(&[(x, top), (x, 260.0)], GRID, 1.0);
        figure.text((x, 274.0), Centre, MUTED, &format!("{gflops}"));
    }
    let x = left + bench.peak * scale;
    figure.line(&[(x, top - 10.0), (x, 260.0)], TEXT, 1.5);
    figure.text((x, top - 20.0), Centre, TEXT, &format!("peak of two threads: {}", bench.peak));
    let passes = [("forward", BLUE), ("input gradient", ORANGE), ("kernel gradient", VERMILION)];
    for (rung, name) in ["naive", "im2col", "implicit", "winograd"].into_iter().enumerate() {
        let y = top + 6.0 + 53.0 * rung as f64;
        figure.bold((left - 12.0, y + 21.0), Left, TEXT, name);
        for (pass, (section, color)) in passes.into_iter().enumerate() {
            let gflops = bench.speed(&format!("conv2 {section}"), name);
            let bar = y + 14.0 * pass as f64;
            figure.cell((left, bar), (gflops * scale, 12.0), color, 0.8);
            figure.text((left + gflops * scale + 6.0, bar + 6.0), Right, TEXT, &format!("{gflops}"));
        }
    }
    for (index, (section, color)) in passes.into_iter().enumerate() {
        let (x, y) = (560.0, 70.0 + 20.0 * index as f64);
        figure.cell((x, y - 6.0), (12.0, 12.0), color, 0.8);
        figure.text((x + 20.0, y), Right, TEXT, section);
    }
    figure.text(((left + right) / 2.0, 296.0), Centre, MUTED, "GFLOP/s, counting the operations of the direct method");
    figure
}
