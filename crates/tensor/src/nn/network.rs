//! The network: a list of named layers.

use std::collections::{HashMap, HashSet};

use crate::kernels::window::{MAX_PRODUCT, product};
use crate::shape::Shape;

use super::layer::{BuildError, Layer, LayerSeed, Param, Role};

/// The maximum number of layers that an error lists.
const MAX_NAMES: usize = 30;

/// A list of named layers, built once with all shapes checked.
///
/// A layer is fused into the one before it if that one can do its work ([`Layer::absorb`]), so a network may execute
/// fewer [`Node`]s than it has layers. Names, freezing and the summary still refer to the layers as listed.
///
/// ```
/// use thawline_tensor::nn::{Activation, Conv2D, Dense, Flatten, MaxPooling2D, Network};
///
/// let model_1 = Network::builder([32, 32, 3])
///     .layer("conv", Conv2D::new(16, [3, 3]))
///     .layer("relu", Activation::Relu)
///     .layer("pool", MaxPooling2D::new([2, 2]))
///     .layer("flatten", Flatten)
///     .layer("head", Dense::new(5))
///     .build(1)?;
///
/// // The same features, frozen, and a new head. The first model stays as it is.
/// let mut model_2 = model_1.clone().replace_head("head")?.layer("new_head", Dense::new(3)).build(2)?;
/// model_2.freeze_through("flatten")?;
/// println!("{}", model_2.summary());
/// # Ok::<(), thawline_tensor::nn::NetworkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) input: Shape,
    pub(super) layers: Vec<Listed>,
    pub(super) nodes: Vec<Node>,
}

/// A layer as listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub name: String,
    pub kind: &'static str,
    /// Whether it only changes the shape.
    pub reshapes: bool,
    pub output: Shape,
    pub parameters: usize,
    pub flops: u64,
    /// The node that does its work; `None` if it only changes the shape of the network's input.
    pub node: Option<usize>,
}

impl Listed {
    /// The layer's node, unless the layer is fused into an earlier one and so has no parameters.
    pub fn own_node<'a>(&self, nodes: &'a mut [Node]) -> Option<&'a mut Node> {
        self.node.map(|node| &mut nodes[node]).filter(|node| node.name == self.name)
    }
}

/// The number of nodes that do the work of a network's first layers.
pub(super) fn node_count(layers: &[Listed]) -> usize {
    layers.iter().filter_map(|listed| listed.node).max().map_or(0, |node| node + 1)
}

/// A layer as executed, with the layers fused into it.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) name: String,
    pub(super) layer: Box<dyn Layer>,
    pub(super) input: Shape,
    pub(super) output: Shape,
    /// Scales the learning rate of its parameters.
    pub(super) rate_factor: f64,
}

impl Node {
    /// The name of the layer, or of the first of several fused ones.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The layer.
    pub fn layer(&self) -> &dyn Layer {
        &*self.layer
    }

    /// The shape of one output.
    pub fn output(&self) -> &Shape {
        &self.output
    }

    /// Whether training changes anything here.
    pub fn is_trainable(&self) -> bool {
        self.layer.params().iter().any(|param| param.trainable)
    }
}

/// Why a network cannot be built or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// A layer, or the network itself, cannot take its input.
    #[error("layer {position} '{name}' ({kind}) cannot take an input of {input}: {reason}")]
    Build {
        /// Counted from 1; 0 is the network's input.
        position: usize,
        /// The layer's name.
        name: String,
        /// The layer's type.
        kind: &'static str,
        /// The output shape of the layers before it.
        input: Shape,
        /// What does not fit, or that memory ran out.
        reason: BuildError,
    },
    /// Two layers have the same name.
    #[error("layer {position} has the same name as an earlier layer, '{name}'; layer names must be unique")]
    DuplicateName {
        /// Counted from 1.
        position: usize,
        /// The name.
        name: String,
    },
    /// There is no such layer.
    #[error("there is no layer '{name}'; the layers are {known}")]
    UnknownLayer {
        /// The requested name.
        name: String,
        /// The existing names; of many, the first and how many more there are.
        known: String,
    },
    /// The head has a layer that is fused into one before the head.
    #[error("layer '{name}' is fused with a layer before the head, so it cannot be replaced without that one")]
    Fused {
        /// The layer's name.
        name: String,
    },
}

