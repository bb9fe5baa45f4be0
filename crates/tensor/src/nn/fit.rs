//! Training and scoring.
//!
//! [`fit`] is one loop for every case: the examples are sent through the frozen prefix (with nothing frozen that is the
//! examples themselves), and what lies behind the thawline is trained on the result.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::random::{Address, Purpose};
use crate::tensor::Tensor;

use super::examples::{Examples, NoMemory};
use super::layer::{Param, Step};
use super::memory::evaluation_batch;
use super::network::{Network, Node, Prefix, params};
use super::optimizer::{Optimizer, Rule};
use super::schedule::Schedule;
use super::score::{Metrics, Score};
use super::trace::Trace;

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Passes over the examples.
    pub epochs: usize,
    /// Examples in a step; the last step of an epoch may have fewer.
    pub batch_size: usize,
    /// Decides the order of the examples and the dropout masks.
    pub seed: u64,
    /// How gradients change parameters.
    pub rule: Rule,
    /// The learning rate.
    pub rate: f64,
    /// How the learning rate goes from the first step to the last.
    pub schedule: Schedule,
    /// Whether the features of the frozen prefix are computed once and kept.
    pub cached: bool,
}

impl Default for Fit {
    /// Adam at 0.001, batches of 128, one epoch, cached features.
    fn default() -> Self {
        Self {
            epochs: 1,
            batch_size: 128,
            seed: 0,
            rule: Rule::ADAM,
            rate: 1e-3,
            schedule: Schedule::Constant,
            cached: true,
        }
    }
}

/// A finished step.
#[derive(Clone, Copy, Debug)]
pub struct StepReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step in its epoch, counted from 1.
    pub step: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Examples seen in this epoch.
    pub examples: usize,
    /// The running means of this epoch, as Keras shows them: with dropout, while the network changes.
    pub running: Metrics,
}

/// A finished epoch.
#[derive(Clone, Copy, Debug)]
pub struct EpochReport {
    /// Counted from 1.
    pub epoch: usize,
    /// The time it took, with validation.
    pub duration: Duration,
    /// The means over the epoch's steps.
    pub training: Metrics,
    /// The metrics on the validation examples after the epoch.
    pub validation: Option<Metrics>,
}

/// Where a training stands: all that it needs, beside the parameters and its [`Fit`], to go on with the same bits.
#[derive(Clone, Debug)]
pub struct State {
    /// Finished epochs.
    pub epoch: usize,
    /// Finished steps of the epoch that is not finished.
    pub step: usize,
    /// The sums over these steps.
    pub score: Score,
    /// The time that these steps took.
    pub elapsed: Duration,
    /// What the rule remembers of each trainable parameter, in the network's order.
    pub optimizer: Optimizer,
}

impl State {
    /// Before the first step.
    pub fn start(options: &Fit) -> Self {
        let optimizer = Optimizer::new(options.rule, options.rate);
        State { epoch: 0, step: 0, score: Score::default(), elapsed: Duration::ZERO, optimizer }
    }
}

/// A training at rest, to be looked at or saved.
#[derive(Clone, Copy)]
pub struct Rest<'a> {
    /// Where it stands.
    pub state: &'a State,
    prefix: Prefix<'a>,
    head: &'a [Node],
}

impl<'a> Rest<'a> {
    /// Every parameter of the network, with its full name.
    pub fn params(&self) -> impl Iterator<Item = (String, &'a Param)> {
        params(self.prefix.nodes()).chain(params(self.head))
    }
}

/// What watches a training, and may end it early by [`ControlFlow::Break`].
pub trait Observer {
    /// The frozen prefix's features of all examples were computed, in this time; called before the first epoch, even
    /// if nothing is frozen or cached.
    fn features(&mut self, duration: Duration) {
        let _ = duration;
    }

    /// A step is done.
    fn step(&mut self, report: &StepReport) -> ControlFlow<()> {
        let _ = report;
        ControlFlow::Continue(())
    }

    /// An epoch is done.
    fn epoch(&mut self, report: &EpochReport) -> ControlFlow<()> {
        let _ = report;
        ControlFlow::Continue(())
    }

    /// The training rests: after each epoch, and where [`step`](Observer::step) has ended it. What is saved now can go on
    /// with [`fit_from`].
    fn rest(&mut self, rest: Rest<'_>) -> ControlFlow<()> {
        let _ = rest;
        ControlFlow::Continue(())
    }
}

/// Watches nothing.
impl Observer for () {}

