//! Training: one loop for every case.
//!
//! The examples pass through the frozen prefix (if that is empty, they are used unchanged), and the layers after the
//! thawline are trained on the result.

use std::time::{Duration, Instant};

use crate::random::{Address, Purpose};

use super::evaluate::evaluate;
use super::examples::{Examples, NoMemory};
use super::freeze::Prefix;
use super::layer::Step;
use super::network::{Network, Node};
use super::observer::{EpochReport, History, Observer, Snapshot, StepReport, StopEarly, StopReason, TrainingState};
use super::optimizer::{Optimizer, Rule};
use super::schedule::Schedule;
use super::score::Score;
use super::trace::Trace;

/// Training options, with defaults. [`Fit::validate`], [`Fit::watch`] and [`Fit::resume`] add validation examples, an
/// observer and the state of an interrupted run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Passes over the examples.
    pub epochs: usize,
    /// Examples in a step; the last step of an epoch may have fewer.
    pub batch_size: usize,
    /// Decides the order of the examples, the dropout masks and the augmentation.
    pub seed: u64,
    /// How gradients change parameters.
    pub rule: Rule,
    /// The learning rate.
    pub rate: f64,
    /// How the learning rate changes from the first step to the last.
    pub schedule: Schedule,
    /// Whether the features of the frozen prefix are computed once and cached, rather than for each batch. The bits
    /// are the same. Features of augmented examples are never cached.
    pub cached: bool,
    /// Stops early when the validation accuracy has not exceeded its best for this many epochs. As in Keras, 0 means
    /// the same as 1.
    pub patience: Option<usize>,
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
            patience: None,
        }
    }
}

/// A [`Fit`] with its validation examples, observer and state.
pub struct Training<'a> {
    options: Fit,
    validation: Option<&'a Examples<'a>>,
    observer: Option<&'a mut dyn Observer>,
    state: Option<TrainingState>,
}

impl From<Fit> for Training<'_> {
    fn from(options: Fit) -> Self {
        Training { options, validation: None, observer: None, state: None }
    }
}

impl Fit {
    /// Scores the network on these examples after each epoch.
    pub fn validate<'a>(self, examples: &'a Examples<'a>) -> Training<'a> {
        Training::from(self).validate(examples)
    }

    /// Reports to an observer, which may stop training.
    pub fn watch(self, observer: &mut dyn Observer) -> Training<'_> {
        Training::from(self).watch(observer)
    }

    /// Resumes an interrupted run: with the same parameters, examples and options, the result has the same bits as
    /// without the interruption. [`Network::fit`] refuses a state with another rule or with the moments of other
    /// parameters.
    pub fn resume<'a>(self, state: TrainingState) -> Training<'a> {
        Training::from(self).resume(state)
    }
}

impl<'a> Training<'a> {
    /// See [`Fit::validate`].
    pub fn validate(self, examples: &'a Examples<'a>) -> Self {
        Self { validation: Some(examples), ..self }
    }

    /// See [`Fit::watch`].
    pub fn watch(self, observer: &'a mut dyn Observer) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// See [`Fit::resume`].
    pub fn resume(self, state: TrainingState) -> Self {
        Self { state: Some(state), ..self }
    }
}

/// Why training ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The loss, or the validation loss after an epoch's last step, was no longer a finite number.
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
        /// The layer's name, or `the loss` if every output is finite.
        layer: String,
    },
    /// The feature cache does not fit.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    /// The network, the examples and the options do not fit each other.
    #[error("{0}")]
    Invalid(String),
    /// The observer ended it, for this reason.
    #[error("{0}")]
    Stopped(#[from] StopReason),
}

impl Network {
    /// Trains the layers after the thawline on some examples, or on [features](Examples::through) of them.
    ///
    /// ```
    /// use thawline_tensor::{Tensor, nn::{Dense, Examples, Fit, Network}};
    ///
    /// let mut network = Network::builder([2]).layer("logits", Dense::new(2)).build(1)?;
    /// let points = Tensor::from_slice([4, 2], &[0., 0., 0., 1., 1., 0., 1., 1.]);
    /// let either = Examples::new(points, vec![0, 1, 1, 1]);
    /// let options = Fit { epochs: 200, rate: 0.05, ..Fit::default() };
    /// let history = network.fit(&either, options.validate(&either))?;
    /// assert_eq!(history.last().and_then(|epoch| epoch.validation).unwrap().accuracy, 1.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the loss stops being finite, the feature cache does not fit, the observer stops training, or the network,
    /// the examples, the options and the state do not fit each other.
    ///
    /// # Panics
    /// If memory runs out for a batch's activations and gradients ([`Network::training_bytes`] counts them) or for the
    /// optimizer's moments ([`Network::learned_bytes`]).
    pub fn fit<'a>(&mut self, examples: &Examples, training: impl Into<Training<'a>>) -> Result<History, FitError> {
        fit(self, examples, training.into())
    }
}

