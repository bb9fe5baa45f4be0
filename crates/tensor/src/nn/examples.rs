//! Examples: what a network is trained on and scored with.

use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::threads;

use super::layer::Step;
use super::network::Prefix;

/// Inputs of a network, each readable as floats: pictures kept as bytes, features in a tensor, or features that are
/// computed whenever they are read.
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

    /// Writes one input as training sees it at a step: changed at random, if these inputs are.
    fn read_for_training(&self, index: usize, step: Step, into: &mut [f32]) {
        let _ = step;
        self.read(index, into);
    }

    /// Whether training sees them changed at random. What follows from such inputs is never kept.
    fn is_random(&self) -> bool {
        false
    }
}

/// Inputs and their labels.
pub struct Examples<'a> {
    inputs: Box<dyn Inputs + 'a>,
    labels: Vec<u32>,
}

impl<'a> Examples<'a> {
    /// Examples with a label each.
    ///
    /// # Panics
    /// If there are not as many labels as inputs.
    pub fn new(inputs: impl Inputs + 'a, labels: Vec<u32>) -> Self {
        assert_eq!(inputs.len(), labels.len(), "{} inputs were given {} labels", inputs.len(), labels.len());
        Self { inputs: Box::new(inputs), labels }
    }

    pub(super) fn into_parts(self) -> (Box<dyn Inputs + 'a>, Vec<u32>) {
        (self.inputs, self.labels)
    }

    /// The inputs.
    pub fn inputs(&self) -> &(dyn Inputs + 'a) {
        &*self.inputs
    }

    /// The labels.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The same examples as a frozen prefix shows them to the layers behind it. Computed once, here, where `cached` and
    /// never changed at random; else whenever an example is read. Both ways give the same bits.
    ///
    /// # Errors
    /// If there is no memory for the cache.
    pub fn through<'b>(&'b self, prefix: Prefix<'b>, cached: bool) -> Result<Examples<'b>, NoMemory> {
        let labels = self.labels.clone();
        if prefix.is_empty() {
            return Ok(Examples { inputs: Box::new(Same(&*self.inputs)), labels });
        }
        if cached && !self.inputs.is_random() {
            return Ok(Examples { inputs: Box::new(features(&*self.inputs, prefix)?), labels });
        }
        Ok(Examples {
            inputs: Box::new(Through { inputs: &*self.inputs, shape: prefix.output().clone(), prefix }),
            labels,
        })
    }
}

/// There is no memory for so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no memory for {bytes} bytes of cached features; turn the cache off to compute them for each batch")]
pub struct NoMemory {
    /// Bytes asked for.
    pub bytes: u64,
}

/// Bytes that the cached features of so many examples take.
pub fn cache_bytes(examples: usize, prefix: &Prefix) -> u64 {
    examples as u64 * prefix.output().size() as u64 * size_of::<f32>() as u64
}

/// The features of all inputs, computed in parallel.
fn features(inputs: &dyn Inputs, prefix: Prefix) -> Result<Tensor, NoMemory> {
    let len = prefix.output().size();
    let bytes = cache_bytes(inputs.len(), &prefix);
    let mut dims = vec![inputs.len()];
    dims.extend(prefix.output().dims());
    let mut features = Tensor::try_zeros(Shape::new(dims)).ok_or(NoMemory { bytes })?;
    threads::for_chunks(features.data_mut(), len, |index, features| read_through(inputs, index, &prefix, features));
    Ok(features)
}

/// Reads an input and sends it through a prefix.
fn read_through(inputs: &dyn Inputs, index: usize, prefix: &Prefix, features: &mut [f32]) {
    threads::with_scratch(prefix.input().size(), |x| {
        inputs.read(index, x);
        prefix.infer(x, features);
    });
}

/// A tensor's examples are its first dimension.
impl Inputs for Tensor {
    fn shape(&self) -> &Shape {
        self.example_shape()
    }

    fn len(&self) -> usize {
        Tensor::shape(self).dims()[0]
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        into.copy_from_slice(&self.data()[index * into.len()..][..into.len()]);
    }
}

struct Same<'a>(&'a dyn Inputs);

impl Inputs for Same<'_> {
    fn shape(&self) -> &Shape {
        self.0.shape()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        self.0.read(index, into);
    }

    fn read_for_training(&self, index: usize, step: Step, into: &mut [f32]) {
        self.0.read_for_training(index, step, into);
    }

    fn is_random(&self) -> bool {
        self.0.is_random()
    }
}

/// Inputs that go through a frozen prefix whenever they are read.
struct Through<'a> {
    inputs: &'a dyn Inputs,
    shape: Shape,
    prefix: Prefix<'a>,
}

impl Inputs for Through<'_> {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn len(&self) -> usize {
        self.inputs.len()
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        read_through(self.inputs, index, &self.prefix, into);
    }

    fn read_for_training(&self, index: usize, step: Step, into: &mut [f32]) {
        threads::with_scratch(self.prefix.input().size(), |x| {
            self.inputs.read_for_training(index, step, x);
            self.prefix.infer(x, into);
        });
    }

    fn is_random(&self) -> bool {
        self.inputs.is_random()
    }
}