impl NetworkError {
    /// Whether only memory ran out: later, or on another machine, the same network may be built.
    pub fn is_lack_of_memory(&self) -> bool {
        matches!(self, NetworkError::Build { reason: BuildError::NoMemory { .. }, .. })
    }
}

/// A network to which layers are added.
#[derive(Clone, Debug)]
pub struct Builder {
    network: Network,
    layers: Vec<(String, Box<dyn Layer>)>,
}

impl Builder {
    /// Appends a layer, or a boxed one if its type is known only at run time.
    pub fn layer(mut self, name: impl Into<String>, layer: impl Into<Box<dyn Layer>>) -> Self {
        self.layers.push((name.into(), layer.into()));
        self
    }

    /// Checks every shape and gives the new layers' parameters their initial values, which depend only on the seed.
    ///
    /// # Errors
    /// If the network's input has no elements, or a layer does not fit its input, has the name of an earlier one, or
    /// needs more memory than there is. The error names the first such layer and the reason.
    pub fn build(self, seed: u64) -> Result<Network, NetworkError> {
        let kept = self.network.layers.len();
        let mut network = self.outline()?;
        network.initialize_from(kept, seed)?;
        Ok(network)
    }

    /// Checks every shape and allocates nothing large: the network's shapes and costs are known, but its parameters
    /// have no values until [`Network::initialize`] or [`Network::update_params`] sets them.
    ///
    /// # Errors
    /// If the network's input has no elements, or a layer does not fit its input or has the name of an earlier one. The
    /// error names the first such layer and the reason.
    pub fn outline(self) -> Result<Network, NetworkError> {
        let mut network = self.network;
        require_possible("input", &network.input).map_err(|reason| {
            let (name, input) = ("input".to_owned(), network.input.clone());
            NetworkError::Build { position: 0, name, kind: "InputLayer", input, reason }
        })?;
        let mut names: HashSet<String> = network.layer_names().map(str::to_owned).collect();
        for (name, layer) in self.layers {
            if !names.insert(name.clone()) {
                return Err(NetworkError::DuplicateName { position: network.layers.len() + 1, name });
            }
            network.append(name, layer)?;
        }
        Ok(network)
    }
}

/// Refuses a shape with no elements, or with more than any machine can hold.
pub(super) fn require_possible(what: &str, shape: &Shape) -> Result<(), BuildError> {
    match product(shape.dims()) {
        Some(0) => Err(format!("the size of its {what}, {shape}, is 0; it must be at least 1").into()),
        Some(_) => Ok(()),
        None => Err(format!("the size of its {what}, {shape}, overflows").into()),
    }
}

/// What [`Network::copy_params`] did with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// It got the values of the parameter with the same name.
    Yes,
    /// No parameter with the same name has values.
    Missing,
    /// The parameter with the same name has another shape.
    Mismatched,
}

impl Network {
    /// A network without layers, for inputs of a shape (an image: H, W, C).
    pub fn builder(input: impl Into<Shape>) -> Builder {
        Builder { network: Self { input: input.into(), layers: Vec::new(), nodes: Vec::new() }, layers: Vec::new() }
    }

    /// Removes the head, which is the named layer and those after it, so that others can be added in their place. To
    /// keep the network, clone it first.
    ///
    /// # Errors
    /// If there is no such layer, or a layer of the head is fused into one that stays. (One that only changes the
    /// shape, like `Flatten`, can be removed.)
    pub fn replace_head(mut self, from: &str) -> Result<Builder, NetworkError> {
        let position = self.position(from)?;
        let (kept, head) = self.layers.split_at(position);
        let nodes = node_count(kept);
        let is_fused = |listed: &&Listed| !listed.reshapes && listed.node.is_some_and(|node| node < nodes);
        if let Some(fused) = head.iter().find(is_fused) {
            return Err(NetworkError::Fused { name: fused.name.clone() });
        }
        self.layers.truncate(position);
        self.nodes.truncate(nodes);
        if let (Some(node), Some(listed)) = (self.nodes.last_mut(), self.layers.last()) {
            node.output = listed.output.clone();
        }
        Ok(Builder { network: self, layers: Vec::new() })
    }

    /// Gives all parameters their initial values, which depend only on the seed.
    ///
    /// # Errors
    /// If memory runs out; the error names the first layer that does not fit.
    pub fn initialize(&mut self, seed: u64) -> Result<(), NetworkError> {
        self.initialize_from(0, seed)
    }

