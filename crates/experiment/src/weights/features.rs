//! Trained features for a new head: the layers of a model up to its head.

use std::path::Path;

use thawline_tensor::nn::Network;

use super::{
    metadata::{self, Metadata},
    model::Model,
};
use crate::{
    models::{Architecture, Listed},
    system::failure::{Failure, Result},
};

/// The bundled features, trained on the built-in pictures; docs/own-pictures.md says how they were made.
const BUILT_IN: &[u8] = include_bytes!("../../../../features/built-in.safetensors");

/// Features from a file that holds a whole model, or only features.
#[derive(Debug)]
pub struct Features {
    model: Model,
    /// The feature layers with weights.
    frozen: Vec<String>,
}

impl Features {
    /// Reads a file, or the bundled features if `path` is `None`.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Features::from_bytes(BUILT_IN) };
        Features::of(Model::open_features(path)?).map_err(|failure| failure.within(&path.display().to_string()))
    }

    /// Like [`open`](Self::open), from the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Features::of(Model::features_from_bytes(bytes)?)
    }

    pub fn of(mut model: Model) -> Result<Self> {
        let frozen = freeze(&mut model.network, &model.metadata)?;
        Ok(Features { model, frozen })
    }

    /// The same features for pictures of another size.
    pub fn for_size(mut self, size: usize) -> Result<Self> {
        let network = &mut self.model.metadata.network;
        let (conv_method, layers) = (network.conv_method(), network.layers().into_owned());
        *network = Architecture::Listed(Listed { conv_method, size, layers, origin: None });
        // Too small a picture leaves nothing for the last layers.
        self.attach_linear_head(2).map(|_| self)
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A network for this many classes with these features, frozen, and a new head like the model's. It has no values
    /// until [`Features::fill`].
    pub fn attach_head(&self, classes: usize) -> Result<(Architecture, Network)> {
        let architecture = self.model.metadata.network.clone();
        Self::freeze_features(architecture, classes)
    }

    /// Like [`Features::attach_head`], with a linear head.
    pub fn attach_linear_head(&self, classes: usize) -> Result<(Architecture, Network)> {
        let architecture = self.model.metadata.network.with_linear_head(classes)?;
        let (architecture, network) = Self::freeze_features(architecture, classes)?;
        let features = network.params().find(|(_, param)| param.trainable).map(|(_, param)| param.shape.dims()[0]);
        if features != Some(network.prefix().output().size()) {
            return Err(Failure::usage(
                "the features are random, because a residual block contains dropout; remove it",
            ));
        }
        Ok((architecture, network))
    }

    fn freeze_features(architecture: Architecture, classes: usize) -> Result<(Architecture, Network)> {
        let mut network = architecture.outline(classes)?;
        network.freeze_through(&architecture.features_end())?;
        Ok((architecture, network))
    }

    /// Copies the features' values into a network from [`Features::attach_head`] or [`Features::attach_linear_head`],
    /// and initializes its head.
    pub fn fill(&self, network: &mut Network, seed: u64) -> Result<()> {
        network.initialize(seed)?;
        let is_of_features = metadata::of_layers(&self.frozen);
        network.copy_params(self.model.network.params().filter(|(name, _)| is_of_features(name)));
        Ok(())
    }

    /// The bytes of a file with only the features.
    pub fn to_bytes(mut self) -> Result<Vec<u8>> {
        let Model { metadata, network, .. } = &mut self.model;
        metadata.frozen = self.frozen;
        metadata.model = metadata::FEATURES.to_owned();
        metadata::to_safetensors(network, metadata)
    }
}

/// Freezes the layers before the head and returns the names of those with weights.
pub fn freeze(network: &mut Network, metadata: &Metadata) -> Result<Vec<String>> {
    let known = network.freeze_through(&metadata.network.features_end());
    let frozen = metadata::frozen_layers(network);
    if known.is_err() || frozen.is_empty() {
        let reason = "the model has no features: no layer before its first Dense layer has weights";
        return Err(Failure::usage(reason));
    }
    match network.params().find(|(_, param)| !param.trainable && param.value.is_empty()) {
        Some((name, _)) => Err(Failure::usage(format!("lacks a feature layer's weights: tensor {name} is missing"))),
        None => Ok(frozen),
    }
}
