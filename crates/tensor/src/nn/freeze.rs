//! Freezing, and the thawline: where a network is cut into a frozen prefix and the head that is trained.
//!
//! A frozen layer keeps every bit of its parameters, and has no gradient and no moments. The frozen layers before the
//! thawline are a pure function of one example, so their outputs, the features, can be computed once and cached.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::shape::Shape;
use crate::threads;

use super::network::{Network, NetworkError, Node, node_count};

impl Network {
    /// Freezes the parameters of every layer up to and including the named one, and unfreezes those after it.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn freeze_through(&mut self, name: &str) -> Result<(), NetworkError> {
        let position = self.position(name)?;
        let frozen = node_count(&self.layers[..=position]);
        for (index, node) in self.nodes.iter_mut().enumerate() {
            node.set_trainable(index >= frozen);
        }
        Ok(())
    }

    /// Freezes or unfreezes the parameters of one layer, if it has any.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn set_trainable(&mut self, name: &str, trainable: bool) -> Result<(), NetworkError> {
        let position = self.position(name)?;
        if let Some(node) = self.layers[position].own_node(&mut self.nodes) {
            node.set_trainable(trainable);
        }
        Ok(())
    }

    /// Makes every parameter trainable.
    pub fn unfreeze(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.set_trainable(true));
    }

    /// Sets the factor by which the learning rate of one layer's parameters is multiplied (at first 1).
    ///
    /// # Errors
    /// If there is no such layer.
    ///
    /// # Panics
    /// If the factor is negative or not finite.
    pub fn set_rate_factor(&mut self, name: &str, factor: f64) -> Result<(), NetworkError> {
        assert!(factor.is_finite() && factor >= 0.0, "the rate factor is {factor}; it must be a number from 0");
        let position = self.position(name)?;
        if let Some(node) = self.layers[position].own_node(&mut self.nodes) {
            node.rate_factor = factor;
        }
        Ok(())
    }

    /// The thawline: the number of nodes before the first that is trainable or random.
    pub fn thawline(&self) -> usize {
        let is_pure = |node: &&Node| !node.is_trainable() && !node.layer.is_random();
        self.nodes.iter().take_while(is_pure).count()
    }

    /// Cuts the network at the thawline into the frozen prefix, as a shared reference, and the nodes of the head, which
    /// can be trained. So the borrow checker guarantees that the prefix stays frozen.
    pub fn split(&mut self) -> (Prefix<'_>, &mut [Node]) {
        let thawline = self.thawline();
        let (frozen, head) = self.nodes.split_at_mut(thawline);
        (Prefix { input: &self.input, nodes: frozen }, head)
    }

    /// The frozen prefix. Several heads can share its outputs, the features:
    ///
    /// ```
    /// # use thawline_tensor::{Tensor, nn::{Activation, Dense, Examples, Fit, Network}};
    /// let builder = Network::builder([2]).layer("hidden", Dense::new(8)).layer("relu", Activation::Relu);
    /// let mut model_1 = builder.layer("head", Dense::new(2)).build(1)?;
    /// let mut model_2 = model_1.clone().replace_head("head")?.layer("new_head", Dense::new(3)).build(2)?;
    /// model_1.freeze_through("relu")?;
    /// model_2.freeze_through("relu")?;
    ///
    /// let points = Examples::new(Tensor::from_slice([3, 2], &[0., 1., 1., 0., 1., 1.]), vec![0, 1, 0]);
    /// let frozen = model_1.clone();
    /// let features = points.through(frozen.prefix(), true)?; // 3 examples x 8, computed once
    /// model_1.fit(&features, Fit::default())?;
    /// model_2.fit(&features, Fit::default())?;
    /// assert_eq!(model_2.predict(&features).logits().data(), model_2.predict(&points).logits().data());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prefix(&self) -> Prefix<'_> {
        Prefix { input: &self.input, nodes: &self.nodes[..self.thawline()] }
    }
}

impl Node {
    fn set_trainable(&mut self, trainable: bool) {
        self.layer.params_mut().iter_mut().for_each(|param| param.trainable = trainable);
    }
}

/// The frozen layers before the thawline: a pure function of one example.
#[derive(Clone, Copy, Debug)]
pub struct Prefix<'a> {
    input: &'a Shape,
    nodes: &'a [Node],
}

/// A hash of what a prefix's features depend on besides the inputs: its layers and every bit of its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl<'a> Prefix<'a> {
    /// The nodes.
    pub fn nodes(&self) -> &'a [Node] {
        self.nodes
    }

    /// Whether it has no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The shape of one input.
    pub fn input(&self) -> &'a Shape {
        self.input
    }

    /// The shape of one output.
    pub fn output(&self) -> &'a Shape {
        self.nodes.last().map_or(self.input, |last| &last.output)
    }

    /// Floating-point operations of one example, by the direct method.
    pub fn flops(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, node| sum.saturating_add(node.layer.flops()))
    }

    /// y of one example.
    pub fn forward(&self, x: &[f32], y: &mut [f32]) {
        forward(self.nodes, x, y);
    }

    /// A hash that identifies this prefix's features.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        self.input.hash(&mut hasher);
        for node in self.nodes {
            // A layer's `Debug` text shows its settings: its activation, stride and what is fused into it. The size
            // counts, not the shape, because a flattened output holds the same floats.
            (format!("{:?}", node.layer), node.output.size()).hash(&mut hasher);
            for param in node.layer.params() {
                hasher.write(bytemuck::cast_slice(&param.value));
            }
        }
        Fingerprint(hasher.finish())
    }
}

/// y of one example, through all nodes in inference.
pub(super) fn forward(nodes: &[Node], x: &[f32], y: &mut [f32]) {
    let [first, middle @ .., last] = nodes else {
        match nodes {
            [only] => only.layer.forward(x, y),
            _ => y.copy_from_slice(x),
        }
        return;
    };
    let widest = nodes.iter().map(|node| node.output.size()).max().unwrap_or(0);
    threads::with_scratch(2 * widest, |scratch| {
        let (mut input, mut output) = scratch.split_at_mut(widest);
        first.layer.forward(x, &mut input[..first.output.size()]);
        for node in middle {
            node.layer.forward(&input[..node.input.size()], &mut output[..node.output.size()]);
            (input, output) = (output, input);
        }
        last.layer.forward(&input[..last.input.size()], y);
    });
}
