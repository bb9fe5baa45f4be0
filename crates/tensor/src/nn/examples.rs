//! Examples: what a network is trained on and scored with.

use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::threads;

use super::freeze::{Fingerprint, Prefix};
use super::layer::Step;

/// Inputs of a network, each readable as floats: for example pictures kept as bytes, numbers in a tensor, or features
/// that are computed whenever they are read.
pub trait Inputs: Send + Sync {
    /// The shape of one input.
    fn shape(&self) -> &Shape;

    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes one input as floats.
    fn read(&self, index: usize, into: &mut [f32]);

    /// Writes one input as training sees it at a step: randomly changed, if these inputs are augmented.
    fn read_for_training(&self, index: usize, step: Step, into: &mut [f32]) {
        let _ = step;
        self.read(index, into);
    }

    /// Whether training sees them randomly changed. Features of such inputs are never cached.
    fn is_random(&self) -> bool {
        false
    }
}

/// Inputs and their labels, counted from 0. Features remember the frozen prefix that they come from.
///
/// ```
/// use thawline_tensor::{Tensor, nn::Examples};
///
/// // Four points of the plane.
/// let points = Tensor::from_slice([4, 2], &[0., 0., 0., 1., 1., 0., 1., 1.]);
/// let xor = Examples::new(points, vec![0, 1, 1, 0]);
/// assert_eq!(xor.inputs().shape().dims(), [2]);
/// assert_eq!(xor.select([3, 1, 1]).labels(), [0, 1, 1]);
/// ```
pub struct Examples<'a> {
    inputs: Box<dyn Inputs + 'a>,
    labels: Vec<u32>,
    features_of: Option<Fingerprint>,
}

impl<'a> Examples<'a> {
    /// Examples with one label each.
    ///
    /// # Panics
    /// If there are not as many labels as inputs.
    pub fn new(inputs: impl Inputs + 'a, labels: Vec<u32>) -> Self {
        assert_eq!(inputs.len(), labels.len(), "{} inputs were given {} labels", inputs.len(), labels.len());
        Self { inputs: Box::new(inputs), labels, features_of: None }
    }

    /// The same examples with their inputs changed.
    pub(super) fn map_inputs<I: Inputs + 'a>(self, change: impl FnOnce(Box<dyn Inputs + 'a>) -> I) -> Self {
        Self { inputs: Box::new(change(self.inputs)), ..self }
    }

    /// The inputs.
    pub fn inputs(&self) -> &(dyn Inputs + 'a) {
        &*self.inputs
    }

    /// The labels.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The labels at some indices.
    pub(super) fn labels_at(&self, indices: &[u32]) -> impl ExactSizeIterator<Item = u32> {
        indices.iter().map(|&index| self.labels[index as usize])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The examples at some indices, in that order; an index may occur several times.
    ///
    /// # Panics
    /// If there is no example at an index.
    pub fn select(&self, indices: impl Into<Vec<u32>>) -> Examples<'_> {
        let indices = indices.into();
        let labels = self.labels_at(&indices).collect();
        let inputs = Box::new(Selected { inputs: &*self.inputs, indices });
        Examples { inputs, labels, features_of: self.features_of }
    }

    /// The features of the examples: what the layers after a frozen prefix get, in the prefix's output shape. With
    /// `cached` they are computed once, here, unless the inputs are augmented; otherwise, whenever an example is read.
    /// Both ways give the same bits.
    ///
    /// [`Network::fit`](super::Network::fit), `predict` and `evaluate` take features in place of the examples, so
    /// several heads can share them; [`Network::prefix`](super::Network::prefix) has an example.
    ///
    /// # Errors
    /// If there is no memory for the cache.
    ///
    /// # Panics
    /// If these are features of another prefix.
    pub fn through<'b>(&'b self, prefix: Prefix<'b>, cached: bool) -> Result<Examples<'b>, NoMemory> {
        let inputs: Box<dyn Inputs + 'b> = match self.features_of {
            Some(of) => {
                assert_eq!(of, prefix.fingerprint(), "the examples are features of another frozen prefix");
                return Ok(Examples { inputs: Box::new(&*self.inputs), labels: self.labels.clone(), ..*self });
            }
            None if prefix.is_empty() => Box::new(&*self.inputs),
            None if cached && !self.inputs.is_random() => Box::new(features(&*self.inputs, prefix)?),
            None => Box::new(Through { inputs: &*self.inputs, prefix }),
        };
        let features_of = (!prefix.is_empty()).then(|| prefix.fingerprint());
        Ok(Examples { inputs, labels: self.labels.clone(), features_of })
    }

    /// The frozen prefix that the inputs went through.
    pub(super) fn features_of(&self) -> Option<Fingerprint> {
        self.features_of
    }
}

