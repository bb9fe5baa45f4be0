//! The results of `thawline bench` for people.

use super::record::{BenchRecord, Gain, Row, Scaling};

/// The machine, and what must be known before any time is believed.
pub fn heading(record: &BenchRecord) -> String {
    let environment = &record.environment;
    let mut text = format!(
        "thawline {}, {}, {}: {}, {} of {} logical CPUs, {}\n",
        record.thawline,
        environment.rustc,
        environment.target,
        environment.cpu,
        environment.threads,
        environment.logical_cpus,
        environment.simd
    );
    if let Some(load) = record.load_average.filter(|&load| load > 0.5) {
        text += &format!("note: the load average is {load:.2}; other programs are running, and times mislead\n");
    }
    if environment.profile != "release" {
        text +=
            &format!("note: this is a {} build; times of --release builds alone mean anything\n", environment.profile);
    }
    text
}

/// Peaks and bandwidths, a column for each number of threads.
pub fn peaks(record: &BenchRecord) -> String {
    let threads: Vec<usize> = record.bandwidths.iter().map(|bandwidth| bandwidth.threads).collect();
    let line = |name: &str, cells: &mut dyn Iterator<Item = f64>, unit: &str| {
        let cells: String = cells.map(|cell| format!("{cell:>12.1}")).collect();
        format!("  {name:<42}{cells}  {unit}\n")
    };
    let columns: String = threads.iter().map(|&n| format!("{:>12}", plural(n, "thread"))).collect();
    let mut text = format!("{:<44}{columns}\n", "The machine");
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

/// Rows under the names of their groups.
pub fn rows(title: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "{title:<44}{:>7}{:>12}{:>8}{:>10}{:>9}{:>8}{:>9}\n",
        "threads", "ms", "spread", "GFLOP/s", "done", "GB/s", "of roof"
    );
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = &row.group;
            text += &format!("  {group}\n");
        }
        let rate = |rate: f64, shown: bool| if shown { format!("{rate:.1}") } else { String::new() };
        text += &format!(
            "    {:<40}{:>7}{:>12}{:>6.0} %{:>10}{:>9}{:>8.1}{:>7.0} %\n",
            row.name,
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

/// What threads gain.
pub fn scaling(scaling: &Scaling) -> String {
    let mut text = format!(
        "{:<44}{:>12}{:>12}{:>12}{:>14}\n",
        format!("model_1's step, 1 to {} threads", scaling.threads),
        "1 thread",
        plural(scaling.threads, "thread"),
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
            "  {name:<42}{:>9} ms{:>9} ms{efficiency:>12.2}{:>12.1} %\n",
            milliseconds(one_thread_ms),
            milliseconds(all_threads_ms),
            100.0 * serial_share
        );
    }
    text
}

/// Said where something was faster than the peak.
pub const DOUBT: &str =
    "note: kernels beat the measured peak, so the machine was disturbed while that was measured; measure again\n";

/// What the columns mean.
pub const LEGEND: &str = "\
Medians. spread: the distance between the quartiles, of the median. GFLOP/s: operations of the direct method.
done: the multiplications really done, where Winograd's method saves some. GB/s: operands read and results
written once. of roof: the least time that peak and bandwidth allow what is really done, of the time it took;
above 100 % where a cache served what memory was expected to.
";

/// Three digits that count.
fn milliseconds(ms: f64) -> String {
    match ms {
        ..0.1 => format!("{ms:.4}"),
        0.1..1.0 => format!("{ms:.3}"),
        1.0..100.0 => format!("{ms:.2}"),
        _ => format!("{ms:.0}"),
    }
}

fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
