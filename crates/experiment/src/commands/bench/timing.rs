//! Workloads to check and time, and the statistics of their times.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::system::failure::{Failure, Kind};

/// Something that can be checked and timed.
pub trait Workload: Send {
    /// What it computes, and what distinguishes it among those that compute the same.
    fn labels(&self) -> [String; 2];

    /// What one run has to do.
    fn work(&self) -> Work;

    fn run(&mut self);

    /// Compares the result of a run with a reference. Returns the largest error, or a sentence if the result is wrong.
    /// Errors are relative to the result's scale, such as its largest element; those of [`light`](super::light) are
    /// absolute.
    fn check(&mut self) -> Result<f64, String>;
}

/// The work of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// FLOPs by the direct method, a multiply-add counted as two; 0 for a memory-bound operation.
    pub flops: u64,
    /// FLOPs of the multiply-adds actually performed: Winograd's method needs fewer. Its transforms, mostly additions,
    /// are not counted.
    pub flops_done: u64,
    /// Minimum memory traffic in bytes: each operand read once, each result written once.
    pub bytes: u64,
}

impl Work {
    /// The work of the direct method.
    pub fn direct(flops: u64, bytes: u64) -> Self {
        Self { flops, flops_done: flops, bytes }
    }

    /// The work of a memory-bound operation.
    pub fn traffic(bytes: u64) -> Self {
        Self { flops: 0, flops_done: 0, bytes }
    }
}

/// How many times a workload is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    Exactly(usize),
    /// As many times as fit in this duration, from once to `MAX_SAMPLES` times.
    Within(Duration),
}

/// The minimum duration of a sample. Shorter runs are repeated, so that the clock's resolution does not matter.
const MIN_SAMPLE: Duration = Duration::from_millis(2);

/// Runs before the first sample, to warm caches and the CPU.
const WARM_UP_RUNS: usize = 3;

/// The maximum number of samples within a duration: more would hardly change the statistics.
const MAX_SAMPLES: usize = 99;

impl Rounds {
    /// Times some work, after warm-up runs. If the first of them exceeds the duration, its time is the only sample.
    pub fn time(self, mut run: impl FnMut()) -> Times {
        let first = measure_seconds(&mut run);
        if let Self::Within(budget) = self
            && first > budget.as_secs_f64()
        {
            return Times::new(vec![first]);
        }
        let mut last = first;
        for _ in 1..WARM_UP_RUNS {
            last = measure_seconds(&mut run);
        }
        let runs = (MIN_SAMPLE.as_secs_f64() / last).ceil().clamp(1.0, 1e6) as usize;
        let began = Instant::now();
        let mut samples = Vec::new();
        loop {
            samples.push(measure_seconds(|| (0..runs).for_each(|_| run())) / runs as f64);
            let done = match self {
                Self::Exactly(rounds) => samples.len() >= rounds,
                Self::Within(budget) => began.elapsed() >= budget || samples.len() == MAX_SAMPLES,
            };
            if done {
                return Times::new(samples);
            }
        }
    }
}

/// Fails if the clock does not advance, as in some emulators: timing loops would never end.
pub fn require_running_clock(now: impl Fn() -> Instant) -> Result<(), Failure> {
    let began = now();
    for _ in 0..20 {
        thread::sleep(5 * MIN_SAMPLE);
        if now() > began {
            return Ok(());
        }
    }
    Err(Failure::new(Kind::Environment, "the system clock does not advance, so nothing can be timed"))
}

pub fn measure_seconds(run: impl FnOnce()) -> f64 {
    let began = Instant::now();
    run();
    began.elapsed().as_secs_f64()
}

/// The times of some runs, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    ascending: Vec<f64>,
}

impl Times {
    /// From times in seconds, in any order.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(mut seconds: Vec<f64>) -> Self {
        assert!(!seconds.is_empty(), "nothing was timed");
        seconds.sort_by(f64::total_cmp);
        Self { ascending: seconds }
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The first and the third quartile.
    pub fn quartiles(&self) -> [f64; 2] {
        [0.25, 0.75].map(|share| self.quantile(share))
    }

    /// The shortest time.
    pub fn best(&self) -> f64 {
        self.ascending[0]
    }

    pub fn count(&self) -> usize {
        self.ascending.len()
    }

    /// A quantile of the times, interpolated.
    fn quantile(&self, share: f64) -> f64 {
        let place = share * (self.ascending.len() - 1) as f64;
        let [below, above] = [place.floor(), place.ceil()].map(|place| self.ascending[place as usize]);
        below + (above - below) * place.fract()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        let times = Times::new(vec![4.0, 1.0, 3.0, 2.0, 10.0]);
        assert_eq!((times.best(), times.median(), times.quartiles()), (1.0, 3.0, [2.0, 4.0]));
        let times = Times::new(vec![1.0, 2.0]);
        assert_eq!((times.median(), times.quartiles()), (1.5, [1.25, 1.75]));
        assert_eq!(Times::new(vec![7.0]).quartiles(), [7.0, 7.0]);
    }

    #[test]
    fn a_stopped_clock_is_refused() {
        let stopped = Instant::now();
        let failure = require_running_clock(|| stopped).unwrap_err();
        assert_eq!((failure.kind, failure.message.contains("does not advance")), (Kind::Environment, true));
        assert!(require_running_clock(Instant::now).is_ok());
    }

    #[test]
    fn rounds_end_by_count_or_by_time() {
        assert_eq!(Rounds::Exactly(4).time(|| {}).count(), 4);
        let mut runs = 0;
        let times = Rounds::Within(Duration::ZERO).time(|| {
            runs += 1;
            thread::sleep(Duration::from_millis(1));
        });
        assert_eq!((runs, times.count()), (1, 1));
        assert!(times.median() >= 1e-3);
        let times = Rounds::Within(Duration::from_millis(30)).time(|| thread::sleep(Duration::from_millis(5)));
        assert!((1..=7).contains(&times.count()), "{}", times.count());
    }
}
