//! Training steps to time, and the computation of frozen features: the tutorial's two models on random pictures.

use std::sync::OnceLock;

use thawline_tensor::{
    Tensor,
    nn::{Examples, Network, Node, Optimizer, Prefix, Rule, Step, fit::train_step, trace::Trace},
    threads,
};

use crate::{
    models::{ConvMethod, FEATURES_END, INPUT, TutorialNetwork},
    system::streams::Stream,
};

use super::timing::{Work, Workload, measure_seconds};

/// Batch size, as in the tutorial.
pub const BATCH: usize = 128;

/// Number of batches of cached features: 51 MB together, more than the caches of most CPUs.
const CACHED_BATCHES: usize = 8;

/// Classes of each model.
const CLASSES: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepCase {
    /// A training step of the whole network: forward, backward, update.
    Model1,
    /// A training step with frozen convolutions, whose output is computed in every step.
    Model2,
    /// A training step with frozen convolutions and cached features, the program's default.
    Model2Cached,
    /// The computation of a batch's frozen features.
    Features,
}

impl StepCase {
    pub const ALL: [StepCase; 4] = [StepCase::Model1, StepCase::Model2, StepCase::Model2Cached, StepCase::Features];
}

/// A case, ready to run.
pub struct StepWorkload<'a> {
    case: StepCase,
    work: Work,
    operation: Operation<'a>,
}

enum Operation<'a> {
    Training(Box<Training<'a>>),
    Features { prefix: Prefix<'a>, pictures: &'a Tensor, features: Tensor },
}

/// A network in training.
struct Training<'a> {
    nodes: &'a mut [Node],
    trace: Trace,
    optimizer: Optimizer,
    examples: Examples<'a>,
    /// All examples, in the order of the batches.
    order: Vec<u32>,
    /// Finished steps.
    steps: usize,
}

/// Seconds of the phases of a training step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phases {
    /// Forward: from the examples to the loss.
    pub forward: f64,
    /// Backward: from the loss to the gradients.
    pub backward: f64,
    /// Update: from the gradients to the new weights.
    pub update: f64,
}

impl Phases {
    pub fn total(self) -> f64 {
        self.forward + self.backward + self.update
    }
}

/// Prepares a case for the threads of the current pool and passes it to `then`.
pub fn with_step<R>(case: StepCase, then: impl FnOnce(&mut StepWorkload) -> R) -> R {
    let mut network = tutorial(ConvMethod::Auto);
    if case != StepCase::Model1 {
        network.freeze_through(FEATURES_END).expect("the tutorial's network has such a layer");
    }
    let work = work(&network, case);
    let step = |operation| StepWorkload { case, work, operation };
    let count = if case == StepCase::Model2Cached { CACHED_BATCHES * BATCH } else { BATCH };
    let pictures = random_pictures(count);
    let (prefix, nodes) = network.split();
    if case == StepCase::Features {
        let features = Tensor::zeros([BATCH, prefix.output().size()]);
        return then(&mut step(Operation::Features { prefix, pictures: &pictures, features }));
    }
    let examples = Examples::new(pictures, labels(count));
    let examples = examples.through(prefix, case == StepCase::Model2Cached).expect("a few batches fit in memory");
    let training = Training::new(nodes, prefix.output().size(), examples, BATCH);
    then(&mut step(Operation::Training(Box::new(training))))
}

impl Workload for StepWorkload<'_> {
    fn labels(&self) -> [String; 2] {
        let name = match self.case {
            StepCase::Model1 => "model_1",
            StepCase::Model2 => "model_2",
            StepCase::Model2Cached => "model_2 cached",
            StepCase::Features => "features",
        };
        ["step", name].map(str::to_owned)
    }

    fn work(&self) -> Work {
        self.work
    }

    /// A step.
    ///
    /// # Panics
    /// If the loss becomes NaN or infinite.
    fn run(&mut self) {
        match &mut self.operation {
            Operation::Training(training) => training.step(),
            Operation::Features { prefix, pictures, features } => {
                let len = pictures.example_shape().size();
                threads::for_chunks(features.data_mut(), prefix.output().size(), |example, features| {
                    prefix.forward(&pictures.data()[example * len..][..len], features);
                });
            }
        }
    }

    /// One check covers all cases.
    fn check(&mut self) -> Result<f64, String> {
        static CHECKED: OnceLock<Result<f64, String>> = OnceLock::new();
        CHECKED.get_or_init(compare_with_naive).clone()
    }
}

