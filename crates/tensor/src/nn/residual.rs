//! `Residual`: layers f with a connection around them, y = x + f(x) (He et al. 2016).

use std::ops::Range;

use crate::dispatch;
use crate::kernels::sums::add_to;
use crate::kernels::window::MAX_PRODUCT;
use crate::shape::Shape;
use crate::threads::with_scratch;

use super::freeze;
use super::init::zeros;
use super::layer::{Backward, BuildError, Layer, LayerSeed, Param, Step};
use super::network::{Network, Node, params};
use super::windowed::require_image;

/// The maximum number of layers inside, so that positions, and with them initial weights, stay distinct in a network.
const MAX_LAYERS: usize = 1000;

/// A list of layers whose output is added to their input: y = x + f(x), where x and f(x) are images of the same shape.
/// The parameters of a layer inside are called `depthwise/kernel` and the like.
///
/// The layers inside must work on one example at a time and not be random, so batch normalization and dropout are
/// refused.
///
/// ```
/// use thawline_tensor::nn::{Activation, Conv2D, DepthwiseConv2D, Network, Padding, Residual};
///
/// let block = Residual::new()
///     .layer("expand", Conv2D::new(96, [1, 1]))
///     .layer("relu6", Activation::Relu6)
///     .layer("depthwise", DepthwiseConv2D::new([3, 3]).padding(Padding::Same))
///     .layer("project", Conv2D::new(16, [1, 1]));
/// let network = Network::builder([24, 24, 16]).layer("block", block).build(1)?;
/// assert!(network.params().any(|(name, _)| name == "block/depthwise/kernel"));
/// # Ok::<(), thawline_tensor::nn::NetworkError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Residual {
    layers: Vec<(String, Box<dyn Layer>)>,
    /// The layers as executed, once built.
    nodes: Vec<Node>,
    spans: Vec<Span>,
    /// The parameters of all nodes. The nodes read copies, which `refresh` makes.
    params: Vec<Param>,
}

/// Where a node's floats are, among those of all nodes.
#[derive(Clone, Debug)]
struct Span {
    /// Its output, in the saved floats.
    y: Range<usize>,
    /// What its layer itself saves, in the saved floats.
    saved: Range<usize>,
    /// The gradient of its parameters, in the whole gradient.
    gradient: Range<usize>,
}

impl Residual {
    /// Without layers. A network refuses it until it has some.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a layer to f.
    pub fn layer(mut self, name: impl Into<String>, layer: impl Into<Box<dyn Layer>>) -> Self {
        self.layers.push((name.into(), layer.into()));
        self
    }

    /// Floats of an input or output.
    fn len(&self) -> usize {
        self.nodes.last().map_or(0, |last| last.output.size())
    }

    fn widest(&self) -> usize {
        self.nodes.iter().map(|node| node.output.size()).max().unwrap_or(0)
    }

    /// The input of a node, from the input of the first and the saved outputs.
    fn input<'a>(&self, node: usize, x: &'a [f32], saved: &'a [f32]) -> &'a [f32] {
        node.checked_sub(1).map_or(x, |before| &saved[self.spans[before].y.clone()])
    }
}

