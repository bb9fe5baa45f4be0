//! `thawline features`: saves a model's layers without the head, for `adapt --from`.

use std::path::PathBuf;

use clap::Args;

use super::flags::ForceArg;
use crate::{
    system::{failure::Result, interrupt::Interrupts, output::Output},
    weights::features::Features,
};

/// Flags of `features`.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// A model file, such as weights-model_1.safetensors from a run folder
    pub model: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "features.safetensors")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: ForceArg,
}

pub fn features(args: &FeaturesArgs) -> Result<()> {
    Interrupts::listen()?;
    let output = Output::open(&args.out, args.force.force, &[&args.model])?;
    let bytes = Features::open(Some(&args.model))?.to_bytes()?;
    output.write(&bytes)?;
    output.console().result(format!("{}: {} bytes", args.out.display(), bytes.len()))
}
