//! How long and how large a run will be, told before or soon after it begins.

use std::{
    fmt,
    time::{Duration, Instant},
};

use thawline_tensor::{
    nn::{Network, Scratch},
    threads,
};

use crate::{
    config::Config,
    failure::{Failure, Kind, Result},
    machine, number,
    task::Task,
};

/// The work of a run in floating-point operations by the direct method, a common measure of its parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// One step of model_1.
    pub step: f64,
    /// All of model_1.
    pub model_1: f64,
    /// All of model_2.
    pub model_2: f64,
}

/// A training step does a forward pass and two of about the same size backward.
const PASSES: f64 = 3.0;

/// Floating-point operations that take as long as the update of one parameter by Adam: memory is slower than arithmetic.
const UPDATE: f64 = 300.0;

impl Work {
    /// The work of both models, or of `model_2` alone where there is no `source`; `model_2` has its layers frozen,
    /// `cached` tells whether their features are kept.
    pub fn new(config: &Config, source: Option<&Task>, target: &Task, model_2: &Network, cached: bool) -> Self {
        let summary = model_2.summary();
        let all = summary.flops() as f64;
        let prefix = model_2.prefix().flops() as f64;
        let (head, epochs) = (all - prefix, config.epochs as f64);
        let training = |task: &Task, flops: f64, parameters: usize| {
            let steps = task.train.len().div_ceil(config.batch_size) as f64;
            let examples = PASSES * task.train.len() as f64 + task.validation.len() as f64;
            examples * flops + steps * parameters as f64 * UPDATE
        };
        let batch = config.batch_size.min(source.map_or(0, |source| source.train.len())) as f64;
        let features = (target.train.len() + target.validation.len()) as f64 * prefix;
        Work {
            step: batch * PASSES * all + summary.parameters() as f64 * UPDATE,
            model_1: source.map_or(0.0, |source| epochs * training(source, all, summary.parameters())),
            model_2: epochs * training(target, head, summary.trainable())
                + features * if cached { 1.0 } else { epochs },
        }
    }
}

/// Measures the first steps of model_1.
#[derive(Debug)]
pub struct Stopwatch {
    work: Work,
    /// When the first step, which warms up, was done.
    started: Option<Instant>,
    laps: u32,
}

/// An estimate needs this many steps, or this much time.
const ENOUGH: (u32, Duration) = (8, Duration::from_secs(2));

impl Stopwatch {
    /// Not started: the first lap starts it.
    pub fn new(work: Work) -> Self {
        Stopwatch { work, started: None, laps: 0 }
    }

    /// A step of an epoch of so many is done; the estimate, as a sentence, once enough steps were measured.
    pub fn lap(&mut self, steps: usize) -> Option<String> {
        let Some(started) = self.started else {
            self.started = Some(Instant::now());
            return None;
        };
        self.laps += 1;
        let elapsed = started.elapsed();
        let whole_epoch = self.laps as usize + 1 >= steps;
        if self.laps < ENOUGH.0 && elapsed < ENOUGH.1 && !whole_epoch {
            return None;
        }
        let rate = self.work.step * f64::from(self.laps) / elapsed.as_secs_f64();
        let [model_1, model_2] = [self.work.model_1, self.work.model_2].map(|work| work / rate);
        Some(format!(
            "estimated total {}, from the first {} steps: model_1 {}, model_2 {}",
            number::duration(model_1 + model_2),
            self.laps + 1,
            number::duration(model_1),
            number::duration(model_2)
        ))
    }
}

/// The memory of a command when it holds the most, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// What the process holds already: itself, and the pictures.
    pub held: u64,
    /// The parameters of all networks, and what the optimizer remembers of them.
    pub parameters: u64,
    /// Activations and gradients of a batch, and the scratch of all threads.
    pub batch: u64,
    /// The kept features.
    pub features: u64,
    /// The bytes of a file of weights that is read or written.
    pub file: u64,
}

/// What to do where nothing can be made smaller.
pub const MORE: &str = "use a machine with more memory";

/// A thread's stack and its share of the allocator, and what a command takes beside all that is counted.
const THREAD: u64 = 100 << 10;
const BESIDE: u64 = 2 << 20;

/// A training, as far as its memory depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Training<'a> {
    /// What is trained.
    pub network: &'a Network,
    /// Pictures in a step.
    pub batch: usize,
    /// Pictures to validate with.
    pub validation: usize,
    /// Bytes of kept features.
    pub features: u64,
    /// Whether checkpoints are written, with the optimizer's moments.
    pub checkpoints: bool,
}

impl Memory {
    /// Of the more demanding of several trainings, one after the other.
    pub fn of_trainings<const N: usize>(trainings: [Training; N]) -> Self {
        // Threads keep what they needed.
        let mut scratch = Scratch::default();
        let of_training = |training: Training| {
            let Training { network, batch, validation, features, checkpoints } = training;
            let (weights, moments) = (network.weight_bytes(), 2 * network.learned_bytes());
            let saved = if checkpoints { moments } else { 0 };
            let trained = Memory {
                parameters: weights + moments,
                batch: network.training_bytes(batch, threads::count(), &mut scratch),
                features,
                file: if checkpoints { file_bytes(network) + saved } else { 0 },
                ..Memory::held()
            };
            let written = Memory { parameters: weights, file: file_bytes(network), ..Memory::held() };
            let judged = Memory {
                parameters: weights,
                batch: network.inference_bytes(validation, threads::count(), &mut scratch),
                ..Memory::held()
            };
            [trained, written, judged]
        };
        let memories = trainings.into_iter().flat_map(of_training);
        memories.max_by_key(Memory::total).unwrap_or_default()
    }

