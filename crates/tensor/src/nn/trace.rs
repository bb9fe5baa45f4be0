//! The trace of a batch: every activation, gradient and note of a training step, sized once and used for every step.
//!
//! The network is cut into *stages*, which a batch passes one after the other. A layer that wants the whole batch is a
//! stage of its own, parallel inside. The layers between two such are one stage together, which the batch passes depth
//! first: a task takes a group of examples, and each example runs through all layers of the stage while it is in the
//! core's cache, forward and later backward. Groups are cut by number of examples alone, and their gradients are added
//! in order, so the bits do not depend on the threads.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::dispatch;
use crate::kernels::activation::add_to;
use crate::kernels::softmax::{argmax, softmax_cross_entropy};
use crate::simd::Simd;
use crate::threads;

use super::examples::Examples;
use super::group::{GROUP, Group, Source};
use super::layer::{Backward, Step};
use super::network::Node;
use super::optimizer::Optimizer;
use super::score::Score;

/// Floats that one task adds.
const CHUNK: usize = 1 << 13;

/// Buffers for batches of up to a number of examples.
pub struct Trace {
    /// The largest number of examples.
    batch: usize,
    /// The first node that learns: backward ends there.
    first_trainable: usize,
    /// The first is depth first and reads the examples, even if it has no node.
    stages: Vec<Stage>,
}

/// Consecutive nodes that a batch passes in one way, and what they give.
struct Stage {
    nodes: Range<usize>,
    output: Buffer,
    output_gradient: Buffer,
    pass: Pass,
}

