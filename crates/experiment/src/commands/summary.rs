//! `thawline summary`: the network before and after its features are frozen.

use super::flags::SummaryArgs;
use crate::{
    system::{
        console::{self, Text, shown},
        failure::{Failure, Result},
        machine,
    },
    training::train::describe,
};

pub fn summary(args: &SummaryArgs) -> Result<()> {
    machine::choose_level(None)?;
    let architecture = args.network.architecture()?;
    let mut network = architecture.outline(args.classes)?;
    let (before, record) = (Text::of_table(network.summary()), describe(&network));
    let freeze = args.freeze.clone().unwrap_or_else(|| architecture.features_end());
    network.freeze_through(&freeze).map_err(|error| Failure::from(error).within("--freeze"))?;
    if args.json {
        return console::print_json(&serde_json::json!({ "model_1": record, "model_2": describe(&network) }));
    }
    let mut text = Text::from(["model_1: all layers are trained", ""]).and(before);
    text.push([String::new(), format!("model_2: frozen up to {}", shown(&freeze)), String::new()]);
    console::print(text.and(Text::of_table(network.summary())))
}
