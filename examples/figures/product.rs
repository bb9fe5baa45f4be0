//! The matrix product: its register tile, its five loops, its roofline; and the lanes of a vector.

use std::fs;

use crate::repository;
use crate::svg::{
    Align::{Centre, Left, Right},
    BLUE, Figure, GREEN, GRID, MUTED, ORANGE, PURPLE, TEXT, VERMILION,
};

/// The tile of 6 x 4 vectors: 24 sums, and what one step reads.
pub fn register_tile() -> Figure {
    let mut figure = Figure::new(
        760.0,
        330.0,
        "A column of six scalars of A beside a tile of 6 x 4 vectors of sums, below a row of four vectors of B.",
    );
    let (left, top, width, height) = (180.0, 110.0, 90.0, 30.0);
    figure.bold((left - 50.0, top - 20.0), Centre, TEXT, "A");
    figure.bold((left - 40.0, 55.0), Centre, TEXT, "B");
    for v in 0..4 {
        let x = left + width * f64::from(v);
        figure.cell((x, 40.0), (width, height), GREEN, 0.25);
        figure.text((x + width / 2.0, 55.0), Centre, TEXT, "16 floats");
        for r in 0..6 {
            figure.cell((x, top + height * f64::from(r)), (width, height), VERMILION, 0.18);
            figure.text((x + width / 2.0, top + height * f64::from(r) + 15.0), Centre, TEXT, "16 sums");
        }
    }
    for r in 0..6 {
        figure.cell((left - 65.0, top + height * f64::from(r)), (30.0, height), BLUE, 0.25);
        figure.text((left - 50.0, top + height * f64::from(r) + 15.0), Centre, TEXT, "a");
    }
    figure.arrow((left + 2.0 * width, 72.0), (left + 2.0 * width, top - 4.0), MUTED);
    figure.arrow((left - 32.0, top + 90.0), (left - 3.0, top + 90.0), MUTED);
    let notes = ["registers of 32:", "24 sums", "4 vectors of B", "1 scalar of A,", "in all lanes", "= 29"];
    for (line, note) in notes.into_iter().enumerate() {
        figure.text((570.0, top + 12.0 + 24.0 * line as f64), Right, TEXT, note);
    }
    figure.text((380.0, 312.0), Centre, TEXT, "One k: 4 loads of B, 6 loads of A, 24 multiply-adds of 16 lanes.");
    figure
}

/// The five loops around the tile: what each cuts, and where the piece is kept.
pub fn five_loops() -> Figure {
    let mut figure = Figure::new(
        760.0,
        560.0,
        "Five rows, one for each loop. In each, the piece of C, A and B that the loop hands to the next is highlighted: \
         nc columns, mc rows, kc terms, nr columns, mr rows.",
    );
    let (side, depth) = (72.0, 72.0);
    // In shares of the side: columns of C and B, rows of C and A, terms of A and B.
    let (all, nc, mc, kc, nr, mr) = ((0.0, 1.0), (0.0, 0.66), (0.3, 0.24), (0.4, 0.34), (0.2, 0.12), (0.36, 0.07));
    let loops = [
        ("5", "nc = 4,096 columns", "B packed once for all threads", all, all, nc),
        ("3", "mc rows: a task of a thread", "no other task writes its rows of C", mc, all, nc),
        ("4", "kc \u{2264} 800 terms", "mc x kc of A: L2, at most 256 KiB", mc, kc, nc),
        ("2", "nr = 64 or 32 columns", "kc x nr of B: L2, at most 200 KiB", mc, kc, nr),
        ("1", "mr = 6 or 14 rows", "mr x nr of C: registers", mr, kc, nr),
    ];
    for (column, name) in ["C", "A", "B"].into_iter().enumerate() {
        figure.bold((120.0 + 110.0 * column as f64, 22.0), Centre, TEXT, name);
    }
    figure.bold((400.0, 22.0), Right, TEXT, "loop");
    figure.bold((450.0, 22.0), Right, TEXT, "cuts into, and keeps where");
    for (index, (number, cut, place, rows, terms, columns)) in loops.into_iter().enumerate() {
        let y = 40.0 + 102.0 * index as f64;
        let mut matrix = |x: f64, down: (f64, f64), across: (f64, f64), color: &str| {
            figure.cell((x, y), (depth, side), GRID, 0.4);
            let at = (x + across.0 * depth, y + down.0 * side);
            figure.cell(at, (across.1 * depth, down.1 * side), color, 0.5);
        };
        matrix(84.0, rows, columns, VERMILION);
        matrix(194.0, rows, terms, BLUE);
        matrix(304.0, terms, columns, GREEN);
        figure.text((175.0, y + 36.0), Centre, TEXT, "+=");
        figure.text((285.0, y + 36.0), Centre, TEXT, "\u{b7}");
        figure.bold((410.0, y + 36.0), Centre, TEXT, number);
        figure.text((450.0, y + 26.0), Right, TEXT, cut);
        figure.text((450.0, y + 48.0), Right, MUTED, place);
    }
    figure
}

