//! `thawline predict`: classifies pictures with a trained model.

use std::{
    io::{self, BufRead, Cursor, Read},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use thawline_tensor::threads;

use super::{
    flags::{ForceArg, MachineArgs},
    values,
};
use crate::{
    data::own::{examples, folder, read_all},
    record::pictures::Pixels,
    report,
    system::{
        console::{self, shown},
        failure::{Failure, Kind, Result},
        interrupt::Interrupts,
        machine,
        memory::Memory,
        output::Output,
        path_text, spreadsheet,
    },
    training::{
        explanation::{Explanation, activation_map, occlusion},
        predictions::{Guess, guesses},
    },
    weights::model::Model,
};

/// How many pictures are read and classified together.
const BLOCK: usize = 64;

/// The maximum number of pictures, and of classes for each, on the page of explanations.
const MAX_EXPLAINED: usize = 100;
const MAX_CLASSES: usize = 3;

/// The longest path on Linux (`PATH_MAX`), in bytes.
const LONGEST_PATH: u64 = 4096;

/// Flags of `predict`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct PredictArgs {
    /// The model: its file, or the run folder of `adapt`
    #[arg(long, value_name = "MODEL")]
    pub from: PathBuf,
    /// Picture files, and folders of them; - reads their paths from standard input, one per line or separated by NUL
    #[arg(value_name = "PICTURE", required = true)]
    pub pictures: Vec<PathBuf>,
    /// Show the K most likely classes
    #[arg(long, value_name = "K", default_value = "1", value_parser = values::count)]
    pub top: usize,
    /// Output: table, csv (a row per picture and class) or json (a line per picture)
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true, default_value_t = Format::Table)]
    pub format: Format,
    /// Write a page that shows which parts of each picture support its class (first 100 pictures)
    #[arg(long, value_name = "FILE.html")]
    pub explain: Option<PathBuf>,
    #[command(flatten)]
    pub force: ForceArg,
    #[command(flatten)]
    pub machine: MachineArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For spreadsheets
    Csv,
    /// For programs
    Json,
}

pub fn predict(args: &PredictArgs) -> Result<()> {
    machine::choose_level(args.machine.simd)?;
    threads::with_threads(machine::choose_threads(args.machine.threads), || perform(args))?
}

fn perform(args: &PredictArgs) -> Result<()> {
    let model = Model::open(&args.from).map_err(|failure| failure.within("--from"))?;
    Memory::of_inference(&model.network, BLOCK)
        .require("predicting", "use a machine with more memory, or a smaller model")?;
    let inputs: Vec<&Path> = args.pictures.iter().chain([&args.from]).map(PathBuf::as_path).collect();
    let page = args.explain.as_deref().map(|path| Output::open(path, args.force.force, &inputs)).transpose()?;
    if page.is_some() {
        Interrupts::listen()?;
    }
    let mut predictor = Predictor { args, model, pictures: 0, faults: Vec::new(), explanations: Vec::new() };
    if args.format == Format::Csv {
        console::print("picture,rank,class,probability")?;
    }
    let mut block = Vec::with_capacity(BLOCK);
    for path in args.pictures.iter().flat_map(|argument| paths(argument)) {
        match path {
            Ok(path) => block.push(path),
            // The other pictures are still classified.
            Err(failure) => {
                console::warn(&*failure.message);
                predictor.faults.push(failure.kind);
                predictor.pictures += 1;
            }
        }
        if block.len() == BLOCK {
            predictor.predict(&block)?;
            block.clear();
        }
    }
    predictor.predict(&block)?;
    if let Some(page) = page.filter(|_| !predictor.explanations.is_empty()) {
        page.write(predictor.page().as_bytes())?;
    }
    predictor.finish()
}

