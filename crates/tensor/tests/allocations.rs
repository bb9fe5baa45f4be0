//! A training step allocates nothing once the first steps have created all buffers. The allocator of this process
//! counts, so this is a separate test program. Buffers large enough for huge pages are mapped without the allocator and
//! not counted; those here are small, or created by the same calls as small ones.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use thawline_tensor::Tensor;
use thawline_tensor::nn::{
    Activation, Conv2D, Dense, Dropout, Examples, Fit, Flatten, MaxPooling2D, Network, Observer, Padding, Rule,
    StepReport, StopReason,
};
use thawline_tensor::threads::with_threads;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const STEPS: usize = 40;

/// Allocations of this process so far, at the end of each step of an epoch.
struct Allocations(Vec<usize>);

impl Observer for Allocations {
    fn step(&mut self, report: &StepReport) -> Result<(), StopReason> {
        assert_eq!((report.epoch, report.steps), (1, STEPS));
        let stats = ALLOCATOR.stats();
        // The capacity is reserved, so this allocates nothing.
        self.0.push(stats.allocations + stats.reallocations);
        Ok(())
    }
}

/// Allocations in each step but the first.
fn allocations(rule: Rule, frozen: Option<&str>, cached: bool) -> Vec<usize> {
    // Every convolution method except the naive one, and a dense layer whose product is cut along K.
    let mut network = Network::builder([20, 20, 3])
        .layer("conv_1", Conv2D::new(16, [3, 3]).stride([1, 2]).padding(Padding::Same))
        .layer("relu_1", Activation::Relu)
        .layer("conv_2", Conv2D::new(7, [2, 3]).padding(Padding::Same))
        .layer("pool_1", MaxPooling2D::new([2, 1]))
        .layer("dropout_1", Dropout::new(0.25))
        .layer("conv_3", Conv2D::new(24, [1, 1]))
        .layer("conv_4", Conv2D::new(64, [3, 3]).padding(Padding::Explicit([5, 5, 4, 4])))
        .layer("relu_2", Activation::Relu)
        .layer("pool_2", MaxPooling2D::new([2, 2]))
        .layer("flatten", Flatten)
        .layer("dense_1", Dense::new(24))
        .layer("relu_3", Activation::Relu)
        .layer("dropout_2", Dropout::new(0.5))
        .layer("dense_2", Dense::new(4))
        .build(1)
        .expect("the network fits together");
    if let Some(frozen) = frozen {
        network.freeze_through(frozen).expect("there is such a layer");
    }
    // The last batch is smaller than the others.
    let n = 10 * STEPS - 3;
    let images = Tensor::zeros([n, 20, 20, 3]);
    let examples = Examples::new(images, (0..n).map(|i| (i % 4) as u32).collect());
    let options = Fit { batch_size: 10, rule, cached, ..Fit::default() };
    let mut counts = Allocations(Vec::with_capacity(STEPS));
    network.fit(&examples, options.watch(&mut counts)).expect("training succeeds");
    counts.0.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Every case with its allocations, on one pool: the threads of a pool may allocate while it shuts down.
fn all_cases() -> Vec<(String, Vec<usize>)> {
    let rules = [Rule::ADAM, Rule::Sgd { momentum: 0.9 }];
    let cases = rules.into_iter().flat_map(|rule| {
        [(None, true), (Some("relu_1"), true), (Some("relu_1"), false)].map(|(frozen, cached)| (rule, frozen, cached))
    });
    cases
        .map(|(rule, frozen, cached)| {
            let what = format!("{rule:?}, frozen through {frozen:?}, cached {cached}");
            (what, allocations(rule, frozen, cached))
        })
        .collect()
}

#[test]
fn a_step_allocates_nothing() {
    for (what, counts) in with_threads(1, all_cases).expect("a thread can be started") {
        assert!(counts.iter().all(|&count| count == 0), "{what}: {counts:?}");
    }
    // The assignment of tasks to threads is random, so each thread creates its buffers sooner or later, and no more
    // after that.
    for (what, counts) in with_threads(3, all_cases).expect("threads can be started") {
        let steps = counts.iter().filter(|&&count| count > 0).count();
        assert!(steps < STEPS / 2, "{what}: {steps} steps allocate: {counts:?}");
    }
}
