//! `thawline summary`: the network before and after its features are frozen.

use super::flags::SummaryArgs;
use crate::system::{
    console::{self, Text, shown},
    failure::{Failure, Result},
    machine,
};

pub fn summary(args: &SummaryArgs) -> Result<()> {
    machine::choose_level(None)?;
    let architecture = args.network.architecture()?;
    let mut network = architecture.outline(args.classes)?;
    let before = Text::of_table(network.summary());
    let freeze = args.freeze.clone().unwrap_or_else(|| architecture.features_end());
    network.freeze_through(&freeze).map_err(|error| Failure::from(error).within("--freeze"))?;
    let mut text = Text::from(["model_1: all layers are trained", ""]).and(before);
    text.push([String::new(), format!("model_2: frozen up to {}", shown(&freeze)), String::new()]);
    console::print(text.and(Text::of_table(network.summary())))
}
