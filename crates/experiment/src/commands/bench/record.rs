//! The results of `thawline bench`, as `--json` prints them. docs/performance.md describes every field.

use serde::Serialize;
use thawline_tensor::{nn::group_size, simd::Level};

use crate::system::machine::Environment;

use super::{
    roof::Roof,
    shapes::ShapeRow,
    steps::BATCH,
    steps::Phases,
    timing::{Times, Work},
};

/// Increased when a field changes its meaning or is removed, not when a field is added.
pub const FORMAT: u32 = 1;

/// All measurements; those that were not made are absent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BenchRecord {
    /// [`FORMAT`].
    pub format: u32,
    pub thawline: &'static str,
    /// The machine and the build.
    pub environment: Environment,
    /// Load average of the last minute before the start, if known.
    pub load_average: Option<f64>,
    /// `--rounds`; if `None`, a time limit decided how often each workload was timed, except for `scaling`.
    pub rounds: Option<usize>,
    /// Batch size of a step.
    pub batch: usize,
    /// Peak of all threads at the level in use, in GFLOP/s.
    pub peak_gflops: f64,
    /// The square product's share of the peak, on one thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gemm_1024_share_1t: Option<f64>,
    /// The same on two threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gemm_1024_share_2t: Option<f64>,
    /// The median time to compute the frozen features of a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepMs>,
    /// The peak of every supported level on one, two and all threads.
    pub peaks: Vec<Peak>,
    pub bandwidths: Vec<MemoryBandwidth>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<Row>,
    /// All steps, in more detail than `step`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Row>,
    /// How the step of model_1 scales with threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Convolutions of many shapes, with `--shapes`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<ShapeRow>,
    /// The rows next to those of an earlier benchmark, with `--against`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// Median times of training steps, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct StepMs {
    /// The whole network is trained.
    pub model_1_ms: f64,
    /// The convolutions are frozen and computed in every step.
    pub model_2_ms: f64,
    /// The convolutions are frozen, and their features are cached.
    pub model_2_cached_ms: f64,
}

/// The peak for one number of threads, at one SIMD level.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Peak {
    #[serde(serialize_with = "as_text")]
    pub level: Level,
    pub threads: usize,
    /// A multiply-add counts as two operations.
    pub gflops: f64,
}

/// The memory bandwidth for one number of threads.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MemoryBandwidth {
    pub threads: usize,
    /// Of a = b + s c.
    pub triad_gb_per_s: f64,
    /// Of a = b.
    pub copy_gb_per_s: f64,
}

/// A timed workload.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it computes.
    pub group: String,
    /// Distinguishes it within the group.
    pub name: String,
    pub threads: usize,
    /// How often it was timed.
    pub samples: usize,
    /// The median time of a run.
    pub median_ms: f64,
    pub quartiles_ms: [f64; 2],
    /// The shortest time.
    pub best_ms: f64,
    /// GFLOP of a run by the direct method; 0 for a memory-bound operation.
    pub gflop: f64,
    /// GFLOP actually performed.
    pub gflop_done: f64,
    /// Gigabytes that must be moved.
    pub gigabytes: f64,
    /// `gflop` over the median time.
    pub gflops: f64,
    /// `gflop_done` over the median time.
    pub gflops_done: f64,
    /// `gigabytes` over the median time.
    pub gb_per_s: f64,
    /// `gflops` relative to the peak of these threads; may exceed 1, because Winograd's method saves multiplications.
    pub share_of_peak: f64,
    /// The shortest time that the roofline of these threads allows for the work actually performed, relative to the
    /// median.
    pub share_of_roofline: f64,
    /// The largest error that [`Workload::check`](super::timing::Workload::check) found; 0 if all sums are exact.
    pub error: f64,
}

impl Row {
    /// Computes the rates from times and a roofline.
    pub fn new([group, name]: [String; 2], threads: usize, work: Work, roof: &Roof, times: &Times, error: f64) -> Self {
        let seconds = times.median();
        let [gflop, gflop_done, gigabytes] =
            [work.flops, work.flops_done, work.bytes].map(|amount| amount as f64 / 1e9);
        Row {
            group,
            name,
            threads,
            samples: times.count(),
            median_ms: 1e3 * seconds,
            quartiles_ms: times.quartiles().map(|seconds| 1e3 * seconds),
            best_ms: 1e3 * times.best(),
            gflop,
            gflop_done,
            gigabytes,
            gflops: gflop / seconds,
            gflops_done: gflop_done / seconds,
            gb_per_s: gigabytes / seconds,
            share_of_peak: 1e9 * gflop / seconds / roof.flops_per_second,
            share_of_roofline: roof.share(work, seconds),
            error,
        }
    }

    /// Whether it exceeds the measured peak by over 2 %: the peak was then measured while the machine was busy.
    pub fn exceeds_peak(&self) -> bool {
        self.share_of_peak * self.gflop_done > 1.02 * self.gflop
    }

    /// The interquartile range relative to the median.
    pub fn spread(&self) -> f64 {
        (self.quartiles_ms[1] - self.quartiles_ms[0]) / self.median_ms
    }
}