    /// Of passes forward, of so many pictures; the network is there already.
    pub fn of_inference(network: &Network, pictures: usize) -> Self {
        let batch = network.inference_bytes(pictures, threads::count(), &mut Scratch::default());
        Memory { batch, ..Memory::held() }
    }

    /// Of a file in memory.
    pub fn of_file(file: u64) -> Self {
        Memory { file, ..Memory::held() }
    }

    /// Of reading a file of weights of so many bytes into a network.
    pub fn of_reading(network: &Network, file: u64) -> Self {
        Memory { parameters: network.weight_bytes(), file: file + largest_tensor(network), ..Memory::held() }
    }

    fn held() -> Self {
        let held = machine::resident_memory_bytes().unwrap_or(0) + BESIDE + THREAD * threads::count() as u64;
        Memory { held, ..Memory::default() }
    }

    /// The sum.
    pub fn total(&self) -> u64 {
        self.held + self.more()
    }

    /// What is not held yet.
    fn more(&self) -> u64 {
        let parts = [self.parameters, self.batch, self.features, self.file];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Refuses what the machine cannot hold, before any of it is allocated.
    ///
    /// # Errors
    /// How much is missing, and what to do.
    pub fn require(&self, what: &str, advice: &str) -> Result<()> {
        self.require_of(machine::free_memory(), what, advice)
    }

    fn require_of(&self, free: Option<u64>, what: &str, advice: &str) -> Result<()> {
        match free {
            Some(free) if self.more() > free => Err(Failure::new(
                Kind::Environment,
                format!(
                    "{what} takes up to {} more memory, and {} are free: {advice}",
                    number::bytes(self.more()),
                    number::bytes(free)
                ),
            )),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Memory { held, parameters, batch, features, file } = self;
        write!(
            f,
            "up to {}: program and pictures {}, parameters and Adam {}",
            number::bytes(self.total()),
            number::bytes(held),
            number::bytes(parameters)
        )?;
        for (what, amount) in [("a batch", batch), ("frozen features", features), ("a file of weights", file)] {
            if amount > 0 {
                write!(f, ", {what} {}", number::bytes(amount))?;
            }
        }
        Ok(())
    }
}

/// Bytes of a network's parameters in a file, and of the copy that is made of each on its way there.
fn file_bytes(network: &Network) -> u64 {
    (size_of::<f32>() * network.summary().parameters()) as u64 + largest_tensor(network)
}

fn largest_tensor(network: &Network) -> u64 {
    network.params().map(|(_, param)| (size_of::<f32>() * param.shape.size()) as u64).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{models::Tutorial, training::tests::two_classes};

    #[test]
    fn the_work_of_the_tutorial_is_that_of_its_layers() {
        let task = two_classes(10, 4);
        let mut network = Tutorial::default().build(2, 1).unwrap();
        network.freeze_through("flatten_1").unwrap();
        let config = Config { epochs: 3, batch_size: 5, ..Config::small() };
        let work = |cached| Work::new(&config, Some(&task), &task, &network, cached);
        let flops = network.summary().flops() as f64;
        let update = network.summary().parameters() as f64 * UPDATE;
        assert_eq!(work(true).step, 15.0 * flops + update);
        // Three epochs of two steps, and of four pictures forward.
        assert_eq!(work(true).model_1, 6.0 * work(true).step + 12.0 * flops);
        // Kept features are computed once, else in each of three epochs.
        let prefix = network.prefix().flops() as f64;
        assert_eq!(work(false).model_2 - work(true).model_2, 2.0 * 14.0 * prefix);
        assert_eq!(work(true), Work { model_2: work(true).model_2, ..work(false) });
    }

    #[test]
    fn an_estimate_comes_once_and_not_at_the_first_step() {
        let mut stopwatch = Stopwatch::new(Work { step: 1.0, model_1: 100.0, model_2: 10.0 });
        let estimates: Vec<bool> = (0..9).map(|_| stopwatch.lap(1000).is_some()).collect();
        assert_eq!(estimates, [false, false, false, false, false, false, false, false, true]);
        // A short epoch gives one at its end.
        let mut stopwatch = Stopwatch::new(Work { step: 1.0, model_1: 100.0, model_2: 10.0 });
        assert_eq!([stopwatch.lap(2).is_some(), stopwatch.lap(2).is_some()], [false, true]);
    }

    #[test]
    fn more_memory_than_there_is_is_refused_and_what_is_held_is_not_counted_twice() {
        let memory = Memory { held: 100, parameters: 20, batch: 30, features: 45, file: 5 };
        assert!(memory.require_of(Some(100), "it", "").is_ok() && memory.require_of(None, "it", "").is_ok());
        let failure = memory.require_of(Some(99), "it", "wait").unwrap_err();
        assert_eq!(failure.kind, Kind::Environment);
        assert_eq!(
            failure.message.replace(number::NBSP, " "),
            "it takes up to 100 B more memory, and 99 B are free: wait"
        );
    }
}
