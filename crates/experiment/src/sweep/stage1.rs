//! Stage 1: the pretrained weights of each seed, saved once and shared by all arms; and untrained features made like them.

use std::path::Path;

use thawline_tensor::{
    Buffer,
    nn::{Activation, Conv2D, Network},
};

use super::protocol::{Epoch, Pictures};
use crate::{
    models::{INPUT, Tutorial},
    system::failure::{Failure, Result},
    weights::tensor_file::{Dtype, Header, TensorFile},
};

/// Training pictures from which means and variances are taken.
const MATCHED_ON: usize = 256;

/// Reads the weights of a pretraining into a network that was built for it; `expected` is the file's SHA-256.
///
/// # Errors
/// A file that is missing, damaged, or not of this network.
pub fn load(path: &Path, expected: &str, network: &mut Network) -> Result<()> {
    const REMEDY: &str = "remove it and its record in jobs/, and the same command trains it again";
    let wrong = |reason: String| Failure::usage(format!("{}: {reason}; {REMEDY}", path.display()));
    let fits = |header: &Header| -> Result<()> {
        let mut params = network.params();
        params
            .try_for_each(|(name, param)| header.require(&name, param.shape.dims(), &[Dtype::F32]).map(drop))
            .map_err(Failure::usage)
    };
    if !path.exists() {
        return Err(wrong("the weights are missing".to_owned()));
    }
    let file = TensorFile::open(path, fits)
        .map_err(|failure| Failure { message: format!("{failure}; {REMEDY}"), ..failure })?;
    let found = file.sha256();
    if found != expected {
        return Err(wrong(format!("expected SHA-256 {expected}, found {found}")));
    }
    let mut fault = None;
    network.update_params(|name, param| match file.values(name, param.shape.dims()) {
        Ok(values) => param.value = Buffer::from(&values[..]),
        Err(reason) => fault = Some(reason),
    });
    fault.map_or(Ok(()), |reason| Err(wrong(reason)))
}

/// A network with the convolutions of `untrained`, each filter scaled and shifted so that its outputs before the ReLU have
/// the mean and variance over the training pictures that they have in `pretrained`.
///
/// # Errors
/// A layer that does not fit.
pub fn matched(
    architecture: &Tutorial,
    mut untrained: Network,
    pretrained: &Network,
    pictures: &Pictures,
) -> Result<Network> {
    let count = pictures.train.labels.len().min(MATCHED_ON);
    let some = Epoch { positions: (0..count as u32).collect(), distinct: count };
    let all = pictures.train.examples();
    let examples = some.of(&all);
    for (depth, layer) in ["conv2d_1", "conv2d_2"].into_iter().enumerate() {
        let moments = |network: &Network| -> Result<Vec<[f64; 2]>> {
            let outputs = convolutions(architecture, depth + 1, network)?.predict(&examples);
            Ok(moments(outputs.logits().data(), architecture.filters[depth]))
        };
        let (ours, theirs) = (moments(&untrained)?, moments(pretrained)?);
        let filters = ours.len();
        // Scale and shift of each filter; one whose output never varies is only shifted.
        let changes: Vec<[f64; 2]> = ours
            .iter()
            .zip(&theirs)
            .map(|(&[mean, variance], &[wanted, wanted_variance])| {
                let scale = if variance > 0.0 { (wanted_variance / variance).sqrt() } else { 1.0 };
                [scale, wanted - scale * mean]
            })
            .collect();
        untrained.update_params(|name, param| match name.strip_prefix(layer) {
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

/// The first convolutions of a network; the last of them without its ReLU.
fn convolutions(architecture: &Tutorial, depth: usize, from: &Network) -> Result<Network> {
    let conv = |filters| Conv2D::new(filters, [architecture.kernel; 2]).method(architecture.conv_method.into());
    let mut builder = Network::builder(INPUT).layer("conv2d_1", conv(architecture.filters[0]));
    if depth == 2 {
        builder = builder.layer("activation_1", Activation::Relu).layer("conv2d_2", conv(architecture.filters[1]));
    }
    let mut network = builder.build(0)?;
    network.copy_params(from.params());
    Ok(network)
}

/// Mean and variance of each of the last dimension's places.
fn moments(values: &[f32], places: usize) -> Vec<[f64; 2]> {
    let n = (values.len() / places) as f64;
    let mut sums = vec![[0.0; 2]; places];
    for row in values.chunks_exact(places) {
        for (sums, &value) in sums.iter_mut().zip(row) {
            sums[0] += f64::from(value);
            sums[1] += f64::from(value) * f64::from(value);
        }
    }
    let moment = |&[sum, squares]: &[f64; 2]| [sum / n, (squares / n - (sum / n) * (sum / n)).max(0.0)];
    sums.iter().map(moment).collect()
}
