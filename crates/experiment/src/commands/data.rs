//! `thawline data`: shows, checks or makes a data set.

use std::{
    io::BufWriter,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use thawline_cifar::{Format, Images, Source};

use super::flags::{DataCommand, DataInfoArgs, SamplesArgs, SynthArgs};
use crate::{
    data::{
        classes,
        open::{self, Data},
        task,
    },
    report,
    system::{
        atomic_file,
        console::{self, Console, Text},
        failure::{Failure, Result},
        interrupt::Interrupts,
        number,
        output::{self, Output},
    },
};

pub fn data(command: &DataCommand) -> Result<()> {
    match command {
        DataCommand::Info(path) => info(path),
        DataCommand::Verify(path) => verify(path),
        DataCommand::Synth(args) => synth(args),
        DataCommand::Samples(args) => samples(args),
    }
}

fn open(path: Option<&Path>) -> Result<Data> {
    path.map_or_else(|| open::open(None), open::named)
}

fn info(DataInfoArgs { path, json }: &DataInfoArgs) -> Result<()> {
    let data = open(path.as_deref())?;
    let sets = [data.dataset.train(), data.dataset.test()];
    let count = |images: &Images, label: usize| images.iter().filter(|image| usize::from(image.label) == label).count();
    let classes = data.dataset.classes().iter().enumerate();
    let classes = classes.map(|(label, name)| (label, name, sets.map(|images| count(images, label))));
    if *json {
        let classes = classes.map(|(label, name, [training, test])| {
            json!({ "label": label, "name": name, "training": training, "test": test })
        });
        let classes: Vec<Value> = classes.collect();
        return console::print_json(&json!({ "data": data.record(), "classes": classes }));
    }
    let mut text = Text::wrapped("", data.describe()).and("");
    text.push(Text::heading("label  class                 training      test"));
    let row = |label: &str, name: &str, pictures: [usize; 2]| {
        let [train, test] = pictures.map(|pictures| number::count(pictures as u64));
        format!("{label:>5}  {name:<20}  {train:>8}  {test:>8}")
    };
    for (label, name, pictures) in classes {
        text.push(row(&label.to_string(), name, pictures));
    }
    text.push(row("", "all", sets.map(Images::len)));
    console::print(text)
}

/// Opening a data set checks it, so only its hashes remain to be printed.
fn verify(DataInfoArgs { path, json }: &DataInfoArgs) -> Result<()> {
    let data = open(path.as_deref())?;
    let archive = match data.dataset.source() {
        Source::Archive { bytes, sha256, .. } => Some((*bytes, sha256)),
        _ => None,
    };
    if *json {
        return console::print_json(
            &json!({ "data": data.record(), "archive_sha256": archive.map(|(_, sha256)| sha256) }),
        );
    }
    let mut text = Text::wrapped("", data.describe());
    if let Some((bytes, sha256)) = archive {
        text.push(Text::wrapped("archive  ", format!("{sha256} (SHA-256 of its {} bytes)", number::count(bytes))));
    }
    let sha256 = data.dataset.sha256();
    text.push(Text::wrapped("records  ", format!("{sha256} (SHA-256 of all labels and pixels, training files first)")));
    let records = (data.dataset.train().len() + data.dataset.test().len()) as u64;
    let classes = data.dataset.classes().len();
    let whole = format!("complete: {} records, each with a label of one of {classes} classes", number::count(records));
    console::print(text.and(Text::verdict(whole, true)))
}

/// Writes built-in pictures as an archive or a folder.
fn synth(args: &SynthArgs) -> Result<()> {
    let SynthArgs { out, force, train, test, seed } = args;
    Interrupts::listen()?;
    require_size(*train, *test)?;
    let archive = if is_archive(out)? { Some(Output::open(out, force.force, &[])?) } else { None };
    if archive.is_none() {
        output::require_new_folder(out)?;
    }
    let dataset = open::draw(*seed, thawline_drawings::Size { train: *train, test: *test })?;
    match &archive {
        Some(output) => output.write_with(|file| dataset.write_archive_to(BufWriter::new(file)))?,
        None => atomic_file::write_folder(out, |folder| {
            dataset
                .write_folder(folder)
                .map_err(|error| Failure { message: format!("{}: {}", out.display(), error.fault()), ..error.into() })
        })?,
    }
    let console = archive.as_ref().map_or_else(Console::default, Output::console);
    let [train, test] = [*train, *test].map(|pictures| number::count(pictures as u64));
    let made = format!("{}: {train} training and {test} test pictures, drawn from seed {seed}", out.display());
    let hash = format!("{} (SHA-256 of all labels and pixels)", dataset.sha256());
    console.result(Text::from(made).and(Text::wrapped("records  ", hash)))
}

/// Refuses sizes that could not be read back, before anything is drawn.
fn require_size(train: usize, test: usize) -> Result<()> {
    let [most_train, most_test] = Format::Cifar10.release_pictures();
    let refused = |reason: String| Err(Failure::usage(reason));
    if train > most_train || !train.is_multiple_of(5) {
        return refused(format!(
            "--train {train}: expected a multiple of 5 (the set has five files), at most {}",
            number::count(most_train as u64)
        ));
    }
    if test > most_test {
        return refused(format!("--test {test}: expected at most {}", number::count(most_test as u64)));
    }
    if (train == most_train) != (test == most_test) {
        return refused(format!(
            "--train {train} --test {test}: a set with as many pictures as CIFAR-10 in only one part would look like a damaged \
             CIFAR-10; expected --train {most_train} --test {most_test}, or fewer in both"
        ));
    }
    Ok(())
}

fn is_archive(path: &Path) -> Result<bool> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".tar", ".zip", ".gz", ".bz2", ".xz"]) && !name.ends_with(".tar.gz") {
        return Err(Failure::usage(format!(
            "{}: expected a name that ends in .tar.gz or .tgz, or the name of a folder",
            path.display()
        )));
    }
    Ok(ends(&[".tar.gz", ".tgz"]))
}

/// Writes a grid of sample pictures.
fn samples(args: &SamplesArgs) -> Result<()> {
    Interrupts::listen()?;
    let data = open(args.path.as_deref())?;
    let inputs = data.inputs(args.path.as_deref());
    let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    let output = Output::open(&args.out, args.force.force, &inputs)?;
    let names = data.dataset.classes();
    let classes = match &args.classes {
        Some(list) => classes::parse_one_or_more("--classes", list, names)?,
        None => classes::all(names),
    };
    let rows = task::samples(data.dataset.train(), &classes, args.columns);
    let png = report::sample_grid(&rows, data.kind)
        .ok_or_else(|| Failure::usage("the data set has no training pictures of these classes"))?;
    output.write(&png)?;
    let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    let made = Text::wrapped("", format!("{}: {}", args.out.display(), data.describe()));
    output.console().result(made.and(Text::wrapped("rows from the top: ", names.join(", "))))
}
