//! The trace of a batch: every activation, gradient and note of a training step, sized once and used for every step.
//!
//! A batch goes through the network in two ways. Through the *front*, the layers before the first one that wants the
//! whole batch, it goes depth first: a task takes a group of examples, and each example runs through all front layers
//! while it is in the core's cache, forward and later backward. Through the *rest* the batch goes layer by layer, and
//! each layer is parallel inside. Groups are cut by number of examples alone, and their gradients are added in order,
//! so the bits do not depend on the threads.

use crate::buffer::Buffer;
use crate::dispatch;
use crate::kernels::activation::add_to;
use crate::kernels::softmax::{argmax, softmax_cross_entropy};
use crate::simd::Simd;
use crate::threads;

use super::examples::Examples;
use super::layer::{Backward, Step};
use super::network::Node;
use super::optimizer::Optimizer;
use super::score::Score;

/// Examples of a group. More of them mean fewer partial gradients to add, fewer of them more tasks.
const GROUP: usize = 8;

/// Floats that one task adds.
const CHUNK: usize = 1 << 13;

/// Buffers for batches of up to a number of examples.
pub struct Trace {
    /// The largest number of examples.
    batch: usize,
    groups: Vec<Group>,
    /// How many nodes run example by example.
    front: usize,
    /// The first node that learns: backward ends there.
    first_trainable: usize,
    /// What the front gives, and its gradient.
    features: Buffer,
    features_gradient: Buffer,
    rest: Vec<WholeBatch>,
}

/// The front's buffers for a group of examples.
struct Group {
    input: Buffer,
    /// Outputs of all front nodes but the last, whose output goes to the features.
    activations: Vec<Buffer>,
    memory: Vec<Vec<u8>>,
    /// Gradients of one example, between a node and the next.
    gradients: [Buffer; 2],
    /// The parameters' gradients, summed over the group.
    partials: Vec<Buffer>,
}

/// A node's buffers for the whole batch.
struct WholeBatch {
    output: Buffer,
    output_gradient: Buffer,
    memory: Vec<u8>,
    gradient: Buffer,
}

impl Trace {
    /// Buffers for batches of up to `batch` examples of `input_len` floats. Nothing that only backward needs is made
    /// where no node is trainable.
    pub fn new(nodes: &[Node], input_len: usize, batch: usize) -> Self {
        Self::with_gradients(nodes, input_len, batch, nodes.iter().position(Node::is_trainable).unwrap_or(nodes.len()))
    }

    /// Buffers for forward passes alone.
    pub fn for_inference(nodes: &[Node], input_len: usize, batch: usize) -> Self {
        Self::with_gradients(nodes, input_len, batch, nodes.len())
    }

    fn with_gradients(nodes: &[Node], input_len: usize, batch: usize, first_trainable: usize) -> Self {
        let front = nodes.iter().take_while(|node| !node.layer.whole_batch()).count();
        let learns = |len: usize, does: bool| if does { len } else { 0 };
        let trains = first_trainable < nodes.len();
        let gradient = |node: &Node| Buffer::zeros(learns(node.layer.gradient_len(), trains && node.is_trainable()));
        let features = nodes[..front].last().map_or(input_len, |last| last.output.size());
        let inner = &nodes[..front.saturating_sub(1)];
        let widest = inner.iter().map(|node| node.output.size()).max().unwrap_or(0);
        let groups = (0..batch.div_ceil(GROUP)).map(|group| {
            let examples = GROUP.min(batch - group * GROUP);
            Group {
                input: Buffer::zeros(learns(examples * input_len, front > 0)),
                activations: inner.iter().map(|node| Buffer::zeros(examples * node.output.size())).collect(),
                memory: nodes[..front].iter().map(|node| vec![0; examples * node.layer.memory_len()]).collect(),
                gradients: [0, 1].map(|_| Buffer::zeros(learns(widest, first_trainable < front))),
                partials: nodes[..front].iter().map(gradient).collect(),
            }
        });
        let whole = |(index, node): (usize, &Node)| WholeBatch {
            output: Buffer::zeros(batch * node.output.size()),
            output_gradient: Buffer::zeros(learns(batch * node.output.size(), index + front >= first_trainable)),
            memory: vec![0; batch * node.layer.memory_len()],
            gradient: gradient(node),
        };
        Self {
            batch,
            groups: groups.collect(),
            front,
            first_trainable,
            features: Buffer::zeros(batch * features),
            features_gradient: Buffer::zeros(learns(batch * features, first_trainable < front)),
            rest: nodes[front..].iter().enumerate().map(whole).collect(),
        }
    }

