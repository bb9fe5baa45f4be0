//! What a layer is.

use std::fmt;

use crate::buffer::Buffer;
use crate::random::{Address, Purpose};
use crate::shape::Shape;

/// Something that the network can learn: values, and whether they may change.
#[derive(Clone, Debug)]
pub struct Param {
    /// `kernel`, `bias` and the like, as Keras calls them.
    pub name: &'static str,
    /// The dimensions.
    pub shape: Shape,
    /// The values, in row-major order; empty until the layer is [initialized](Layer::initialize).
    pub value: Buffer,
    /// Whether training changes the values. What is not trainable gets no gradient, no moments and no work.
    pub trainable: bool,
    /// Whether training takes the values from the examples that pass, like a moving mean, and not from a gradient.
    pub statistic: bool,
}

impl Param {
    /// A trainable parameter, without values yet.
    pub fn new(name: &'static str, shape: impl Into<Shape>) -> Self {
        Self { name, shape: shape.into(), value: Buffer::default(), trainable: true, statistic: false }
    }

    /// Whether gradients change the values: then an optimizer has moments for them.
    pub fn is_learned(&self) -> bool {
        self.trainable && !self.statistic
    }

    /// A statistic of the examples that pass. It stands behind the layer's other parameters.
    pub fn statistic(name: &'static str, shape: impl Into<Shape>) -> Self {
        Self { statistic: true, ..Self::new(name, shape) }
    }
}

/// Where in the training a forward pass stands: all that a random layer's choices depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The seed of the training.
    pub seed: u64,
    /// Steps done before.
    pub step: u64,
    /// The position in the batch of the first example at hand.
    pub example: u64,
}

impl Step {
    /// The address of an example's random bits.
    pub fn address(self, purpose: Purpose, example: usize) -> Address {
        Address { seed: self.seed, purpose, step: self.step, index: self.example + example as u64 }
    }
}

/// The operands of a backward pass over some examples: what the forward pass read and wrote, and the gradients.
pub struct Backward<'a> {
    /// The input.
    pub x: &'a [f32],
    /// The output.
    pub y: &'a [f32],
    /// What the layer noted in the forward pass.
    pub memory: &'a [u8],
    /// The gradient of the loss for the output; the layer may use it up.
    pub dy: &'a mut [f32],
    /// The gradient for the input, to be overwritten; absent where nothing before this layer learns.
    pub dx: Option<&'a mut [f32]>,
    /// The gradient of the parameters, [`Layer::gradient_len`] floats; absent where none is trainable.
    pub gradient: Option<&'a mut [f32]>,
    /// Whether to add to the gradient of earlier examples, or to overwrite it. Always false for a whole-batch layer.
    pub accumulate: bool,
    /// As in the forward pass.
    pub step: Step,
}

/// One layer. Inputs and outputs are slices that hold one or more examples one after the other.
///
/// A pass is either [`infer`](Layer::infer), pure and without chance, or [`forward`](Layer::forward) followed by
/// [`backward`](Layer::backward). All take the layer by shared reference: what a training pass must remember it writes
/// to the memory it is lent, so many examples can pass at the same time, and a frozen layer cannot change.
pub trait Layer: fmt::Debug + Send + Sync {
    /// The layer's type, in Keras's words.
    fn kind(&self) -> &'static str;

    /// Checks the shape of one input example and derives those of the output and of the parameters, which have no values
    /// yet, so nothing large is allocated. Called once; `position` tells the layer's random bits from other layers'.
    ///
    /// # Errors
    /// A sentence about what does not fit.
    fn build(&mut self, input: &Shape, position: usize) -> Result<Shape, String>;

    /// Gives the parameters their initial values. Called after [`build`](Layer::build).
    ///
    /// # Errors
    /// A sentence, if there is no memory for them.
    fn initialize(&mut self, seed: u64, position: usize) -> Result<(), String> {
        let _ = (seed, position);
        Ok(())
    }

    /// y of some examples: no memory, no chance.
    fn infer(&self, x: &[f32], y: &mut [f32]);

    /// y of some examples while training. `memory` has [`memory_len`](Layer::memory_len) bytes an example.
    fn forward(&self, x: &[f32], y: &mut [f32], memory: &mut [u8], step: Step) {
        let _ = (memory, step);
        self.infer(x, y);
    }

    /// The gradients of the last [`forward`](Layer::forward) pass over the same examples.
    fn backward(&self, pass: Backward<'_>);

    /// The parameters.
    fn params(&self) -> &[Param] {
        &[]
    }

    /// The parameters, to change; call [`refresh`](Layer::refresh) afterwards.
    fn params_mut(&mut self) -> &mut [Param] {
        &mut []
    }

    /// Takes into its statistics what the last [`forward`](Layer::forward) pass noted; once a training step, after the
    /// gradients' update, where the layer is not frozen. Only for a whole-batch layer.
    fn keep_statistics(&mut self, memory: &[u8]) {
        let _ = memory;
    }

    /// Derives again what the layer derives from its parameters, once these have values.
    fn refresh(&mut self) {}

    /// Floats that a gradient takes while it is summed over examples; its form is the layer's own.
    fn gradient_len(&self) -> usize {
        0
    }

    /// Turns a sum of gradients, in place, into the parameters' gradients one after the other.
    fn finish_gradient(&self, gradient: &mut [f32]) {
        let _ = gradient;
    }

    /// Bytes an example that the layer notes for its backward pass.
    fn memory_len(&self) -> usize {
        0
    }

    /// Floats of each buffer that the layer derives from its parameters and keeps.
    fn derived_lens(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Floats of scratch that a pass over so many examples takes: of the thread that calls, and of each thread at work.
    fn scratch_lens(&self, examples: usize) -> [usize; 2] {
        let _ = examples;
        [0; 2]
    }

    /// Whether the training pass depends on chance. A random layer is never part of a frozen prefix.
    fn is_random(&self) -> bool {
        false
    }

    /// Whether the layer wants all examples of a batch at once, to run in parallel inside; others see one at a time.
    fn whole_batch(&self) -> bool {
        false
    }

    /// Floating-point operations of one example forward, by the direct method.
    fn flops(&self) -> u64 {
        0
    }

    /// What the layer can be folded into.
    fn role(&self) -> Role {
        Role::Other
    }

    /// Takes over the work of the layer that follows, if it can do it in one go. Called after [`build`](Layer::build).
    fn absorb(&mut self, next: Role) -> bool {
        let _ = next;
        false
    }
}

/// What a layer does, as far as its predecessor may do it in passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// max(x, 0).
    Relu,
    /// The maximum of 2 x 2 windows that do not overlap.
    MaxPool2x2,
    /// Only the shape changes.
    Reshape,
    /// Anything else.
    Other,
}