impl Layer for Residual {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        require_image(input)?;
        if !(1..=MAX_LAYERS).contains(&self.layers.len()) {
            return Err(format!("it has {} layers inside; expected 1 to {MAX_LAYERS}", self.layers.len()).into());
        }
        let layers = std::mem::take(&mut self.layers).into_iter();
        let inside = layers.fold(Network::builder(input.clone()), |inside, (name, layer)| inside.layer(name, layer));
        let inside = inside.outline().map_err(|error| format!("inside it, {error}"))?;
        if inside.output() != input {
            let output = inside.output();
            return Err(format!("its layers turn {input} into {output}, and only equal shapes can be added").into());
        }
        if inside.nodes.is_empty() {
            return Err("its layers only change the shape".into());
        }
        if let Some(node) = inside.nodes.iter().find(|node| node.layer.whole_batch() || node.layer.is_random()) {
            let (name, kind) = (&node.name, node.layer.kind());
            return Err(format!("layer '{name}' ({kind}) inside it is random or needs the whole batch").into());
        }
        let sizes = inside.nodes.iter().map(|Node { layer, output, .. }| {
            [output.size(), layer.saved_len(1), layer.gradient_len()].into_iter().fold(0, usize::saturating_add)
        });
        if sizes.fold(0, usize::saturating_add) > MAX_PRODUCT {
            return Err("the number of floats inside it overflows".into());
        }
        let [mut saved, mut gradient] = [0, 0];
        let mut span = |node: &Node| {
            let (y, own) = (saved..saved + node.output.size(), node.layer.saved_len(1));
            saved = y.end + own;
            let start = gradient;
            gradient += node.layer.gradient_len();
            Span { saved: y.end..saved, y, gradient: start..gradient }
        };
        self.spans = inside.nodes.iter().map(&mut span).collect();
        self.params = params(&inside.nodes).map(|(name, param)| Param { name: name.into(), ..param.clone() }).collect();
        self.nodes = inside.nodes;
        Ok(input.clone())
    }

    fn initialize(&mut self, LayerSeed { seed, position }: LayerSeed) -> Result<(), BuildError> {
        // Random addresses have 32 bits for a position.
        let first = position.checked_mul(MAX_LAYERS).filter(|&first| first < u32::MAX as usize - MAX_LAYERS);
        let first = first.ok_or(
            "residual connections are nested too deeply; in a network of up to 1,000 layers two levels work".to_owned(),
        )?;
        let mut params = self.params.iter_mut();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            node.layer.initialize(LayerSeed { seed, position: first + index + 1 })?;
            for (inner, param) in node.layer.params().iter().zip(&mut params) {
                param.value = zeros(inner.value.len())?;
                param.value.copy_from_slice(&inner.value);
            }
        }
        Ok(())
    }

    /// y = x + f(x)
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks_exact(self.len()).zip(y.chunks_exact_mut(self.len())) {
            freeze::forward(&self.nodes, x, y);
            dispatch!(simd => add_to(simd, x, y));
        }
    }

    /// Like [`forward`](Layer::forward), but saves the outputs of the layers inside.
    fn forward_training(&self, x: &[f32], y: &mut [f32], saved: &mut [f32], step: Step) {
        let examples = x.chunks_exact(self.len()).zip(y.chunks_exact_mut(self.len()));
        for (example, ((x, y), saved)) in examples.zip(saved.chunks_exact_mut(self.saved_len(1))).enumerate() {
            for (index, (node, span)) in self.nodes.iter().zip(&self.spans).enumerate() {
                let (before, after) = saved.split_at_mut(span.y.start);
                let (y, own_saved) = after[..span.saved.end - span.y.start].split_at_mut(span.y.len());
                node.layer.forward_training(self.input(index, x, before), y, own_saved, step.later(example));
            }
            y.copy_from_slice(self.input(self.nodes.len(), x, saved));
            dispatch!(simd => add_to(simd, x, y));
        }
    }

    /// dx = dy + the gradient that the layers' backward passes, in reverse order, compute from dy
    fn backward(&self, pass: Backward<'_>) {
        let Backward { x, saved, dy, mut dx, mut gradient, accumulate, step, .. } = pass;
        let (len, widest) = (self.len(), self.widest());
        for (example, (dy, saved)) in dy.chunks_exact(len).zip(saved.chunks_exact(self.saved_len(1))).enumerate() {
            let x = &x[example * len..][..len];
            let mut dx = dx.as_deref_mut().map(|dx| &mut dx[example * len..][..len]);
            with_scratch(2 * widest, |scratch| {
                let (mut inner_dy, mut inner_dx) = scratch.split_at_mut(widest);
                inner_dy[..len].copy_from_slice(dy);
                for (index, (node, span)) in self.nodes.iter().zip(&self.spans).enumerate().rev() {
                    node.layer.backward(Backward {
                        x: self.input(index, x, saved),
                        y: &saved[span.y.clone()],
                        saved: &saved[span.saved.clone()],
                        dy: &mut inner_dy[..span.y.len()],
                        dx: match index {
                            0 => dx.as_deref_mut(),
                            _ => Some(&mut inner_dx[..node.input.size()]),
                        },
                        gradient: gradient.as_deref_mut().map(|gradient| &mut gradient[span.gradient.clone()]),
                        accumulate: accumulate || example > 0,
                        step: step.later(example),
                    });
                    (inner_dy, inner_dx) = (inner_dx, inner_dy);
                }
            });
            if let Some(dx) = dx {
                dispatch!(simd => add_to(simd, dy, dx));
            }
        }
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }

    fn refresh(&mut self) {
        let mut params = self.params.iter();
        for node in &mut self.nodes {
            let inside = node.layer.params_mut().iter_mut();
            inside.zip(&mut params).for_each(|(inside, param)| inside.value.clone_from(&param.value));
            node.layer.refresh();
        }
    }

    fn derived_lens(&self) -> Vec<usize> {
        let copies = self.params.iter().map(|param| param.shape.size());
        copies.chain(self.nodes.iter().flat_map(|node| node.layer.derived_lens())).collect()
    }

    fn scratch_lens(&self, examples: usize) -> [usize; 2] {
        let inside = self.nodes.iter().map(|node| node.layer.scratch_lens(examples));
        let [caller, each] = inside.fold([0, 0], |most, lens| [most[0].max(lens[0]), most[1].max(lens[1])]);
        [caller, each + 2 * self.widest()]
    }

    fn gradient_len(&self) -> usize {
        self.spans.last().map_or(0, |span| span.gradient.end)
    }

    fn finish_gradient(&self, gradient: &mut [f32]) {
        let mut end = 0;
        for (node, span) in self.nodes.iter().zip(&self.spans) {
            node.layer.finish_gradient(&mut gradient[span.gradient.clone()]);
            let params = node.layer.params().iter().filter(|param| !param.statistic);
            let len: usize = params.map(|param| param.shape.size()).sum();
            gradient.copy_within(span.gradient.start..span.gradient.start + len, end);
            end += len;
        }
    }

    /// The outputs of the layers inside, each followed by what its layer saves.
    fn saved_len(&self, examples: usize) -> usize {
        examples * self.spans.last().map_or(0, |span| span.saved.end)
    }

    fn flops(&self) -> u64 {
        self.nodes.iter().fold(self.len() as u64, |sum, node| sum.saturating_add(node.layer.flops()))
    }

    fn flops_done(&self) -> u64 {
        self.nodes.iter().fold(self.len() as u64, |sum, node| sum.saturating_add(node.layer.flops_done()))
    }
}