/// Why a training ended without a result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// The loss was no longer a finite number.
    #[error(
        "the loss is {loss} in epoch {epoch}, step {step}; the first layer whose output is not finite is '{layer}': \
         try a lower learning rate"
    )]
    NotFinite {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// The layer's name.
        layer: String,
    },
    /// The feature cache does not fit.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    /// There is nothing to do or nothing to do it with.
    #[error("{0}")]
    Invalid(String),
}

/// Trains what lies behind the network's thawline, and scores it on the validation examples after each epoch.
///
/// # Errors
/// If the loss stops being finite, the feature cache does not fit, or the network, the examples and the numbers don't go
/// together.
pub fn fit(
    network: &mut Network,
    training: &Examples,
    validation: Option<&Examples>,
    options: &Fit,
    observer: &mut dyn Observer,
) -> Result<(), FitError> {
    fit_from(State::start(options), network, training, validation, options, observer)
}

/// As [`fit`], from where an earlier training stood: with its parameters, examples and options the rest of the training
/// has the bits that it would have had.
///
/// # Errors
/// As those of [`fit`].
pub fn fit_from(
    state: State,
    network: &mut Network,
    training: &Examples,
    validation: Option<&Examples>,
    options: &Fit,
    observer: &mut dyn Observer,
) -> Result<(), FitError> {
    check(network, options)?;
    check_examples(network, training, "training")?;
    validation.map_or(Ok(()), |validation| check_examples(network, validation, "validation"))?;
    let (prefix, head) = network.split();
    let start = Instant::now();
    let training = training.through(prefix, options.cached)?;
    let validation = validation.map(|examples| examples.through(prefix, options.cached)).transpose()?;
    observer.features(start.elapsed());
    train(state, prefix, head.into_nodes(), &training, validation.as_ref(), options, observer)
}

/// As [`fit`], on examples that went [through](Examples::through) the network's frozen prefix before, so that several
/// heads share one cache of features. That the features are this prefix's is the caller's promise.
///
/// # Errors
/// As those of [`fit`].
pub fn fit_head(
    network: &mut Network,
    training: &Examples,
    validation: Option<&Examples>,
    options: &Fit,
    observer: &mut dyn Observer,
) -> Result<(), FitError> {
    let (prefix, head) = network.split();
    let (given, expected) = (training.inputs().shape().size(), prefix.output().size());
    if given != expected || options.batch_size == 0 || training.is_empty() {
        return Err(FitError::Invalid(format!(
            "the head takes {expected} features in batches of at least 1; it was given {} examples of {given} in batches of {}",
            training.len(),
            options.batch_size
        )));
    }
    observer.features(Duration::ZERO);
    train(State::start(options), prefix, head.into_nodes(), training, validation, options, observer)
}

fn train(
    mut state: State,
    prefix: Prefix,
    nodes: &mut [Node],
    training: &Examples,
    validation: Option<&Examples>,
    options: &Fit,
    observer: &mut dyn Observer,
) -> Result<(), FitError> {
    let input_len = training.inputs().shape().size();
    let mut trace = Trace::new(nodes, input_len, options.batch_size.min(training.len()));
    let steps = training.len().div_ceil(options.batch_size);
    while state.epoch < options.epochs {
        let (start, epoch) = (Instant::now(), state.epoch + 1);
        let order = shuffled(training.len(), options.seed, state.epoch);
        for (index, batch) in order.chunks(options.batch_size).enumerate().skip(state.step) {
            let step = Step { seed: options.seed, step: (state.epoch * steps + index) as u64, example: 0 };
            let rate = options.schedule.rate(options.rate, step.step, (options.epochs * steps) as u64);
            state.optimizer.set_rate(rate);
            let score = train_step(nodes, &mut trace, &mut state.optimizer, training, batch, step);
            if !score.loss.is_finite() {
                let layer = trace.first_broken(nodes, batch.len()).unwrap_or("the loss").to_owned();
                return Err(FitError::NotFinite { epoch, step: index + 1, loss: score.loss, layer });
            }
            state.score = state.score + score;
            state.step = index + 1;
            let examples = index * options.batch_size + batch.len();
            let report = StepReport { epoch, step: state.step, steps, examples, running: state.score.mean(examples) };
            if observer.step(&report).is_break() {
                state.elapsed += start.elapsed();
                let _ = observer.rest(Rest { state: &state, prefix, head: nodes });
                return Ok(());
            }
        }
        let validation = validation.map(|examples| score(nodes, &mut trace, examples, options.batch_size));
        let duration = state.elapsed + start.elapsed();
        let report = EpochReport { epoch, duration, training: state.score.mean(training.len()), validation };
        state = State { epoch, step: 0, score: Score::default(), elapsed: Duration::ZERO, ..state };
        let ended = observer.epoch(&report).is_break();
        if observer.rest(Rest { state: &state, prefix, head: nodes }).is_break() || ended {
            break;
        }
    }
    Ok(())
}

