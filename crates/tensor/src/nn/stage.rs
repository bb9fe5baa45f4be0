//! A stage: consecutive nodes that a batch goes through in the same way, with their output and its gradient.
//!
//! A layer that needs or prefers the whole batch is a separate stage, parallel inside. The layers between two such
//! layers form one stage, which the batch goes through depth first: a task takes a group of examples, and each example
//! goes through all layers of the stage while it is in the core's cache.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::dispatch;
use crate::kernels::sums::add_to;
use crate::threads::{self, Chunks, for_each};

use super::group::{Batch, Group, StageInput, group_size, group_sizes, len_if};
use super::layer::{Backward, Step};
use super::network::Node;

/// The number of floats that one task adds up.
const CHUNK: usize = 1 << 13;

/// A stage, with buffers for a batch.
pub(super) struct Stage {
    /// Its nodes in the network.
    pub nodes: Range<usize>,
    /// Floats per output.
    pub len: usize,
    /// The outputs.
    pub y: Buffer,
    /// The gradient of the loss with respect to them; empty if nothing up to here is trainable.
    pub dy: Buffer,
    pass: Pass,
}

/// How a batch goes through a stage.
enum Pass {
    /// Group by group, each example through all nodes.
    DepthFirst(Vec<Group>),
    /// Through one node, all examples at once.
    WholeBatch { saved: Buffer, gradient: Buffer },
}

/// Cuts the nodes into stages. The first is depth first and reads the examples, even if it has no node.
pub(super) fn ranges(nodes: &[Node]) -> Vec<Range<usize>> {
    let mut stages: Vec<Range<usize>> = std::iter::once(0..0).collect();
    let mut previous_is_whole = false;
    for (index, node) in nodes.iter().enumerate() {
        let is_whole = node.layer.prefers_whole_batch();
        match stages.last_mut() {
            Some(stage) if !is_whole && !previous_is_whole => stage.end = index + 1,
            _ => stages.push(index..index + 1),
        }
        previous_is_whole = is_whole;
    }
    stages
}

impl Stage {
    /// Buffers for a stage of the nodes in `range`, for batches of up to `batch` examples of `input_len` floats. Nodes
    /// before `first_trainable` get no gradient.
    pub fn new(nodes: &[Node], range: Range<usize>, input_len: usize, batch: usize, first_trainable: usize) -> Self {
        let own = &nodes[range.clone()];
        let pass = match own {
            [node] if node.layer.prefers_whole_batch() => {
                let trains = first_trainable < nodes.len() && node.is_trainable();
                Pass::WholeBatch {
                    saved: Buffer::zeros(node.layer.saved_len(batch)),
                    gradient: Buffer::zeros(len_if(trains, node.layer.gradient_len())),
                }
            }
            _ => {
                let input_len = len_if(range.start == 0, input_len);
                let first_trainable = first_trainable.saturating_sub(range.start);
                let group = |size| Group::new(own, input_len, size, first_trainable);
                Pass::DepthFirst(group_sizes(batch).map(group).collect())
            }
        };
        let len = own.last().map_or(input_len, |last| last.output.size());
        let dy = Buffer::zeros(len_if(range.end > first_trainable, batch * len));
        Stage { nodes: range, len, y: Buffer::zeros(batch * len), dy, pass }
    }

