//! `thawline summary`: the network before and after its features are frozen.

use crate::{
    cli::SummaryArgs,
    console,
    experiment::require_buildable,
    failure::{Failure, Result},
    machine,
};

/// Builds the network and prints both tables.
///
/// # Errors
/// A layer that does not fit, or is not there.
pub fn summary(args: &SummaryArgs) -> Result<()> {
    machine::choose_level(None)?;
    let architecture = args.network.architecture()?;
    require_buildable(&architecture, args.classes)?;
    let mut network = architecture.build(args.classes, 0)?;
    let before = network.summary();
    let freeze = args.freeze.clone().unwrap_or_else(|| architecture.features_end());
    network.freeze_through(&freeze).map_err(|error| Failure::from(error).within("--freeze"))?;
    console::print(&format!(
        "model_1: everything learns\n\n{before}\n\nmodel_2: frozen up to {freeze}\n\n{}",
        network.summary()
    ))
}
