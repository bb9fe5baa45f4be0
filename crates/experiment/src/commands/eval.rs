//! `thawline eval`: scores a model on a data set or on your own pictures.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use thawline_tensor::{kernels::softmax::softmax_cross_entropy, nn::Examples, threads};

use super::{
    flags::{ForceArg, MachineArgs},
    scores::{by_class, summary},
};
use crate::{
    data::{
        classes, open,
        own::{
            self,
            collection::{Collection, Set},
            folder::{self, Class},
        },
        task::Task,
    },
    record::{
        data::{DataKind, DataRecord},
        options::{Augment, Labels},
        pictures::Pixels,
        run::ConfusionMatrix,
        scores::Scores,
    },
    system::{
        console::{self, Console, Text, WIDTH, fitted, listed, shown},
        failure::{Failure, Kind, Result},
        interrupt::Interrupts,
        machine,
        memory::Memory,
        number,
        output::Output,
        path_text,
    },
    training::predictions::{judge, ranked, require_finite},
    weights::{model::Model, tensor_file},
};

/// Flags of `eval`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct EvalArgs {
    /// The model: a weights file, or the run folder of `adapt`
    #[arg(long, value_name = "MODEL")]
    pub from: PathBuf,
    /// CIFAR .tar.gz, folder of .bin files, built-in, or a folder of your own pictures, one folder per class [default: as for run]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Labels of CIFAR-100: fine or coarse
    #[arg(long, value_name = "LABELS", value_enum, hide_possible_values = true, default_value_t = Labels::Fine)]
    pub labels: Labels,
    /// The class of each output, in order [default: matched by name]
    #[arg(long, value_name = "CLASSES", allow_hyphen_values = true)]
    pub classes: Option<String>,
    /// Use at most N test pictures
    #[arg(long, value_name = "N", value_parser = crate::commands::values::count)]
    pub limit: Option<usize>,
    /// Write the logits of each picture to this safetensors file
    #[arg(long, value_name = "FILE")]
    pub logits: Option<PathBuf>,
    #[command(flatten)]
    pub force: ForceArg,
    /// Print the scores as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub machine: MachineArgs,
}

#[derive(Debug, Serialize)]
struct Evaluation {
    model: String,
    model_sha256: String,
    data: DataRecord,
    examples: u64,
    loss: f64,
    accuracy: f64,
    confusion: ConfusionMatrix,
    scores: Scores,
}

pub fn eval(args: &EvalArgs) -> Result<()> {
    machine::choose_level(args.machine.simd)?;
    Interrupts::listen()?;
    threads::with_threads(machine::choose_threads(args.machine.threads), || {
        let model = Model::open(&args.from).map_err(|failure| failure.within("--from"))?;
        match args.data.as_deref().filter(|path| folder::is_of_pictures(path)) {
            Some(folder) => score_pictures(args, model, folder),
            None => score_data(args, model),
        }
    })?
}

/// Scores a model on the test pictures of a data set.
fn score_data(args: &EvalArgs, model: Model) -> Result<()> {
    let data = open::open(args.data.as_deref())?.labelled(args.labels)?;
    let inputs = data.inputs(args.data.as_deref());
    let output = output(args, &inputs)?;
    let outputs = &model.metadata.classes;
    let names = data.dataset.classes();
    let classes = match &args.classes {
        Some(list) => {
            let classes = classes::parse("--classes", list, names)?;
            if classes.len() != outputs.len() {
                return Err(Failure::usage(format!(
                    "--classes {list}: the model has {} classes, the list {}",
                    outputs.len(),
                    classes.len()
                )));
            }
            classes
        }
        None => classes::by_name(outputs, names).map_err(|reason| {
            Failure::usage(format!(
                "the model's classes ({}) cannot be matched by name: {reason}; list the data's classes with --classes, \
                 in the order of the model's outputs",
                listed(outputs)
            ))
        })?,
    };
    model.metadata.network.require_data_set_size().map_err(|failure| failure.within("--from"))?;
    let task = Task::new(&data.dataset, classes, args.limit, Augment::default())?;
    evaluate(args, model, &task.validation, &task.names(), data.record(), &data.describe(), output)
}

/// Scores a model on your own pictures, in folders named like its classes.
fn score_pictures(args: &EvalArgs, model: Model, folder: &Path) -> Result<()> {
    if args.classes.is_some() || args.limit.is_some() || !args.labels.is_fine() {
        return Err(Failure::usage(format!(
            "--classes, --limit and --labels are for data sets; {} is a folder of pictures",
            path_text::printable(folder)
        )));
    }
    let output = output(args, &[folder.to_owned()])?;
    let classes = model.metadata.classes.clone();
    let names: Vec<&str> = classes.iter().map(String::as_str).collect();
    let [size, ..] = model.metadata.network.input();
    let files = folder::test_files(folder, &names)?.into_iter();
    let class =
        |(label, test): (usize, _)| (label as u32, Class { name: names[label].to_owned(), files: Vec::new(), test });
    // The folders are in the order of their names, not of the model's outputs.
    let (of_folder, found): (Vec<u32>, Vec<Class>) = files.map(class).unzip();
    let read = Collection::read(&found, size, 0, None, || false)?;
    read.warn_of_skipped();
    let (pictures, labels): (Vec<&Pixels>, Vec<u32>) =
        read.of(Set::Test).map(|(entry, pixels)| (pixels, of_folder[entry.class])).unzip();
    if pictures.is_empty() {
        return Err(Failure::usage(format!("{}: has no readable pictures", path_text::printable(folder))));
    }
    let describe = format!("own pictures from {}", path_text::printable(folder));
    let record = DataRecord {
        kind: DataKind::Own,
        official: false,
        sha256: None,
        path: Some(path_text::exact(folder)),
        train_examples: 0,
        test_examples: labels.len() as u64,
        classes: classes.clone(),
        sentence: "Your own pictures.".to_owned(),
    };
    let examples = own::examples(pictures, labels);
    evaluate(args, model, &examples, &classes, record, &describe, output)
}

