//! The manual: every flag is in it, and nothing that is none.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};
use thawline::cli::Cli;

use crate::invocation::Place;

const MANUAL: &str = include_str!("../../docs/program.md");

fn program() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// The command and all below it, with the words that call each.
fn commands(command: &Command, words: &str) -> Vec<(String, Command)> {
    let mut found = vec![(words.to_owned(), command.clone())];
    for below in command.get_subcommands() {
        found.extend(commands(below, &format!("{words} {}", below.get_name())));
    }
    found
}

#[test]
fn every_subcommand_and_flag_is_in_the_manual_with_its_default() {
    for (words, command) in commands(&program(), "thawline") {
        assert!(MANUAL.contains(&format!("`{words}")), "`{words}` is missing");
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long() else { continue };
            let name = format!("`--{flag}");
            let line = MANUAL.lines().find(|line| line.contains(&name));
            let line = line.unwrap_or_else(|| panic!("{words}: {name}` is missing"));
            for value in argument.get_default_values().iter().filter(|_| argument.get_action().takes_values()) {
                let value = value.to_string_lossy();
                let documented = MANUAL.lines().any(|line| line.contains(&name) && line.contains(&*value));
                assert!(documented, "{words} --{flag}: the default {value} is missing in: {line}");
            }
        }
    }
}

#[test]
fn the_manual_has_no_flag_that_does_not_exist() {
    let known: BTreeSet<String> = commands(&program(), "thawline")
        .iter()
        .flat_map(|(_, command)| command.get_arguments())
        .filter_map(|argument| argument.get_long().map(|flag| format!("--{flag}")))
        .collect();
    let is_flag = |word: &&str| word.starts_with("--") && word.len() > 2 && !word.starts_with("---");
    let words = MANUAL.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(is_flag);
    // Of other programs.
    let others = ["--release"];
    for word in words.filter(|word| !others.contains(word)) {
        assert!(known.contains(word), "the manual has {word}, and the program does not");
    }
}

#[test]
fn help_is_short_lines_on_standard_output() {
    let place = Place::new();
    for (words, _) in commands(&program(), "") {
        let call = place.call(words.split_whitespace().chain(["--help"]));
        assert_eq!((call.code, call.stderr.as_str()), (Some(0), ""), "{words}");
        for line in call.stdout.lines() {
            assert!(line.chars().count() <= 120, "{words}: {line}");
        }
    }
    let version = place.call(["--version"]);
    assert_eq!(version.stdout, format!("thawline {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn summary_and_info_tell_what_they_should() {
    let place = Place::new();
    let summary = place.call(["summary", "--freeze", "conv2d_1"]);
    assert!(summary.stdout.contains("trainable 1,645,125, frozen 0"), "{}", summary.stdout);
    assert!(summary.stdout.contains("trainable 1,643,333, frozen 1,792"), "{}", summary.stdout);
    let info = place.call(["info", "--threads", "3"]);
    for words in ["thawline   ", "rustc 1.", "CPU  ", "(in use)", "3 of ", "memory  "] {
        assert!(info.stdout.contains(words), "{words}: {}", info.stdout);
    }
}
