//! How gradients change parameters.

use crate::buffer::Buffer;
use crate::dispatch;
use crate::kernels::optimizer::{AdamStep, adam, sgd};
use crate::threads::{Chunks, for_each};

/// Floats that one task updates: few enough to balance the threads' load, many enough to be worth a task.
const CHUNK: usize = 1 << 14;

/// The rule by which gradients change parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Adam, Kingma and Ba (2015).
    Adam {
        /// The decay of the mean of gradients.
        beta_1: f64,
        /// The decay of the mean of squared gradients.
        beta_2: f64,
        /// Added to the root of the uncorrected second moment, as in Keras.
        epsilon: f64,
    },
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// The share of the previous change that is added again.
        momentum: f64,
    },
}

impl Rule {
    /// Adam with Keras's defaults: betas 0.9 and 0.999, epsilon 1e-7.
    pub const ADAM: Rule = Rule::Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };

    /// Whether no weight becomes NaN because of these numbers: decays are in [0, 1), and epsilon is positive as an
    /// `f32`.
    pub(super) fn is_valid(self) -> bool {
        let is_decay = |x: f64| (0.0..1.0).contains(&x);
        match self {
            Rule::Adam { beta_1, beta_2, epsilon } => is_decay(beta_1) && is_decay(beta_2) && epsilon as f32 > 0.0,
            Rule::Sgd { momentum } => is_decay(momentum),
        }
    }
}

/// A rule, a learning rate, and the rule's moments of each trainable parameter.
///
/// ```
/// use thawline_tensor::nn::{Optimizer, Rule};
///
/// // Adam's first step is as long as the learning rate, whatever the gradient's size.
/// let mut optimizer = Optimizer::new(Rule::ADAM, 0.001);
/// let mut value = [1.0, 1.0];
/// optimizer.begin_step();
/// optimizer.update(&mut value, &[0.5, -20.0], 1.0);
/// assert!((value[0] - 0.999).abs() < 1e-6 && (value[1] - 1.001).abs() < 1e-6);
/// ```
#[derive(Clone, Debug)]
pub struct Optimizer {
    rule: Rule,
    rate: f64,
    /// Steps begun.
    step: u64,
    /// Two moments (Adam) or one velocity per parameter, in the order of the updates; allocated at its first update, so
    /// a frozen parameter never has any.
    moments: Vec<[Buffer; 2]>,
    next: usize,
}

impl Optimizer {
    /// An optimizer that has seen no gradient.
    pub fn new(rule: Rule, rate: f64) -> Self {
        Self { rule, rate, step: 0, moments: Vec::new(), next: 0 }
    }

    /// Changes the learning rate from the next step on.
    pub fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }

    /// Begins a step; every trainable parameter is then updated once, always in the same order.
    pub fn begin_step(&mut self) {
        self.step += 1;
        self.next = 0;
    }

    /// Updates the next parameter by its gradient. `factor` scales the learning rate.
    ///
    /// # Panics
    /// Before the first step, if the gradient or the moments at this place have another length, or if memory runs out.
    pub fn update(&mut self, value: &mut [f32], gradient: &[f32], factor: f64) {
        assert!(self.step > 0 && value.len() == gradient.len(), "in a step, each value has a gradient");
        let lens = self.moment_lens(value.len());
        if self.next == self.moments.len() {
            self.moments.push(lens.map(Buffer::zeros));
        }
        let [first, second] = &mut self.moments[self.next];
        assert_eq!([first.len(), second.len()], lens, "the moments are those of another rule or parameter");
        self.next += 1;
        let rate = self.rate * factor;
        match self.rule {
            Rule::Adam { beta_1, beta_2, epsilon } => {
                let t = self.step as f64;
                let corrected = rate * libm::sqrt(1.0 - libm::pow(beta_2, t)) / (1.0 - libm::pow(beta_1, t));
                let [rate, mean_share, square_share, epsilon] =
                    [corrected, 1.0 - beta_1, 1.0 - beta_2, epsilon].map(|x| x as f32);
                let step = AdamStep { rate, mean_share, square_share, epsilon };
                let state = ((Chunks(value, CHUNK), Chunks(first, CHUNK)), Chunks(second, CHUNK));
                for_each(state, |i, ((value, first), second)| {
                    let gradient = &gradient[i * CHUNK..][..value.len()];
                    let state = [value, first, second];
                    dispatch!(simd => adam(simd, step, state, gradient));
                });
            }
            Rule::Sgd { momentum } => {
                let (rate, momentum) = (rate as f32, momentum as f32);
                for_each((Chunks(value, CHUNK), Chunks(first, CHUNK)), |i, (value, velocity)| {
                    let gradient = &gradient[i * CHUNK..][..value.len()];
                    dispatch!(simd => sgd(simd, rate, momentum, [value, velocity], gradient));
                });
            }
        }
    }

    /// Steps begun, and the moments of every parameter updated so far: what a checkpoint must keep.
    pub fn state(&self) -> (u64, &[[Buffer; 2]]) {
        (self.step, &self.moments)
    }

    /// The lengths of the moments of a parameter with `len` elements.
    fn moment_lens(&self, len: usize) -> [usize; 2] {
        [len, if matches!(self.rule, Rule::Adam { .. }) { len } else { 0 }]
    }

    /// The rule.
    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    /// Whether it has no moments yet, or those of parameters of these lengths.
    pub(super) fn fits(&self, lens: impl Iterator<Item = usize>) -> bool {
        let moments = self.moments.iter().map(|moments| moments.each_ref().map(|moment| moment.len()));
        self.moments.is_empty() || moments.eq(lens.map(|len| self.moment_lens(len)))
    }

    /// Continues from a saved state. [`Optimizer::update`] panics if its moments are not those of the parameters.
    pub fn restore(&mut self, step: u64, moments: Vec<[Buffer; 2]>) {
        (self.step, self.moments, self.next) = (step, moments, 0);
    }
}