/// What the tables of `thawline bench` in docs/performance.md say.
pub struct Bench {
    text: String,
    /// GFLOP/s and GB/s of two threads.
    pub peak: f64,
    bandwidth: f64,
}

impl Bench {
    pub fn read() -> Self {
        let page = fs::read_to_string(repository("docs/performance.md")).expect("the page of results");
        let text = page.split("<!-- begin bench -->").nth(1).and_then(|text| text.split("<!-- end bench -->").next());
        let text = text.expect("the results of `thawline bench`").to_owned();
        let number = |name: &str| {
            let line = text.lines().find(|line| line.trim().starts_with(name)).expect("a line of the machine");
            line.split_whitespace().filter_map(|word| word.parse().ok()).next_back().expect("its number")
        };
        let (peak, bandwidth) = (number("multiply-adds, avx512"), number("memory, a = b + s c"));
        Self { text, peak, bandwidth }
    }

    /// GFLOP/s of two threads, in a section's row; GB/s of a light operation.
    pub fn speed(&self, section: &str, name: &str) -> f64 {
        let rows = self.text.lines().map(str::trim).skip_while(|line| *line != section);
        // Name, threads, ms, spread, GFLOP/s or GB/s.
        let cells =
            |row: &str| row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
        let mut rows = rows.filter(|row| row.starts_with(name)).map(cells);
        let row: Vec<String> = rows.find(|row: &Vec<String>| row[1] == "2").expect("a row of two threads");
        // The next column may follow after a single space.
        row[4].split(' ').next().and_then(|speed| speed.parse().ok()).expect("a speed")
    }
}

