//! Descriptions of networks, and how networks are built from them.
//!
//! [`layers`] describes layers in Keras's terms, [`tutorial`] lists those of the tutorial's network with all its
//! numbers adjustable, and [`mod@file`] reads a list of layers from your own file.

pub mod file;
pub mod layers;
mod linear_head;
pub mod tutorial;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thawline_tensor::{
    Shape,
    nn::{Method, Network, NetworkError},
};

use crate::system::{
    failure::{Failure, Result},
    names::check_name,
    number,
};
pub use {layers::Layer, tutorial::TutorialNetwork};

/// Far more than a network for 32 x 32 pictures needs: 30 GB to train, and 250 times the tutorial's activations.
const MAX_PARAMETERS: u64 = 1_000_000_000;
const MAX_ACTIVATIONS: u64 = 256_000_000;

/// The maximum number of rows and columns of a picture.
pub const MAX_SIZE: usize = 1024;

/// The shape of a data set's picture: height, width, channels.
pub const INPUT: [usize; 3] = [32, 32, 3];

/// The last feature layer of the tutorial's network; the head follows.
pub const FEATURES_END: &str = "flatten_1";

/// Everything needed to build a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Keys")]
pub enum Architecture {
    /// The tutorial's network, with its numbers.
    Tutorial(TutorialNetwork),
    /// Your own network, layer by layer.
    Listed(Listed),
}

/// A network as a list of layers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listed {
    pub conv_method: ConvMethod,
    /// Rows and columns of a picture.
    #[serde(skip_serializing_if = "is_default_size")]
    pub size: usize,
    /// The layers from input to output, each with a name.
    pub layers: Vec<Layer>,
    /// The file they were read from.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

fn is_default_size(&size: &usize) -> bool {
    size == INPUT[0]
}

/// All keys that describe a network. Unknown keys are refused: ignoring one would build a different network.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Keys {
    conv_method: ConvMethod,
    size: Option<usize>,
    layers: Option<Vec<Layer>>,
    filters: Option<[usize; 2]>,
    kernel: Option<usize>,
    pool: Option<usize>,
    dropout: Option<[f64; 2]>,
    dense: Option<usize>,
}

impl TryFrom<Keys> for Architecture {
    type Error = &'static str;

    fn try_from(keys: Keys) -> std::result::Result<Self, Self::Error> {
        let Keys { conv_method, size, layers, filters, kernel, pool, dropout, dense } = keys;
        match (layers, filters, kernel, pool, dropout, dense) {
            (Some(layers), None, None, None, None, None) => {
                Ok(Architecture::Listed(Listed { conv_method, size: size.unwrap_or(INPUT[0]), layers, origin: None }))
            }
            (None, Some(filters), Some(kernel), Some(pool), Some(dropout), Some(dense)) => {
                Ok(Architecture::Tutorial(TutorialNetwork { filters, kernel, pool, dropout, dense, conv_method }))
            }
            _ => Err("a network has either layers, or all of filters, kernel, pool, dropout and dense"),
        }
    }
}

/// The file that lists a network's layers, for error messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    pub path: PathBuf,
    /// The line number of each layer.
    pub lines: Vec<usize>,
}

/// How convolutions are computed; see [`Method`]. Shell completions show the variants' comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ConvMethod {
    /// The fastest method that applies, chosen for each layer
    Auto,
    /// Seven nested loops: slow, for comparison
    Naive,
    /// Copy the patches into a matrix, then one matrix product
    Im2col,
    /// A matrix product that reads the pixels in place
    Implicit,
    /// F(4x4, 3x3): 3 x 3 kernels only
    Winograd,
}

impl From<ConvMethod> for Method {
    fn from(method: ConvMethod) -> Self {
        match method {
            ConvMethod::Auto => Method::Auto,
            ConvMethod::Naive => Method::Naive,
            ConvMethod::Im2col => Method::Im2col,
            ConvMethod::Implicit => Method::Implicit,
            ConvMethod::Winograd => Method::Winograd,
        }
    }
}

impl From<TutorialNetwork> for Architecture {
    fn from(tutorial: TutorialNetwork) -> Self {
        Architecture::Tutorial(tutorial)
    }
}

impl Architecture {
    /// Builds the network for a number of classes. It outputs logits: softmax is part of the loss. Errors name the
    /// layer, and its line in the file it comes from.
    pub fn build(&self, classes: usize, seed: u64) -> Result<Network> {
        let mut network = self.outline(classes)?;
        network.initialize(seed)?;
        Ok(network)
    }

