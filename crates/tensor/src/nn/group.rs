//! A group of examples on its way through a stage, each through all layers before the next: depth first.

use crate::buffer::Buffer;

use super::examples::Examples;
use super::layer::{Backward, Step};
use super::network::Node;

/// Examples of a group. More of them mean fewer partial gradients to add, fewer of them more tasks.
pub(super) const GROUP: usize = 8;

/// The buffers of a group.
pub(super) struct Group {
    /// The examples, where this stage reads them.
    input: Buffer,
    /// Outputs of all nodes but the last, whose output is the stage's.
    pub activations: Vec<Buffer>,
    memory: Vec<Vec<u8>>,
    /// Gradients of one example, between a node and the next.
    gradients: [Buffer; 2],
    /// The parameters' gradients, summed over the group.
    pub partials: Vec<Buffer>,
}

/// What goes into a stage.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// Examples, to be read, at these indices.
    Examples(&'a Examples<'a>, &'a [u32]),
    /// What the stage before gave for this group.
    Batch(&'a [f32]),
}

impl Source<'_> {
    /// Reads an example, for training where there is a step.
    fn read(self, example: usize, step: Option<Step>, into: &mut [f32]) {
        let Source::Examples(examples, indices) = self else { return };
        let (inputs, index) = (examples.inputs(), indices[example] as usize);
        match step {
            Some(step) => inputs.read_for_training(index, step, into),
            None => inputs.read(index, into),
        }
    }
}

impl Group {
    /// Buffers for `examples` examples, of which `read` floats each are to be read.
    pub fn new(nodes: &[Node], read: usize, examples: usize, first_trainable: usize) -> Self {
        let inner = &nodes[..nodes.len().saturating_sub(1)];
        let learns = |len: usize, does: bool| if does { len } else { 0 };
        let widest = inner.iter().map(|node| node.output.size()).max().unwrap_or(0);
        let partial = |(position, node): (usize, &Node)| {
            Buffer::zeros(learns(node.layer.gradient_len(), position >= first_trainable && node.is_trainable()))
        };
        Self {
            input: Buffer::zeros(learns(examples * read, !nodes.is_empty())),
            activations: inner.iter().map(|node| Buffer::zeros(examples * node.output.size())).collect(),
            memory: nodes.iter().map(|node| vec![0; examples * node.layer.memory_len()]).collect(),
            gradients: [0, 1].map(|_| Buffer::zeros(learns(widest, first_trainable < nodes.len()))),
            partials: nodes.iter().enumerate().map(partial).collect(),
        }
    }

    /// Each example through all nodes, one after the other; `y` is what the last one gives.
    pub fn forward(&mut self, nodes: &[Node], source: Source, step: Option<Step>, y: &mut [f32]) {
        let len = nodes.last().map_or(y.len(), |last| last.output.size());
        let examples = match source {
            Source::Examples(_, indices) => indices.len(),
            Source::Batch(_) => y.len() / len,
        };
        for (example, y) in y.chunks_exact_mut(y.len() / examples).enumerate() {
            let step = step.map(|step| Step { example: step.example + example as u64, ..step });
            let Some(first) = nodes.first() else {
                source.read(example, step, y);
                continue;
            };
            let here = example * first.input.size()..(example + 1) * first.input.size();
            let mut x = match source {
                Source::Examples(..) => {
                    source.read(example, step, &mut self.input[here.clone()]);
                    &self.input[here]
                }
                Source::Batch(batch) => &batch[here],
            };
            let inner = self.activations.iter_mut().zip(nodes).map(|(activation, node)| {
                let size = node.output.size();
                &mut activation[example * size..][..size]
            });
            let outputs = inner.chain(std::iter::once(y));
            for ((node, memory), y) in nodes.iter().zip(&mut self.memory).zip(outputs) {
                match step {
                    Some(step) => {
                        let noted = node.layer.memory_len();
                        node.layer.forward(x, y, &mut memory[example * noted..][..noted], step);
                    }
                    None => node.layer.infer(x, y),
                }
                x = y;
            }
        }
    }

    /// Each example back to the first node that learns, or to the stage before, whose gradient is `dx`. `x` is what
    /// went in, where the stage does not read the examples itself.
    pub fn backward(
        &mut self,
        nodes: &[Node],
        first_trainable: usize,
        [x, y]: [&[f32]; 2],
        dy: &mut [f32],
        mut dx: Option<&mut [f32]>,
        step: Step,
    ) {
        let (Some(first), Some(last)) = (nodes.first(), nodes.last()) else { return };
        let stage_input = if x.is_empty() { &*self.input } else { x };
        let [mut here, mut there] = self.gradients.each_mut();
        for (example, dy) in dy.chunks_exact_mut(last.output.size()).enumerate() {
            let mut dy = dy;
            for (position, node) in nodes.iter().enumerate().skip(first_trainable).rev() {
                let (inputs, outputs) = (node.input.size(), node.output.size());
                let x = if position == 0 { stage_input } else { &self.activations[position - 1] };
                let y = self.activations.get(position).map_or(y, |activation| activation);
                let noted = node.layer.memory_len();
                let goes_on = position > first_trainable;
                let dx = if goes_on {
                    Some(&mut there[..inputs])
                } else {
                    dx.as_deref_mut().map(|dx| &mut dx[example * first.input.size()..][..inputs])
                };
                node.layer.backward(Backward {
                    x: &x[example * inputs..][..inputs],
                    y: &y[example * outputs..][..outputs],
                    memory: &self.memory[position][example * noted..][..noted],
                    dy,
                    dx,
                    gradient: node.is_trainable().then(|| &mut *self.partials[position]),
                    accumulate: example > 0,
                    step: Step { example: step.example + example as u64, ..step },
                });
                (here, there) = (there, here);
                dy = &mut here[..if goes_on { inputs } else { 0 }];
            }
        }
    }
}
