//! The command line, together with the file of settings that `--config` may name.
//!
//! A key of the file is a flag without its dashes: `batch-size = 64`, `filters = [32, 64]`, `quiet = true`. Its value is
//! checked as the flag's is. A flag on the command line wins over the file's, and over those that exclude it. Instead of a
//! flag, `layers` may list the network, as in a file for `--model`. So a run's `config.toml` is such a file. A preset is one,
//! too, that is part of the program.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, Parser, error::ErrorKind, parser::ValueSource};
use toml::{Spanned, Value};

use super::{Cli, flags::Preset};
use crate::{
    models::{Listed, file},
    system::{
        failure::{Failure, Result},
        input::{self, SETTINGS},
    },
};

/// Why there is nothing to perform.
#[derive(Debug)]
pub enum Refusal {
    /// A mistake on the command line, or a wish for help.
    Usage(clap::Error),
    /// A mistake in the file.
    Settings(Failure),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Refusal::Usage(error)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::Settings(failure)
    }
}

/// What the program is to do.
///
/// # Errors
/// Names the flag, or the file, the line and the key.
pub fn parse(arguments: Vec<OsString>) -> std::result::Result<Cli, Refusal> {
    let matches = Cli::command().try_get_matches_from(&arguments)?;
    let given = match matches.subcommand() {
        None => &matches,
        Some(("run", given)) => given,
        Some(_) => return Ok(Cli::from_arg_matches(&matches)?),
    };
    let mut arguments = arguments;
    let (mut layers, mut from_sha256) = (None, None);
    if let Some(path) = given.get_one::<PathBuf>("config") {
        let settings = input::read_text(path, SETTINGS).and_then(|text| Settings::read(path, &text, given));
        let settings = settings.map_err(|failure| failure.within("--config"))?;
        arguments.extend(settings.flags);
        (layers, from_sha256) = (settings.layers, settings.from_sha256);
    }
    // A file's settings win over the preset's, as the command line's do.
    let matches = Cli::command().try_get_matches_from(&arguments)?;
    let given = matches.subcommand_matches("run").unwrap_or(&matches);
    if let Some(preset) = given.get_one::<Preset>("preset") {
        arguments.extend(Settings::read(Path::new("preset"), preset.text(), given)?.flags);
    }
    let mut cli = Cli::try_parse_from(arguments)?;
    let run = match &mut cli.command {
        Some(super::Command::Run(run)) => run,
        _ => &mut cli.run,
    };
    run.network_is_given.0 |= layers.is_some();
    run.network.layers = layers;
    run.transfer.from_sha256 = from_sha256;
    Ok(cli)
}

/// Refuses a file of settings that the command line would refuse: a run's own, which it goes on with, may have been changed.
///
/// # Errors
/// Names the file, the line and the key.
pub fn check(path: &Path, text: &str) -> Result<()> {
    let refused = |error: clap::Error| Failure::usage(format!("{}: {}", path.display(), one_line(&error, &[])));
    let line = || ["thawline", "run"].map(OsString::from);
    let matches = Cli::command().try_get_matches_from(line()).map_err(refused)?;
    let settings = Settings::read(path, text, matches.subcommand_matches("run").unwrap_or(&matches))?;
    Cli::command().try_get_matches_from(line().into_iter().chain(settings.flags)).map(drop).map_err(refused)
}

/// A mistake of clap's finding, as one line. Of a group of flags clap lists all; those among the `arguments` are what matters.
pub fn one_line(error: &clap::Error, arguments: &[OsString]) -> String {
    let is_given = |line: &str| {
        let name = |text: &str| text.split([' ', '=']).next().unwrap_or_default().to_owned();
        line.starts_with("--") && arguments.iter().any(|argument| name(&argument.to_string_lossy()) == name(line))
    };
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information")).collect();
    let some_are_given = lines.iter().any(|line| is_given(line));
    let lines = lines.into_iter().filter(|line| !some_are_given || !line.starts_with("--") || is_given(line));
    // What ends in a colon is followed by what it speaks of.
    lines.map(rephrase).collect::<Vec<_>>().join("; ").replace(":; ", ": ")
}