/// A row next to the same row of the earlier record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub group: String,
    pub name: String,
    pub threads: usize,
    pub earlier_ms: f64,
    pub median_ms: f64,
    /// The new median over the earlier one: below 1 is faster.
    pub ratio: f64,
    /// Whether the two interquartile ranges are disjoint. If they overlap, the difference may be noise.
    pub quartiles_apart: bool,
}

/// How the step of model_1 scales with threads: medians of interleaved measurements.
#[derive(Clone, Debug, Serialize)]
pub struct Scaling {
    /// The number of threads, compared with one.
    pub threads: usize,
    pub step: Gain,
    /// From the examples to the loss.
    pub forward: Gain,
    /// From the loss to the gradients.
    pub backward: Gain,
    /// From the gradients to the new weights.
    pub update: Gain,
}

/// The gain from threads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// Time on one thread.
    pub one_thread_ms: f64,
    /// Time on all threads.
    pub all_threads_ms: f64,
    /// Parallel efficiency: 1 is ideal.
    pub efficiency: f64,
    /// The serial share of the one-thread time, if Amdahl's law (1967) explains all of the missing efficiency. Waiting
    /// for memory counts as serial, so this is an upper bound.
    pub serial_share: f64,
}

impl Scaling {
    /// Compares the phases of steps on one thread and on several.
    pub fn new(threads: usize, [one, all]: [&[Phases]; 2]) -> Self {
        let gain = |part: fn(Phases) -> f64| {
            let [one, all] =
                [one, all].map(|steps| Times::new(steps.iter().map(|&step| part(step)).collect()).median());
            Gain::new(threads, one, all)
        };
        Scaling {
            threads,
            step: gain(Phases::total),
            forward: gain(|step| step.forward),
            backward: gain(|step| step.backward),
            update: gain(|step| step.update),
        }
    }

    /// The speedup of a step on this many threads, predicted: the serial share stays as measured, and the rest is one
    /// task for each group of examples, all equally long. Memory bandwidth is left out.
    pub fn predicted_speedup(&self, threads: usize) -> f64 {
        let groups = BATCH.div_ceil(group_size(BATCH));
        let serial = self.step.serial_share.max(0.0);
        1.0 / (serial + (1.0 - serial) * groups.div_ceil(threads) as f64 / groups as f64)
    }
}

impl Gain {
    /// Compares times in seconds. With one thread, the serial share is undefined; this returns 0.
    fn new(threads: usize, one: f64, all: f64) -> Self {
        let threads = threads as f64;
        Gain {
            one_thread_ms: 1e3 * one,
            all_threads_ms: 1e3 * all,
            efficiency: one / (threads * all),
            serial_share: if threads > 1.0 { (threads * all / one - 1.0) / (threads - 1.0) } else { 0.0 },
        }
    }
}

fn as_text<S: serde::Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_groups_are_no_faster_on_twelve_threads_than_on_eight() {
        let gain = Gain::new(2, 10.0, 5.5);
        let scaling = Scaling { threads: 2, step: gain, forward: gain, backward: gain, update: gain };
        let speedups = [1, 2, 8, 12, 16, 64].map(|threads| scaling.predicted_speedup(threads));
        // A tenth is serial.
        assert_eq!(speedups.map(|s| (100.0 * s).round()), [100.0, 182.0, 471.0, 471.0, 640.0, 640.0]);
    }

    #[test]
    fn the_serial_share_follows_from_amdahls_law() {
        // A tenth is serial: 1 + 9 becomes 1 + 9 / 3.
        let gain = Gain::new(3, 10.0, 4.0);
        assert!((gain.serial_share - 0.1).abs() < 1e-12 && (gain.efficiency - 10.0 / 12.0).abs() < 1e-12, "{gain:?}");
        let ideal = Gain::new(2, 3.0, 1.5);
        assert_eq!((ideal.serial_share, ideal.efficiency), (0.0, 1.0));
        assert_eq!(Gain::new(1, 3.0, 3.0).serial_share, 0.0);
    }

    #[test]
    fn the_shares_follow_from_the_roofline() {
        let roof = Roof { flops_per_second: 100e9, bytes_per_second: 10e9 };
        let work = Work { flops: 400_000_000, flops_done: 100_000_000, bytes: 1_000_000 };
        let times = Times::new(vec![2e-3, 2e-3, 2e-3]);
        let row = Row::new(["a".into(), "b".into()], 1, work, &roof, &times, 0.0);
        assert_eq!((row.median_ms, row.samples, row.spread()), (2.0, 3, 0.0));
        assert!((row.gflops - 200.0).abs() < 1e-9 && (row.gflops_done - 50.0).abs() < 1e-9);
        assert!((row.share_of_peak - 2.0).abs() < 1e-12 && (row.share_of_roofline - 0.5).abs() < 1e-12);
        assert!(!row.exceeds_peak(), "the direct method's FLOPs may exceed the peak");
        let row = |flops| Row::new(["a".into(), "b".into()], 1, Work::direct(flops, 1), &roof, &times, 0.0);
        assert!(row(210_000_000).exceeds_peak() && !row(200_000_000).exceeds_peak());
        let traffic = Row::new(["a".into(), "b".into()], 1, Work::traffic(40_000_000), &roof, &times, 0.0);
        assert!(!traffic.exceeds_peak(), "a cached workload may exceed the memory bandwidth");
    }
}
