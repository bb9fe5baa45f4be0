//! Trained features to build on: the layers of a model up to the end of its features, whatever head was behind them.

use std::path::Path;

use thawline_tensor::nn::Network;

use crate::{
    experiment::require_buildable,
    failure::{Failure, Result},
    model_file::Model,
    tensor_file,
    weights::{self, Metadata},
};

/// Features that the program brings along, trained on the built-in pictures; docs/program.md says how they were made.
const BUILT_IN: &[u8] = include_bytes!("../../../features/built-in.safetensors");

/// Features from a file. The file is a whole model, whose head is left behind, or features alone.
#[derive(Debug)]
pub struct Features(Model);

impl Features {
    /// Reads a file, or takes the features that the program brings along.
    ///
    /// # Errors
    /// The file, the tensor, what was expected and what was found.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        path.map_or_else(|| Model::features_from_bytes(BUILT_IN), Model::open_features).map(Features)
    }

    /// The model that they are of.
    pub fn model(&self) -> &Model {
        &self.0
    }

    /// A network for so many classes with these features, frozen, and a new head.
    ///
    /// # Errors
    /// A head that would not fit in memory.
    pub fn attach_head(&self, classes: usize, seed: u64) -> Result<Network> {
        let Model { metadata, network: trained, .. } = &self.0;
        require_buildable(&metadata.network, classes)?;
        let mut network = metadata.network.build(classes, seed)?;
        let frozen = freeze(&mut network, metadata)?;
        network.update_params(|name, param| {
            if weights::is_of(name, &frozen) {
                let (_, trained) = trained.params().find(|(other, _)| other == name).expect("one architecture");
                param.value.copy_from_slice(&trained.value);
            }
        });
        Ok(network)
    }

    /// A file of the features alone.
    ///
    /// # Errors
    /// If the format cannot hold them.
    pub fn to_bytes(mut self) -> Result<Vec<u8>> {
        let Model { metadata, network, .. } = &mut self.0;
        metadata.frozen = freeze(network, metadata)?;
        metadata.model = weights::FEATURES.to_owned();
        let tensors = network.params().filter(|(name, _)| weights::is_of(name, &metadata.frozen)).collect::<Vec<_>>();
        let tensors = tensors.iter().map(|(name, param)| (name.clone(), param.shape.dims(), &param.value[..]));
        tensor_file::to_bytes(tensors, metadata)
    }
}

/// Freezes all in front of the head, and names it.
fn freeze(network: &mut Network, metadata: &Metadata) -> Result<Vec<String>> {
    let known = network.freeze_through(&metadata.network.features_end());
    match weights::frozen_layers(network) {
        frozen if known.is_ok() && !frozen.is_empty() => Ok(frozen),
        _ => Err(Failure::usage("the model has no features: there are no weights in front of its first Dense layer")),
    }
}
