//! The network: an ordered list of named layers, and the thawline that divides it.

use std::collections::HashSet;

use crate::shape::Shape;
use crate::threads;

use super::init;
use super::layer::{Layer, Param, Role};

/// The most parameters of a layer, more than any machine holds. Below it no layer's floats, bytes or operations overflow.
const MOST_PARAMETERS: usize = 1 << 56;

/// A list of named layers, built once with all shapes checked.
///
/// Layers that can be done in passing are folded into the one before them ([`Layer::absorb`]), so a network executes
/// fewer [`Node`]s than it has layers; names, freezing and the summary speak of the layers as they were listed.
#[derive(Debug)]
pub struct Network {
    pub(super) input: Shape,
    pub(super) layers: Vec<Listed>,
    pub(super) nodes: Vec<Node>,
}

/// A layer as it was listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub name: String,
    pub kind: &'static str,
    pub output: Shape,
    pub parameters: usize,
    pub flops: u64,
    /// The node that does its work; none where it only changes the shape of the network's input.
    pub node: Option<usize>,
}

/// A layer as it is executed, with what was folded into it.
#[derive(Debug)]
pub struct Node {
    pub(super) name: String,
    pub(super) layer: Box<dyn Layer>,
    pub(super) input: Shape,
    pub(super) output: Shape,
    /// Scales the learning rate of its parameters.
    pub(super) rate_factor: f64,
}

impl Node {
    /// The name of the layer, or of the first where several were folded together.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The layer.
    pub fn layer(&self) -> &dyn Layer {
        &*self.layer
    }

    /// Whether training changes anything here.
    pub fn is_trainable(&self) -> bool {
        self.layer.params().iter().any(|param| param.trainable)
    }
}

/// A layer whose shape does not fit, or a name that is not in the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// A layer and its input do not fit.
    #[error("layer {position} '{name}' ({kind}) cannot take an input of {input}: {reason}")]
    Shape {
        /// Counted from 1.
        position: usize,
        /// The layer's name.
        name: String,
        /// The layer's type.
        kind: &'static str,
        /// The shape that the layers before it give.
        input: Shape,
        /// What does not fit.
        reason: String,
    },
    /// Two layers have one name.
    #[error("layer {position} is called '{name}' like an earlier one; every layer needs a name of its own")]
    DuplicateName {
        /// Counted from 1.
        position: usize,
        /// The name.
        name: String,
    },
    /// There is no such layer.
    #[error("there is no layer '{name}'; the layers are {known}")]
    UnknownLayer {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}

impl NetworkError {
    /// Whether nothing is wrong but that memory ran out: the same network may be built later, or elsewhere.
    pub fn is_lack_of_memory(&self) -> bool {
        matches!(self, NetworkError::Shape { reason, .. } if reason.starts_with(init::NO_MEMORY))
    }
}

/// Lists the layers of a network.
#[derive(Debug)]
pub struct Builder {
    input: Shape,
    layers: Vec<(String, Box<dyn Layer>)>,
}

impl Builder {
    /// Appends a layer.
    pub fn layer(mut self, name: impl Into<String>, layer: impl Layer + 'static) -> Self {
        self.layers.push((name.into(), Box::new(layer)));
        self
    }

    /// Appends a layer whose type is known only at run time.
    pub fn boxed(mut self, name: impl Into<String>, layer: Box<dyn Layer>) -> Self {
        self.layers.push((name.into(), layer));
        self
    }

    /// Checks every shape and gives the parameters their initial values, which depend on the seed alone.
    ///
    /// # Errors
    /// Names the first layer that does not fit, its input and the reason.
    pub fn build(self, seed: u64) -> Result<Network, NetworkError> {
        let mut network = self.outline()?;
        network.initialize(seed)?;
        Ok(network)
    }

    /// Checks every shape, and allocates nothing large: the network's shapes and costs are known, and its parameters have
    /// no values until [`Network::initialize`] or [`Network::update_params`] gives them some.
    ///
    /// # Errors
    /// Names the first layer that does not fit, its input and the reason.
    pub fn outline(self) -> Result<Network, NetworkError> {
        let mut network = Network { input: self.input, layers: Vec::new(), nodes: Vec::new() };
        let mut names = HashSet::new();
        for (name, layer) in self.layers {
            if !names.insert(name.clone()) {
                return Err(NetworkError::DuplicateName { position: network.layers.len() + 1, name });
            }
            network.append(name, layer)?;
        }
        Ok(network)
    }
}

impl Network {
    /// A network for inputs of a shape, with no layer yet.
    pub fn builder(input: impl Into<Shape>) -> Builder {
        Builder { input: input.into(), layers: Vec::new() }
    }

    /// Appends a layer to a built network.
    ///
    /// # Errors
    /// If it does not fit, or its name is taken.
    pub fn push(&mut self, name: String, layer: Box<dyn Layer>, seed: u64) -> Result<(), NetworkError> {
        if self.layers.iter().any(|listed| listed.name == name) {
            return Err(NetworkError::DuplicateName { position: self.layers.len() + 1, name });
        }
        self.append(name, layer)?;
        self.initialize_layer(self.layers.len() - 1, seed)
    }

