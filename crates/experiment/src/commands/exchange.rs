//! `thawline export` and `thawline import`: weights to and from other frameworks.

use std::path::{Path, PathBuf};

use clap::Args;

use super::flags::{ForceArg, ModelArgs};
use crate::{
    system::{
        console::{self, Text, listed},
        failure::{Failure, Result},
        interrupt::Interrupts,
        machine,
        memory::{Memory, USE_MORE_MEMORY},
        names,
        output::Output,
    },
    weights::{
        exchange::{self, Framework, pytorch},
        features::{self, Features},
        metadata::{self, Metadata},
        model::Model,
        tensor_file::TensorFile,
    },
};

/// Flags of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// torch: names and layouts of a state_dict; keras: those of Keras's layers
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub format: Framework,
    /// The model: a weights file, or the run folder of `adapt`
    #[arg(long, value_name = "MODEL")]
    pub from: PathBuf,
    /// The safetensors file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: ForceArg,
}

/// Flags of `import`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct ImportArgs {
    /// A safetensors file with the names and layouts of a PyTorch state_dict or of Keras's layers
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The model file to write
    #[arg(long, value_name = "MODEL")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: ForceArg,
    /// A model with the same network and classes, in place of --classes and the network flags
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["classes", "model", "NetworkArgs"])]
    pub like: Option<PathBuf>,
    /// Import only the layers before the first Dense, for `adapt --from`; the file must hold no others
    #[arg(long, conflicts_with = "like")]
    pub features: bool,
    /// Names of the classes, in the order of the outputs
    #[arg(long, value_name = "NAMES", value_delimiter = ',', required_unless_present = "like")]
    pub classes: Vec<String>,
    #[command(flatten)]
    pub network: ModelArgs,
}

pub fn export(args: &ExportArgs) -> Result<()> {
    let ExportArgs { format, from, out, force } = args;
    machine::choose_level(None)?;
    Interrupts::listen()?;
    let output = Output::open(out, force.force, &[from])?;
    let model = Model::open(from).map_err(|failure| failure.within("--from"))?;
    let Model { metadata, network, .. } = &model;
    output.write(&exchange::export(network, &metadata.network, *format)?)?;
    let file = out.display().to_string();
    let console = output.console();
    match format {
        Framework::Torch => {
            let code = pytorch::code(&metadata.network, metadata.classes.len(), &file) + "\n";
            if console.stdout_is_data { console.result(Text::of_lines(code)) } else { console::print_data(&code) }
        }
        Framework::Keras => {
            let names: Vec<String> = network.params().map(|(name, _)| name).collect();
            let how = "scripts/load_keras.py loads it into a Keras model with these layers and weights";
            console.result(Text::wrapped("", format!("{file}: {}", listed(&names))).and(how))
        }
    }
}

pub fn import(args: &ImportArgs) -> Result<()> {
    machine::choose_level(None)?;
    Interrupts::listen()?;
    let inputs = [Some(&args.file), args.like.as_ref(), args.network.model.as_ref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
    let output = Output::open(&args.out, args.force.force, &inputs)?;
    let place = args.file.display().to_string();
    let file =
        TensorFile::open(&args.file, |header| Memory::of_file(header.file_len()).require("the file", USE_MORE_MEMORY))?;
    let classes: Vec<String> = args.classes.iter().map(|name| name.trim().to_owned()).collect();
    let (metadata, mut network) = match &args.like {
        Some(path) => {
            let Model { metadata, network, .. } = Model::open(path).map_err(|failure| failure.within("--like"))?;
            (metadata, network)
        }
        None => {
            names::check_names(&classes).map_err(|reason| Failure::usage(format!("--classes: {reason}")))?;
            let architecture = args.network.architecture()?;
            let mut network = architecture.outline(classes.len())?;
            Memory::of_reading(&network, 0).require("the import", USE_MORE_MEMORY)?;
            network.initialize(0)?;
            (Metadata::new("imported", 0, classes, &architecture, &network), network)
        }
    };
    let only = if args.features { Some(features::freeze(&mut network, &metadata)?) } else { None };
    let (framework, prefix) = Framework::of(&file)
        .and_then(|framework| {
            let prefix = exchange::import(&mut network, &metadata.network, &file, framework, only.as_deref())?;
            Ok((framework, prefix))
        })
        .map_err(|failure| failure.within(&place))?;
    let metadata = Metadata { model: "imported".to_owned(), frozen: Vec::new(), ..metadata };
    network.unfreeze();
    let what = match args.features {
        true => {
            let features = Features::of(Model { metadata: metadata.clone(), network, sha256: String::new() })?;
            output.write(&features.to_bytes()?)?;
            "features".to_owned()
        }
        false => {
            output.write(&metadata::to_safetensors(&network, &metadata)?)?;
            format!("{} classes", metadata.classes.len())
        }
    };
    let from = if framework == Framework::Torch { "PyTorch" } else { "Keras" };
    let without = if prefix.is_empty() { String::new() } else { format!(", without the prefix {prefix}") };
    output.console().result(format!("{}: {what}, from {from}'s {place}{without}", args.out.display()))
}