/// The file for the logits, if one is named. It must not be one of the inputs.
fn output(args: &EvalArgs, inputs: &[PathBuf]) -> Result<Option<Output>> {
    let inputs: Vec<&Path> = inputs.iter().chain([&args.from]).map(PathBuf::as_path).collect();
    let open =
        |path: &PathBuf| Output::open(path, args.force.force, &inputs).map_err(|failure| failure.within("--logits"));
    args.logits.as_ref().map(open).transpose()
}

fn evaluate(
    args: &EvalArgs,
    model: Model,
    examples: &Examples,
    classes: &[String],
    data: DataRecord,
    describe: &str,
    output: Option<Output>,
) -> Result<()> {
    let memory = Memory::of_inference(&model.network, examples.len());
    memory.require("the evaluation", "use a machine with more memory, or a smaller model")?;
    let predictions = model.network.predict(examples);
    let logits = predictions.logits();
    require_finite(logits, |picture| format!("test picture {}", picture + 1))?;
    let of_examples = logits.data().chunks_exact(classes.len()).zip(examples.labels());
    let losses = of_examples.map(|(logits, &label)| softmax_cross_entropy(logits, label as usize, 1.0, &mut []));
    let loss = losses.sum::<f64>() / examples.len() as f64;
    if !loss.is_finite() {
        return Err(Failure::new(Kind::Numeric, format!("the loss is {loss}: the model's weights are too large")));
    }
    if let Some(output) = &output {
        let tensor = ("logits".to_owned(), logits.shape().dims(), logits.data());
        output.write(&tensor_file::to_foreign_bytes([tensor], None)?)?;
    }
    let (confusion, scores) = judge(classes, examples.labels(), &ranked(logits.data(), classes.len()));
    let evaluation = Evaluation {
        model: path_text::exact(&args.from),
        model_sha256: model.sha256,
        data,
        examples: examples.len() as u64,
        loss,
        accuracy: scores.accuracy,
        confusion,
        scores,
    };
    let console = output.as_ref().map_or_else(Console::default, Output::console);
    if args.json {
        return console::print_json(&evaluation);
    }
    let text = Text::wrapped("", format!("{}: {}", evaluation.model, shown(&model.metadata.model)));
    let text = text.and(Text::wrapped("", describe)).and("");
    console.result(text.and(table(&evaluation)).and("").and(by_class(&evaluation.scores)))
}

/// The scores and the confusion matrix; where that is too wide, each class's accuracy and its most frequent mistake.
fn table(evaluation: &Evaluation) -> Text {
    let ConfusionMatrix { classes, counts } = &evaluation.confusion;
    let mut text = Text::heading(format!(
        "accuracy {} on {} test pictures, loss {:.4}",
        number::percent(evaluation.accuracy),
        number::count(evaluation.examples),
        evaluation.loss
    ));
    text.push(summary(&evaluation.scores));
    let width = classes.iter().map(|class| fitted(class, 24).chars().count()).max().unwrap_or(0);
    let cell = counts.iter().flatten().map(|count| count.to_string().len()).max().unwrap_or(0).max(3) + 1;
    let is_narrow = 4 + width + cell * classes.len() + 9 <= WIDTH;
    let heading = if is_narrow {
        let numbers: String = (1..=classes.len()).map(|number| format!("{number:>cell$}")).collect();
        [
            "confusion matrix: a row per true class, a column per predicted class".to_owned(),
            format!("    {:<width$}{numbers}  correct", ""),
        ]
    } else {
        ["accuracy by class".to_owned(), format!("    {:<width$}  correct  most frequent mistake", "")]
    };
    text.push("");
    for line in heading {
        text.push(Text::heading(line));
    }
    for ((true_class, class), row) in classes.iter().enumerate().zip(counts) {
        let name = fitted(class, width);
        let right = match row.iter().sum::<u64>() {
            0 => "-".to_owned(),
            pictures => number::percent(row[true_class] as f64 / pictures as f64),
        };
        text.push(if is_narrow {
            let cells: String = row.iter().map(|count| format!("{count:>cell$}")).collect();
            format!("{:>3} {name:<width$}{cells} {right:>8}", true_class + 1)
        } else {
            let wrong =
                row.iter().zip(classes).enumerate().filter(|(class, (count, _))| *class != true_class && **count > 0);
            let worst = wrong.max_by_key(|(_, (count, _))| **count);
            let worst =
                worst.map_or_else(String::new, |(_, (count, other))| format!("{} ({count})", fitted(other, 24)));
            format!("{:>3} {name:<width$} {right:>8}  {worst}", true_class + 1).trim_end().to_owned()
        });
    }
    text
}
