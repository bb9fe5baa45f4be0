//! What a layer is: a small core that every layer has, and a default for everything else.

use std::borrow::Cow;
use std::fmt;

use crate::buffer::Buffer;
use crate::kernels::activation::Fused;
use crate::random::{Address, Purpose};
use crate::shape::Shape;

use super::activation::Activation;

/// One layer of a network.
///
/// The core is [`forward`](Layer::forward) and [`backward`](Layer::backward), which every layer has. A layer that
/// checks its input, or whose output has another shape, also has [`build`](Layer::build); one with parameters has
/// [`params`](Layer::params), [`params_mut`](Layer::params_mut) and [`initialize`](Layer::initialize). Everything else
/// is rarely needed, and has a default.
///
/// Inputs and outputs are slices. They hold one example or, for a layer that asks for it, all examples of a batch one
/// after the other, each in row-major order (an image as H W C). All passes take `&self`; a training pass saves what
/// the backward pass needs in a buffer that it is given. So several passes can run at the same time, and none of them
/// changes the layer.
///
/// `Debug` must show every setting that the output depends on, as the derived one does, because features remember their
/// [prefix](super::Prefix) by its layers' `Debug` text and parameters. (A [`Buffer`] shows only its length.)
///
/// ```
/// use thawline_tensor::nn::{Backward, Layer, check_gradients};
///
/// #[derive(Clone, Debug)]
/// struct LeakyReLU(f32);
///
/// impl Layer for LeakyReLU {
///     /// y = x where x > 0, else slope x
///     fn forward(&self, x: &[f32], y: &mut [f32]) {
///         y.iter_mut().zip(x).for_each(|(y, &x)| *y = if x > 0.0 { x } else { self.0 * x });
///     }
///
///     /// dx = dy where x > 0, else slope dy
///     fn backward(&self, pass: Backward<'_>) {
///         let Some(dx) = pass.dx else { return };
///         for ((dx, &dy), &x) in dx.iter_mut().zip(&*pass.dy).zip(pass.x) {
///             *dx = if x > 0.0 { dy } else { self.0 * dy };
///         }
///     }
/// }
///
/// check_gradients(LeakyReLU(0.1), [4, 4, 3])?;
/// # Ok::<(), thawline_tensor::nn::GradientError>(())
/// ```
pub trait Layer: CloneLayer + fmt::Debug + Send + Sync {
    /// Checks the shape of one input example, sets the shapes of the parameters, and returns the shape of one output.
    /// The parameters get no values yet, so nothing large is allocated. Called once, when the network is built, with
    /// the layer's position in it, counted from 1. By default the output has the input's shape.
    ///
    /// # Errors
    /// If the input does not fit.
    fn build(&mut self, input: &Shape, position: usize) -> Result<Shape, BuildError> {
        let _ = position;
        Ok(input.clone())
    }

    /// y from x in inference: a pure function of each example.
    fn forward(&self, x: &[f32], y: &mut [f32]);

    /// The gradients of the last [`forward_training`](Layer::forward_training) pass over the same examples.
    fn backward(&self, pass: Backward<'_>);

    /// The parameters, the statistics last.
    fn params(&self) -> &[Param] {
        &[]
    }

    /// The parameters, to change; call [`refresh`](Layer::refresh) afterwards.
    fn params_mut(&mut self) -> &mut [Param] {
        &mut []
    }

    /// Gives the parameters their initial values. Called after [`build`](Layer::build).
    ///
    /// # Errors
    /// If there is no memory for them.
    fn initialize(&mut self, seed: LayerSeed) -> Result<(), BuildError> {
        let _ = seed;
        Ok(())
    }

    /// The layer's type as the summary shows it; by default the name of the Rust type.
    fn kind(&self) -> &'static str {
        let name = std::any::type_name::<Self>();
        let name = name.split_once('<').map_or(name, |(name, _)| name);
        name.rsplit_once("::").map_or(name, |(_, name)| name)
    }

    /// y from x in training. Override it if training differs from inference: it may be random, depend on the whole
    /// batch, or write to `saved` what [`backward`](Layer::backward) needs besides x and y.
    fn forward_training(&self, x: &[f32], y: &mut [f32], saved: &mut [f32], step: Step) {
        let _ = (saved, step);
        self.forward(x, y);
    }

    /// The number of floats that a training pass over this many examples saves.
    fn saved_len(&self, examples: usize) -> usize {
        let _ = examples;
        0
    }

    /// Floats of the gradient while it is summed over examples; by default one per float of the parameters that are not
    /// statistics.
    fn gradient_len(&self) -> usize {
        self.params().iter().filter(|param| !param.statistic).map(|param| param.shape.size()).sum()
    }

    /// Turns a summed gradient, in place, into the parameters' gradients one after the other, if
    /// [`backward`](Layer::backward) sums them in another form.
    fn finish_gradient(&self, gradient: &mut [f32]) {
        let _ = gradient;
    }

    /// Updates the statistics from what the last training pass saved; called once per step, unless the layer is
    /// frozen. For a layer that gets one example at a time, `saved` is empty.
    fn update_statistics(&mut self, saved: &[f32]) {
        let _ = saved;
    }

    /// Recomputes what the layer derives from its parameters. Called after they change, except by
    /// [`initialize`](Layer::initialize): that method calls it itself.
    fn refresh(&mut self) {}