    /// Gives all parameters their initial values, which depend on the seed alone.
    ///
    /// # Errors
    /// Names the first layer that there is no memory for.
    pub fn initialize(&mut self, seed: u64) -> Result<(), NetworkError> {
        (0..self.layers.len()).try_for_each(|index| self.initialize_layer(index, seed))
    }

    fn initialize_layer(&mut self, index: usize, seed: u64) -> Result<(), NetworkError> {
        let Listed { name, kind, node, .. } = &self.layers[index];
        // What is folded into another layer has no parameters.
        let Some(node) = node.map(|node| &mut self.nodes[node]).filter(|node| node.name == *name) else {
            return Ok(());
        };
        let position = index + 1;
        node.layer.initialize(seed, position).map_err(|reason| NetworkError::Shape {
            position,
            name: name.clone(),
            kind,
            input: node.input.clone(),
            reason,
        })
    }

    /// Appends a layer of a new name, without values for its parameters.
    fn append(&mut self, name: String, mut layer: Box<dyn Layer>) -> Result<(), NetworkError> {
        let position = self.layers.len() + 1;
        let (input, kind) = (self.output().clone(), layer.kind());
        let error =
            |reason: String| NetworkError::Shape { position, name: name.clone(), kind, input: input.clone(), reason };
        let output = layer.build(&input, position).map_err(error)?;
        if output.checked_size().is_none_or(|size| size == 0) {
            return Err(error(format!("it would give an output of {output}")));
        }
        let add = |sum: usize, param: &Param| sum.checked_add(param.shape.checked_size()?);
        let parameters = layer.params().iter().try_fold(0, add).filter(|&parameters| parameters <= MOST_PARAMETERS);
        let parameters = parameters.ok_or_else(|| error("its number of weights overflows".to_owned()))?;
        let folded = match (layer.role(), self.nodes.last_mut()) {
            (Role::Reshape, _) => true,
            (role, Some(last)) => last.layer.absorb(role),
            _ => false,
        };
        self.layers.push(Listed {
            name: name.clone(),
            kind,
            output: output.clone(),
            parameters,
            flops: layer.flops(),
            node: if folded { self.nodes.len().checked_sub(1) } else { Some(self.nodes.len()) },
        });
        match self.nodes.last_mut() {
            Some(last) if folded => last.output = output,
            _ if folded => {}
            _ => self.nodes.push(Node { name, layer, input, output, rate_factor: 1.0 }),
        }
        Ok(())
    }

    /// Takes away the layers from the named one on: a head that is to be replaced.
    ///
    /// # Errors
    /// If there is no such layer, or it is folded into an earlier one that would stay.
    pub fn truncate(&mut self, from: &str) -> Result<(), NetworkError> {
        let position = self.position(from)?;
        let kept = self.layers[..position].iter().filter_map(|listed| listed.node).max().map_or(0, |node| node + 1);
        if self.layers[position..]
            .iter()
            .any(|listed| listed.node.is_some_and(|node| node < kept) && listed.kind != "Flatten")
        {
            return Err(NetworkError::Shape {
                position: position + 1,
                name: from.to_owned(),
                kind: self.layers[position].kind,
                input: self.layers[position].output.clone(),
                reason: "it is folded into the layer before it, and cannot be taken away alone".into(),
            });
        }
        self.layers.truncate(position);
        self.nodes.truncate(kept);
        if let (Some(node), Some(listed)) = (self.nodes.last_mut(), self.layers.last()) {
            node.output = listed.output.clone();
        }
        Ok(())
    }

    fn position(&self, name: &str) -> Result<usize, NetworkError> {
        self.layers.iter().position(|listed| listed.name == name).ok_or_else(|| NetworkError::UnknownLayer {
            name: name.to_owned(),
            known: {
                let (shown, hidden) = self.layers.split_at(self.layers.len().min(30));
                let known = shown.iter().map(|listed| listed.name.as_str()).collect::<Vec<_>>().join(", ");
                if hidden.is_empty() { known } else { format!("{known} and {} more", hidden.len()) }
            },
        })
    }

    /// The shape of one input.
    pub fn input(&self) -> &Shape {
        &self.input
    }

    /// The shape of one output.
    pub fn output(&self) -> &Shape {
        self.layers.last().map_or(&self.input, |last| &last.output)
    }

    /// The layers as they are executed.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The names of the layers as they were listed.
    pub fn layer_names(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().map(|listed| listed.name.as_str())
    }

    /// Every parameter, with its full name, `layer/kernel`.
    pub fn params(&self) -> impl Iterator<Item = (String, &Param)> {
        params(&self.nodes)
    }

    /// Changes parameters, by their full names.
    pub fn update_params(&mut self, mut change: impl FnMut(&str, &mut Param)) {
        for node in &mut self.nodes {
            for param in node.layer.params_mut() {
                change(&format!("{}/{}", node.name, param.name), param);
            }
            // An outline's layers have nothing to derive anything from.
            if node.layer.params().iter().all(|param| param.value.len() == param.shape.size()) {
                node.layer.refresh();
            }
        }
    }

