//! The network of an arm: taken over from stage 1 as far as the arm says, else at its initial weights.

use thawline_tensor::nn::{Activation, Conv2D, Dense, Flatten, MaxPooling2D, Network};

use super::{Arm, Head, Stage, Training};
use crate::{
    models::{FEATURES_END, INPUT, Tutorial},
    system::failure::{Failure, Result},
    training::transfer,
};

/// The layers with weights of each block, from the first.
const BLOCKS: [&str; 3] = ["conv2d_1", "conv2d_2", "dense_1"];

/// The last layer of each block: freezing goes up to here.
const BLOCK_ENDS: [&str; 3] = ["activation_1", FEATURES_END, "activation_3"];

/// The convolutions: what has initial weights of the seed itself in both stages.
const CONVOLUTIONS: &[&str] = &["conv2d_1", "conv2d_2"];

/// Builds the network of an arm. `features` is the network whose blocks are taken over; none where the arm takes none.
///
/// # Errors
/// A layer that does not fit; a warm head for another number of classes than it had.
pub fn assemble(
    arm: &Arm,
    architecture: &Tutorial,
    classes: usize,
    seed: u64,
    features: Option<&Network>,
) -> Result<Network> {
    let stage_seed = if arm.stage == Stage::Pretraining { seed } else { transfer::seed(seed) };
    let mut network = build(arm.head, architecture, classes, stage_seed)?;
    let initial = architecture.build(classes, seed)?;
    take_over(&mut network, &initial, CONVOLUTIONS);
    if let Some(features) = features {
        take_over(&mut network, features, &BLOCKS[..arm.blocks]);
        if arm.head == Head::Warm {
            require_fitting_head(arm, classes, features.output().size())?;
            take_over(&mut network, features, &["dense_1", "dense_2"]);
        }
    }
    if arm.blocks > 0 && !matches!(arm.training, Training::Everything(_)) {
        network.freeze_through(BLOCK_ENDS[arm.blocks - 1])?;
    }
    Ok(network)
}

/// Whether an arm's head can stand behind features of another number of classes.
///
/// # Errors
/// If it is a warm one: its output layer has as many units as there were classes.
pub fn require_fitting_head(arm: &Arm, classes: usize, source_classes: usize) -> Result<()> {
    if arm.head == Head::Warm && classes != source_classes {
        return Err(Failure::usage(format!(
            "{}: a warm head needs as many target classes as source classes: there are {classes} and {source_classes}",
            arm.name
        )));
    }
    Ok(())
}

/// How many convolutions lie in the prefix that a head-only arm's features come from. A dropout layer ends the prefix, so
/// a frozen dense layer is not part of it.
pub fn prefix_layers(arm: &Arm) -> usize {
    if arm.is_head_only() { arm.blocks.min(CONVOLUTIONS.len()) } else { 0 }
}

fn build(head: Head, architecture: &Tutorial, classes: usize, seed: u64) -> Result<Network> {
    let conv = |filters| Conv2D::new(filters, [architecture.kernel; 2]).method(architecture.conv_method.into());
    let input = Network::builder(INPUT);
    let layers = match head {
        Head::Fresh | Head::Warm => return architecture.build(classes, seed),
        Head::Linear => input
            .layer("conv2d_1", conv(architecture.filters[0]))
            .layer("activation_1", Activation::Relu)
            .layer("conv2d_2", conv(architecture.filters[1]))
            .layer("activation_2", Activation::Relu)
            .layer("max_pooling2d_1", MaxPooling2D::new([architecture.pool; 2]))
            .layer(FEATURES_END, Flatten)
            .layer("dense_2", Dense::new(classes)),
        Head::Pixels => input.layer(FEATURES_END, Flatten).layer("dense_2", Dense::new(classes)),
    };
    Ok(layers.build(seed)?)
}

/// Copies the parameters of some layers, as far as both networks have them.
fn take_over(network: &mut Network, from: &Network, layers: &[&str]) {
    let is_of = |name: &str| name.split_once('/').is_some_and(|(layer, _)| layers.contains(&layer));
    network.copy_params(from.params().filter(|(name, _)| is_of(name)));
}