fn fit(network: &mut Network, training: &Examples, plan: Training) -> Result<History, FitError> {
    let Training { options, validation, observer, state } = plan;
    let mut state = state.unwrap_or_else(|| TrainingState::start(&options));
    check(network, &options, validation.is_some(), &state.optimizer)?;
    check_examples(network, training, "training")?;
    validation.map_or(Ok(()), |validation| check_examples(network, validation, "validation"))?;
    if state.is_done(&options) {
        return Ok(state.history);
    }
    let (prefix, nodes) = network.split();
    let (start, before) = (Instant::now(), state.history.total);
    let training = training.through(prefix, options.cached)?;
    let validation = validation.map(|examples| examples.through(prefix, options.cached)).transpose()?;
    state.history.features += start.elapsed();

    let mut nobody = ();
    let observer = match observer {
        Some(observer) => observer,
        None => &mut nobody,
    };
    let mut run = Run { options, prefix, nodes, observer, start, before, saving: Duration::ZERO };
    let result = run.epochs(&mut state, &training, validation.as_ref());
    state.history.total = run.total();
    match result {
        Err(FitError::Stopped(cause)) if cause.is::<StopEarly>() => Ok(state.history),
        result => result.map(|()| state.history),
    }
}

/// Training in progress.
struct Run<'a> {
    options: Fit,
    prefix: Prefix<'a>,
    nodes: &'a mut [Node],
    observer: &'a mut dyn Observer,
    start: Instant,
    /// The time before `start`, if training was resumed.
    before: Duration,
    /// The observer's time for snapshots.
    saving: Duration,
}

impl Run<'_> {
    fn epochs(
        &mut self,
        state: &mut TrainingState,
        training: &Examples,
        validation: Option<&Examples>,
    ) -> Result<(), FitError> {
        let options = self.options;
        self.observer.features(state.history.features)?;
        let input_len = training.inputs().shape().size();
        let mut trace = Trace::new(self.nodes, input_len, options.batch_size.min(training.len()));
        let steps = training.len().div_ceil(options.batch_size);
        while state.epoch() < options.epochs && !state.history.has_stalled(options.patience) {
            let (start, epoch) = (Instant::now(), state.epoch() + 1);
            let order = shuffled(training.len(), options.seed, state.epoch());
            for (index, batch) in order.chunks(options.batch_size).enumerate().skip(state.step) {
                let step = Step { seed: options.seed, step: ((epoch - 1) * steps + index) as u64, example: 0 };
                let rate = options.schedule.rate(options.rate, step.step, options.epochs.saturating_mul(steps) as u64);
                state.optimizer.set_rate(rate);
                let score = train_step(self.nodes, &mut trace, &mut state.optimizer, training, batch, step);
                self.require_finite(&trace, score.loss, epoch, index + 1)?;
                state.score = state.score + score;
                state.step = index + 1;
                let examples = index * options.batch_size + batch.len();
                let running = state.score.mean(examples);
                let result = self.observer.step(&StepReport { epoch, step: state.step, steps, examples, running });
                if result.is_err() {
                    state.elapsed += start.elapsed();
                    return self.snapshot(state, result);
                }
            }
            // `evaluate` stops at the first batch whose loss is not finite, so the trace holds the outputs of that batch.
            let validation = validation.map(|examples| evaluate(self.nodes, &mut trace, examples));
            validation.map_or(Ok(()), |metrics| self.require_finite(&trace, metrics.loss, epoch, steps))?;
            let report = EpochReport {
                epoch,
                validation,
                duration: state.elapsed + start.elapsed(),
                training: state.score.mean(training.len()),
            };
            let result = self.observer.epoch(&report);
            state.history.epochs.push(report);
            (state.step, state.score, state.elapsed) = (0, Score::default(), Duration::ZERO);
            self.snapshot(state, result)?;
        }
        Ok(())
    }

    fn require_finite(&self, trace: &Trace, loss: f64, epoch: usize, step: usize) -> Result<(), FitError> {
        if loss.is_finite() {
            return Ok(());
        }
        let layer = trace.first_not_finite(self.nodes).unwrap_or("the loss").to_owned();
        Err(FitError::NotFinite { epoch, step, loss, layer })
    }

    /// Shows the observer a snapshot. The training continues unless `result` or the observer ends it.
    fn snapshot(&mut self, state: &mut TrainingState, result: Result<(), StopReason>) -> Result<(), FitError> {
        state.history.total = self.total();
        let began = Instant::now();
        let stop = result.as_ref().err().map(|stop| &**stop);
        let saved = self.observer.snapshot(Snapshot { state, stop, prefix: self.prefix, head: self.nodes });
        self.saving += began.elapsed();
        Ok(result.and(saved)?)
    }

    fn total(&self) -> Duration {
        self.before + self.start.elapsed().saturating_sub(self.saving)
    }
}

