//! The time a run will take, estimated from its first steps.

use std::time::{Duration, Instant};

use thawline_tensor::nn::Network;

use crate::{data::task::Task, record::config::Config, system::number};

/// The work of a run, in floating-point operations of the direct method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunWork {
    /// One step of model_1.
    pub step: f64,
    pub model_1: f64,
    /// All of model_2 and its control, which takes as long again.
    pub heads: f64,
    /// If nothing is frozen, there is no control.
    pub has_control: bool,
}

/// A training step is one forward pass and about twice that backward.
const PASSES: f64 = 3.0;

/// Floating-point operations in the time that Adam takes for one parameter: memory is slower than arithmetic.
const UPDATE: f64 = 300.0;

impl RunWork {
    /// The work of both models, or of `model_2` alone without a `source`. `cached` says whether frozen features are
    /// cached.
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
        let has_control = summary.frozen() > 0;
        let heads = if has_control { 2.0 } else { 1.0 };
        let batch = config.batch_size.min(source.map_or(0, |source| source.train.len())) as f64;
        let features = (target.train.len() + target.validation.len()) as f64 * prefix;
        RunWork {
            step: batch * PASSES * all + summary.parameters() as f64 * UPDATE,
            model_1: source.map_or(0.0, |source| epochs * training(source, all, summary.parameters())),
            heads: heads
                * (epochs * training(target, head, summary.trainable()) + features * if cached { 1.0 } else { epochs }),
            has_control,
        }
    }
}

/// Measures the first steps of model_1.
#[derive(Debug)]
pub struct Stopwatch {
    work: RunWork,
    /// The end of the first step, which warms up.
    started: Option<Instant>,
    steps_timed: u32,
}

/// An estimate needs this many steps, this much time, or all steps of an epoch.
const ENOUGH: (u32, Duration) = (8, Duration::from_secs(2));

impl Stopwatch {
    pub fn new(work: RunWork) -> Self {
        Stopwatch { work, started: None, steps_timed: 0 }
    }

    /// Called after each of an epoch's `steps`. Returns the estimate as a sentence, once enough steps were measured.
    pub fn after_step(&mut self, steps: usize) -> Option<String> {
        let Some(started) = self.started else {
            self.started = Some(Instant::now());
            return None;
        };
        self.steps_timed += 1;
        let elapsed = started.elapsed();
        let whole_epoch = self.steps_timed as usize + 1 >= steps;
        if self.steps_timed < ENOUGH.0 && elapsed < ENOUGH.1 && !whole_epoch {
            return None;
        }
        let rate = self.work.step * f64::from(self.steps_timed) / elapsed.as_secs_f64();
        let [model_1, heads] = [self.work.model_1, self.work.heads].map(|work| work / rate);
        Some(format!(
            "estimated total {}, from the first {} steps: model_1 {}, model_2{} {}",
            number::duration(model_1 + heads),
            self.steps_timed + 1,
            number::duration(model_1),
            if self.work.has_control { " and its control" } else { "" },
            number::duration(heads)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{models::TutorialNetwork, training::train::tests::two_classes};

    #[test]
    fn the_work_of_the_tutorial_is_that_of_its_layers() {
        let task = two_classes(10, 4);
        let mut network = TutorialNetwork::default().build(2, 1).unwrap();
        network.freeze_through("flatten_1").unwrap();
        let config = Config { epochs: 3, batch_size: 5, ..Config::small() };
        let work = |cached| RunWork::new(&config, Some(&task), &task, &network, cached);
        let flops = network.summary().flops() as f64;
        let update = network.summary().parameters() as f64 * UPDATE;
        assert_eq!(work(true).step, 15.0 * flops + update);
        // Three epochs of two steps, and of four pictures forward.
        assert_eq!(work(true).model_1, 6.0 * work(true).step + 12.0 * flops);
        // Cached features are computed once, others in each of three epochs.
        let prefix = network.prefix().flops() as f64;
        assert_eq!(work(false).heads - work(true).heads, 2.0 * 2.0 * 14.0 * prefix);
        assert_eq!(work(true), RunWork { heads: work(true).heads, ..work(false) });
    }

    #[test]
    fn an_estimate_comes_after_nine_steps_or_a_whole_epoch() {
        let mut stopwatch = Stopwatch::new(RunWork { step: 1.0, model_1: 100.0, heads: 10.0, has_control: true });
        let estimates: Vec<bool> = (0..9).map(|_| stopwatch.after_step(1000).is_some()).collect();
        assert_eq!(estimates, [false, false, false, false, false, false, false, false, true]);
        // A short epoch gives one at its end.
        let mut stopwatch = Stopwatch::new(RunWork { step: 1.0, model_1: 100.0, heads: 10.0, has_control: true });
        assert_eq!([stopwatch.after_step(2).is_some(), stopwatch.after_step(2).is_some()], [false, true]);
    }
}