    /// The outputs of the first `n` examples.
    pub fn outputs(&self, n: usize) -> Batch<'_> {
        Batch { floats: &self.y[..n * self.len], len: self.len }
    }

    /// Computes y of `n` examples; with a step, as a training pass.
    pub fn forward(&mut self, nodes: &[Node], source: StageInput, n: usize, step: Option<Step>) {
        let (nodes, len) = (&nodes[self.nodes.clone()], self.len);
        let (y, size) = (&mut self.y[..n * len], group_size(n));
        match (&mut self.pass, source) {
            (Pass::DepthFirst(groups), _) => {
                let groups = &mut groups[..n.div_ceil(size)];
                for_each((groups, Chunks(y, size * len)), |g, (group, y)| {
                    group.forward(nodes, source.of_group(g, size), step.map(|step| step.later(g * size)), y, len);
                });
            }
            (Pass::WholeBatch { saved, .. }, StageInput::Batch(x)) => match step {
                Some(step) => {
                    let saved = &mut saved[..nodes[0].layer.saved_len(n)];
                    nodes[0].layer.forward_training(x.floats, y, saved, step);
                }
                None => nodes[0].layer.forward(x.floats, y),
            },
            (Pass::WholeBatch { .. }, StageInput::Examples(..)) => unreachable!("the first stage is depth first"),
        }
    }

    /// Computes the gradients of the parameters, and dx if it is wanted, from dy of `n` examples. `x` is the previous
    /// stage's output; the first stage keeps its own input.
    pub fn backward(
        &mut self,
        nodes: &[Node],
        first_trainable: usize,
        x: Option<Batch>,
        dx: Option<&mut [f32]>,
        n: usize,
        step: Step,
    ) {
        let first_trainable = first_trainable.saturating_sub(self.nodes.start);
        let nodes = &nodes[self.nodes.clone()];
        let y = Batch { floats: &self.y[..n * self.len], len: self.len };
        let (dy, size) = (&mut self.dy[..n * self.len], group_size(n));
        match &mut self.pass {
            Pass::DepthFirst(groups) => {
                let groups = &mut groups[..n.div_ceil(size)];
                let dx = dx.map(|dx| {
                    let len = dx.len() / n;
                    Chunks(dx, size * len)
                });
                for_each(((groups, Chunks(dy, size * self.len)), dx), |g, ((group, dy), dx)| {
                    let (x, y) = (x.map(|x| x.of_group(g, size)), y.of_group(g, size));
                    group.backward(nodes, first_trainable, (x, y), dy, dx, step.later(g * size));
                });
            }
            Pass::WholeBatch { saved, gradient } => nodes[0].layer.backward(Backward {
                x: x.map_or(&[], |x| x.floats),
                y: y.floats,
                saved: &saved[..nodes[0].layer.saved_len(n)],
                dy,
                dx,
                gradient: nodes[0].is_trainable().then_some(&mut **gradient),
                accumulate: false,
                step,
            }),
        }
    }

    /// The gradient of a node's parameters over `n` examples, not yet [finished](super::Layer::finish_gradient), and
    /// what a whole-batch layer saved.
    pub fn summed_gradient(&mut self, node: usize, n: usize) -> (&mut [f32], &[f32]) {
        match &mut self.pass {
            Pass::DepthFirst(groups) => {
                (sum_in_order(&mut groups[..n.div_ceil(group_size(n))], node - self.nodes.start), &[])
            }
            Pass::WholeBatch { saved, gradient } => (gradient, saved),
        }
    }

    /// The gradients of a node's parameters, after [`Stage::summed_gradient`] and [`super::Layer::finish_gradient`].
    pub fn gradient(&self, node: usize) -> &[f32] {
        match &self.pass {
            Pass::DepthFirst(groups) => &groups[0].partials[node - self.nodes.start],
            Pass::WholeBatch { gradient, .. } => gradient,
        }
    }

    /// The first of its nodes whose output for one of `n` examples is not finite.
    pub fn first_not_finite(&self, nodes: &[Node], n: usize) -> Option<usize> {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let size = group_size(n);
        // A group may still hold examples of an earlier, larger batch.
        let inside = |group: &Group, first: usize, node: usize| {
            let examples = size.min(n - first);
            finite(&group.activations[node - self.nodes.start][..examples * nodes[node].output.size()])
        };
        let is_finite = |node: usize| match &self.pass {
            Pass::DepthFirst(groups) if node + 1 < self.nodes.end => {
                (0..n).step_by(size).zip(groups).all(|(first, group)| inside(group, first, node))
            }
            _ => finite(&self.y[..n * self.len]),
        };
        self.nodes.clone().find(|&node| !is_finite(node))
    }
}

/// Adds the gradients of all groups to the first group's, in order.
fn sum_in_order(groups: &mut [Group], node: usize) -> &mut [f32] {
    let (first, others) = groups.split_first_mut().expect("a batch has an example");
    threads::for_chunks(&mut first.partials[node], CHUNK, |chunk, sum| {
        for other in &*others {
            let partial = &other.partials[node][chunk * CHUNK..][..sum.len()];
            dispatch!(simd => add_to(simd, partial, sum));
        }
    });
    &mut first.partials[node]
}