impl StepWorkload<'_> {
    /// Runs a step and times its phases. Computing the features counts as forward.
    pub fn step_in_phases(&mut self) -> Phases {
        match &mut self.operation {
            Operation::Training(training) => training.step_in_phases(),
            Operation::Features { .. } => Phases { forward: measure_seconds(|| self.run()), ..Phases::default() },
        }
    }
}

impl<'a> Training<'a> {
    fn new(nodes: &'a mut [Node], input_len: usize, examples: Examples<'a>, batch: usize) -> Self {
        let trace = Trace::new(nodes, input_len, batch);
        let order = (0..examples.len() as u32).collect();
        Self { nodes, trace, optimizer: Optimizer::new(Rule::ADAM, 1e-3), examples, order, steps: 0 }
    }

    fn step(&mut self) {
        let Self { nodes, trace, optimizer, examples, order, steps } = self;
        let (batch, step) = next_batch(order, trace.batch(), steps);
        let score = train_step(nodes, trace, optimizer, examples, batch, step);
        assert!(score.loss.is_finite(), "the loss is {} after {steps} steps", score.loss);
    }

    /// Like [`train_step`], with times.
    fn step_in_phases(&mut self) -> Phases {
        let Self { nodes, trace, optimizer, examples, order, steps } = self;
        let (batch, step) = next_batch(order, trace.batch(), steps);
        let forward = measure_seconds(|| {
            trace.forward(nodes, examples, batch, Some(step));
            trace.loss_and_dlogits(batch.iter().map(|&index| examples.labels()[index as usize]));
        });
        let backward = measure_seconds(|| trace.backward(nodes));
        let update = measure_seconds(|| trace.update(nodes, optimizer));
        Phases { forward, backward, update }
    }
}

fn next_batch<'a>(order: &'a [u32], size: usize, steps: &mut usize) -> (&'a [u32], Step) {
    let first = *steps * size % order.len();
    let step = Step { seed: 0, step: *steps as u64, example: 0 };
    *steps += 1;
    (&order[first..first + size], step)
}

fn tutorial(conv_method: ConvMethod) -> Network {
    let architecture = TutorialNetwork { conv_method, ..TutorialNetwork::default() };
    architecture.build(CLASSES, 0).expect("the tutorial's network is valid")
}

fn random_pictures(count: usize) -> Tensor {
    let mut bits = Stream::BenchStep.bits(0, 0, 0);
    let [height, width, channels] = INPUT;
    let mut pictures = Tensor::zeros([count, height, width, channels]);
    pictures.data_mut().iter_mut().for_each(|pixel| *pixel = bits.uniform());
    pictures
}

fn labels(count: usize) -> Vec<u32> {
    (0..count).map(|example| (example % CLASSES) as u32).collect()
}

/// The work of a step: each layer's product once forward, once for its kernel's gradient if it is trainable, and once
/// for its input's gradient if an earlier layer is trainable. Memory-bound operations are not counted.
///
/// Only bytes that may not stay in a cache are counted: the inputs; the features, if they are the result; each weight,
/// once for the forward product and once for the input's gradient; and for each trainable parameter 32: the gradient is
/// written (4), then Adam reads it and reads and writes w, m and v (28).
fn work(network: &Network, case: StepCase) -> Work {
    let (nodes, thawline) = (network.nodes(), network.thawline());
    let first_trainable = nodes.iter().position(Node::is_trainable).unwrap_or(nodes.len());
    let features = network.prefix().output().size();
    let input = if case == StepCase::Model2Cached { features } else { network.input().size() };
    let output = if case == StepCase::Features { features } else { 0 };
    let mut total = Work::traffic((4 * BATCH * (input + output)) as u64);
    for (index, node) in nodes.iter().enumerate() {
        let forward = match case {
            StepCase::Features => index < thawline,
            StepCase::Model2Cached => index >= thawline,
            StepCase::Model1 | StepCase::Model2 => true,
        };
        let is_trained = case != StepCase::Features && node.is_trainable();
        let input_gradient = case != StepCase::Features && index > first_trainable;
        let products = u64::from(forward) + u64::from(is_trained) + u64::from(input_gradient);
        let parameters: usize = node.layer().params().iter().map(|param| param.value.len()).sum();
        let flops = node.layer().flops();
        total.flops += BATCH as u64 * products * flops;
        total.flops_done += BATCH as u64 * products * node.layer().flops_done();
        let weights_read = u64::from(forward) + u64::from(input_gradient);
        total.bytes += parameters as u64 * (4 * weights_read + if is_trained { 32 } else { 0 });
    }
    total
}

