//! The command line and the settings file that `--config` may name.
//!
//! A key of the file is a flag without the two leading dashes: `batch-size = 64`, `filters = [32, 64]`, `quiet = true`.
//! The file is converted to flags, which are parsed like those of the command line; the command line overrides them.
//! The key `layers` may list the network, as in a file for `--model`. A run's `config.toml` is such a file, and so is a
//! preset, built into the program.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use clap::{Arg, CommandFactory, Parser, error::ErrorKind};
use toml::{Spanned, Value};

use super::{Cli, Command, flags::RunSettings};
use crate::{
    models::file,
    system::{
        failure::{Failure, Result},
        input::{self, SETTINGS},
    },
};

/// Adds the settings of the file that the command line names, and those of its preset.
pub fn apply(cli: &mut Cli) -> Result<()> {
    let run = match &mut cli.command {
        None => &mut cli.run,
        Some(Command::Run(run)) => run,
        Some(_) => return Ok(()),
    };
    let mut settings = run.settings.clone();
    if let Some(path) = &run.config {
        let file = input::read_text(path, SETTINGS).and_then(|text| read(path, &text));
        settings = settings.or(file.map_err(|failure| failure.within("--config"))?);
    }
    if let Some(preset) = settings.preset {
        settings = settings.or(read(Path::new("preset"), preset.text())?);
    }
    run.settings = settings;
    Ok(())
}

/// A settings file, parsed as a command line.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, allow_negative_numbers = true)]
struct File {
    #[command(flatten)]
    settings: RunSettings,
}

/// Settings without a flag: the layers, and the SHA-256 that the file of `from` must have.
const WITHOUT_FLAGS: [&str; 2] = ["layers", "from-sha256"];

/// Parses the text of a settings file; errors name `path`.
pub fn read(path: &Path, text: &str) -> Result<RunSettings> {
    let keys: BTreeMap<Spanned<String>, Value> =
        toml::from_str(text).map_err(|error| file::misread(path, text, &error))?;
    let wrong = |key: &Spanned<String>, reason: String| {
        let line = file::line_of(text, key.span().start);
        Failure::usage(format!("{}, line {line}: {reason}", path.display()))
    };
    let (mut flags, mut layers, mut from_sha256) = (Vec::new(), None, None);
    for (key, value) in &keys {
        let flag = match key.get_ref().as_str() {
            "layers" => {
                layers = Some(key);
                continue;
            }
            "from-sha256" => {
                let text =
                    value.as_str().ok_or_else(|| wrong(key, "from-sha256: expected a quoted string".to_owned()))?;
                from_sha256 = Some(text.to_owned());
                continue;
            }
            name => flag(name, value).map_err(|reason| wrong(key, reason))?,
        };
        // Each is parsed alone, so that an error can name the line. A flag that another one requires may come later.
        match File::try_parse_from([&flag]) {
            Err(error) if error.kind() == ErrorKind::UnknownArgument => {
                let command = File::command();
                let known = command.get_arguments().filter_map(Arg::get_long).chain(WITHOUT_FLAGS);
                let known = known.collect::<Vec<_>>().join(", ");
                return Err(wrong(key, format!("unknown setting '{}'; expected one of {known}", key.get_ref())));
            }
            Err(error) if error.kind() == ErrorKind::TooManyValues => {
                return Err(wrong(key, format!("{}: expected true or false", key.get_ref())));
            }
            Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
                return Err(wrong(key, one_line(&error, &[])));
            }
            // A switch that is off.
            _ if value.as_bool() == Some(false) => {}
            _ => flags.push(flag),
        }
    }
    let refused = |error: clap::Error| Failure::usage(format!("{}: {}", path.display(), one_line(&error, &flags)));
    let File { mut settings } = File::try_parse_from(&flags).map_err(refused)?;
    if let Some(key) = layers {
        settings.network.layers = Some(file::parse(path, text, true)?);
        if settings.network.model.is_some() || settings.network.tutorial.has_numbers() {
            return Err(wrong(
                key,
                "layers cannot be used with model, filters, kernel, pool, dropout or dense".to_owned(),
            ));
        }
    }
    settings.transfer.from_sha256 = from_sha256;
    Ok(settings)
}

/// A key and its value as a flag.
fn flag(key: &str, value: &Value) -> std::result::Result<OsString, String> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    };
    let text = match value {
        Value::Boolean(_) => return Ok(format!("--{key}").into()),
        Value::Array(values) => values.iter().map(scalar).collect::<Option<Vec<_>>>().map(|texts| texts.join(",")),
        value => scalar(value),
    };
    let text = text.ok_or_else(|| format!("{key}: expected a number, a quoted string, true, false, or a list"))?;
    Ok(format!("--{key}={text}").into())
}

/// One of clap's errors as one line. Where clap lists a whole group of flags, only those among the `arguments` are
/// shown.
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
    // A line that ends in a colon introduces the next one.
    let line = lines.map(rephrase).collect::<Vec<_>>().join("; ").replace(":; ", ": ");
    if line.starts_with("missing: ") { line.replace("; ", " and ") } else { line }
}

/// One line of clap's message in this program's words.
fn rephrase(line: &str) -> String {
    const WORDS: [(&str, &str, &str, &str); 12] = [
        ("[possible values: ", "]", "expected one of ", ""),
        ("unexpected argument ", " found", "unknown argument ", ""),
        ("unexpected value ", " found; no more were expected", "unexpected value ", ": it takes none"),
        ("unrecognized subcommand ", "", "unknown command ", ""),
        ("a similar argument exists: ", "", "did you mean ", "?"),
        ("a similar value exists: ", "", "did you mean ", "?"),
        ("a similar subcommand exists: ", "", "did you mean ", "?"),
        ("some similar subcommands exist: ", "", "did you mean one of ", "?"),
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
