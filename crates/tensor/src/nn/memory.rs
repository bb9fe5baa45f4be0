//! The memory that a network needs, known from its [outline](super::Builder::outline) before any of it is allocated.
//!
//! This module counts what is allocated: parameters, then the buffers of a [trace](super::trace), then the scratch that
//! each thread keeps. Counts are resident bytes, so a large buffer counts as whole huge pages.

use crate::buffer::Buffer;

use super::group::group_sizes;
use super::layer::Param;
use super::network::{Network, Node};

/// The maximum number of examples in a forward pass of inference, and the maximum number of bytes of their outputs.
const EVALUATION_BATCH: usize = 128;
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
            params.chain(derived).map(Buffer::resident_bytes).sum::<u64>()
        };
        self.nodes.iter().map(of_node).sum()
    }

    /// Bytes of the parameters that gradients change; Adam has two moments of each.
    pub fn learned_bytes(&self) -> u64 {
        let learned = self.params().filter(|(_, param)| param.is_learned());
        learned.map(|(_, Param { shape, .. })| Buffer::resident_bytes(shape.size())).sum()
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
        trace_bytes(head, input, batch, first_trainable) + scratch.bytes(threads)
    }

    /// The same for inference on this many examples.
    pub fn inference_bytes(&self, examples: usize, threads: usize, scratch: &mut Scratch) -> u64 {
        let batch = evaluation_batch(&self.nodes).min(examples);
        scratch.pass(&self.nodes, batch);
        trace_bytes(&self.nodes, self.input.size(), batch, self.nodes.len()) + scratch.bytes(threads)
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
        let bytes = |spare: &Spare| spare.0.iter().map(|&len| Buffer::resident_bytes(len)).sum::<u64>();
        bytes(&self.caller) + threads as u64 * bytes(&self.each)
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

/// Bytes of the buffers of a [`Trace`](super::trace::Trace).
fn trace_bytes(nodes: &[Node], input: usize, batch: usize, first_trainable: usize) -> u64 {
    let trains = first_trainable < nodes.len();
    let gradient = |index: usize| match &nodes[index] {
        node if trains && index >= first_trainable && node.is_trainable() => node.layer.gradient_len(),
        _ => 0,
    };
    let outputs = |end: usize, len: usize| match end > first_trainable {
        true => 2 * Buffer::resident_bytes(batch * len),
        false => Buffer::resident_bytes(batch * len),
    };
    let mut bytes = 0;
    let mut start = 0;
    let mut reads = input;
    while start <= nodes.len() {
        // A depth-first stage, up to the next layer that needs or prefers the whole batch.
        let len = nodes[start..].iter().take_while(|node| !node.layer.prefers_whole_batch()).count();
        if len > 0 || start == 0 {
            let here = &nodes[start..start + len];
            let inner = &here[..len.saturating_sub(1)];
            let widest = inner.iter().map(|node| node.output.size()).max().filter(|_| trains).unwrap_or(0);
            let of_group = |examples: usize| {
                let activations = inner.iter().map(|node| examples * node.output.size());
                let partials = (start..start + len).map(gradient);
                let read = if len > 0 { examples * reads } else { 0 };
                let saved = here.iter().map(|node| examples * node.layer.saved_len(1));
                let floats = activations.chain(saved).chain(partials).chain([read, widest, widest]);
                floats.map(Buffer::resident_bytes).sum::<u64>()
            };
            bytes += group_sizes(batch).map(of_group).sum::<u64>();
            bytes += outputs(start + len, here.last().map_or(input, |last| last.output.size()));
        }
        reads = 0;
        start += len;
        if let Some(node) = nodes.get(start) {
            bytes += outputs(start + 1, node.output.size());
            let lens = [gradient(start), node.layer.saved_len(batch)];
            bytes += lens.map(Buffer::resident_bytes).iter().sum::<u64>();
        }
        start += 1;
    }
    bytes
}
