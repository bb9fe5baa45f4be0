//! The command line, together with the file of settings that `--config` may name.
//!
//! A key of the file is a flag without its dashes: `batch-size = 64`, `filters = [32, 64]`, `quiet = true`. Its value is
//! checked as the flag's is. A flag on the command line wins over the file's, and over those that exclude it. Instead of a
//! flag, `layers` may list the network, as in a file for `--model`. So a run's `config.toml` is such a file.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, Parser, parser::ValueSource};
use toml::{Spanned, Value};

use crate::{
    cli::{self, Cli},
    failure::{Failure, Result},
    models::{Listed, file},
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
    let Some(path) = given.get_one::<PathBuf>("config").cloned() else {
        return Ok(Cli::from_arg_matches(&matches)?);
    };
    let settings = Settings::read(&path, given).map_err(|failure| failure.within("--config"))?;
    let mut cli = Cli::try_parse_from(arguments.into_iter().chain(settings.flags))?;
    let run = match &mut cli.command {
        Some(cli::Command::Run(run)) => run,
        _ => &mut cli.run,
    };
    run.network.layers = settings.layers;
    Ok(cli)
}

/// A mistake of clap's finding, as one line.
pub fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    // What ends in a colon is followed by what it speaks of.
    lines.map(rephrase).collect::<Vec<_>>().join("; ").replace(":; ", ": ")
}

/// A line of clap's, as part of a longer one.
fn rephrase(line: &str) -> String {
    let line = line.strip_prefix("error: ").or(line.strip_prefix("tip: ")).unwrap_or(line);
    match line.strip_prefix("[possible values: ").and_then(|values| values.strip_suffix(']')) {
        Some(values) => format!("expected one of {values}"),
        None => line.to_owned(),
    }
}

/// What a file adds to the command line.
struct Settings {
    flags: Vec<OsString>,
    layers: Option<Listed>,
}

/// Flags that a file cannot give.
const NOT_IN_A_FILE: [&str; 2] = ["config", "help"];

impl Settings {
    /// Reads a file, without what the command line has `given` another value.
    fn read(path: &Path, given: &ArgMatches) -> Result<Self> {
        let text = file::text(path)?;
        let keys: BTreeMap<Spanned<String>, Value> =
            toml::from_str(&text).map_err(|error| file::misread(path, &text, &error))?;
        let mut run = Cli::command();
        run.build();
        let run = run.find_subcommand("run").expect("the program runs").clone();
        let flag = |name: &str| run.get_arguments().find(|flag| flag.get_long() == Some(name));
        let mut settings = Settings { flags: Vec::new(), layers: None };
        for (key, value) in &keys {
            let wrong = |reason: String| {
                let line = file::line_of(&text, key.span().start);
                Failure::usage(format!("{}, line {line}: {reason}", path.display()))
            };
            let name = key.get_ref().as_str();
            let is_list = name == "layers";
            let Some(flag) = flag(if is_list { "model" } else { name }).filter(|_| !NOT_IN_A_FILE.contains(&name))
            else {
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
                Cli::command().try_get_matches_from(alone).map_err(|error| wrong(one_line(&error)))?;
            }
            let is_given = |flag: &Arg| given.value_source(flag.get_id().as_str()) == Some(ValueSource::CommandLine);
            if is_given(flag) || rivals().any(is_given) {
                continue;
            }
            settings.flags.extend(argument);
            if is_list {
                settings.layers = Some(file::parse(path, &text, true)?);
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