/// How a batch passes a stage.
enum Pass {
    /// Group by group, each example through all nodes.
    DepthFirst(Vec<Group>),
    /// Through one node, all examples at once.
    Whole { memory: Vec<u8>, gradient: Buffer },
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
        let learns = |len: usize, does: bool| if does { len } else { 0 };
        let stage = |range: Range<usize>| {
            let here = &nodes[range.clone()];
            let pass = match here {
                [node] if node.layer.whole_batch() => Pass::Whole {
                    memory: vec![0; batch * node.layer.memory_len()],
                    gradient: Buffer::zeros(learns(
                        node.layer.gradient_len(),
                        first_trainable < nodes.len() && node.is_trainable(),
                    )),
                },
                _ => {
                    let read = learns(input_len, range.start == 0);
                    let first_trainable = first_trainable.saturating_sub(range.start);
                    let sizes = (0..batch.div_ceil(GROUP)).map(|group| GROUP.min(batch - group * GROUP));
                    Pass::DepthFirst(sizes.map(|size| Group::new(here, read, size, first_trainable)).collect())
                }
            };
            let len = batch * here.last().map_or(input_len, |last| last.output.size());
            let output_gradient = Buffer::zeros(learns(len, range.end > first_trainable));
            Stage { nodes: range, output: Buffer::zeros(len), output_gradient, pass }
        };
        Self { batch, first_trainable, stages: stages(nodes).into_iter().map(stage).collect() }
    }

    /// Sends the examples at the given indices forward; the logits are then in [`Trace::logits`]. With a step it is a
    /// training pass, which can be followed by [`Trace::backward`]; without, it is inference.
    ///
    /// # Panics
    /// If `nodes` are not those that the trace was made for, there are more indices than its batch, or one of no example.
    pub fn forward(&mut self, nodes: &[Node], examples: &Examples, indices: &[u32], step: Option<Step>) {
        let n = indices.len();
        for index in 0..self.stages.len() {
            let (before, here) = self.stages.split_at_mut(index);
            let x = before.last().map(|previous| &previous.output[..previous.output.len() / self.batch * n]);
            let Stage { nodes: range, output, pass, .. } = &mut here[0];
            let nodes = &nodes[range.clone()];
            let len = output.len() / self.batch;
            let y = &mut output[..n * len];
            match (pass, x) {
                (Pass::DepthFirst(groups), x) => {
                    let groups = &mut groups[..n.div_ceil(GROUP)];
                    threads::for_each_with_chunk(groups, y, GROUP * len, |g, group, y| {
                        let of_group = g * GROUP..n.min((g + 1) * GROUP);
                        let source = match x {
                            Some(x) => Source::Batch(&x[of_group.start * x.len() / n..of_group.end * x.len() / n]),
                            None => Source::Examples(examples, &indices[of_group]),
                        };
                        let step = step.map(|step| Step { example: (g * GROUP) as u64, ..step });
                        group.forward(nodes, source, step, y);
                    });
                }
                (Pass::Whole { memory, .. }, x) => {
                    let x = x.expect("the first stage is depth first");
                    match step {
                        Some(step) => nodes[0].layer.forward(x, y, memory, step),
                        None => nodes[0].layer.infer(x, y),
                    }
                }
            }
        }
    }

    /// The logits of `n` examples, from the last forward pass.
    pub fn logits(&self, n: usize) -> &[f32] {
        let outputs = &self.last().output;
        &outputs[..outputs.len() / self.batch * n]
    }

    fn last(&self) -> &Stage {
        self.stages.last().expect("there is a stage, if one without nodes")
    }

    /// Scores the last forward pass, and begins the backward pass with the gradient of the mean loss where the network
    /// learns.
    ///
    /// # Panics
    /// If there are more labels than the trace's batch, or one is no class.
    pub fn score(&mut self, labels: impl ExactSizeIterator<Item = u32>) -> Score {
        let (n, batch) = (labels.len(), self.batch);
        let last = self.stages.last_mut().expect("there is a stage, if one without nodes");
        let (outputs, gradients) = (&last.output, &mut last.output_gradient);
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
    ///
    /// # Panics
    /// If `nodes` are not those that the trace was made for, or `n` is more than its batch.
    pub fn backward(&mut self, nodes: &[Node], n: usize, step: Step) {
        for index in (0..self.stages.len()).rev() {
            let (before, here) = self.stages.split_at_mut(index);
            let Stage { nodes: range, output, output_gradient, pass } = &mut here[0];
            if range.end <= self.first_trainable {
                return;
            }
            let per_example = |buffer: &Buffer| buffer.len() / self.batch;
            let len = per_example(output);
            let (y, dy) = (&output[..n * len], &mut output_gradient[..n * len]);
            let (x, dx) = match before.last_mut() {
                Some(Stage { output: x, output_gradient: dx, .. }) => {
                    let inputs = n * per_example(x);
                    (Some(&x[..inputs]), (range.start > self.first_trainable).then(|| &mut dx[..inputs]))
                }
                None => (None, None),
            };
            let nodes = &nodes[range.clone()];
            match pass {
                Pass::DepthFirst(groups) => {
                    let first_trainable = self.first_trainable.saturating_sub(range.start);
                    let groups = &mut groups[..n.div_ceil(GROUP)];
                    let one = |g: usize, group: &mut Group, dy: &mut [f32], dx: Option<&mut [f32]>| {
                        let of_group = g * GROUP..n.min((g + 1) * GROUP);
                        let x = x.map(|x| &x[of_group.start * x.len() / n..of_group.end * x.len() / n]);
                        let y = &y[of_group.start * len..of_group.end * len];
                        let step = Step { example: of_group.start as u64, ..step };
                        group.backward(nodes, first_trainable, [x.unwrap_or_default(), y], dy, dx, step);
                    };
                    match dx {
                        Some(dx) => {
                            let chunks = [GROUP * len, GROUP * (dx.len() / n)];
                            threads::for_each_with_two_chunks(groups, [dy, dx], chunks, |g, group, [dy, dx]| {
                                one(g, group, dy, Some(dx));
                            });
                        }
                        None => threads::for_each_with_chunk(groups, dy, GROUP * len, |g, group, dy| {
                            one(g, group, dy, None);
                        }),
                    }
                }
                Pass::Whole { memory, gradient } => nodes[0].layer.backward(Backward {
                    x: x.expect("the first stage is depth first"),
                    y,
                    memory,
                    dy,
                    dx,
                    gradient: nodes[0].is_trainable().then_some(&mut *gradient),
                    accumulate: false,
                    step,
                }),
            }
        }
    }

    /// Lets the optimizer change every trainable parameter by the gradients of the last backward pass over `n` examples,
    /// and layers keep their statistics of the last forward pass.
    pub fn update(&mut self, nodes: &mut [Node], n: usize, optimizer: &mut Optimizer) {
        optimizer.begin_step();
        for Stage { nodes: range, pass, .. } in &mut self.stages {
            let trainable = nodes[range.clone()].iter_mut().enumerate().filter(|(_, node)| node.is_trainable());
            for (index, node) in trainable {
                let (gradient, memory) = match pass {
                    Pass::DepthFirst(groups) => (sum_in_order(&mut groups[..n.div_ceil(GROUP)], index), &[][..]),
                    Pass::Whole { memory, gradient } => (&mut **gradient, &memory[..]),
                };
                node.layer.finish_gradient(gradient);
                let mut rest = &*gradient;
                for param in node.layer.params_mut().iter_mut().filter(|param| !param.statistic) {
                    let (gradient, after) = rest.split_at(param.value.len());
                    if param.trainable {
                        optimizer.update(&mut param.value, gradient, node.rate_factor);
                    }
                    rest = after;
                }
                node.layer.keep_statistics(memory);
                node.layer.refresh();
            }
        }
    }

    /// The largest number of examples that fit.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The gradients of a node's parameters, one after the other, after [`Trace::update`].
    ///
    /// # Panics
    /// If there is no such node.
    pub fn gradient(&self, node: usize) -> &[f32] {
        let stage = self.stages.iter().find(|stage| stage.nodes.contains(&node)).expect("there is such a node");
        match &stage.pass {
            Pass::DepthFirst(groups) => &groups[0].partials[node - stage.nodes.start],
            Pass::Whole { gradient, .. } => gradient,
        }
    }

    /// The first node whose output in the last forward pass over `n` examples is not finite.
    ///
    /// # Panics
    /// If `nodes` are not those that the trace was made for, or `n` is more than its batch.
    pub fn first_broken<'a>(&self, nodes: &'a [Node], n: usize) -> Option<&'a str> {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let broken = |&node: &usize| {
            let stage = self.stages.iter().find(|stage| stage.nodes.contains(&node)).expect("each node is in a stage");
            match &stage.pass {
                Pass::DepthFirst(groups) if node + 1 < stage.nodes.end => {
                    let activation = node - stage.nodes.start;
                    !groups[..n.div_ceil(GROUP)].iter().all(|group| finite(&group.activations[activation]))
                }
                _ => !finite(&stage.output[..n * nodes[node].output.size()]),
            }
        };
        (0..nodes.len()).find(broken).map(|index| nodes[index].name())
    }
}

/// Cuts the nodes into stages.
fn stages(nodes: &[Node]) -> Vec<Range<usize>> {
    let mut stages: Vec<Range<usize>> = std::iter::once(0..0).collect();
    let mut open = true;
    for (index, node) in nodes.iter().enumerate() {
        let whole = node.layer.whole_batch();
        match stages.last_mut() {
            Some(stage) if open && !whole => stage.end = index + 1,
            _ => stages.push(index..index + 1),
        }
        open = !whole;
    }
    stages
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
