//! Stage 1: the pretrained weights of each seed, saved once and shared by all arms; and untrained features scaled like
//! them.

use std::path::Path;

use thawline_tensor::nn::Network;

use super::{
    arms::{Blocks, copy_weights},
    protocol::Pictures,
};
use crate::{
    models::{Architecture, INPUT, Layer},
    system::failure::{Failure, Result},
    weights::model::Model,
};

/// The maximum number of training pictures from which means and variances are taken.
const MATCHED_ON: usize = 256;

/// Reads the network of a pretraining; `expected` is the SHA-256 of its file.
///
/// # Errors
/// If the file is damaged or a different one.
pub fn load(path: &Path, expected: &str) -> Result<Network> {
    let advice = "remove it, and the same command trains it again";
    let model = Model::open(path).map_err(|failure| failure.with_advice(advice))?;
    if model.sha256 != expected {
        let reason = format!("{}: expected SHA-256 {expected}, found {}", path.display(), model.sha256);
        let advice = "remove it and its record in jobs/, and the same command trains it again";
        return Err(Failure::usage(reason).with_advice(advice));
    }
    Ok(model.network)
}

/// A network with the convolutions of `untrained`, each filter scaled and shifted so that its outputs before the ReLU
/// have the mean and variance over the first `MATCHED_ON` training pictures that they have in `pretrained`.
///
/// # Errors
/// If a layer does not fit. [`require_matchable`](super::arms::require_matchable) has refused other networks.
pub fn matched(
    architecture: &Architecture,
    mut untrained: Network,
    pretrained: &Network,
    pictures: &Pictures,
) -> Result<Network> {
    let count = pictures.train.labels.len().min(MATCHED_ON) as u32;
    let all = pictures.train.examples();
    let examples = all.select((0..count).collect::<Vec<_>>());
    let blocks = Blocks::of(architecture)?;
    let layers = blocks.feature_layers();
    // Normalizations are copied, so that they treat the matched outputs alike.
    let is_normalization = |layer: &&Layer| matches!(layer, Layer::BatchNormalization { .. });
    copy_weights(&mut untrained, pretrained, layers.iter().filter(is_normalization));
    for (at, layer) in layers.iter().enumerate() {
        let &Layer::Conv2D { name: ref conv, filters, .. } = layer else { continue };
        let moments = |network: &Network| -> Result<Vec<[f64; 2]>> {
            let outputs = first_layers(architecture, &layers[..=at], network)?.predict(&examples);
            Ok(moments(outputs.logits().data(), filters))
        };
        let (ours, theirs) = (moments(&untrained)?, moments(pretrained)?);
        // Scale and shift of each filter; one whose output never varies is only shifted.
        let changes: Vec<[f64; 2]> = ours
            .iter()
            .zip(&theirs)
            .map(|(&[mean, variance], &[wanted, wanted_variance])| {
                let scale = if variance > 0.0 { (wanted_variance / variance).sqrt() } else { 1.0 };
                [scale, wanted - scale * mean]
            })
            .collect();
        untrained.update_params(|name, param| match name.strip_prefix(conv.as_str()) {
            Some("/kernel") => {
                let scaled = param.value.iter_mut().enumerate();
                scaled.for_each(|(i, weight)| *weight = (f64::from(*weight) * changes[i % filters][0]) as f32);
            }
            Some("/bias") => {
                let changed = param.value.iter_mut().zip(&changes);
                changed.for_each(|(bias, &[scale, shift])| *bias = (f64::from(*bias) * scale + shift) as f32);
            }
            _ => {}
        });
    }
    Ok(untrained)
}

/// The first layers of a network, with its parameters.
fn first_layers(architecture: &Architecture, layers: &[Layer], from: &Network) -> Result<Network> {
    let mut builder = Network::builder(INPUT);
    for layer in layers {
        let built = layer.build(0, architecture.conv_method().into()).map_err(Failure::usage)?;
        builder = builder.layer(layer.name(), built);
    }
    let mut network = builder.build(0)?;
    network.copy_params(from.params());
    Ok(network)
}

/// Mean and variance of each channel; channels are the last dimension.
fn moments(values: &[f32], channels: usize) -> Vec<[f64; 2]> {
    let n = (values.len() / channels) as f64;
    let mut sums = vec![[0.0; 2]; channels];
    for row in values.chunks_exact(channels) {
        for (sums, &value) in sums.iter_mut().zip(row) {
            sums[0] += f64::from(value);
            sums[1] += f64::from(value) * f64::from(value);
        }
    }
    let moment = |&[sum, squares]: &[f64; 2]| [sum / n, (squares / n - (sum / n) * (sum / n)).max(0.0)];
    sums.iter().map(moment).collect()
}
