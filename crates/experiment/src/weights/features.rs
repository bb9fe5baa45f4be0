//! Trained features to build on: the layers of a model up to the end of its features, whatever head was behind them.

use std::path::Path;

use thawline_tensor::nn::Network;

use super::{
    metadata::{self, Metadata},
    model::Model,
    tensor_file,
};
use crate::system::failure::{Failure, Result};

/// Features that the program brings along, trained on the built-in pictures; docs/program.md says how they were made.
const BUILT_IN: &[u8] = include_bytes!("../../../../features/built-in.safetensors");

/// Features from a file. The file is a whole model, whose head is left behind, or features alone.
#[derive(Debug)]
pub struct Features {
    model: Model,
    /// The layers with weights up to the end of the features.
    frozen: Vec<String>,
}

impl Features {
    /// Reads a file, or takes the features that the program brings along.
    ///
    /// # Errors
    /// The file, the tensor, what was expected and what was found.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Features::from_bytes(BUILT_IN) };
        Features::of(Model::open_features(path)?).map_err(|failure| failure.within(&path.display().to_string()))
    }

    /// The same, of a file that was read already.
    ///
    /// # Errors
    /// The tensor, what was expected and what was found.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Features::of(Model::features_from_bytes(bytes)?)
    }

    fn of(mut model: Model) -> Result<Self> {
        let frozen = freeze(&mut model.network, &model.metadata)?;
        Ok(Features { model, frozen })
    }

    /// The model that they are of.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A network for so many classes with these features, frozen, and a new head; without values until
    /// [`Features::fill`].
    ///
    /// # Errors
    /// A head beyond all reason.
    pub fn attach_head(&self, classes: usize) -> Result<Network> {
        let mut network = self.model.metadata.network.outline(classes)?;
        network.freeze_through(&self.model.metadata.network.features_end())?;
        Ok(network)
    }

    /// Gives such a network the features' values, and its head initial ones.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn fill(&self, network: &mut Network, seed: u64) -> Result<()> {
        network.initialize(seed)?;
        network.copy_params(self.model.network.params().filter(|(name, _)| metadata::is_of(name, &self.frozen)));
        Ok(())
    }

    /// A file of the features alone.
    ///
    /// # Errors
    /// If the format cannot hold them.
    pub fn to_bytes(mut self) -> Result<Vec<u8>> {
        let Model { metadata, network, .. } = &mut self.model;
        metadata.frozen = self.frozen;
        metadata.model = metadata::FEATURES.to_owned();
        let tensors = network.params().filter(|(name, _)| metadata::is_of(name, &metadata.frozen)).collect::<Vec<_>>();
        let tensors = tensors.iter().map(|(name, param)| (name.clone(), param.shape.dims(), &param.value[..]));
        tensor_file::to_bytes(tensors, metadata)
    }
}

/// Freezes all in front of the head, and names it.
fn freeze(network: &mut Network, metadata: &Metadata) -> Result<Vec<String>> {
    let known = network.freeze_through(&metadata.network.features_end());
    let frozen = metadata::frozen_layers(network);
    if known.is_err() || frozen.is_empty() {
        let reason = "the model has no features: there are no weights in front of its first Dense layer";
        return Err(Failure::usage(reason));
    }
    match network.params().find(|(_, param)| !param.trainable && param.value.is_empty()) {
        Some((name, _)) => Err(Failure::usage(format!("does not hold all of its features: tensor {name} is missing"))),
        None => Ok(frozen),
    }
}
