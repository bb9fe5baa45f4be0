//! `thawline eval`: how well a model does on a data set.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use thawline_tensor::{
    nn::{evaluate, predict, thousands},
    threads,
};

use crate::{
    classes,
    cli::{ForceArg, MachineArgs},
    console::{self, Console, listed, shown},
    data::{self, Labels},
    estimate::Memory,
    failure::{Failure, Kind, Result},
    interrupt::Interrupts,
    machine,
    model_file::Model,
    output::Output,
    path_text,
    predictions::require_finite,
    progress::percent,
    record::{ConfusionMatrix, DataRecord},
    regime::Augment,
    task::Task,
    tensor_file, training,
};

/// Flags of `eval`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct EvalArgs {
    /// The model: a file of weights, or adapt's run folder
    #[arg(long, value_name = "MODEL")]
    pub from: PathBuf,
    /// CIFAR .tar.gz, folder of .bin files, or built-in [default: as for run]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// CIFAR-100's fine labels, or its coarse ones
    #[arg(long, value_name = "LABELS", value_enum, hide_possible_values = true, default_value_t = Labels::Fine)]
    pub labels: Labels,
    /// The data's classes of the model's outputs, in their order [default: those of its names]
    #[arg(long, value_name = "CLASSES", allow_hyphen_values = true)]
    pub classes: Option<String>,
    /// Use at most N test pictures
    #[arg(long, value_name = "N", value_parser = crate::cli::count)]
    pub limit: Option<usize>,
    /// Write the logits of each picture to this safetensors file
    #[arg(long, value_name = "FILE")]
    pub logits: Option<PathBuf>,
    /// Whether they may replace a file.
    #[command(flatten)]
    pub force: ForceArg,
    /// Print the scores as JSON
    #[arg(long)]
    pub json: bool,
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Scores {
    model: String,
    model_sha256: String,
    data: DataRecord,
    examples: u64,
    loss: f64,
    accuracy: f64,
    confusion: ConfusionMatrix,
}

/// Scores a model on the test pictures of its classes.
///
/// # Errors
/// A model or data that cannot be read; classes that are not there.
pub fn eval(args: &EvalArgs) -> Result<()> {
    machine::choose_level(args.machine.simd)?;
    Interrupts::listen()?;
    threads::with_threads(machine::choose_threads(args.machine.threads), || score(args))?
}

fn score(args: &EvalArgs) -> Result<()> {
    let model = Model::open(&args.from).map_err(|failure| failure.within("--from"))?;
    let data = data::open(args.data.as_deref())?.labelled(args.labels)?;
    let inputs = data.inputs(args.data.as_deref());
    let inputs: Vec<&Path> = inputs.iter().chain([&args.from]).map(PathBuf::as_path).collect();
    let open =
        |path: &PathBuf| Output::open(path, args.force.force, &inputs).map_err(|failure| failure.within("--logits"));
    let output = args.logits.as_ref().map(open).transpose()?;
    let outputs = &model.metadata.classes;
    let names = data.dataset.classes();
    let classes = match &args.classes {
        Some(list) => {
            let classes = classes::parse("--classes", list, names)?;
            if classes.len() != outputs.len() {
                return Err(Failure::usage(format!(
                    "--classes {list}: the model tells {} classes apart, and these are {}",
                    outputs.len(),
                    classes.len()
                )));
            }
            classes
        }
        None => classes::by_name(outputs, names).map_err(|reason| {
            Failure::usage(format!(
                "{reason}: the model's classes are {}; name the data's with --classes, in the order of the outputs",
                listed(outputs)
            ))
        })?,
    };
    let task = Task::new(&data.dataset, classes, args.limit, Augment::default())?;
    let memory = Memory::of_inference(&model.network, task.validation.len());
    memory.require("the evaluation", "use a machine with more memory, or a smaller model")?;
    let metrics = evaluate(&model.network, &task.validation);
    if !metrics.loss.is_finite() {
        return Err(Failure::new(
            Kind::Numeric,
            format!("the loss is {}: the model's weights are too large", metrics.loss),
        ));
    }
    let logits = predict(&model.network, &task.validation);
    require_finite(&logits, |picture| format!("test picture {}", picture + 1))?;
    if let Some(output) = &output {
        let tensor = ("logits".to_owned(), logits.shape().dims(), logits.data());
        output.write(&tensor_file::to_foreign_bytes([tensor], None)?)?;
    }
    let scores = Scores {
        model: path_text::exact(&args.from),
        model_sha256: model.sha256,
        data: data.record(),
        examples: task.validation.len() as u64,
        loss: metrics.loss,
        accuracy: metrics.accuracy,
        confusion: training::confusion(&logits, &task),
    };
    let console = output.as_ref().map_or_else(Console::default, Output::console);
    if args.json {
        let json =
            serde_json::to_string_pretty(&scores).map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
        return console::print_data(&(json + "\n"));
    }
    let mut lines = vec![format!("{}: {}", scores.model, shown(&model.metadata.model)), data.describe(), String::new()];
    lines.extend(table(&scores));
    console.result(lines)
}

/// The scores, and what was taken for what.
fn table(scores: &Scores) -> Vec<String> {
    let ConfusionMatrix { classes, counts } = &scores.confusion;
    let classes: Vec<String> = classes.iter().map(|class| shown(class)).collect();
    let width = classes.iter().map(|class| class.chars().count()).max().unwrap_or(0).max(8);
    let mut lines = vec![
        format!(
            "accuracy {} of {} test pictures, loss {:.4}",
            percent(scores.accuracy).trim_start(),
            thousands(scores.examples),
            scores.loss
        ),
        String::new(),
    ];
    let header: String = classes.iter().map(|class| format!("  {class:>width$}")).collect();
    lines.push(format!("{:<20}{header}     right", "true, taken for"));
    for ((t, class), row) in classes.iter().enumerate().zip(counts) {
        let cells: String = row.iter().map(|&count| format!("  {:>width$}", thousands(count))).collect();
        let total = row.iter().sum::<u64>().max(1);
        lines.push(format!("{class:<20}{cells}  {}", percent(row[t] as f64 / total as f64)));
    }
    lines
}