/// One batch, the examples at the indices in `batch`: forward, loss, backward, update. The weights stay as they are if
/// the loss is not finite. [`Trace::new`] has an example.
///
/// # Panics
/// If the batch is empty or larger than the trace, an index or a label is out of range, `nodes` are not those that the
/// trace was made for, the optimizer's moments are those of other parameters, or memory for them runs out.
pub fn train_step(
    nodes: &mut [Node],
    trace: &mut Trace,
    optimizer: &mut Optimizer,
    examples: &Examples,
    batch: &[u32],
    step: Step,
) -> Score {
    trace.forward(nodes, examples, batch, Some(step));
    let score = trace.loss_and_dlogits(examples.labels_at(batch));
    if score.loss.is_finite() {
        trace.backward(nodes);
        trace.update(nodes, optimizer);
    }
    score
}

/// The order of the examples in an epoch, which is counted from 0 here.
pub fn shuffled(examples: usize, seed: u64, epoch: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..examples as u32).collect();
    Address { seed, purpose: Purpose::Shuffle, step: epoch as u64, index: 0 }.bits().shuffle(&mut order);
    order
}

fn check(network: &Network, options: &Fit, has_validation: bool, optimizer: &Optimizer) -> Result<(), FitError> {
    let (rate, rule) = (options.rate, optimizer.rule());
    let learned = network.params().filter(|(_, param)| param.is_learned()).map(|(_, param)| param.value.len());
    let fault = if options.batch_size == 0 {
        "the batch size is 0; it must be at least 1".to_owned()
    } else if !(rate.is_finite() && rate > 0.0) {
        format!("the learning rate is {rate}; it must be a positive number")
    } else if !options.rule.is_valid() {
        format!("the optimizer is {:?}; decays must be from 0 to below 1, and epsilon positive", options.rule)
    } else if options.patience.is_some() && !has_validation {
        "early stopping needs validation examples".to_owned()
    } else if !network.nodes.iter().any(Node::is_trainable) {
        "every layer is frozen: there is nothing to train".to_owned()
    } else if rule != options.rule {
        format!("the state to resume from has the optimizer {rule:?}, and the options have {:?}", options.rule)
    } else if !optimizer.fits(learned) {
        "the state to resume from has the moments of other parameters than the network's trainable ones".to_owned()
    } else {
        return Ok(());
    };
    Err(FitError::Invalid(fault))
}

fn check_examples(network: &Network, examples: &Examples, purpose: &str) -> Result<(), FitError> {
    let (classes, given) = (network.output().size(), examples.inputs().shape());
    let label = examples.labels().iter().find(|&&label| label as usize >= classes);
    let fault = match (examples.features_of(), label) {
        _ if examples.is_empty() => format!("there are no {purpose} examples"),
        (None, _) if network.input() != given => {
            format!("the network takes inputs of {}, and the {purpose} examples are of {given}", network.input())
        }
        (Some(prefix), _) if prefix != network.prefix().fingerprint() => {
            format!("the {purpose} examples are features of another frozen prefix than the network's")
        }
        (_, Some(label)) => {
            format!("a {purpose} example has label {label}, but the network has {classes} classes")
        }
        _ => return Ok(()),
    };
    Err(FitError::Invalid(fault))
}