/// Too little memory for the feature cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no memory for {bytes} bytes of cached features; turn the cache off to compute them for each batch")]
pub struct NoMemory {
    /// The size of the cache.
    pub bytes: u64,
}

/// Bytes that the cached features of this many examples take.
pub fn cache_bytes(examples: usize, prefix: &Prefix) -> u64 {
    let floats = (examples as u64).saturating_mul(prefix.output().size() as u64);
    floats.saturating_mul(size_of::<f32>() as u64)
}

/// The features of all inputs, computed in parallel.
fn features(inputs: &dyn Inputs, prefix: Prefix) -> Result<Tensor, NoMemory> {
    let len = prefix.output().size();
    let bytes = cache_bytes(inputs.len(), &prefix);
    let mut dims = vec![inputs.len()];
    dims.extend(prefix.output().dims());
    let mut features = Tensor::try_zeros(Shape::new(dims)).ok_or(NoMemory { bytes })?;
    threads::for_chunks(features.data_mut(), len, |index, features| {
        read_through(inputs, index, None, &prefix, features)
    });
    Ok(features)
}

/// Reads an input; with a step, as training sees it.
pub(super) fn read(inputs: &dyn Inputs, index: usize, step: Option<Step>, into: &mut [f32]) {
    match step {
        Some(step) => inputs.read_for_training(index, step, into),
        None => inputs.read(index, into),
    }
}

/// Reads an input and runs it through a prefix.
fn read_through(inputs: &dyn Inputs, index: usize, step: Option<Step>, prefix: &Prefix, features: &mut [f32]) {
    threads::with_scratch(prefix.input().size(), |x| {
        read(inputs, index, step, x);
        prefix.forward(x, features);
    });
}

/// A tensor holds one example per index of its first dimension.
impl Inputs for Tensor {
    fn shape(&self) -> &Shape {
        self.example_shape()
    }

    fn len(&self) -> usize {
        Tensor::shape(self).dims().first().copied().unwrap_or(0)
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        into.copy_from_slice(&self.data()[index * into.len()..][..into.len()]);
    }
}

impl<I: Inputs + ?Sized> Inputs for &I {
    fn shape(&self) -> &Shape {
        (**self).shape()
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        (**self).read(index, into);
    }

    fn read_for_training(&self, index: usize, step: Step, into: &mut [f32]) {
        (**self).read_for_training(index, step, into);
    }

    fn is_random(&self) -> bool {
        (**self).is_random()
    }
}

/// A selection of other inputs.
struct Selected<'a> {
    inputs: &'a dyn Inputs,
    indices: Vec<u32>,
}

impl Inputs for Selected<'_> {
    fn shape(&self) -> &Shape {
        self.inputs.shape()
    }

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        self.inputs.read(self.indices[index] as usize, into);
    }

    fn read_for_training(&self, index: usize, step: Step, into: &mut [f32]) {
        self.inputs.read_for_training(self.indices[index] as usize, step, into);
    }

    fn is_random(&self) -> bool {
        self.inputs.is_random()
    }
}

/// Inputs that pass through a frozen prefix whenever they are read.
struct Through<'a> {
    inputs: &'a dyn Inputs,
    prefix: Prefix<'a>,
}

impl Inputs for Through<'_> {
    fn shape(&self) -> &Shape {
        self.prefix.output()
    }

    fn len(&self) -> usize {
        self.inputs.len()
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        read_through(self.inputs, index, None, &self.prefix, into);
    }

    fn read_for_training(&self, index: usize, step: Step, into: &mut [f32]) {
        read_through(self.inputs, index, Some(step), &self.prefix, into);
    }

    fn is_random(&self) -> bool {
        self.inputs.is_random()
    }
}
