//! `thawline features`: saves a model's layers up to its head, or the features that they compute from pictures.

use std::path::{Path, PathBuf};

use clap::Args;
use thawline_tensor::threads;

use super::flags::{ForceArg, MachineArgs};
use crate::{
    data::own::{
        collection::{Collection, Set},
        folder,
    },
    system::{
        failure::{Failure, Result},
        interrupt::Interrupts,
        machine,
        memory::Memory,
        number,
        output::Output,
        path_text,
    },
    training::linear_head::{Options, TrainingSet},
    weights::{features::Features, tensor_file},
};

/// Flags of `features`.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// A model file, such as weights-model_1.safetensors from a run folder [default with --of: the bundled features]
    #[arg(required_unless_present = "of")]
    pub model: Option<PathBuf>,
    /// Compute the features of the pictures in this folder, one folder per class, and write them for other programs
    #[arg(long, value_name = "FOLDER")]
    pub of: Option<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "features.safetensors")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: ForceArg,
    #[command(flatten)]
    pub machine: MachineArgs,
}

pub fn features(args: &FeaturesArgs) -> Result<()> {
    machine::choose_level(args.machine.simd)?;
    Interrupts::listen()?;
    let inputs: Vec<&Path> = args.model.iter().chain(&args.of).map(PathBuf::as_path).collect();
    let output = Output::open(&args.out, args.force.force, &inputs)?;
    let features = Features::open(args.model.as_deref())?;
    let bytes = match &args.of {
        None => features.to_bytes()?,
        Some(folder) => {
            threads::with_threads(machine::choose_threads(args.machine.threads), || of_pictures(&features, folder))??
        }
    };
    output.write(&bytes)?;
    output.console().result(format!("{}: {} bytes", args.out.display(), number::count(bytes.len() as u64)))
}

/// The features that a linear head gets, as the tensors `features` (pictures x width) and `labels`. The metadata entry
/// `pictures` has the classes and the files as JSON.
fn of_pictures(features: &Features, folder: &Path) -> Result<Vec<u8>> {
    let found = folder::classes(folder)?;
    let (architecture, mut network) = features.attach_linear_head(found.classes.len())?;
    let pictures = Collection::read(&found.classes, architecture.input()[0], 0, None, || false)?;
    pictures.warn_of_skipped();
    let examples = pictures.examples(Set::Training);
    if examples.is_empty() {
        return Err(Failure::usage(format!("{}: no picture could be read", folder.display())));
    }
    Memory::of_linear_head(&network, examples.len(), 0)
        .require("computing the features", "name a folder with fewer pictures")?;
    features.fill(&mut network, 0)?;
    let options = Options { augmented_views: 0, balanced: false, seed: 0 };
    let set = TrainingSet::read(&network, &examples, Vec::new(), options, || Ok(()))?;
    let files: Vec<String> = pictures.of(Set::Training).map(|(entry, _)| path_text::exact(&entry.path)).collect();
    let names = serde_json::json!({ "classes": pictures.classes, "files": files }).to_string();
    let labels: Vec<f32> = set.labels.iter().map(|&label| label as f32).collect();
    let shape = [labels.len(), set.values.len() / labels.len()];
    let tensors =
        [("features".to_owned(), &shape[..], &set.values[..]), ("labels".to_owned(), &shape[..1], &labels[..])];
    tensor_file::to_foreign_bytes(tensors, Some(("pictures", &names)))
}
