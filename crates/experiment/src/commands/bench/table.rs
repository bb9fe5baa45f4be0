//! Prints the results of `thawline bench` as tables.

use crate::system::{console::Text, machine::Environment, number};

use super::{
    record::{BenchRecord, Change, Gain, Row, Scaling},
    shapes::ShapeRow,
};

/// The machine, with warnings if times are not reliable.
pub fn heading(record: &BenchRecord) -> String {
    let environment = &record.environment;
    let machine = format!(
        "thawline {}, {}, {}: {}, {} of {} logical CPUs, {}",
        record.thawline,
        environment.rustc,
        environment.target,
        environment.cpu,
        environment.threads,
        environment.logical_cpus,
        environment.simd
    );
    let mut text = Text::wrapped("", machine).to_string();
    if let Some(load) = record.load_average.filter(|&load| load > 0.5) {
        text += &format!("note: other programs are running (load average {load:.2}); times are unreliable\n");
    }
    if environment.profile != "release" {
        text +=
            &format!("note: this is a {} build; only times of --release builds mean anything\n", environment.profile);
    }
    text
}

/// Peaks and bandwidths, with a column for each number of threads.
pub fn peaks(record: &BenchRecord) -> String {
    let threads: Vec<usize> = record.bandwidths.iter().map(|bandwidth| bandwidth.threads).collect();
    let line = |name: &str, cells: &mut dyn Iterator<Item = f64>, unit: &str| {
        let cells: String = cells.map(|cell| format!("{cell:>11.1}")).collect();
        format!("  {name:<33}{cells}  {unit}\n")
    };
    let columns: String = threads.iter().map(|&n| format!("{:>11}", number::counted(n, "thread"))).collect();
    let mut text = format!("{:<35}{columns}\n", "The machine");
    let mut levels: Vec<_> = record.peaks.iter().map(|peak| peak.level).collect();
    levels.dedup();
    for level in levels {
        let mut cells = record.peaks.iter().filter(|peak| peak.level == level).map(|peak| peak.gflops);
        text += &line(&format!("multiply-adds, {level}"), &mut cells, "GFLOP/s");
    }
    text += &line("memory, a = b + s c", &mut record.bandwidths.iter().map(|b| b.triad_gb_per_s), "GB/s");
    text += &line("memory, a = b", &mut record.bandwidths.iter().map(|b| b.copy_gb_per_s), "GB/s");
    text
}

/// Rows, grouped.
pub fn rows(title: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "{title:<35}{:>4}{:>8}{:>7}{:>8}{:>6}{:>6}{:>6}\n",
        "thr.", "ms", "spread", "GFLOP/s", "done", "GB/s", "roof"
    );
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = &row.group;
            text += &format!(" {group}\n");
        }
        let rate = |rate: f64, shown: bool| if shown { format!("{rate:.1}") } else { String::new() };
        text += &format!(
            "  {:<33}{:>4}{:>8}{:>5.0} %{:>8}{:>6}{:>6.1}{:>4.0} %\n",
            brief(&row.name),
            row.threads,
            milliseconds(row.median_ms),
            100.0 * row.spread(),
            rate(row.gflops, row.gflop > 0.0),
            rate(row.gflops_done, row.gflop_done < row.gflop),
            row.gb_per_s,
            100.0 * row.share_of_roofline,
        );
    }
    text
}

/// Rows next to those of an earlier benchmark. A difference counts only if the interquartile ranges are disjoint.
pub fn changes(earlier: &Environment, changes: &[Change]) -> String {
    let about = format!("Compared with {}, {}, {}", earlier.cpu, earlier.simd, earlier.date);
    let mut text = Text::wrapped("", about).to_string();
    text += &format!("{:<35}{:>4}{:>11}{:>9}{:>8}\n", "", "thr.", "earlier ms", "now ms", "ratio");
    let mut group = "";
    for change in changes {
        if change.group != group {
            group = &change.group;
            text += &format!(" {group}\n");
        }
        let verdict = match (change.quartiles_apart, change.ratio < 1.0) {
            (false, _) => "",
            (true, true) => "faster",
            (true, false) => "slower",
        };
        text += &format!(
            "  {:<33}{:>4}{:>11}{:>9}{:>8.3}  {verdict}\n",
            brief(&change.name),
            change.threads,
            milliseconds(change.earlier_ms),
            milliseconds(change.median_ms),
            change.ratio
        );
    }
    text
}

/// The gain from threads.
pub fn scaling(scaling: &Scaling) -> String {
    let mut text = format!(
        "{:<32}{:>11}{:>11}{:>12}{:>14}\n",
        format!("model_1's step, 1 and {} threads", scaling.threads),
        "1 thread",
        number::counted(scaling.threads, "thread"),
        "efficiency",
        "serial share"
    );
    let parts = [
        ("forward", scaling.forward),
        ("backward", scaling.backward),
        ("update", scaling.update),
        ("whole", scaling.step),
    ];
    for (name, Gain { one_thread_ms, all_threads_ms, efficiency, serial_share }) in parts {
        text += &format!(
            "  {name:<30}{:>8} ms{:>8} ms{efficiency:>12.2}{:>12.1} %\n",
            milliseconds(one_thread_ms),
            milliseconds(all_threads_ms),
            100.0 * serial_share
        );
    }
    let predicted = [4, 8, 12, 16, 64].map(|threads| format!("{threads}: {:.1}x", scaling.predicted_speedup(threads)));
    text += "efficiency: speedup / threads; serial share: an upper bound, by Amdahl's law\n";
    text + &format!("predicted speedup by threads: {}\n", predicted.join(", "))
}

/// The heading of the rows of [`shape`].
pub const SHAPES: &str = "\
Convolutions with padding 'same': GFLOP/s of a training step (forward, both
gradients and what it does once for the kernel) in operations of the direct
method; the method that 'auto' chooses, and its share of the best

  channels filters  side  kernel stride images   im2col implicit winograd  auto
";

/// A row of the table under [`SHAPES`].
pub fn shape(ShapeRow { case, gflops, auto, share_of_best }: &ShapeRow) -> String {
    let rate = |method| gflops.get(method).map_or_else(String::new, |gflops: &f64| format!("{gflops:.1}"));
    format!(
        "  {:>8}{:>8}{:>6}{:>8}{:>7}{:>7}{:>9}{:>9}{:>9}  {auto}, {:.0} %\n",
        case.channels,
        case.filters,
        case.side,
        case.kernel,
        case.stride,
        case.images,
        rate("im2col"),
        rate("implicit"),
        rate("winograd"),
        100.0 * share_of_best,
    )
}

/// Printed if a kernel or step exceeded the measured peak.
pub const ABOVE_PEAK_NOTE: &str =
    "note: kernels exceed the measured peak, whose measurement must have been disturbed: measure again\n";

pub const LEGEND: &str = "\
Times are medians; spread: distance between the quartiles, as a share of the
median. GFLOP/s: operations of the direct method; done: multiplications actually
performed, where Winograd's method saves some. GB/s: operands read and results
written once. roof: the least time that peak and bandwidth allow for what is
performed, as a share of the measured time; above 100 % where a cache served
what was expected to come from memory.
";

/// A row's name, short enough for the table.
fn brief(name: &str) -> String {
    name.replace(" x ", "x").replace("gradient", "grad.")
}

/// At least three significant digits, from 0.01 ms.
fn milliseconds(ms: f64) -> String {
    match ms {
        ..0.1 => format!("{ms:.4}"),
        0.1..1.0 => format!("{ms:.3}"),
        1.0..100.0 => format!("{ms:.2}"),
        _ => format!("{ms:.0}"),
    }
}