    /// The network without parameter values. It allocates nothing large, so that an absurd description can be refused.
    pub fn outline(&self, classes: usize) -> Result<Network> {
        let [size, ..] = self.input();
        if !(1..=MAX_SIZE).contains(&size) {
            let failure = Failure::usage(format!("the size of its pictures is {size}; expected 1 to {MAX_SIZE}"));
            return Err(match self.origin() {
                Some(origin) => failure.within(&origin.path.display().to_string()),
                None => failure,
            });
        }
        let mut builder = Network::builder(self.input());
        for (index, layer) in self.layers().iter().enumerate() {
            let position = index + 1;
            let wrong = |reason| self.at_line(position, format!("layer {position} '{}': {reason}", layer.name()));
            if let Err(reason) = check_name_of(layer) {
                return Err(self.at_line(position, format!("layer {position}: its name {reason}; choose another one")));
            }
            // A rate of 1 would leave nothing to train on.
            if let Layer::Dropout { rate, .. } = layer
                && !(0.0..1.0).contains(&(*rate as f32))
            {
                return Err(wrong(format!("its rate is {rate}; it must be at least 0 and below 1")));
            }
            builder = builder.layer(layer.name(), layer.build(classes, self.conv_method().into()).map_err(wrong)?);
        }
        let network = builder.outline().map_err(|error| self.locate(error))?;
        if *network.output() != Shape::from([classes]) {
            return Err(self.at_line(
                self.layers().len(),
                format!(
                    "the network outputs {}, but there are {classes} classes: \
                     its last layer must be a Dense without units, or with {classes}",
                    network.output()
                ),
            ));
        }
        let summary = network.summary();
        let (parameters, activations) = (summary.parameters() as u64, summary.activation_bytes());
        if parameters > MAX_PARAMETERS {
            return Err(Failure::usage(format!(
                "this network would have {} parameters; expected at most {}: use fewer filters or units, or larger pools",
                number::count(parameters),
                number::count(MAX_PARAMETERS)
            )));
        }
        if activations > MAX_ACTIVATIONS {
            return Err(Failure::usage(format!(
                "the outputs of this network's layers would take {} for each picture; expected at most {}: \
                 use fewer filters or units",
                number::bytes(activations),
                number::bytes(MAX_ACTIVATIONS)
            )));
        }
        Ok(network)
    }

    pub fn layers(&self) -> std::borrow::Cow<'_, [Layer]> {
        match self {
            Architecture::Tutorial(tutorial) => tutorial.layers().into(),
            Architecture::Listed(listed) => (&*listed.layers).into(),
        }
    }

    /// The shape of a picture: height, width, channels.
    pub fn input(&self) -> [usize; 3] {
        match self {
            Architecture::Tutorial(_) => INPUT,
            Architecture::Listed(listed) => [listed.size, listed.size, INPUT[2]],
        }
    }

    /// Fails if the network takes pictures of another size than those of a data set.
    pub fn require_data_set_size(&self) -> Result<()> {
        let ([size, ..], [expected, ..]) = (self.input(), INPUT);
        if size == expected {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "the network takes pictures of {size} x {size} pixels, and a data set has {expected} x {expected}; \
             `thawline adapt`, `predict` and `eval` use it with your own pictures (docs/networks.md)"
        )))
    }

    pub fn conv_method(&self) -> ConvMethod {
        match self {
            Architecture::Tutorial(tutorial) => tutorial.conv_method,
            Architecture::Listed(listed) => listed.conv_method,
        }
    }

    pub fn with_conv_method(self, conv_method: ConvMethod) -> Self {
        match self {
            Architecture::Tutorial(tutorial) => TutorialNetwork { conv_method, ..tutorial }.into(),
            Architecture::Listed(listed) => Architecture::Listed(Listed { conv_method, ..listed }),
        }
    }

    /// The last feature layer.
    pub fn features_end(&self) -> String {
        features(&self.layers()).last().map_or_else(|| FEATURES_END.to_owned(), |layer| layer.name().to_owned())
    }

    fn locate(&self, error: NetworkError) -> Failure {
        match error {
            _ if error.is_lack_of_memory() => error.into(),
            NetworkError::Build { position, .. } | NetworkError::DuplicateName { position, .. } => {
                self.at_line(position, error.to_string())
            }
            NetworkError::UnknownLayer { .. } | NetworkError::Fused { .. } => error.into(),
        }
    }

    /// A failure at a layer, counted from 1, with the line that describes it.
    fn at_line(&self, position: usize, message: String) -> Failure {
        let failure = Failure::usage(message);
        match self.origin() {
            Some(Origin { path, lines }) => {
                let line = lines.get(position.saturating_sub(1)).copied().unwrap_or(1);
                failure.within(&format!("{}, line {line}", path.display()))
            }
            None => failure,
        }
    }

    fn origin(&self) -> Option<&Origin> {
        match self {
            Architecture::Listed(listed) => listed.origin.as_ref(),
            Architecture::Tutorial(_) => None,
        }
    }
}

/// The feature layers: those before the first `Dense`. The head follows.
fn features(layers: &[Layer]) -> &[Layer] {
    let head = layers.iter().position(|layer| matches!(layer, Layer::Dense { .. })).unwrap_or(layers.len());
    &layers[..head]
}

/// Says what is wrong with the name of a layer, or with that of a layer inside it.
fn check_name_of(layer: &Layer) -> std::result::Result<(), &'static str> {
    check_name(layer.name())?;
    layer.inside().iter().try_for_each(check_name_of)
}

#[cfg(test)]
mod tests;