/// One batch of images: forward, loss, backward, update.
pub fn train_step(
    nodes: &mut [Node],
    trace: &mut Trace,
    optimizer: &mut Optimizer,
    examples: &Examples,
    batch: &[u32],
    step: Step,
) -> Score {
    trace.forward(nodes, examples, batch, Some(step));
    let score = trace.score(batch.iter().map(|&index| examples.labels()[index as usize]));
    if score.loss.is_finite() {
        trace.backward(nodes, batch.len(), step);
        trace.update(nodes, batch.len(), optimizer);
    }
    score
}

/// The order of the examples in an epoch.
pub fn shuffled(examples: usize, seed: u64, epoch: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..examples as u32).collect();
    Address { seed, purpose: Purpose::Shuffle, step: epoch as u64, index: 0 }.bits().shuffle(&mut order);
    order
}

/// Loss and accuracy of a network on some examples.
///
/// # Panics
/// If the examples are not of the network's input shape.
pub fn evaluate(network: &Network, examples: &Examples) -> Metrics {
    let batch = evaluation_batch(&network.nodes).min(examples.len());
    let mut trace = Trace::for_inference(&network.nodes, network.input().size(), batch);
    score(&network.nodes, &mut trace, examples, batch)
}

/// The logits of every example, N x classes.
///
/// # Panics
/// If the examples are not of the network's input shape.
pub fn predict(network: &Network, examples: &Examples) -> Tensor {
    logits(&network.nodes, network.output().size(), examples)
}

/// As [`predict`], for examples that went [through](Examples::through) the network's frozen prefix before.
///
/// # Panics
/// If they are not of the shape of its output.
pub fn predict_head(network: &Network, features: &Examples) -> Tensor {
    logits(&network.nodes[network.thawline()..], network.output().size(), features)
}

fn logits(nodes: &[Node], classes: usize, examples: &Examples) -> Tensor {
    let batch = evaluation_batch(nodes).min(examples.len());
    let mut trace = Trace::for_inference(nodes, examples.inputs().shape().size(), batch);
    let mut logits = Tensor::zeros([examples.len(), classes]);
    let all: Vec<u32> = (0..examples.len() as u32).collect();
    for (batch, logits) in all.chunks(batch.max(1)).zip(logits.data_mut().chunks_mut(batch.max(1) * classes)) {
        trace.forward(nodes, examples, batch, None);
        logits.copy_from_slice(trace.logits(batch.len()));
    }
    logits
}

fn score(nodes: &[Node], trace: &mut Trace, examples: &Examples, batch: usize) -> Metrics {
    let all: Vec<u32> = (0..examples.len() as u32).collect();
    let mut sum = Score::default();
    for batch in all.chunks(batch.min(trace.batch()).max(1)) {
        trace.forward(nodes, examples, batch, None);
        sum = sum + trace.score(batch.iter().map(|&index| examples.labels()[index as usize]));
    }
    sum.mean(examples.len())
}

fn check(network: &Network, options: &Fit) -> Result<(), FitError> {
    if options.batch_size == 0 {
        return Err(FitError::Invalid("the batch size is 0; it must be at least 1".into()));
    }
    if !(options.rate.is_finite() && options.rate > 0.0) {
        return Err(FitError::Invalid(format!("the learning rate is {}; it must be a positive number", options.rate)));
    }
    if !network.nodes.iter().any(Node::is_trainable) {
        return Err(FitError::Invalid("every layer is frozen: there is nothing to train".into()));
    }
    Ok(())
}

fn check_examples(network: &Network, examples: &Examples, purpose: &str) -> Result<(), FitError> {
    let invalid = |reason: String| Err(FitError::Invalid(reason));
    if examples.is_empty() {
        return invalid(format!("there are no {purpose} examples"));
    }
    let (takes, given) = (network.input(), examples.inputs().shape());
    if takes != given {
        return invalid(format!("the network takes inputs of {takes}, and the {purpose} examples are of {given}"));
    }
    let classes = network.output().size();
    if let Some(label) = examples.labels().iter().find(|&&label| label as usize >= classes) {
        return invalid(format!(
            "a {purpose} example has label {label}, but the network tells {classes} classes apart"
        ));
    }
    Ok(())
}
