//! The memory that a network needs, known from its [outline](super::Builder::outline) before any of it is allocated.
//!
//! This module counts what is allocated: parameters, then the buffers of a [trace](super::trace), then the scratch that
//! each thread keeps. Counts are resident bytes, so a large buffer counts as whole huge pages.

use std::ops::Range;

use crate::buffer::Buffer;

use super::group::{group_sizes, len_if};
use super::layer::Param;
use super::network::{Network, Node};
use super::stage::ranges;

/// The maximum number of examples in a forward pass of inference.
const EVALUATION_BATCH: usize = 128;

/// The maximum number of bytes of their outputs.
const EVALUATION_BYTES: usize = 512 << 20;

/// Examples in a forward pass of inference: fewer if the network's outputs are huge.
pub(super) fn evaluation_batch(nodes: &[Node]) -> usize {
    let floats = nodes.iter().fold(1usize, |sum, node| sum.saturating_add(node.output.size()));
    (EVALUATION_BYTES / size_of::<f32>() / floats).clamp(1, EVALUATION_BATCH)
}

impl Network {
    /// Bytes of all parameters, and of what layers derive from them.
    pub fn weight_bytes(&self) -> u64 {
        let of_node = |node: &Node| {
            let derived = node.layer.derived_lens().into_iter();
            let params = node.layer.params().iter().map(|param| param.shape.size());
            resident_bytes(params.chain(derived))
        };
        sum(self.nodes.iter().map(of_node))
    }

    /// Bytes of the parameters that gradients change; Adam has two moments of each.
    pub fn learned_bytes(&self) -> u64 {
        let learned = self.params().filter(|(_, param)| param.is_learned());
        resident_bytes(learned.map(|(_, Param { shape, .. })| shape.size()))
    }

    /// Bytes of activations, gradients and the threads' scratch while the network is trained on batches of this many
    /// examples. The threads keep their scratch from earlier passes. Cached features are not counted.
    pub fn training_bytes(&self, batch: usize, threads: usize, scratch: &mut Scratch) -> u64 {
        let (prefix, head) = self.nodes.split_at(self.thawline());
        let input = prefix.last().map_or(&self.input, |last| &last.output).size();
        let first_trainable = head.iter().position(Node::is_trainable).unwrap_or(head.len());
        if let Some(widest) = prefix.iter().map(|node| node.output.size()).max() {
            // The example and the layers' inputs and outputs are in use while the prefix runs.
            let taken = [self.input.size(), 2 * widest].map(|len| scratch.each.take(len));
            scratch.pass(prefix, batch);
            scratch.each.0.extend(taken);
        }
        scratch.pass(head, batch);
        trace_bytes(head, input, batch, first_trainable).saturating_add(scratch.bytes(threads))
    }

    /// Bytes of activations and of the threads' scratch during inference on this many examples.
    pub fn inference_bytes(&self, examples: usize, threads: usize, scratch: &mut Scratch) -> u64 {
        let batch = evaluation_batch(&self.nodes).min(examples);
        scratch.pass(&self.nodes, batch);
        let trace = trace_bytes(&self.nodes, self.input.size(), batch, self.nodes.len());
        trace.saturating_add(scratch.bytes(threads))
    }
}

/// The scratch that threads have needed so far, and keep.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// The calling thread's.
    caller: Spare,
    /// Each working thread's.
    each: Spare,
}

impl Scratch {
    /// A pass through some layers, one after the other.
    fn pass(&mut self, nodes: &[Node], batch: usize) {
        for node in nodes {
            let examples = if node.layer.prefers_whole_batch() { batch } else { 1 };
            let [caller, each] = node.layer.scratch_lens(examples);
            for (spare, len) in [(&mut self.caller, caller), (&mut self.each, each)] {
                let taken = spare.take(len);
                spare.0.push(taken);
            }
        }
    }

    fn bytes(&self, threads: usize) -> u64 {
        let bytes = |spare: &Spare| resident_bytes(spare.0.iter().copied());
        bytes(&self.each).saturating_mul(threads as u64).saturating_add(bytes(&self.caller))
    }
}

/// The lengths of a thread's spare buffers.
#[derive(Clone, Debug, Default)]
struct Spare(Vec<usize>);

impl Spare {
    /// Takes the smallest that is large enough, or a new one, as
    /// [`threads::with_scratch`](crate::threads::with_scratch) does.
    fn take(&mut self, len: usize) -> usize {
        let fits = (0..self.0.len()).filter(|&i| self.0[i] >= len).min_by_key(|&i| self.0[i]);
        fits.map_or(len, |i| self.0.swap_remove(i))
    }
}

/// Bytes of buffers with these numbers of floats.
fn resident_bytes(lens: impl IntoIterator<Item = usize>) -> u64 {
    sum(lens.into_iter().map(Buffer::resident_bytes))
}

/// The sum, or `u64::MAX` if it overflows.
fn sum(bytes: impl IntoIterator<Item = u64>) -> u64 {
    bytes.into_iter().fold(0, u64::saturating_add)
}

/// Bytes of the buffers of a [`Trace`](super::trace::Trace), stage by stage.
fn trace_bytes(nodes: &[Node], input: usize, batch: usize, first_trainable: usize) -> u64 {
    let of_stage = |range: Range<usize>| {
        let own = &nodes[range.clone()];
        let gradient = |(index, node): (usize, &Node)| {
            len_if(first_trainable <= index && node.is_trainable(), node.layer.gradient_len())
        };
        let gradients = || range.clone().zip(own).map(gradient);
        let trains = range.end > first_trainable;
        let output = own.last().map_or(input, |last| last.output.size()).saturating_mul(batch);
        let outputs = resident_bytes([output, len_if(trains, output)]);
        if let [node] = own
            && node.layer.prefers_whole_batch()
        {
            return outputs.saturating_add(resident_bytes(gradients().chain([node.layer.saved_len(batch)])));
        }
        let inner = &own[..own.len().saturating_sub(1)];
        let widest = inner.iter().map(|node| node.output.size()).max().unwrap_or(0);
        let read = len_if(range.start == 0 && !own.is_empty(), input);
        let of_group = |examples: usize| {
            let activations = inner.iter().map(|node| examples * node.output.size());
            let saved = own.iter().map(|node| examples * node.layer.saved_len(1));
            let rest = [examples * read, len_if(trains, widest), len_if(trains, widest)];
            resident_bytes(activations.chain(saved).chain(gradients()).chain(rest))
        };
        sum(group_sizes(batch).map(of_group).chain([outputs]))
    };
    sum(ranges(nodes).into_iter().map(of_stage))
}