/// The argument itself; if it is a folder, the files in it and in its subfolders; if it is `-`, the paths on standard
/// input.
fn paths(argument: &Path) -> Box<dyn Iterator<Item = Result<PathBuf>> + '_> {
    if argument.is_dir() {
        return match folder::files(argument) {
            Ok(files) if files.is_empty() => {
                let argument = path_text::printable(argument);
                let empty = format!("{argument}: contains no files; expected pictures in it");
                Box::new(std::iter::once(Err(Failure::usage(empty))))
            }
            Ok(files) => Box::new(files.into_iter().map(Ok)),
            Err(failure) => Box::new(std::iter::once(Err(failure))),
        };
    }
    if argument.as_os_str() != "-" {
        return Box::new(std::iter::once(Ok(argument.to_owned())));
    }
    let unreadable = |error| Failure::new(Kind::Environment, format!("cannot read paths from standard input: {error}"));
    let mut input = io::stdin().lock();
    let mut first = Vec::new();
    if let Err(error) = input.by_ref().take(LONGEST_PATH + 1).read_to_end(&mut first) {
        return Box::new(std::iter::once(Err(unreadable(error))));
    }
    // `find -print0` ends every path with a NUL, so the first `LONGEST_PATH + 1` bytes contain one.
    let lines = !first.contains(&0);
    let end = if lines { b'\n' } else { 0 };
    let mut input = Cursor::new(first).chain(input);
    let next = move || {
        let mut path = Vec::new();
        let read = input.by_ref().take(LONGEST_PATH + 1).read_until(end, &mut path);
        let is_whole = path.pop_if(|byte| *byte == end).is_some() || path.len() as u64 <= LONGEST_PATH;
        path.pop_if(|byte| lines && *byte == b'\r');
        match read {
            Err(error) => Some(Err(unreadable(error))),
            Ok(0) => None,
            Ok(_) if is_whole => Some(Ok(path_text::from_bytes(path))),
            Ok(_) => Some(Err(Failure::usage(format!(
                "standard input: a path has more than {LONGEST_PATH} bytes; expected one path per line, or separated by NUL"
            )))),
        }
    };
    // Nothing more is read after an error.
    let paths = std::iter::from_fn(next)
        .scan(false, |failed, path| (!std::mem::replace(failed, path.is_err())).then_some(path));
    let mut paths = paths.filter(|path| !path.as_ref().is_ok_and(|path| path.as_os_str().is_empty())).peekable();
    if paths.peek().is_none() {
        let none = "standard input: contains no paths; expected one per line, or separated by NUL";
        return Box::new(std::iter::once(Err(Failure::usage(none))));
    }
    Box::new(paths)
}

/// Classifies pictures block by block, and collects the failures of those that cannot be read.
struct Predictor<'a> {
    args: &'a PredictArgs,
    model: Model,
    pictures: usize,
    /// One per picture that could not be read.
    faults: Vec<Kind>,
    explanations: Vec<Explanation>,
}

