//! A group of examples that goes through a stage depth first: each example goes through all layers before the next
//! one starts.

use crate::buffer::Buffer;

use super::examples::{Examples, read};
use super::layer::{Backward, Step};
use super::network::Node;

/// The maximum number of examples in a group. A larger group means fewer partial gradients to add, a smaller one more
/// tasks.
const GROUP: usize = 8;

/// The number of examples in a group, for a batch of `n`. A batch that would be a single group is cut into groups of
/// one, so that threads share it.
pub fn group_size(n: usize) -> usize {
    if n <= GROUP { 1 } else { GROUP }
}

/// The sizes of the groups that batches of up to `batch` examples need.
pub(super) fn group_sizes(batch: usize) -> impl Iterator<Item = usize> {
    let most = group_size(batch);
    // A smaller batch may have up to GROUP groups of one example.
    let groups = batch.div_ceil(most).max(batch.min(GROUP));
    (0..groups).map(move |group| batch.saturating_sub(group * most).clamp(1, most))
}

/// The buffers of a group.
pub(super) struct Group {
    /// The examples, if the stage reads them itself.
    input: Buffer,
    /// Outputs of all nodes but the last, whose output is the stage's.
    pub activations: Vec<Buffer>,
    saved: Vec<Buffer>,
    /// Gradients of one example, between a node and the next.
    gradients: [Buffer; 2],
    /// The parameters' gradients, summed over the group.
    pub partials: Vec<Buffer>,
}

/// Where a stage's input comes from.
#[derive(Clone, Copy)]
pub(super) enum StageInput<'a> {
    /// Read from the examples at these indices.
    Examples(&'a Examples<'a>, &'a [u32]),
    /// The previous stage's output.
    Batch(Batch<'a>),
}

/// The floats of several examples, `len` of each.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub floats: &'a [f32],
    /// Floats per example.
    pub len: usize,
}

impl<'a> Batch<'a> {
    /// The part of one group.
    pub fn of_group(self, group: usize, size: usize) -> Self {
        let floats = self.floats.chunks(size * self.len).nth(group).unwrap_or_default();
        Self { floats, ..self }
    }

    /// The floats of one example.
    pub fn of(self, example: usize) -> &'a [f32] {
        &self.floats[example * self.len..][..self.len]
    }
}

impl StageInput<'_> {
    /// The part of one group.
    pub fn of_group(self, group: usize, size: usize) -> Self {
        match self {
            StageInput::Examples(examples, indices) => {
                StageInput::Examples(examples, indices.chunks(size).nth(group).unwrap_or_default())
            }
            StageInput::Batch(batch) => StageInput::Batch(batch.of_group(group, size)),
        }
    }
}

pub(super) fn len_if(wanted: bool, len: usize) -> usize {
    if wanted { len } else { 0 }
}

impl Group {
    /// Allocates buffers for this many examples. `input_len` is 0 unless the stage reads the examples itself.
    pub fn new(nodes: &[Node], input_len: usize, examples: usize, first_trainable: usize) -> Self {
        let inner = &nodes[..nodes.len().saturating_sub(1)];
        let widest = inner.iter().map(|node| node.output.size()).max().unwrap_or(0);
        let partial = |(position, node): (usize, &Node)| {
            let trains = position >= first_trainable && node.is_trainable();
            Buffer::zeros(len_if(trains, node.layer.gradient_len()))
        };
        Self {
            input: Buffer::zeros(len_if(!nodes.is_empty(), examples * input_len)),
            activations: inner.iter().map(|node| Buffer::zeros(examples * node.output.size())).collect(),
            saved: nodes.iter().map(|node| Buffer::zeros(examples * node.layer.saved_len(1))).collect(),
            gradients: [0, 1].map(|_| Buffer::zeros(len_if(first_trainable < nodes.len(), widest))),
            partials: nodes.iter().enumerate().map(partial).collect(),
        }
    }

    /// Runs each example through all nodes; `y` is the last one's output, `y_len` floats per example.
    pub fn forward(&mut self, nodes: &[Node], source: StageInput, step: Option<Step>, y: &mut [f32], y_len: usize) {
        for (example, y) in y.chunks_exact_mut(y_len).enumerate() {
            let step = step.map(|step| step.later(example));
            let Some(first) = nodes.first() else {
                if let StageInput::Examples(examples, indices) = source {
                    read(examples.inputs(), indices[example] as usize, step, y);
                }
                continue;
            };
            let mut x = match source {
                StageInput::Examples(examples, indices) => {
                    let input = of(example, first.input.size(), &mut self.input);
                    read(examples.inputs(), indices[example] as usize, step, input);
                    &*input
                }
                StageInput::Batch(batch) => batch.of(example),
            };
            let inner = self.activations.iter_mut().zip(nodes);
            let inner = inner.map(|(activation, node)| of(example, node.output.size(), activation));
            for ((node, saved), y) in nodes.iter().zip(&mut self.saved).zip(inner.chain([y])) {
                match step {
                    Some(step) => {
                        let saved = of(example, node.layer.saved_len(1), saved);
                        node.layer.forward_training(x, y, saved, step);
                    }
                    None => node.layer.forward(x, y),
                }
                x = y;
            }
        }
    }

    /// Propagates each example's gradient back to the first trainable node. If `dx` is given, also writes the gradient
    /// of the previous stage's output there. `x` is that output; `None` if this stage read the examples itself.
    pub fn backward(
        &mut self,
        nodes: &[Node],
        first_trainable: usize,
        (x, y): (Option<Batch>, Batch),
        dy: &mut [f32],
        mut dx: Option<&mut [f32]>,
        step: Step,
    ) {
        let [mut gradient, mut next_gradient] = self.gradients.each_mut();
        for (example, mut dy) in dy.chunks_exact_mut(y.len).enumerate() {
            for (position, node) in nodes.iter().enumerate().skip(first_trainable).rev() {
                let (inputs, outputs) = (node.input.size(), node.output.size());
                let x = match (position.checked_sub(1), x) {
                    (Some(previous), _) => Batch { floats: &self.activations[previous], len: inputs },
                    (None, Some(x)) => x,
                    (None, None) => Batch { floats: &self.input, len: inputs },
                };
                let y = self.activations.get(position).map_or(y, |floats| Batch { floats, len: outputs });
                let saved = Batch { floats: &self.saved[position], len: node.layer.saved_len(1) };
                let is_last = position == first_trainable;
                let dx = match is_last {
                    true => dx.as_deref_mut().map(|dx| of(example, inputs, dx)),
                    false => Some(&mut next_gradient[..inputs]),
                };
                node.layer.backward(Backward {
                    x: x.of(example),
                    y: y.of(example),
                    saved: saved.of(example),
                    dy,
                    dx,
                    gradient: node.is_trainable().then(|| &mut *self.partials[position]),
                    accumulate: example > 0,
                    step: step.later(example),
                });
                // The gradient with respect to this node's input is that of the previous node's output.
                (gradient, next_gradient) = (next_gradient, gradient);
                dy = &mut gradient[..len_if(!is_last, inputs)];
            }
        }
    }
}

/// The floats of an example, to write.
fn of(example: usize, len: usize, floats: &mut [f32]) -> &mut [f32] {
    &mut floats[example * len..][..len]
}