    /// Sends the examples at the given indices forward; the logits are then in [`Trace::logits`]. With a step it is a
    /// training pass, which can be followed by [`Trace::backward`]; without, it is inference.
    pub fn forward(&mut self, nodes: &[Node], examples: &Examples, indices: &[u32], step: Option<Step>) {
        let n = indices.len();
        let (front, rest) = nodes.split_at(self.front);
        let len = self.features.len() / self.batch;
        let groups = &mut self.groups[..n.div_ceil(GROUP)];
        threads::for_each_with_chunk(groups, &mut self.features[..n * len], GROUP * len, |g, group, features| {
            let indices = &indices[g * GROUP..n.min((g + 1) * GROUP)];
            let step = step.map(|step| Step { example: (g * GROUP) as u64, ..step });
            group.forward(front, examples, indices, step, features);
        });
        let mut x = &self.features[..n * len];
        for (node, whole) in rest.iter().zip(&mut self.rest) {
            let y = &mut whole.output[..n * node.output.size()];
            match step {
                Some(step) => node.layer.forward(x, y, &mut whole.memory, step),
                None => node.layer.infer(x, y),
            }
            x = y;
        }
    }

    /// The logits of `n` examples, from the last forward pass.
    pub fn logits(&self, n: usize) -> &[f32] {
        let outputs = self.rest.last().map_or(&self.features, |last| &last.output);
        &outputs[..outputs.len() / self.batch * n]
    }

    /// Scores the last forward pass, and begins the backward pass with the gradient of the mean loss where the network
    /// learns.
    pub fn score(&mut self, labels: impl ExactSizeIterator<Item = u32>) -> Score {
        let (n, batch) = (labels.len(), self.batch);
        let (outputs, gradients) = match self.rest.last_mut() {
            Some(last) => (&last.output, &mut last.output_gradient),
            None => (&self.features, &mut self.features_gradient),
        };
        let classes = outputs.len() / batch;
        let mut score = Score::default();
        threads::with_scratch(classes, |unused| {
            for (example, label) in labels.enumerate() {
                let logits = &outputs[example * classes..][..classes];
                let gradient = gradients.get_mut(example * classes..(example + 1) * classes).unwrap_or(&mut *unused);
                score.loss += softmax_cross_entropy(logits, label as usize, 1.0 / n as f32, gradient);
                score.correct += usize::from(argmax(logits) == label as usize);
            }
        });
        score
    }

    /// Sends the gradient of `n` examples' mean loss back, as far as something learns.
    pub fn backward(&mut self, nodes: &[Node], n: usize, step: Step) {
        let (front, rest) = nodes.split_at(self.front);
        let len = self.features.len() / self.batch;
        for (index, node) in rest.iter().enumerate().rev() {
            let position = self.front + index;
            if position < self.first_trainable {
                return;
            }
            let (before, here) = self.rest.split_at_mut(index);
            let this = &mut here[0];
            let (x, dx) = match before.last_mut() {
                Some(previous) => (&previous.output, &mut previous.output_gradient),
                None => (&self.features, &mut self.features_gradient),
            };
            let (inputs, outputs) = (n * node.input.size(), n * node.output.size());
            if !node.layer.whole_batch() {
                this.gradient.fill(0.0);
            }
            node.layer.backward(Backward {
                x: &x[..inputs],
                y: &this.output[..outputs],
                memory: &this.memory,
                dy: &mut this.output_gradient[..outputs],
                dx: (position > self.first_trainable).then(|| &mut dx[..inputs]),
                gradient: node.is_trainable().then_some(&mut this.gradient),
                accumulate: false,
                step,
            });
        }
        if self.first_trainable >= self.front {
            return;
        }
        let (features, first_trainable) = (&self.features, self.first_trainable);
        let groups = &mut self.groups[..n.div_ceil(GROUP)];
        let gradients = &mut self.features_gradient[..n * len];
        threads::for_each_with_chunk(groups, gradients, GROUP * len, |g, group, dy| {
            let y = &features[g * GROUP * len..][..dy.len()];
            group.backward(front, first_trainable, [len, g * GROUP], y, dy, step);
        });
    }

    /// Lets the optimizer change every trainable parameter by the gradients of the last backward pass over `n` examples.
    pub fn update(&mut self, nodes: &mut [Node], n: usize, optimizer: &mut Optimizer) {
        optimizer.begin_step();
        for (index, node) in nodes.iter_mut().enumerate().filter(|(_, node)| node.is_trainable()) {
            let gradient = if index < self.front {
                sum_in_order(&mut self.groups[..n.div_ceil(GROUP)], index)
            } else {
                &mut *self.rest[index - self.front].gradient
            };
            node.layer.finish_gradient(gradient);
            let mut rest = &*gradient;
            for param in node.layer.params_mut() {
                let (gradient, after) = rest.split_at(param.value.len());
                if param.trainable {
                    optimizer.update(&mut param.value, gradient, node.rate_factor);
                }
                rest = after;
            }
            node.layer.refresh();
        }
    }

