//! The trace of a batch: all activations and gradients of a training step, in buffers that every step reuses.
//!
//! Forward is the list of stages; backward is the list reversed. Groups are cut by number of examples only, and their
//! gradients are added in order, so the bits do not depend on the threads.

use crate::kernels::softmax::{argmax, softmax_cross_entropy};

use super::examples::Examples;
use super::group::{Batch, StageInput};
use super::layer::Step;
use super::network::Node;
use super::optimizer::Optimizer;
use super::score::Score;
use super::stage::{Stage, ranges};

/// Buffers for batches of up to a given number of examples, and what the last pass wrote to them.
pub struct Trace {
    /// The largest number of examples.
    batch: usize,
    /// The first trainable node: backward ends there.
    first_trainable: usize,
    stages: Vec<Stage>,
    /// Examples in the last forward pass, and its step if it was a training pass.
    n: usize,
    step: Option<Step>,
}

impl Trace {
    /// Buffers for training on batches of up to `batch` examples of `input_len` floats. If no node is trainable, those
    /// that only backward needs are left out.
    ///
    /// A training loop of your own:
    ///
    /// ```
    /// use thawline_tensor::Tensor;
    /// use thawline_tensor::nn::fit::{shuffled, train_step};
    /// use thawline_tensor::nn::trace::Trace;
    /// use thawline_tensor::nn::{Activation, Dense, Examples, Network, Optimizer, Rule, Step};
    ///
    /// let builder = Network::builder([2]).layer("hidden", Dense::new(16)).layer("relu", Activation::Relu);
    /// let mut network = builder.layer("logits", Dense::new(2)).build(1)?;
    /// network.freeze_through("relu")?;
    /// let points = Tensor::from_slice([4, 2], &[0., 0., 0., 1., 1., 0., 1., 1.]); // 4 examples of 2 numbers
    /// let either = Examples::new(points, vec![0, 1, 1, 1]);
    ///
    /// let (prefix, head) = network.split(); // the hidden layer, frozen, and the node "logits"
    /// let features = either.through(prefix, true)?; // 4 examples of 16 features
    /// let mut trace = Trace::new(head, 16, 2); // for batches of 2 examples of 16 features
    /// let mut optimizer = Optimizer::new(Rule::ADAM, 0.05);
    /// let mut losses = Vec::new();
    /// for epoch in 0..200 {
    ///     for (index, batch) in shuffled(features.len(), 1, epoch).chunks(2).enumerate() {
    ///         let step = Step { seed: 1, step: (2 * epoch + index) as u64, example: 0 };
    ///         losses.push(train_step(head, &mut trace, &mut optimizer, &features, batch, step).loss);
    ///         assert_eq!(trace.logits().len(), 2 * 2); // examples x classes
    ///     }
    /// }
    /// assert!(losses[398] + losses[399] < 0.1 * (losses[0] + losses[1]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If memory runs out.
    pub fn new(nodes: &[Node], input_len: usize, batch: usize) -> Self {
        Self::with_gradients(nodes, input_len, batch, nodes.iter().position(Node::is_trainable).unwrap_or(nodes.len()))
    }

    /// Buffers for forward passes only.
    ///
    /// # Panics
    /// If memory runs out.
    pub fn for_inference(nodes: &[Node], input_len: usize, batch: usize) -> Self {
        Self::with_gradients(nodes, input_len, batch, nodes.len())
    }

    fn with_gradients(nodes: &[Node], input_len: usize, batch: usize, first_trainable: usize) -> Self {
        let stage = |range| Stage::new(nodes, range, input_len, batch, first_trainable);
        let stages = ranges(nodes).into_iter().map(stage).collect();
        Self { batch, first_trainable, stages, n: 0, step: None }
    }

    /// Runs the examples at the given indices forward; the logits are then in [`Trace::logits`]. With a step it is a
    /// training pass, which can be followed by [`Trace::backward`]; without one it is inference.
    ///
    /// # Panics
    /// If `nodes` are not those that the trace was made for, there are more indices than fit, or one is out of range.
    pub fn forward(&mut self, nodes: &[Node], examples: &Examples, indices: &[u32], step: Option<Step>) {
        (self.n, self.step) = (indices.len(), step);
        for index in 0..self.stages.len() {
            let (before, stage) = self.stages.split_at_mut(index);
            let source = match before.last() {
                None => StageInput::Examples(examples, indices),
                Some(previous) => StageInput::Batch(previous.outputs(self.n)),
            };
            stage[0].forward(nodes, source, self.n, step);
        }
    }