    fn initialize_from(&mut self, first: usize, seed: u64) -> Result<(), NetworkError> {
        for (index, listed) in self.layers.iter().enumerate().skip(first) {
            let position = index + 1;
            let Some(node) = listed.own_node(&mut self.nodes) else { continue };
            node.layer.initialize(LayerSeed { seed, position }).map_err(|reason| {
                let (name, kind, input) = (listed.name.clone(), listed.kind, node.input.clone());
                NetworkError::Build { position, name, kind, input, reason }
            })?;
        }
        Ok(())
    }

    /// Appends a layer with a new name; its parameters get no values.
    fn append(&mut self, name: String, mut layer: Box<dyn Layer>) -> Result<(), NetworkError> {
        let position = self.layers.len() + 1;
        let (input, kind) = (self.output().clone(), layer.kind());
        let misfit = |reason: BuildError| {
            let (name, input) = (name.clone(), input.clone());
            NetworkError::Build { position, name, kind, input, reason }
        };
        if name.contains('/') {
            return Err(misfit("a layer's name cannot contain a slash: it separates layer and parameter".into()));
        }
        let output = layer.build(&input, position).map_err(misfit)?;
        require_possible("output", &output).map_err(misfit)?;
        let add = |sum: usize, param: &Param| product(param.shape.dims())?.checked_add(sum);
        let parameters = layer.params().iter().try_fold(0, add).filter(|&parameters| parameters <= MAX_PRODUCT);
        let parameters = parameters.ok_or_else(|| misfit("its number of weights overflows".into()))?;
        let reshapes = layer.role() == Role::Reshape;
        // A pool's windows are those of its input's rows and columns, which a layer in between may have changed.
        let last = self.nodes.len().checked_sub(1);
        let mut of_last = self.layers.iter().rev().take_while(|listed| listed.node == last);
        let role = match layer.role() {
            Role::MaxPool2x2 if of_last.any(|listed| listed.reshapes) => Role::Other,
            role => role,
        };
        let is_fused = reshapes || self.nodes.last_mut().is_some_and(|last| last.layer.absorb(role));
        self.layers.push(Listed {
            name: name.clone(),
            kind,
            reshapes,
            output: output.clone(),
            parameters,
            flops: layer.flops(),
            node: if is_fused { self.nodes.len().checked_sub(1) } else { Some(self.nodes.len()) },
        });
        match self.nodes.last_mut() {
            Some(last) if is_fused => last.output = output,
            _ if is_fused => {}
            _ => self.nodes.push(Node { name, layer, input, output, rate_factor: 1.0 }),
        }
        Ok(())
    }

    pub(super) fn position(&self, name: &str) -> Result<usize, NetworkError> {
        self.layers.iter().position(|listed| listed.name == name).ok_or_else(|| NetworkError::UnknownLayer {
            name: name.to_owned(),
            known: {
                let (shown, hidden) = self.layers.split_at(self.layers.len().min(MAX_NAMES));
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

    /// The layers as executed.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The names of the layers as listed.
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
            // In an outline, parameters have no values to derive anything from.
            if node.layer.params().iter().all(|param| param.value.len() == param.shape.size()) {
                node.layer.refresh();
            }
        }
    }

    /// Copies to each parameter the values of the given one with the same name and shape, if there is one; `from` may
    /// be another network's [`Network::params`]. Returns what it did with each of this network's parameters.
    pub fn copy_params<'a>(&mut self, from: impl IntoIterator<Item = (String, &'a Param)>) -> Vec<(String, Copied)> {
        let from: HashMap<String, &Param> = from.into_iter().collect();
        let mut report = Vec::new();
        self.update_params(|name, param| {
            let copied = match from.get(name) {
                None => Copied::Missing,
                Some(source) if source.value.len() != source.shape.size() => Copied::Missing,
                Some(source) if source.shape != param.shape => Copied::Mismatched,
                Some(source) => {
                    param.value.clone_from(&source.value);
                    Copied::Yes
                }
            };
            report.push((name.to_owned(), copied));
        });
        report
    }
}

/// Every parameter of some nodes, with its full name.
pub(super) fn params(nodes: &[Node]) -> impl Iterator<Item = (String, &Param)> {
    nodes
        .iter()
        .flat_map(|node| node.layer.params().iter().map(move |param| (format!("{}/{}", node.name, param.name), param)))
}
