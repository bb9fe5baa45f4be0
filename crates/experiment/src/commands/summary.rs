//! `thawline summary`: the network before and after its features are frozen.

use crate::{
    cli::SummaryArgs,
    console,
    failure::{Failure, Result},
    models::Architecture,
};

/// Builds the network and prints both tables.
///
/// # Errors
/// A layer that does not fit, or is not there.
pub fn summary(args: &SummaryArgs) -> Result<()> {
    let architecture = args.network.architecture();
    require_buildable(&architecture, args.classes)?;
    let mut network = architecture.build(args.classes, 0)?;
    let before = network.summary();
    network.freeze_through(&args.freeze).map_err(|error| Failure::from(error).within("--freeze"))?;
    console::print(&format!(
        "model_1: everything learns\n\n{before}\n\nmodel_2: frozen up to {}\n\n{}",
        args.freeze,
        network.summary()
    ))
}

/// Refuses a network whose parameters would not fit in memory.
///
/// # Errors
/// Names the number of parameters and the flags.
pub fn require_buildable(architecture: &Architecture, classes: usize) -> Result<()> {
    // Far more than any network for 32 x 32 pictures has use for, and 16 GB to train.
    const MOST: u64 = 1_000_000_000;
    match architecture.parameters(classes) {
        Some(parameters) if parameters > MOST => Err(Failure::usage(format!(
            "this network would have {parameters} parameters; expected at most {MOST}: lower --filters or --dense, or raise --pool"
        ))),
        _ => Ok(()),
    }
}
