//! `thawline bench`: measures the machine, and how close the kernels and training steps come to its peak.
//!
//! It needs no data and no tools. The result of each kernel, step and shape is checked before it is timed. [`roof`]
//! measures the machine; [`product`], [`layers`] and [`light`] contain the kernels, [`steps`] the training steps and
//! [`shapes`] the convolutions of `--shapes`; [`timing`] times a workload; [`record`] holds the times, [`against`]
//! compares and [`table`] prints them. The benches in `benches/` and the speed test time the same workloads.

pub mod against;
pub mod layers;
pub mod light;
pub mod product;
pub mod record;
pub mod roof;
pub mod shapes;
pub mod steps;
pub mod table;
pub mod timing;

use std::{
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use clap::{Args, ValueEnum};
use thawline_tensor::{
    nn::Method,
    simd::Level,
    threads::{self, with_threads},
};

use super::flags::MachineArgs;
use crate::system::{
    console::{self, Text},
    failure::{Failure, Kind, Result},
    machine,
};

use against::Earlier;
use layers::{Case, LayerPass, Pass};
use product::Product;
use record::{BenchRecord, FORMAT, MemoryBandwidth, Peak, Row, Scaling, StepMs};
use roof::Roof;
use steps::{BATCH, StepCase, with_step};
use timing::{Rounds, Workload};

/// Flags of `bench`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct BenchArgs {
    /// What to measure: peak (the machine alone), kernels, steps or scaling [default: all]
    #[arg(long, value_name = "WHAT", value_enum, hide_possible_values = true)]
    pub only: Option<Section>,
    /// Compare the convolution methods over many shapes instead
    #[arg(long, conflicts_with_all = ["only", "against"])]
    pub shapes: bool,
    /// Timings per workload [default: as many as fit into the workload's time budget, at most 1.5 s]
    #[arg(long, value_name = "N", value_parser = super::values::count)]
    pub rounds: Option<usize>,
    /// Compare with an earlier benchmark, saved by --json
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Print the results as JSON (docs/performance.md describes it)
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// A part of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// The machine alone.
    Peak,
    /// Matrix products, convolutions, light operations.
    Kernels,
    /// Training steps and features.
    Steps,
    /// One thread against all.
    Scaling,
}

/// How long to time each kernel, each method on a shape and each step, and how often to time the steps of the scaling.
/// Without `--shapes`, the whole benchmark takes half a minute.
const KERNEL_BUDGET: Duration = Duration::from_millis(250);
const SHAPE_BUDGET: Duration = Duration::from_millis(60);
const STEP_BUDGET: Duration = Duration::from_millis(1500);
const SCALING_ROUNDS: usize = 9;

/// Batch size of the naive method, which is slow.
pub const NAIVE_IMAGES: usize = 16;

pub fn bench(args: &BenchArgs) -> Result<()> {
    machine::choose_level(args.machine.simd)?;
    timing::require_running_clock(Instant::now)?;
    let earlier = args.against.as_deref().map(Earlier::read).transpose()?;
    let bench = Bench { args, threads: machine::choose_threads(args.machine.threads) };
    let wanted = |section: Section| !args.shapes && args.only.is_none_or(|only| only == section);

    let mut record = bench.machine()?;
    bench.say(|| table::heading(&record) + "\n" + &table::peaks(&record))?;
    if args.shapes {
        bench.shapes(&mut record)?;
    }
    if wanted(Section::Kernels) {
        bench.kernels(&mut record)?;
        bench.say(|| table::rows("Kernels", &record.kernels))?;
    }
    if wanted(Section::Steps) {
        bench.steps(&mut record)?;
        bench.say(|| table::rows(&format!("Steps of {BATCH} pictures"), &record.steps))?;
    }
    if wanted(Section::Scaling) {
        if bench.threads > 1 {
            record.scaling = Some(bench.scaling()?);
            bench.say(|| record.scaling.as_ref().map(table::scaling).unwrap_or_default())?;
        } else {
            bench.say(|| "Scaling needs at least two threads.\n".to_owned())?;
        }
    }
    if let Some(earlier) = &earlier {
        record.changes = earlier.compare(&[&*record.kernels, &*record.steps].concat());
        bench.say(|| table::changes(&earlier.environment, &record.changes))?;
    }
    if args.json {
        return console::print_json(&record);
    }
    if record.kernels.iter().chain(&record.steps).any(Row::exceeds_peak) {
        console::print(Text::of_lines(table::ABOVE_PEAK_NOTE))?;
    }
    if record.kernels.is_empty() && record.steps.is_empty() {
        Ok(())
    } else {
        console::print(Text::of_lines(table::LEGEND))
    }
}

