//! `thawline data`: look at a data set, check it, or make one.

use crate::{cli::DataCommand, failure::Result};

/// Dispatches.
///
/// # Errors
/// Of the subcommand.
pub fn data(command: &DataCommand) -> Result<()> {
    let _ = command;
    Ok(())
}
