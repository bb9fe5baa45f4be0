//! Weights as safetensors, and their hashes.
//!
//! A file holds every parameter under its full name (`conv2d_1/kernel`) in this program's layouts: kernels of
//! convolutions as height, width, inputs, outputs; those of dense layers as inputs, outputs (Keras's layouts). Its
//! metadata say what is needed to build the network again. [`crate::weights::model`] reads it back.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use thawline_tensor::{
    Buffer,
    nn::{Network, Param},
};

use super::tensor_file;
use crate::record::config::Config;
use crate::record::run::{EpochRow, FrozenTensor};
use crate::system::hash::sha256;
use crate::{models::Architecture, system::failure::Result};

/// The names of a parameter's two moments, behind its own.
pub const MOMENTS: [&str; 2] = ["adam_m", "adam_v"];

/// Where a training stands, and to which run it belongs: `training` in the metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainingProgress {
    /// Finished epochs.
    pub epoch: usize,
    /// Finished steps of the epoch that is not.
    pub step: usize,
    /// The sum of the losses over these steps.
    pub loss: f64,
    /// The right answers in these steps.
    pub correct: usize,
    /// Seconds that these steps took.
    pub seconds: f64,
    /// Steps of the optimizer since the beginning.
    pub optimizer_steps: u64,
    /// Seconds since the beginning.
    pub total_seconds: f64,
    /// The finished epochs: `metrics.csv` up to here.
    pub history: Vec<EpochRow>,
    /// Whose checkpoint this is.
    #[serde(flatten)]
    pub owner: RunId,
}

/// What must be the same for a training to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunId {
    /// SHA-256 of the settings that decide the results.
    pub config_sha256: String,
    /// These settings, to say which of them differ; earlier checkpoints have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Box<Config>>,
    /// SHA-256 of all labels and pixels.
    pub data_sha256: String,
}

/// The version of the metadata.
pub const FORMAT: u32 = 1;

/// The name of what is no whole model: the frozen layers, without a head behind them.
pub const FEATURES: &str = "features";

/// What a weights file says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metadata {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Version of the program.
    pub thawline: String,
    /// `model_1` or `model_2`; `adapted`, or [`FEATURES`].
    pub model: String,
    /// The run's seed.
    pub seed: u64,
    /// Names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// The shape of one input: height, width, channels.
    pub input: Vec<usize>,
    /// All that the network is built from.
    pub network: Architecture,
    /// Name and type of each layer, from input to output.
    pub layers: Vec<(String, String)>,
    /// The layers whose parameters were frozen.
    pub frozen: Vec<String>,
    /// Where the training stands, in a [checkpoint](crate::weights::checkpoint).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingProgress>,
}

impl Metadata {
    /// What is to be said of a network.
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
}

/// The whole file; the same weights and metadata give the same bytes.
///
/// # Errors
/// If the format cannot hold them.
pub fn to_safetensors(network: &Network, metadata: &Metadata) -> Result<Vec<u8>> {
    let params = network.params().collect::<Vec<_>>();
    let tensors = params.iter().map(|(name, param)| (name.clone(), param.shape.dims(), &param.value[..]));
    tensor_file::to_bytes(tensors, metadata)
}

/// The layers whose parameters are frozen.
pub fn frozen_layers(network: &Network) -> Vec<String> {
    let rows = network.summary().rows.into_iter();
    rows.filter(|row| row.parameters > 0 && row.trainable == 0).map(|row| row.name).collect()
}

/// Whether a parameter of this full name belongs to one of some layers.
pub fn is_of(parameter: &str, layers: &[String]) -> bool {
    parameter.rsplit_once('/').is_some_and(|(layer, _)| layers.iter().any(|other| other == layer))
}

/// Name and hash of every parameter of the layers that are frozen: SHA-256 of its little-endian bytes, in hexadecimal.
pub fn frozen_hashes(network: &Network) -> Vec<(String, String)> {
    let frozen = network.params().filter(|(_, param)| !param.trainable);
    frozen.map(|(name, param)| (name, hash_of(&param.value))).collect()
}

/// Gives a network the values of another one of the same architecture, as far as that has any.
pub fn move_values(mut from: Network, to: &mut Network) {
    let mut values: HashMap<String, Buffer> = HashMap::new();
    from.update_params(|name, param| {
        values.insert(name.to_owned(), std::mem::take(&mut param.value));
    });
    to.update_params(|name, param| match values.remove(name) {
        Some(value) if value.len() == param.shape.size() => param.value = value,
        _ => {}
    });
}

/// The hashes that the frozen parameters had before a training, beside those they have now.
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
    use crate::models::Tutorial;

    fn small() -> (Architecture, Network) {
        let architecture = Architecture::from(Tutorial { filters: [4, 3], dense: 5, ..Tutorial::default() });
        let mut network = architecture.build(2, 7).unwrap();
        network.freeze_through("conv2d_2").unwrap();
        (architecture, network)
    }

    #[test]
    fn a_file_holds_every_parameter_with_its_shape_and_bits() {
        let (architecture, network) = small();
        let metadata = Metadata::new("model_1", 7, vec!["cat".into(), "dog".into()], &architecture, &network);
        let bytes = to_safetensors(&network, &metadata).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let text = &header.metadata().as_ref().unwrap()["thawline"];
        assert_eq!(serde_json::from_str::<Metadata>(text).unwrap(), metadata);
        assert_eq!(metadata.frozen, ["conv2d_1", "conv2d_2"]);
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.len(), network.params().count());
        for (name, param) in network.params() {
            let tensor = file.tensor(&name).unwrap();
            assert_eq!(tensor.shape(), param.shape.dims(), "{name}");
            assert!(
                tensor.data().iter().copied().eq(param.value.iter().flat_map(|value| value.to_le_bytes())),
                "{name}"
            );
        }
    }

    #[test]
    fn the_same_weights_give_the_same_bytes() {
        let file = || {
            let (architecture, network) = small();
            let metadata = Metadata::new("model_1", 7, Vec::new(), &architecture, &network);
            to_safetensors(&network, &metadata).unwrap()
        };
        let first = file();
        assert!((0..10).all(|_| file() == first));
    }

    #[test]
    fn a_single_bit_changes_the_hash_of_its_tensor_alone() {
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
