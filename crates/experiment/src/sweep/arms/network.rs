//! The network of an arm: some layers copied from stage 1, the others with initial weights.

use std::collections::BTreeSet;

use thawline_tensor::nn::Network;

use super::{Arm, FeatureSource, Head, Stage, TrainedLayers};
use crate::{
    models::{Architecture, FEATURES_END, INPUT, Layer, Listed},
    system::failure::{Failure, Result},
    training::transfer,
};

/// A network cut into blocks: each is a Conv2D or a hidden Dense with the layers up to the next one. The output layer
/// is not part of any block. The tutorial's network has three: first convolution; second convolution and pooling;
/// hidden Dense.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    layers: Vec<Layer>,
    /// The index of the first layer of each block, and that of the output layer.
    starts: Vec<usize>,
    /// The blocks before the first Dense: the features.
    pub features: usize,
}

impl Blocks {
    /// The blocks of a network.
    ///
    /// # Errors
    /// If the network has no convolution before a final Dense, and so no features to transfer.
    pub fn of(architecture: &Architecture) -> Result<Self> {
        let layers = architecture.layers().into_owned();
        let starts_block = |layer: &Layer| matches!(layer, Layer::Conv2D { .. } | Layer::Dense { .. });
        let starts: Vec<usize> = (0..layers.len()).filter(|&at| starts_block(&layers[at])).collect();
        let is_conv = |&&at: &&usize| matches!(layers[at], Layer::Conv2D { .. });
        let features = starts.iter().take_while(is_conv).count();
        if features == 0 || features == starts.len() {
            return Err(Failure::usage(
                "the network has no features to transfer: it needs a Conv2D before a final Dense",
            ));
        }
        Ok(Blocks { layers, starts, features })
    }

    pub fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The layers of the first `count` blocks.
    pub fn first(&self, count: usize) -> &[Layer] {
        &self.layers[..if count == 0 { 0 } else { self.starts[count] }]
    }

    /// The layers of the features.
    pub fn feature_layers(&self) -> &[Layer] {
        self.first(self.features)
    }
}

/// Builds the network of an arm. `features` is the network whose blocks are transferred, if any.
///
/// # Errors
/// If the network has no features, a layer does not fit, or a warm head has another number of classes than it had.
pub fn assemble(
    arm: &Arm,
    architecture: &Architecture,
    classes: usize,
    seed: u64,
    features: Option<&Network>,
) -> Result<Network> {
    let blocks = Blocks::of(architecture)?;
    let stage_seed = if arm.stage == Stage::Pretraining { seed } else { transfer::seed(seed) };
    let mut network = with_head(arm.head, architecture, &blocks).build(classes, stage_seed)?;
    // In both stages the features' initial weights are those of the seed itself.
    copy_weights(&mut network, &architecture.build(classes, seed)?, blocks.feature_layers());
    if let Some(features) = features {
        copy_weights(&mut network, features, blocks.first(arm.blocks));
        if arm.head == Head::Warm {
            require_fitting_head(arm, classes, features.output().size())?;
            copy_weights(&mut network, features, &blocks.layers[blocks.feature_layers().len()..]);
        }
    }
    if !matches!(arm.training, TrainedLayers::Everything(_))
        && let Some(last) =
            blocks.first(arm.blocks).iter().rfind(|layer| network.layer_names().any(|name| name == layer.name()))
    {
        network.freeze_through(last.name())?;
    }
    Ok(network)
}

/// Refuses a warm head if the numbers of classes differ, because its output layer has a unit per source class.
pub fn require_fitting_head(arm: &Arm, classes: usize, source_classes: usize) -> Result<()> {
    if arm.head == Head::Warm && classes != source_classes {
        return Err(Failure::usage(format!(
            "{}: a warm head needs as many target classes as source classes: there are {classes} and {source_classes}",
            arm.name
        )));
    }
    Ok(())
}

/// Refuses to match untrained features to trained ones if they have a `Residual` or a `DepthwiseConv2D`: only the
/// network's own `Conv2D` layers are scaled ([`stage1::matched`](super::super::stage1::matched)).
pub fn require_matchable(arm: &Arm, architecture: &Architecture) -> Result<()> {
    let is_matched = matches!(arm.features, FeatureSource::UntrainedMatched(_));
    let is_other = |layer: &&Layer| matches!(layer, Layer::Residual { .. } | Layer::DepthwiseConv2D { .. });
    match Blocks::of(architecture)?.feature_layers().iter().find(is_other).filter(|_| is_matched) {
        Some(layer) => Err(Failure::usage(format!(
            "{}: cannot match layer '{}' of the network; expected features without Residual and DepthwiseConv2D: leave the \
             arm out",
            arm.name,
            layer.name()
        ))),
        None => Ok(()),
    }
}

/// The network with an arm's head.
fn with_head(head: Head, architecture: &Architecture, blocks: &Blocks) -> Architecture {
    let output = |name: &str| Layer::Dense { name: name.to_owned(), units: None, activation: None };
    let last = blocks.layers.last().map_or("", Layer::name);
    let layers = match head {
        Head::Fresh | Head::Warm => return architecture.clone(),
        Head::Linear => {
            let features = blocks.feature_layers().iter().filter(|layer| !matches!(layer, Layer::Dropout { .. }));
            features.cloned().chain([output(last)]).collect()
        }
        Head::Pixels => vec![Layer::Flatten { name: FEATURES_END.to_owned() }, output(last)],
    };
    Architecture::Listed(Listed { conv_method: architecture.conv_method(), size: INPUT[0], layers, origin: None })
}

/// Copies the parameters that both networks have in some layers.
pub fn copy_weights<'a>(network: &mut Network, from: &Network, layers: impl IntoIterator<Item = &'a Layer>) {
    let names: BTreeSet<&str> = layers.into_iter().map(Layer::name).collect();
    let is_of = |name: &str| name.split_once('/').is_some_and(|(layer, _)| names.contains(layer));
    network.copy_params(from.params().filter(|(name, _)| is_of(name)));
}