/// Kernels between the limits of arithmetic and of memory, from the same results.
pub fn roofline() -> Figure {
    let bench = Bench::read();
    let mut figure = Figure::new(
        760.0,
        430.0,
        "Both axes are logarithmic: operations per byte, and GFLOP/s. The roof rises with the memory's bandwidth and is \
         flat at the multipliers' peak. Matrix products are just below the flat part, light operations near the slope.",
    );
    let (left, right, top, bottom) = (80.0, 730.0, 30.0, 370.0);
    let x = |intensity: f64| left + (libm::log2(intensity) + 4.0) / 13.0 * (right - left);
    let y = |gflops: f64| bottom - libm::log2(gflops) / 9.0 * (bottom - top);
    for power in (-3..=9).step_by(2) {
        let intensity = libm::exp2(f64::from(power));
        figure.line(&[(x(intensity), top), (x(intensity), bottom)], GRID, 1.0);
        figure.text((x(intensity), bottom + 14.0), Centre, MUTED, &format!("{intensity}"));
    }
    for power in [0, 2, 4, 6, 8] {
        let gflops = libm::exp2(f64::from(power));
        figure.line(&[(left, y(gflops)), (right, y(gflops))], GRID, 1.0);
        figure.text((left - 10.0, y(gflops)), Left, MUTED, &format!("{gflops}"));
    }
    figure.text(((left + right) / 2.0, 408.0), Centre, TEXT, "operations per byte of memory traffic");
    figure.text((left, 14.0), Left, TEXT, "GFLOP/s");
    let ridge = bench.peak / bench.bandwidth;
    figure.line(
        &[(x(0.0625), y(0.0625 * bench.bandwidth)), (x(ridge), y(bench.peak)), (right, y(bench.peak))],
        TEXT,
        2.0,
    );
    figure.text((right, y(bench.peak) - 14.0), Left, TEXT, &format!("{} GFLOP/s", bench.peak));
    figure.text((x(2.0) + 10.0, y(2.0 * bench.bandwidth) + 8.0), Right, TEXT, &format!("{} GB/s", bench.bandwidth));

    let conv2_bytes = 4.0 * (30.0 * 30.0 + 28.0 * 28.0) * 64.0;
    let [direct, winograd] = [2.0 * 28.0 * 28.0 * 576.0 * 64.0, 2.0 * 36.0 * 49.0 * 64.0 * 64.0];
    // Operations per byte, GFLOP/s, label, where the label is.
    let product = |name, [m, n, k]: [f64; 3]| {
        (2.0 * m * n * k / (4.0 * (m * k + k * n + m * n)), bench.speed("matrix product", name))
    };
    let conv2 = |rung, operations| (operations / conv2_bytes, bench.speed("conv2 forward", rung) * operations / direct);
    let light = |name, operations: f64, bytes: f64| {
        (operations / bytes, bench.speed("light operation", name) * operations / bytes)
    };
    let points = [
        (product("square", [1024.0; 3]), "1024 x 1024 x 1024", BLUE, (0.0, 20.0), Centre),
        (product("dense forward", [128.0, 128.0, 12544.0]), "dense forward", BLUE, (-10.0, -17.0), Left),
        (conv2("winograd", winograd), "conv2, Winograd", VERMILION, (-10.0, 12.0), Left),
        (conv2("naive", direct), "conv2, naive", VERMILION, (10.0, 0.0), Right),
        (light("adam", 14.0, 28.0), "Adam: 14 operations on 28 bytes", ORANGE, (0.0, -18.0), Centre),
        (light("relu forward", 1.0, 8.0), "ReLU: 1 operation on 8 bytes", ORANGE, (26.0, 44.0), Right),
    ];
    for ((intensity, gflops), name, color, (right, down), align) in points {
        let at = (x(intensity), y(gflops));
        figure.dot(at, color);
        figure.text((at.0 + right, at.1 + down), align, TEXT, name);
    }
    figure
}

/// A vector of sixteen floats in the registers of each level.
pub fn lanes() -> Figure {
    let mut figure = Figure::new(
        760.0,
        230.0,
        "Sixteen lanes in one register of AVX-512, in two of AVX2, in four of NEON or SSE2. The lanes have the same numbers.",
    );
    let levels = [("AVX-512", 1, BLUE), ("AVX2", 2, GREEN), ("NEON, SSE2", 4, PURPLE)];
    for (level, (name, registers, color)) in levels.into_iter().enumerate() {
        let y = 30.0 + 60.0 * level as f64;
        figure.bold((140.0, y + 17.0), Left, TEXT, name);
        for lane in 0..16 {
            let register = lane * registers / 16;
            let at = (156.0 + 33.0 * lane as f64 + 12.0 * register as f64, y);
            figure.cell(at, (33.0, 34.0), color, 0.25);
            figure.text((at.0 + 16.5, y + 17.0), Centre, TEXT, &lane.to_string());
        }
    }
    figure.text((380.0, 208.0), Centre, MUTED, "One instruction per register; lane i combines with lane i alone.");
    figure
}
