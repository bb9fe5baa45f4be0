//! Shared by the benches: checks a workload, times it with criterion, and compares it with the machine's roofline.

use std::{collections::BTreeMap, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use thawline::commands::bench::{
    roof::{Roof, bandwidth, peak},
    timing::{Times, Work, Workload, measure_seconds},
};
use thawline_tensor::{simd::Level, threads::with_threads};

/// The smallest number of samples that criterion accepts.
const SAMPLES: usize = 10;

/// Criterion with settings for kernels of milliseconds, and the machine's roofline for each number of threads.
pub struct Bench {
    criterion: Criterion,
    level: Level,
    roofs: BTreeMap<usize, Roof>,
}

impl Bench {
    /// Measures and prints the roofline of one thread and of all, at the process's SIMD level.
    pub fn new() -> Self {
        let criterion = Criterion::default()
            .sample_size(SAMPLES)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args();
        let level = Level::current();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let roofs: BTreeMap<usize, Roof> =
            [1, cores].into_iter().map(|threads| (threads, roof(level, threads))).collect();
        for (threads, roof) in &roofs {
            let Roof { flops_per_second, bytes_per_second } = roof;
            println!(
                "{level}, {threads} thread(s): multiply-adds at {:.1} GFLOP/s, memory at {:.1} GB/s",
                flops_per_second / 1e9,
                bytes_per_second / 1e9
            );
        }
        Self { criterion, level, roofs }
    }

    /// Checks a workload and times it, on one thread and on all.
    pub fn workload(&mut self, workload: &mut dyn Workload) {
        let [group, name] = workload.labels();
        let work = workload.work();
        for (&threads, roof) in &self.roofs {
            with_threads(threads, || workload.check())
                .expect("threads can be started")
                .unwrap_or_else(|error| panic!("{group}, {name} on {threads} thread(s) is wrong: {error}"));
            let mut samples = Vec::new();
            let mut benchmarks = self.criterion.benchmark_group(&group);
            benchmarks.throughput(match work.flops {
                0 => Throughput::Bytes(work.bytes),
                flops => Throughput::Elements(flops),
            });
            let id = BenchmarkId::new(&name, format!("{} on {threads}", self.level));
            benchmarks.bench_function(id, |bencher| {
                bencher.iter_custom(|iterations| {
                    let seconds = with_threads(threads, || {
                        // A new pool starts with cold buffers.
                        workload.run();
                        measure_seconds(|| (0..iterations).for_each(|_| workload.run()))
                    });
                    let seconds = seconds.expect("threads can be started");
                    samples.push(seconds / iterations as f64);
                    Duration::from_secs_f64(seconds)
                });
            });
            benchmarks.finish();
            if !samples.is_empty() {
                // Criterion warms up with the same closure, before the samples that it measures.
                let measured = samples.split_off(samples.len().saturating_sub(SAMPLES));
                println!("{}", shares(work, roof, Times::new(measured).median()));
            }
        }
    }

    /// Prints criterion's summary.
    pub fn finish(self) {
        self.criterion.final_summary();
    }
}

fn roof(level: Level, threads: usize) -> Roof {
    let (peak, bandwidth) = (peak(level, threads), bandwidth(threads));
    let [triad, copy] = bandwidth.expect("threads can be started");
    Roof { flops_per_second: peak.expect("threads can be started"), bytes_per_second: triad.max(copy) }
}

/// A median time as rates and shares of the roofline.
fn shares(work: Work, roof: &Roof, seconds: f64) -> String {
    let rate = |flops: u64| {
        let rate = flops as f64 / seconds;
        format!("{:.1} GFLOP/s, {:.0} % of the peak", rate / 1e9, 100.0 * rate / roof.flops_per_second)
    };
    let roofline = format!("{:.0} % of the roofline", 100.0 * roof.share(work, seconds));
    let gigabytes = work.bytes as f64 / seconds / 1e9;
    match work {
        Work { flops: 0, .. } => format!("                        {gigabytes:.1} GB/s, {roofline}\n"),
        Work { flops, flops_done, .. } if flops == flops_done => {
            format!("                        {}; {roofline}\n", rate(flops))
        }
        Work { flops, flops_done, .. } => {
            format!("                        {}; performed: {}; {roofline}\n", rate(flops), rate(flops_done))
        }
    }
}