    /// Floats of each buffer that the layer derives from its parameters.
    fn derived_lens(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Floats of scratch for a pass over this many examples: on the calling thread, and on each working thread.
    fn scratch_lens(&self, examples: usize) -> [usize; 2] {
        let _ = examples;
        [0; 2]
    }

    /// Whether training passes are random. A random layer is never part of a frozen prefix.
    fn is_random(&self) -> bool {
        false
    }

    /// Whether training passes need all examples of a batch at once, and are parallel inside. Other layers may get one
    /// example at a time.
    fn whole_batch(&self) -> bool {
        false
    }

    /// Whether the layer is faster, and parallel inside, if it gets all examples of a batch at once, although it can
    /// work on one.
    fn prefers_whole_batch(&self) -> bool {
        self.whole_batch()
    }

    /// Floating-point operations of one example forward, by the direct method (the definition). A multiply-add is two.
    fn flops(&self) -> u64 {
        0
    }

    /// As [`flops`](Layer::flops), but of the products that are executed: Winograd's method needs about a quarter, not
    /// counting its transforms.
    fn flops_done(&self) -> u64 {
        self.flops()
    }

    /// The work of this layer that the layer before it may do instead.
    fn role(&self) -> Role {
        Role::Other
    }

    /// Fuses the next layer into this one, if it can do both in one pass; returns whether it did. Called after `build`.
    fn absorb(&mut self, next: Role) -> bool {
        let _ = next;
        false
    }
}

/// Clones a boxed layer. Every layer that is `Clone` implements it.
pub trait CloneLayer {
    /// A copy, parameters included.
    fn clone_layer(&self) -> Box<dyn Layer>;
}

impl<L: Layer + Clone + 'static> CloneLayer for L {
    fn clone_layer(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Layer> {
    fn clone(&self) -> Self {
        (**self).clone_layer()
    }
}

impl<L: Layer + 'static> From<L> for Box<dyn Layer> {
    fn from(layer: L) -> Self {
        Box::new(layer)
    }
}

/// A parameter of a layer: values, and whether training may change them.
#[derive(Clone, Debug)]
pub struct Param {
    /// `kernel`, `bias` and the like, as Keras calls them.
    pub name: Cow<'static, str>,
    /// The dimensions.
    pub shape: Shape,
    /// The values, in row-major order; empty until the layer is [initialized](Layer::initialize).
    pub value: Buffer,
    /// Whether training changes the values. A frozen parameter has no moments, and a layer whose parameters are all
    /// frozen has no gradient.
    pub trainable: bool,
    /// Whether training computes the values from the examples, like a moving mean, instead of by gradient descent.
    pub statistic: bool,
}

impl Param {
    /// A trainable parameter, without values yet.
    pub fn new(name: impl Into<Cow<'static, str>>, shape: impl Into<Shape>) -> Self {
        Self { name: name.into(), shape: shape.into(), value: Buffer::default(), trainable: true, statistic: false }
    }

    /// A statistic of the examples. It comes after the layer's other parameters.
    pub fn statistic(name: impl Into<Cow<'static, str>>, shape: impl Into<Shape>) -> Self {
        Self { statistic: true, ..Self::new(name, shape) }
    }

    /// Whether gradients change the values: then an optimizer has moments for them.
    pub fn is_learned(&self) -> bool {
        self.trainable && !self.statistic
    }
}

/// What the initial weights of a layer depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSeed {
    /// The network's seed.
    pub seed: u64,
    /// The layer's position in the network, counted from 1; inside a `Residual`, a number that no other layer has, if
    /// the network has at most 1,000 layers.
    pub position: usize,
}

/// Why a layer cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The input or a setting does not fit; the message says why.
    #[error("{0}")]
    Misfit(String),
    /// Too little memory for its weights, at this time or on this machine.
    #[error("there is no memory for its {weights} weights")]
    NoMemory {
        /// How many there are.
        weights: usize,
    },
}

impl From<String> for BuildError {
    fn from(reason: String) -> Self {
        BuildError::Misfit(reason)
    }
}

impl From<&str> for BuildError {
    fn from(reason: &str) -> Self {
        BuildError::Misfit(reason.to_owned())
    }
}

/// A point in training. It decides the augmentation of an example and, with a layer's position, that layer's random
/// choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The training seed.
    pub seed: u64,
    /// The number of steps before this one.
    pub step: u64,
    /// The position in the batch of the first example.
    pub example: u64,
}

impl Step {
    /// The same step, for examples that start this much later in the batch.
    pub fn later(self, examples: usize) -> Self {
        Self { example: self.example + examples as u64, ..self }
    }

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
    /// What the layer saved in the forward pass.
    pub saved: &'a [f32],
    /// The gradient of the loss with respect to the output; the layer may overwrite it.
    pub dy: &'a mut [f32],
    /// The gradient with respect to the input, to overwrite; `None` if no layer before this one is trainable.
    pub dx: Option<&'a mut [f32]>,
    /// The gradient with respect to the parameters, [`Layer::gradient_len`] floats; `None` if none is trainable.
    pub gradient: Option<&'a mut [f32]>,
    /// Whether to add to the gradient of earlier examples instead of overwriting it. Never for a whole-batch layer.
    pub accumulate: bool,
    /// As in the forward pass.
    pub step: Step,
}

/// What a layer does, if the layer before it can do the same in its own pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// ReLU or ReLU6.
    Activation(Activation),
    /// The maximum of 2 x 2 windows that do not overlap.
    MaxPool2x2,
    /// Only the shape changes.
    Reshape,
    /// Anything else.
    Other,
}

impl Role {
    /// Fuses an activation into a layer that has nothing fused yet; returns whether it did.
    pub(super) fn fuse_into(self, fused: &mut Fused) -> bool {
        match self {
            Role::Activation(activation) if *fused == Fused::None => {
                *fused = activation.function();
                true
            }
            _ => false,
        }
    }
}