/// The largest permitted difference between the fast and the naive method, relative to the largest element.
const TOLERANCE: f64 = 1e-4;

/// Checks the steps: all gradients of model_1 on two pictures, and the first picture's features, agree with those of a
/// network with naive convolutions. Returns the largest error.
fn compare_with_naive() -> Result<f64, String> {
    let [fast, naive] = [ConvMethod::Auto, ConvMethod::Naive].map(gradients_and_features);
    let mut worst = 0.0f64;
    for ((name, fast), (_, naive)) in fast.into_iter().zip(naive) {
        let largest = naive.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        let errors = fast.iter().zip(&naive).map(|(fast, naive)| f64::from((fast - naive).abs() / largest));
        let error = errors.fold(0.0f64, |worst, error| if error.is_nan() { f64::INFINITY } else { worst.max(error) });
        if error > TOLERANCE {
            return Err(format!("the {name} differ by {error:.1e} of the largest element"));
        }
        worst = worst.max(error);
    }
    Ok(worst)
}

/// The gradients of a step on two pictures, and the first picture's features, by name.
fn gradients_and_features(method: ConvMethod) -> Vec<(String, Vec<f32>)> {
    let mut network = tutorial(method);
    let pictures = random_pictures(2);
    let mut frozen = tutorial(method);
    frozen.freeze_through(FEATURES_END).expect("the tutorial's network has such a layer");
    let mut features = vec![0.0; frozen.prefix().output().size()];
    frozen.prefix().forward(&pictures.data()[..pictures.example_shape().size()], &mut features);

    let (prefix, nodes) = network.split();
    let examples = Examples::new(pictures, labels(2));
    let mut training = Training::new(nodes, prefix.output().size(), examples, 2);
    training.step();
    let gradients = training.nodes.iter().enumerate().map(|(index, node)| {
        let parameters = node.layer().params().iter().map(|param| param.value.len()).sum();
        (format!("gradients of {}", node.name()), training.trace.gradient(index)[..parameters].to_vec())
    });
    let mut found: Vec<_> = gradients.filter(|(_, gradient)| !gradient.is_empty()).collect();
    found.push(("features".to_owned(), features));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_step_agrees_with_the_naive_one() {
        assert!(compare_with_naive().unwrap() > 0.0, "the error is exactly zero: both networks use the same method");
    }

    #[test]
    fn every_step_runs_and_has_its_phases() {
        for case in StepCase::ALL {
            with_step(case, |step| {
                step.run();
                let phases = step.step_in_phases();
                assert!(phases.forward > 0.0);
                assert_eq!(phases.backward > 0.0 && phases.update > 0.0, case != StepCase::Features, "{case:?}");
            });
        }
    }

    #[test]
    fn the_work_of_a_step_is_the_sum_of_its_products() {
        // Multiply-adds per picture: the convolutions, the dense layers.
        let [conv1, conv2, dense1, dense2] = [30 * 30 * 27 * 64, 28 * 28 * 576 * 64, 12_544 * 128, 128 * 5];
        let batch = |products: u64| 2 * BATCH as u64 * products;
        let of = |case| with_step(case, |step| step.work);
        // No gradient for the pictures.
        let model_1 = of(StepCase::Model1);
        assert_eq!(model_1.flops, batch(2 * conv1 + 3 * (conv2 + dense1 + dense2)));
        assert_eq!(model_1.flops_done, batch(2 * conv1 + 3 * (conv2 / 4 + dense1 + dense2)));
        // No gradient for the features.
        let head = 2 * dense1 + 3 * dense2;
        assert_eq!(of(StepCase::Model2).flops, batch(conv1 + conv2 + head));
        assert_eq!(of(StepCase::Model2Cached).flops, batch(head));
        assert_eq!(of(StepCase::Features).flops, batch(conv1 + conv2));
        let bytes = 4 * BATCH as u64 * 3072 + 1_792 * (4 + 32) + (36_928 + 1_605_760 + 645) * (8 + 32);
        assert_eq!(model_1.bytes, bytes);
    }
}
