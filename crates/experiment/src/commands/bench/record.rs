//! The results of `thawline bench`, as `--json` prints them. docs/performance.md describes every field.

use std::fs;

use serde::Serialize;
use thawline_tensor::simd::Level;

use crate::system::machine::Environment;

use super::{
    roof::Roof,
    steps::Phases,
    timing::{Times, Work},
};

/// Raised when a field changes its meaning or goes; new fields may come at any time.
pub const FORMAT: u32 = 1;

/// Everything that was measured; what was not is absent.
#[derive(Clone, Debug, Serialize)]
pub struct BenchRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of the program.
    pub thawline: &'static str,
    /// The machine and the build.
    pub environment: Environment,
    /// Programs that ran or waited in the last minute, before the start; absent where the system does not tell.
    pub load_average: Option<f64>,
    /// How often each thing was timed; absent where time decided.
    pub rounds: Option<usize>,
    /// Pictures in a step.
    pub batch: usize,
    /// Multiply-adds of all threads at the level in use, in GFLOP/s.
    pub peak_gflops: f64,
    /// What the square product reaches of the peak, on one thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gemm_1024_share_1t: Option<f64>,
    /// And on two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gemm_1024_share_2t: Option<f64>,
    /// The frozen features of a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features_ms: Option<f64>,
    /// Training steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepMs>,
    /// The peak of every level that the CPU has.
    pub peaks: Vec<Peak>,
    /// The bandwidth of memory.
    pub bandwidths: Vec<MemoryBandwidth>,
    /// Every kernel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<Row>,
    /// Every step, with more than its time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Row>,
    /// How the step of model_1 gains from threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// Median times of training steps, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct StepMs {
    /// The whole network learns.
    pub model_1_ms: f64,
    /// The convolutions are frozen, and computed in every step.
    pub model_2_ms: f64,
    /// The convolutions are frozen, and their features were computed before.
    pub model_2_cached_ms: f64,
}

/// The multiply-adds that some threads do at a level.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Peak {
    /// The SIMD level.
    #[serde(serialize_with = "as_text")]
    pub level: Level,
    /// Threads.
    pub threads: usize,
    /// Operations, two a multiply-add.
    pub gflops: f64,
}

/// The bytes that some threads move.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MemoryBandwidth {
    /// Threads.
    pub threads: usize,
    /// Of a = b + s c.
    pub triad_gb_per_s: f64,
    /// Of a = b.
    pub copy_gb_per_s: f64,
}

/// One thing that was timed.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it computes.
    pub group: String,
    /// What tells it from others in the group.
    pub name: String,
    /// Threads.
    pub threads: usize,
    /// How often it was timed.
    pub samples: usize,
    /// The median time of a run.
    pub median_ms: f64,
    /// A quarter of the times lie below the first, a quarter above the second.
    pub quartiles_ms: [f64; 2],
    /// The shortest time.
    pub best_ms: f64,
    /// Operations of a run by the direct method, in 1e9; 0 where memory is all that counts.
    pub gflop: f64,
    /// What the multiplications really done amount to.
    pub gflop_done: f64,
    /// Bytes that must move, in 1e9.
    pub gigabytes: f64,
    /// `gflop` over the median time.
    pub gflops: f64,
    /// `gflop_done` over the median time.
    pub gflops_done: f64,
    /// `gigabytes` over the median time.
    pub gb_per_s: f64,
    /// `gflops` as a share of the peak of these threads: above 1 where Winograd's method saves multiplications.
    pub share_of_peak: f64,
    /// The least time that peak and bandwidth of these threads allow what is really done, as a share of the median time.
    pub share_of_roofline: f64,
    /// The largest difference from the reference, as a share of the size of the sums it arises in; 0 where all is exact.
    pub error: f64,
}

impl Row {
    /// From the times of some work under a roof.
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

    /// Whether more multiplications were done than the peak allows: then it was measured while the machine was disturbed.
    pub fn beats_the_peak(&self) -> bool {
        self.share_of_peak * self.gflop_done > 1.02 * self.gflop
    }

    /// The distance between the quartiles, as a share of the median.
    pub fn spread(&self) -> f64 {
        (self.quartiles_ms[1] - self.quartiles_ms[0]) / self.median_ms
    }
}

/// How the step of model_1 gains from threads: both numbers of threads in alternation, medians.
#[derive(Clone, Debug, Serialize)]
pub struct Scaling {
    /// The larger number of threads; the smaller is one.
    pub threads: usize,
    /// The whole step.
    pub step: Gain,
    /// From the examples to the loss.
    pub forward: Gain,
    /// From the loss to the gradients.
    pub backward: Gain,
    /// From the gradients to the new weights.
    pub update: Gain,
}

/// What threads gain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// The time on one thread.
    pub one_thread_ms: f64,
    /// The time on all.
    pub all_threads_ms: f64,
    /// How much of the threads' time is used as well as on one: 1 is ideal.
    pub efficiency: f64,
    /// The share of the one-thread time that gains nothing from threads, if Amdahl's law (1967) explains the loss. What
    /// waits for memory counts as serial, so this is an upper bound.
    pub serial_share: f64,
}

impl Scaling {
    /// From the parts of steps on one thread and on several.
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
}

impl Gain {
    /// From times in seconds. With one thread nothing can be gained or lost.
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

/// How busy the machine was in the last minute.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn as_text<S: serde::Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amdahls_law_is_read_backwards() {
        // A tenth is serial: 1 + 9 becomes 1 + 9 / 3.
        let gain = Gain::new(3, 10.0, 4.0);
        assert!((gain.serial_share - 0.1).abs() < 1e-12 && (gain.efficiency - 10.0 / 12.0).abs() < 1e-12, "{gain:?}");
        let ideal = Gain::new(2, 3.0, 1.5);
        assert_eq!((ideal.serial_share, ideal.efficiency), (0.0, 1.0));
        assert_eq!(Gain::new(1, 3.0, 3.0).serial_share, 0.0);
    }

    #[test]
    fn a_row_knows_its_shares() {
        let roof = Roof { flops_per_second: 100e9, bytes_per_second: 10e9 };
        let work = Work { flops: 400_000_000, flops_done: 100_000_000, bytes: 1_000_000 };
        let times = Times::new(vec![2e-3, 2e-3, 2e-3]);
        let row = Row::new(["a".into(), "b".into()], 1, work, &roof, &times, 0.0);
        assert_eq!((row.median_ms, row.samples, row.spread()), (2.0, 3, 0.0));
        assert!((row.gflops - 200.0).abs() < 1e-9 && (row.gflops_done - 50.0).abs() < 1e-9);
        assert!((row.share_of_peak - 2.0).abs() < 1e-12 && (row.share_of_roofline - 0.5).abs() < 1e-12);
        assert!(!row.beats_the_peak(), "fewer multiplications than the direct method's are no miracle");
        let row = |flops| Row::new(["a".into(), "b".into()], 1, Work::direct(flops, 1), &roof, &times, 0.0);
        assert!(row(210_000_000).beats_the_peak() && !row(200_000_000).beats_the_peak());
        let traffic = Row::new(["a".into(), "b".into()], 1, Work::traffic(40_000_000), &roof, &times, 0.0);
        assert!(!traffic.beats_the_peak(), "caches are faster than memory");
    }
}
