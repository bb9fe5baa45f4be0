//! The metadata of weight files, and hashes of weights.
//!
//! A file holds each parameter under its full name (`conv2d_1/kernel`) in Keras's layouts: convolution kernels as
//! height, width, inputs, outputs; dense kernels as inputs, outputs. Its metadata describes how to rebuild the network.
//! [`crate::weights::model`] reads it back.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use thawline_tensor::nn::{Network, Param};

use super::tensor_file;
use crate::{
    models::Architecture,
    record::{
        config::Config,
        run::{EpochRow, FrozenTensor},
    },
    system::{failure::Result, hash::sha256},
};

/// Adam's two moments; each is stored as `PARAMETER/MOMENT`.
pub const MOMENTS: [&str; 2] = ["adam_m", "adam_v"];

/// The progress of training, and the run it belongs to: `training` in the metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainingProgress {
    /// Finished epochs.
    pub epoch: usize,
    /// Finished steps of the current epoch.
    pub step: usize,
    /// The sum of the losses of these steps.
    pub loss: f64,
    /// Correctly classified examples in these steps.
    pub correct: usize,
    /// Duration of these steps.
    pub seconds: f64,
    /// Optimizer steps since the start.
    pub optimizer_steps: u64,
    /// Seconds of training since the start, without those of an interruption.
    pub total_seconds: f64,
    /// The part of them in which the frozen features were computed to be cached.
    #[serde(default)]
    pub features_seconds: f64,
    /// The finished epochs, as in `metrics.csv`.
    pub history: Vec<EpochRow>,
    /// The run that the checkpoint belongs to.
    #[serde(flatten)]
    pub run: RunId,
}

/// What must be equal for a checkpoint to be resumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunId {
    /// See [`Config::sha256`].
    pub config_sha256: String,
    /// The settings, to report which differ; checkpoints of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Box<Config>>,
    /// SHA-256 of all labels and pixels.
    pub data_sha256: String,
}

/// The version of the metadata.
pub const FORMAT: u32 = 1;

/// The `model` of a file that holds only the feature layers.
pub const FEATURES: &str = "features";

/// The metadata of a weights file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metadata {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Version of the program that wrote the file.
    pub thawline: String,
    /// The model's name, such as `model_1` or `adapted`, or [`FEATURES`].
    pub model: String,
    /// The run's seed.
    pub seed: u64,
    /// Names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// The shape of one input: height, width, channels.
    pub input: Vec<usize>,
    /// The description that the network is built from.
    pub network: Architecture,
    /// Name and type of each layer, from input to output.
    pub layers: Vec<(String, String)>,
    /// The layers whose parameters were frozen.
    pub frozen: Vec<String>,
    /// In a [checkpoint](crate::weights::checkpoint), the progress of training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingProgress>,
}

impl Metadata {
    /// The metadata of a network.
    pub fn new(model: &str, seed: u64, classes: Vec<String>, architecture: &Architecture, network: &Network) -> Self {
        let rows = network.summary().rows;
        Metadata {
            format: FORMAT,
            thawline: env!("CARGO_PKG_VERSION").to_owned(),
            model: model.to_owned(),
            seed,
            classes,
            input: network.input().dims().to_vec(),
            network: architecture.clone(),
            frozen: frozen_layers(network),
            training: None,
            layers: rows.iter().map(|row| (row.name.clone(), row.kind.to_owned())).collect(),
        }
    }

    /// Tells whether the file has the values of a parameter.
    pub fn holds(&self) -> impl Fn(&str) -> bool + use<> {
        let (features_only, is_frozen) = (self.model == FEATURES, of_layers(&self.frozen));
        move |parameter| !features_only || is_frozen(parameter)
    }
}

/// The bytes of a weights file; the same weights and metadata give the same bytes.
pub fn to_safetensors(network: &Network, metadata: &Metadata) -> Result<Vec<u8>> {
    let holds = metadata.holds();
    let params: Vec<_> = network.params().filter(|(name, _)| holds(name)).collect();
    let tensors = params.iter().map(|(name, param)| (name.clone(), param.shape.dims(), &param.value[..]));
    tensor_file::to_bytes(tensors, metadata)
}

/// The layers whose parameters are frozen.
pub fn frozen_layers(network: &Network) -> Vec<String> {
    let rows = network.summary().rows.into_iter();
    rows.filter(|row| row.parameters > 0 && row.trainable == 0).map(|row| row.name).collect()
}

/// Tells whether the parameter with a full name belongs to one of the layers.
pub fn of_layers(layers: &[String]) -> impl Fn(&str) -> bool + use<> {
    // A set, because a hostile file may name thousands of layers.
    let layers: HashSet<String> = layers.iter().cloned().collect();
    move |parameter| parameter.split_once('/').is_some_and(|(layer, _)| layers.contains(layer))
}

/// Name and hash of every frozen parameter: SHA-256 of its little-endian bytes, in hexadecimal.
pub fn frozen_hashes(network: &Network) -> Vec<(String, String)> {
    let frozen = network.params().filter(|(_, param)| !param.trainable);
    frozen.map(|(name, param)| (name, hash_of(&param.value))).collect()
}

/// The hashes of the frozen parameters before training, next to the present ones.
pub fn compare_frozen(before: Vec<(String, String)>, now: &Network) -> Vec<FrozenTensor> {
    let mut after: HashMap<String, &Param> = now.params().collect();
    let compare = |(name, before): (String, String)| {
        let after = after.remove(&name).map(|param| hash_of(&param.value)).unwrap_or_default();
        FrozenTensor { name, before, after }
    };
    before.into_iter().map(compare).collect()
}

fn hash_of(values: &[f32]) -> String {
    sha256(values.iter().map(|value| value.to_le_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::TutorialNetwork;

    fn small() -> (Architecture, Network) {
        let architecture =
            Architecture::from(TutorialNetwork { filters: [4, 3], dense: 5, ..TutorialNetwork::default() });
        let mut network = architecture.build(2, 7).unwrap();
        network.freeze_through("conv2d_2").unwrap();
        (architecture, network)
    }

    #[test]
    fn one_flipped_bit_changes_only_its_tensors_hash() {
        let (_, mut network) = small();
        let before = frozen_hashes(&network);
        assert_eq!(
            before.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["conv2d_1/kernel", "conv2d_1/bias", "conv2d_2/kernel", "conv2d_2/bias",]
        );
        network.update_params(|name, param| {
            if name == "conv2d_1/bias" {
                param.value[3] = f32::from_bits(param.value[3].to_bits() ^ 1);
            }
        });
        let compared = compare_frozen(before, &network);
        let changed = compared.iter().filter(|tensor| tensor.before != tensor.after).map(|tensor| &*tensor.name);
        assert_eq!(changed.collect::<Vec<_>>(), ["conv2d_1/bias"]);
        assert_eq!(compared[1].after, frozen_hashes(&network)[1].1);
    }
}