/// A line of clap's, as part of a longer one.
fn rephrase(line: &str) -> String {
    const WORDS: [(&str, &str, &str, &str); 8] = [
        ("[possible values: ", "]", "expected one of ", ""),
        ("unexpected argument ", " found", "unknown argument ", ""),
        ("unrecognized subcommand ", "", "unknown command ", ""),
        ("a similar argument exists: ", "", "did you mean ", "?"),
        ("a value is required for ", " but none was supplied", "", " needs a value"),
        ("the following required arguments were not provided:", "", "missing:", ""),
        ("the argument ", " cannot be used multiple times", "", " is given twice"),
        ("invalid UTF-8 was detected in one or more arguments", "", "an argument is not UTF-8", ""),
    ];
    let line = line.strip_prefix("error: ").or(line.strip_prefix("tip: ")).unwrap_or(line);
    let ours = |&(start, end, before, after): &(&str, &str, &str, &str)| {
        line.strip_prefix(start)?.strip_suffix(end).map(|named| format!("{before}{named}{after}"))
    };
    WORDS.iter().find_map(ours).unwrap_or_else(|| line.to_owned())
}

/// What a file adds to the command line.
struct Settings {
    flags: Vec<OsString>,
    layers: Option<Listed>,
    from_sha256: Option<String>,
}

/// The key that says what the file of `from` must hold.
const FROM_SHA256: &str = "from-sha256";

/// Flags that a file cannot give.
const NOT_IN_A_FILE: [&str; 3] = ["config", "resume", "help"];

impl Settings {
    /// Reads settings, without what the command line has `given` another value.
    fn read(path: &Path, text: &str, given: &ArgMatches) -> Result<Self> {
        let keys: BTreeMap<Spanned<String>, Value> =
            toml::from_str(text).map_err(|error| file::misread(path, text, &error))?;
        let mut run = Cli::command();
        run.build();
        let run = run.find_subcommand("run").expect("the program runs").clone();
        let flag = |name: &str| run.get_arguments().find(|flag| flag.get_long() == Some(name));
        let mut settings = Settings { flags: Vec::new(), layers: None, from_sha256: None };
        for (key, value) in &keys {
            let wrong = |reason: String| {
                let line = file::line_of(text, key.span().start);
                Failure::usage(format!("{}, line {line}: {reason}", path.display()))
            };
            let name = key.get_ref().as_str();
            let is_list = name == "layers";
            let flag_name = match name {
                "layers" => "model",
                FROM_SHA256 => "from",
                name => name,
            };
            let Some(flag) = flag(flag_name).filter(|_| !NOT_IN_A_FILE.contains(&name)) else {
                let known = run.get_arguments().filter_map(Arg::get_long).filter(|name| !NOT_IN_A_FILE.contains(name));
                let known = known.chain(["layers"]).collect::<Vec<_>>().join(", ");
                return Err(wrong(format!("there is no setting '{name}'; expected one of {known}")));
            };
            let rivals = || run.get_arguments().filter(|other| exclude(&run, flag, other));
            if let Some(rival) = rivals().filter_map(Arg::get_long).find(|rival| is_list && keys.contains_key(*rival)) {
                return Err(wrong(format!("layers do not go with {rival}")));
            }
            let argument = if is_list { None } else { argument(flag, value).map_err(wrong)? };
            if let Some(argument) = &argument {
                let alone = ["thawline".into(), "run".into(), argument.clone()];
                match Cli::command().try_get_matches_from(alone) {
                    // Another key may be what it requires.
                    Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
                        return Err(wrong(one_line(&error, &[])));
                    }
                    _ => {}
                }
            }
            let is_given = |flag: &Arg| given.value_source(flag.get_id().as_str()) == Some(ValueSource::CommandLine);
            if is_given(flag) || rivals().any(is_given) {
                continue;
            }
            if name == FROM_SHA256 {
                settings.from_sha256 = value.as_str().map(str::to_owned);
                continue;
            }
            settings.flags.extend(argument);
            if is_list {
                settings.layers = Some(file::parse(path, text, true)?);
            }
        }
        Ok(settings)
    }
}

/// Whether two flags cannot be used together.
fn exclude(command: &Command, one: &Arg, other: &Arg) -> bool {
    let names = |a: &Arg, b: &Arg| command.get_arg_conflicts_with(a).iter().any(|named| named.get_id() == b.get_id());
    names(one, other) || names(other, one)
}

/// A flag with a value of the file; nothing for a switch that is off.
fn argument(flag: &Arg, value: &Value) -> std::result::Result<Option<OsString>, String> {
    let name = flag.get_long().unwrap_or_default();
    if !flag.get_action().takes_values() {
        return match value {
            Value::Boolean(true) => Ok(Some(format!("--{name}").into())),
            Value::Boolean(false) => Ok(None),
            _ => Err(format!("{name}: expected true or false")),
        };
    }
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    };
    let text = match value {
        Value::Array(values) => values.iter().map(scalar).collect::<Option<Vec<_>>>().map(|texts| texts.join(",")),
        value => scalar(value),
    };
    let text = text.ok_or_else(|| format!("{name}: expected a number, a text in quotes, or [...] of them"))?;
    Ok(Some(format!("--{name}={text}").into()))
}