    /// Freezes the parameters of every layer up to and including the named one, and unfreezes those behind it.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn freeze_through(&mut self, name: &str) -> Result<(), NetworkError> {
        let position = self.position(name)?;
        let frozen = self.layers[..=position].iter().filter_map(|listed| listed.node).max().map_or(0, |node| node + 1);
        for (index, node) in self.nodes.iter_mut().enumerate() {
            set_trainable(node, index >= frozen);
        }
        Ok(())
    }

    /// Freezes or unfreezes the parameters of one layer; a layer without parameters is as it was.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn set_trainable(&mut self, name: &str, trainable: bool) -> Result<(), NetworkError> {
        if let Some(node) = self.own_node(name)? {
            set_trainable(node, trainable);
        }
        Ok(())
    }

    /// Makes every parameter trainable.
    pub fn unfreeze(&mut self) {
        self.nodes.iter_mut().for_each(|node| set_trainable(node, true));
    }

    /// Scales the learning rate of one layer's parameters.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn set_rate_factor(&mut self, name: &str, factor: f64) -> Result<(), NetworkError> {
        if let Some(node) = self.own_node(name)? {
            node.rate_factor = factor;
        }
        Ok(())
    }

    /// The node of the named layer, unless that is folded into an earlier one, whose parameters are not its own.
    fn own_node(&mut self, name: &str) -> Result<Option<&mut Node>, NetworkError> {
        let node = self.layers[self.position(name)?].node;
        Ok(node.map(|node| &mut self.nodes[node]).filter(|node| node.name == name))
    }

    /// The thawline: how many nodes at the front are neither trainable nor random, before the first that is.
    pub fn thawline(&self) -> usize {
        let free = |node: &Node| !node.is_trainable() && !node.layer.is_random();
        self.nodes.iter().take_while(|node| free(node)).count()
    }

    /// The network cut at the thawline: the frozen prefix to share, the head to train. That the prefix is frozen is then
    /// a fact of the borrow checker.
    pub fn split(&mut self) -> (Prefix<'_>, Head<'_>) {
        let thawline = self.thawline();
        let (frozen, head) = self.nodes.split_at_mut(thawline);
        let input = &self.input;
        let prefix = Prefix { input, nodes: frozen };
        (prefix, Head { nodes: head })
    }

    /// The frozen prefix alone.
    pub fn prefix(&self) -> Prefix<'_> {
        Prefix { input: &self.input, nodes: &self.nodes[..self.thawline()] }
    }

    /// The whole network as a pure function.
    pub fn as_prefix(&self) -> Prefix<'_> {
        Prefix { input: &self.input, nodes: &self.nodes }
    }
}

/// Every parameter of some nodes, with its full name.
pub(super) fn params(nodes: &[Node]) -> impl Iterator<Item = (String, &Param)> {
    nodes
        .iter()
        .flat_map(|node| node.layer.params().iter().map(move |param| (format!("{}/{}", node.name, param.name), param)))
}

fn set_trainable(node: &mut Node, trainable: bool) {
    node.layer.params_mut().iter_mut().for_each(|param| param.trainable = trainable);
}

/// Layers that nothing changes: a pure function of one example.
#[derive(Clone, Copy, Debug)]
pub struct Prefix<'a> {
    input: &'a Shape,
    nodes: &'a [Node],
}

/// The layers behind the thawline, to train.
#[derive(Debug)]
pub struct Head<'a> {
    nodes: &'a mut [Node],
}

impl<'a> Head<'a> {
    /// The layers.
    pub fn into_nodes(self) -> &'a mut [Node] {
        self.nodes
    }
}

impl<'a> Prefix<'a> {
    /// The layers.
    pub fn nodes(&self) -> &'a [Node] {
        self.nodes
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The shape of what goes in.
    pub fn input(&self) -> &'a Shape {
        self.input
    }

    /// The shape of what comes out.
    pub fn output(&self) -> &'a Shape {
        self.nodes.last().map_or(self.input, |last| &last.output)
    }

    /// Floating-point operations of one example.
    pub fn flops(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, node| sum.saturating_add(node.layer.flops()))
    }

    /// y of one example.
    pub fn infer(&self, x: &[f32], y: &mut [f32]) {
        let [first, middle @ .., last] = self.nodes else {
            match self.nodes {
                [only] => only.layer.infer(x, y),
                _ => y.copy_from_slice(x),
            }
            return;
        };
        let widest = self.nodes.iter().map(|node| node.output.size()).max().unwrap_or(0);
        threads::with_scratch(2 * widest, |scratch| {
            let (mut here, mut there) = scratch.split_at_mut(widest);
            first.layer.infer(x, &mut here[..first.output.size()]);
            for node in middle {
                node.layer.infer(&here[..node.input.size()], &mut there[..node.output.size()]);
                (here, there) = (there, here);
            }
            last.layer.infer(&here[..last.input.size()], y);
        });
    }
}