    /// The largest number of examples that fit.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The gradients of a node's parameters, one after the other, after [`Trace::update`].
    pub fn gradient(&self, node: usize) -> &[f32] {
        if node < self.front { &self.groups[0].partials[node] } else { &self.rest[node - self.front].gradient }
    }

    /// The first node whose output in the last forward pass over `n` examples is not finite.
    pub fn first_broken<'a>(&self, nodes: &'a [Node], n: usize) -> Option<&'a str> {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let groups = &self.groups[..n.div_ceil(GROUP)];
        let broken = |&index: &usize| match index.checked_sub(self.front) {
            Some(rest) => !finite(&self.rest[rest].output[..n * nodes[index].output.size()]),
            None if index + 1 == self.front => !finite(&self.features[..n * nodes[index].output.size()]),
            None => !groups.iter().all(|group| finite(&group.activations[index])),
        };
        (0..nodes.len()).find(broken).map(|index| nodes[index].name())
    }
}

impl Group {
    /// Each example through all front layers, one after the other.
    fn forward(
        &mut self,
        nodes: &[Node],
        examples: &Examples,
        indices: &[u32],
        step: Option<Step>,
        features: &mut [f32],
    ) {
        let len = features.len() / indices.len();
        for (example, (&index, features)) in indices.iter().zip(features.chunks_exact_mut(len)).enumerate() {
            let Some(first) = nodes.first() else {
                examples.inputs().read(index as usize, features);
                continue;
            };
            let input = &mut self.input[example * first.input.size()..][..first.input.size()];
            examples.inputs().read(index as usize, input);
            let mut x = &*input;
            let inner = self.activations.iter_mut().zip(nodes).map(|(activation, node)| {
                let size = node.output.size();
                &mut activation[example * size..][..size]
            });
            let outputs = inner.chain(std::iter::once(features));
            for ((node, memory), y) in nodes.iter().zip(&mut self.memory).zip(outputs) {
                match step {
                    Some(step) => {
                        let noted = node.layer.memory_len();
                        let memory = &mut memory[example * noted..][..noted];
                        node.layer.forward(x, y, memory, Step { example: step.example + example as u64, ..step });
                    }
                    None => node.layer.infer(x, y),
                }
                x = y;
            }
        }
    }

    /// Each example back to the first layer that learns.
    fn backward(
        &mut self,
        nodes: &[Node],
        first_trainable: usize,
        [len, first_example]: [usize; 2],
        features: &[f32],
        features_gradient: &mut [f32],
        step: Step,
    ) {
        let [mut here, mut there] = self.gradients.each_mut();
        for (example, dy) in features_gradient.chunks_exact_mut(len).enumerate() {
            let mut dy = dy;
            for (position, node) in nodes.iter().enumerate().skip(first_trainable).rev() {
                let (inputs, outputs) = (node.input.size(), node.output.size());
                let x = if position == 0 { &self.input } else { &self.activations[position - 1] };
                let y = self.activations.get(position).map_or(features, |activation| activation);
                let noted = node.layer.memory_len();
                let learns = position > first_trainable;
                node.layer.backward(Backward {
                    x: &x[example * inputs..][..inputs],
                    y: &y[example * outputs..][..outputs],
                    memory: &self.memory[position][example * noted..][..noted],
                    dy,
                    dx: learns.then(|| &mut there[..inputs]),
                    gradient: node.is_trainable().then(|| &mut *self.partials[position]),
                    accumulate: example > 0,
                    step: Step { example: (first_example + example) as u64, ..step },
                });
                (here, there) = (there, here);
                dy = &mut here[..if learns { inputs } else { 0 }];
            }
        }
    }
}

/// Adds the gradients of all groups to the first group's, in order.
fn sum_in_order(groups: &mut [Group], node: usize) -> &mut [f32] {
    let (first, others) = groups.split_first_mut().expect("a batch has an example");
    threads::for_chunks(&mut first.partials[node], CHUNK, |chunk, sum| {
        for other in &*others {
            let partial = &other.partials[node][chunk * CHUNK..][..sum.len()];
            dispatch!(simd => simd.vectorize(#[inline(always)] || add_to(simd, partial, sum)));
        }
    });
    &mut first.partials[node]
}