impl Predictor<'_> {
    /// Classifies some pictures and prints the results, in order.
    fn predict(&mut self, paths: &[PathBuf]) -> Result<()> {
        let read = read_all(paths, self.model.metadata.network.input()[0], || false);
        let whole: Vec<_> = read.iter().filter_map(|picture| picture.as_ref()?.as_ref().ok()).map(|p| &**p).collect();
        let labels = vec![0; whole.len()];
        let name = |example: usize| {
            let mut paths = paths.iter().zip(&read).filter(|(_, picture)| matches!(picture, Some(Ok(_))));
            paths.nth(example).map_or_else(String::new, |(path, _)| path_text::printable(path))
        };
        let guesses = match whole.is_empty() {
            true => Vec::new(),
            false => guesses(&self.model.network, &examples(whole, labels), name)?,
        };
        let mut guesses = guesses.into_iter();
        let mut rows = Vec::new();
        for (path, picture) in paths.iter().zip(&read) {
            self.pictures += 1;
            match picture {
                Some(Err(failure)) => {
                    console::warn(format!("skipped {}: {failure}", path_text::printable(path)));
                    self.faults.push(failure.kind);
                }
                Some(Ok(pixels)) => {
                    let mut guesses = guesses.next().unwrap_or_default();
                    if self.args.explain.is_some() && self.explanations.len() < MAX_EXPLAINED {
                        self.explanations.push(self.explain(path, pixels, &guesses));
                    }
                    guesses.truncate(self.args.top);
                    rows.push((path.as_path(), guesses));
                }
                None => {}
            }
        }
        self.print(&rows)
    }

    fn explain(&self, path: &Path, pixels: &Pixels, guesses: &[Guess]) -> Explanation {
        let network = &self.model.network;
        let class = guesses[0].class;
        let classes = guesses.iter().take(MAX_CLASSES);
        Explanation {
            file: path_text::printable(path),
            picture: pixels.into(),
            classes: classes.map(|guess| (self.class(guess).to_owned(), guess.probability)).collect(),
            map: activation_map(network, pixels, class),
            occlusion: occlusion(network, pixels, class),
        }
    }

    /// The page of explanations.
    fn page(&self) -> String {
        if self.explanations.iter().any(|explanation| explanation.map.is_none()) {
            console::warn(
                "the model's head is not linear, so there is no map of what supports a class; the page shows \
                only where hiding a part of the picture matters",
            );
        }
        report::explanation(
            &path_text::printable(&self.args.from),
            &self.explanations,
            self.pictures - self.faults.len(),
        )
    }

    fn class(&self, guess: &Guess) -> &str {
        &self.model.metadata.classes[guess.class]
    }

    fn print(&self, rows: &[(&Path, Vec<Guess>)]) -> Result<()> {
        match self.args.format {
            Format::Table => {
                let classes: Vec<String> = self.model.metadata.classes.iter().map(|class| shown(class)).collect();
                let width = classes.iter().map(|class| class.chars().count()).max().unwrap_or(0);
                let cell =
                    |guess: &Guess| format!("{:<width$} {:6.2} %", classes[guess.class], 100.0 * guess.probability);
                let lines = rows.iter().flat_map(|(path, guesses)| match &guesses[..] {
                    [guess] => vec![format!("{}  {}", cell(guess), path_text::printable(path))],
                    guesses => {
                        let path = path_text::printable(path);
                        std::iter::once(path).chain(guesses.iter().map(|guess| format!("  {}", cell(guess)))).collect()
                    }
                });
                console::print(lines.collect::<Vec<_>>())
            }
            Format::Csv => {
                let rows = rows.iter().flat_map(|(path, guesses)| {
                    (1..).zip(guesses).map(|(rank, guess): (usize, _)| {
                        (path_text::printable(path), rank, self.class(guess), guess.probability)
                    })
                });
                console::print_data(&String::from_utf8_lossy(&spreadsheet::table(rows)?))
            }
            Format::Json => {
                #[derive(Serialize)]
                struct Line<'a> {
                    picture: String,
                    guesses: Vec<Probability<'a>>,
                }
                #[derive(Serialize)]
                struct Probability<'a> {
                    class: &'a str,
                    probability: f32,
                }
                let mut text = String::new();
                for (path, guesses) in rows {
                    let probability = |guess| Probability { class: self.class(guess), probability: guess.probability };
                    let guesses = guesses.iter().map(probability).collect();
                    let line = Line { picture: path_text::exact(path), guesses };
                    text +=
                        &serde_json::to_string(&line).map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
                    text.push('\n');
                }
                console::print_data(&text)
            }
        }
    }

    /// Fails if some pictures could not be read.
    fn finish(self) -> Result<()> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let machine = self.faults.contains(&Kind::Environment);
        let kind = if machine { Kind::Environment } else { Kind::Usage };
        let message = format!("{} of {} pictures could not be read", self.faults.len(), self.pictures);
        Err(Failure::new(kind, message))
    }
}