    fn last(&self) -> Batch<'_> {
        self.stages.last().expect("there is always a stage").outputs(self.n)
    }

    /// The logits of the last forward pass: its examples x classes.
    pub fn logits(&self) -> &[f32] {
        self.last().floats
    }

    /// Loss and number of correct predictions of the last forward pass.
    ///
    /// # Panics
    /// If there are not as many labels as examples, or a label is not a class.
    pub fn score(&self, labels: impl ExactSizeIterator<Item = u32>) -> Score {
        assert_eq!(labels.len(), self.n, "each example of the last pass has a label");
        score(self.last(), labels, &mut [])
    }

    /// As [`Trace::score`], and writes dlogits, the gradient of the mean loss with respect to the logits, where
    /// backward begins.
    ///
    /// # Panics
    /// If there are not as many labels as examples, or a label is not a class.
    pub fn loss_and_dlogits(&mut self, labels: impl ExactSizeIterator<Item = u32>) -> Score {
        assert_eq!(labels.len(), self.n, "each example of the last pass has a label");
        let Stage { y, dy, len, .. } = self.stages.last_mut().expect("there is always a stage");
        score(Batch { floats: &y[..self.n * *len], len: *len }, labels, dy)
    }

    /// Runs dlogits backward, down to the first trainable node.
    ///
    /// # Panics
    /// If `nodes` are not those that the trace was made for, or the last forward pass was not in training or had no
    /// examples.
    pub fn backward(&mut self, nodes: &[Node]) {
        let (n, first_trainable) = (self.n, self.first_trainable);
        let step = self.step.expect("the last pass was a training pass");
        assert!(n > 0, "a backward pass needs an example");
        for index in (0..self.stages.len()).rev() {
            let (before, stage) = self.stages.split_at_mut(index);
            let range = stage[0].nodes.clone();
            if range.end <= first_trainable {
                break;
            }
            let (x, dx) = match before.last_mut() {
                None => (None, None),
                Some(Stage { y, dy, len, .. }) => {
                    let dx = (range.start > first_trainable).then(|| &mut dy[..n * *len]);
                    (Some(Batch { floats: &y[..n * *len], len: *len }), dx)
                }
            };
            stage[0].backward(nodes, first_trainable, x, dx, n, step);
        }
    }

    /// Updates every trainable parameter by the gradients of the last backward pass, and the statistics of layers that
    /// are not frozen from the last forward pass.
    ///
    /// # Panics
    /// If `nodes` are not those that the trace was made for, the last pass had no examples, the optimizer's moments are
    /// those of other parameters, or memory for them runs out.
    pub fn update(&mut self, nodes: &mut [Node], optimizer: &mut Optimizer) {
        assert!(self.n > 0, "an update needs the gradients of an example");
        optimizer.begin_step();
        for stage in &mut self.stages {
            let range = stage.nodes.clone();
            let trainable = range.clone().zip(&mut nodes[range]).filter(|(_, node)| node.is_trainable());
            for (index, node) in trainable {
                let (gradient, saved) = stage.summed_gradient(index, self.n);
                node.layer.finish_gradient(gradient);
                let mut gradients = &*gradient;
                for param in node.layer.params_mut().iter_mut().filter(|param| !param.statistic) {
                    let (gradient, others) = gradients.split_at(param.value.len());
                    if param.trainable {
                        optimizer.update(&mut param.value, gradient, node.rate_factor);
                    }
                    gradients = others;
                }
                node.layer.update_statistics(&saved[..saved.len().min(node.layer.saved_len(self.n))]);
                node.layer.refresh();
            }
        }
    }

    /// The largest number of examples that fit.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The gradients of a node's parameters, one after the other, after [`Trace::update`]; empty if it has no trainable
    /// one. After them the slice may hold other numbers: it is as long as the sum in the layer's own form
    /// ([`Layer::gradient_len`](super::Layer::gradient_len)).
    ///
    /// # Panics
    /// If there is no such node.
    pub fn gradient(&self, node: usize) -> &[f32] {
        let stage = self.stages.iter().find(|stage| stage.nodes.contains(&node)).expect("there is such a node");
        stage.gradient(node)
    }

    /// The name of the first node whose output in the last forward pass is not finite.
    ///
    /// # Panics
    /// If `nodes` are not those that the trace was made for.
    pub fn first_not_finite<'a>(&self, nodes: &'a [Node]) -> Option<&'a str> {
        self.stages.iter().find_map(|stage| stage.first_not_finite(nodes, self.n)).map(|index| nodes[index].name())
    }
}

/// Loss and correct predictions. Also writes the gradient of the mean loss with respect to the logits, unless `dlogits`
/// is empty.
fn score(logits: Batch, labels: impl ExactSizeIterator<Item = u32>, dlogits: &mut [f32]) -> Score {
    let (classes, scale) = (logits.len, 1.0 / labels.len() as f32);
    let mut score = Score::default();
    for (example, label) in labels.enumerate() {
        let gradient = dlogits.get_mut(example * classes..(example + 1) * classes).unwrap_or_default();
        let logits = logits.of(example);
        score.loss += softmax_cross_entropy(logits, label as usize, scale, gradient);
        score.correct += usize::from(argmax(logits) == label as usize);
    }
    score
}