/// A benchmark on this number of threads.
struct Bench<'a> {
    args: &'a BenchArgs,
    threads: usize,
}

impl Bench<'_> {
    fn say(&self, text: impl FnOnce() -> String) -> Result<()> {
        if self.args.json { Ok(()) } else { console::print(Text::of_table(text()).and("")) }
    }

    fn rounds(&self, budget: Duration) -> Rounds {
        self.args.rounds.map_or(Rounds::Within(budget), Rounds::Exactly)
    }

    /// The thread counts to measure: one, two and all.
    fn thread_counts(&self) -> Vec<usize> {
        let mut counts = vec![1, self.threads.min(2), self.threads];
        counts.dedup();
        counts
    }

    fn machine(&self) -> Result<BenchRecord> {
        let load_average = machine::load_average();
        let environment = with_threads(self.threads, || machine::environment(SystemTime::now()))?;
        let (mut peaks, mut bandwidths) = (Vec::new(), Vec::new());
        for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
            for threads in self.thread_counts() {
                peaks.push(Peak { level, threads, gflops: roof::peak(level, threads)? / 1e9 });
            }
        }
        for threads in self.thread_counts() {
            let [triad_gb_per_s, copy_gb_per_s] = roof::bandwidth(threads)?.map(|bytes| bytes / 1e9);
            bandwidths.push(MemoryBandwidth { threads, triad_gb_per_s, copy_gb_per_s });
        }
        let mut record = BenchRecord {
            format: FORMAT,
            thawline: env!("CARGO_PKG_VERSION"),
            environment,
            load_average,
            rounds: self.args.rounds,
            batch: BATCH,
            peaks,
            bandwidths,
            ..BenchRecord::default()
        };
        record.peak_gflops = self.roof(&record, self.threads).flops_per_second / 1e9;
        Ok(record)
    }

    /// The roofline for a measured number of threads.
    fn roof(&self, record: &BenchRecord, threads: usize) -> Roof {
        let peak = record.peaks.iter().find(|peak| peak.level == Level::current() && peak.threads == threads);
        let bandwidth = record.bandwidths.iter().find(|bandwidth| bandwidth.threads == threads);
        let (peak, bandwidth) = peak.zip(bandwidth).expect("this number of threads was measured");
        Roof {
            flops_per_second: 1e9 * peak.gflops,
            bytes_per_second: 1e9 * bandwidth.triad_gb_per_s.max(bandwidth.copy_gb_per_s),
        }
    }

    fn kernels(&self, record: &mut BenchRecord) -> Result<()> {
        for case in product::CASES {
            let mut product = Product::new(case, Level::current());
            for threads in self.thread_counts() {
                let row = self.row(&self.roof(record, threads), &mut product, threads, KERNEL_BUDGET)?;
                let share = Some(row.share_of_peak);
                match threads {
                    1 if case == product::SQUARE => record.gemm_1024_share_1t = share,
                    2 if case == product::SQUARE => record.gemm_1024_share_2t = share,
                    _ => {}
                }
                record.kernels.push(row);
            }
        }
        let roof = self.roof(record, self.threads);
        let mut kernel = |workload: &mut dyn Workload| {
            record.kernels.push(self.row(&roof, workload, self.threads, KERNEL_BUDGET)?);
            Ok::<(), Failure>(())
        };
        for case in [Case::conv1(), Case::conv2()] {
            for pass in Pass::ALL {
                for method in Method::LADDER {
                    let images = if method == Method::Naive { NAIVE_IMAGES } else { BATCH };
                    kernel(&mut LayerPass::convolution(&case, method, pass, images))?;
                }
            }
        }
        light_operations().iter_mut().try_for_each(|operation| kernel(&mut **operation))
    }

    /// Checks a workload and times it.
    fn row(&self, roof: &Roof, workload: &mut dyn Workload, threads: usize, budget: Duration) -> Result<Row> {
        let place = workload.labels();
        let work = workload.work();
        let (error, times) = with_threads(threads, || {
            workload.check().map(|error| (error, self.rounds(budget).time(|| workload.run())))
        })?
        .map_err(|error| wrong(&place.join(": "), &error))?;
        Ok(Row::new(place, threads, work, roof, &times, error))
    }

    fn steps(&self, record: &mut BenchRecord) -> Result<()> {
        let roof = self.roof(record, self.threads);
        let mut step = StepMs::default();
        for case in StepCase::ALL {
            let row = with_step(case, |workload| self.row(&roof, workload, self.threads, STEP_BUDGET))?;
            match case {
                StepCase::Model1 => step.model_1_ms = row.median_ms,
                StepCase::Model2 => step.model_2_ms = row.median_ms,
                StepCase::Model2Cached => step.model_2_cached_ms = row.median_ms,
                StepCase::Features => record.features_ms = Some(row.median_ms),
            }
            record.steps.push(row);
        }
        record.step = Some(step);
        Ok(())
    }

    /// Without `--json`, prints each shape as soon as it is measured.
    fn shapes(&self, record: &mut BenchRecord) -> Result<()> {
        if !self.args.json {
            console::print(Text::of_lines(table::SHAPES))?;
        }
        for case in shapes::grid() {
            let row = with_threads(self.threads, || case.measure(self.rounds(SHAPE_BUDGET)))?;
            let row = row.map_err(|error| wrong(&format!("{case:?}"), &error))?;
            if !self.args.json {
                console::print(Text::of_table(table::shape(&row)))?;
            }
            record.shapes.push(row);
        }
        Ok(())
    }

    /// Times steps on one thread and on all, interleaved.
    fn scaling(&self) -> Result<Scaling> {
        let mut phases = [Vec::new(), Vec::new()];
        with_step(StepCase::Model1, |workload| {
            for _ in 0..self.args.rounds.unwrap_or(SCALING_ROUNDS) {
                for (threads, phases) in [1, self.threads].into_iter().zip(&mut phases) {
                    // A new pool starts with cold buffers.
                    phases.push(with_threads(threads, || {
                        workload.run();
                        workload.step_in_phases()
                    })?);
                }
            }
            Ok::<(), threads::PoolError>(())
        })?;
        Ok(Scaling::new(self.threads, [&phases[0], &phases[1]]))
    }
}

/// The operations with few or no multiply-adds per byte.
pub fn light_operations() -> Vec<Box<dyn Workload>> {
    let mut operations: Vec<Box<dyn Workload>> = Vec::new();
    for pass in [Pass::Forward, Pass::InputGradient] {
        operations.push(Box::new(LayerPass::relu(pass, BATCH)));
        operations.push(Box::new(LayerPass::max_pool(pass, BATCH)));
    }
    operations.extend(Pass::ALL.map(|pass| Box::new(LayerPass::depthwise(pass, BATCH)) as Box<dyn Workload>));
    operations.extend(light::operations().map(|operation| Box::new(operation) as Box<dyn Workload>));
    operations
}

fn wrong(what: &str, error: &str) -> Failure {
    let advice = "it was not timed; this is a bug: please report it with the output of `thawline info`";
    Failure::new(Kind::Other, format!("{what} gives a wrong result: {error}; {advice}"))
}
