//! The manual and the help list exactly the program's flags.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};
use thawline::{commands::Cli, system::console::WIDTH};

use crate::invocation::{Place, archive};

const MANUAL: &str = include_str!("../../docs/program.md");

fn program() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// The command and all its subcommands, each with the words that call it.
fn commands(command: &Command, words: &str) -> Vec<(String, Command)> {
    let mut found = vec![(words.to_owned(), command.clone())];
    // `help` has all the others as subcommands.
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
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
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let stated = help.rsplit_once("[default: ").map(|(_, value)| value.trim_end_matches(']').to_owned());
            let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
            let defaults = defaults.filter(|_| argument.get_action().takes_values()).chain(stated);
            for value in defaults.filter(|value| !value.contains(' ')) {
                let documented = MANUAL.lines().any(|line| line.contains(&name) && line.contains(&value));
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
    // Flags of other programs.
    let others = ["--release", "--locked", "--path"];
    for word in words.filter(|word| !others.contains(word)) {
        assert!(known.contains(word), "the manual has {word}, but the program does not");
    }
}

#[test]
fn help_fits_a_terminal_starts_with_a_verb_and_has_an_example() {
    const VERBS: &str = "Build Check Classify Compare Draw Inspect Measure Print Run Save Score Show Train Write";
    let place = Place::new();
    for (words, command) in commands(&program(), "") {
        let call = place.call(words.split_whitespace().chain(["--help"]));
        assert_eq!((call.code, call.stderr.as_str()), (Some(0), ""), "{words}");
        for line in call.stdout.lines() {
            assert!(line.chars().count() <= WIDTH, "{words}: {line}");
        }
        let verb = call.stdout.split([' ', ',']).next().unwrap();
        assert!(VERBS.split(' ').any(|known| known == verb), "{words}: begins with {verb}");
        assert!(call.stdout.contains("\nExample"), "{words} has no example");
        assert_eq!(
            place.call(["help"].into_iter().chain(words.split_whitespace())).stdout,
            call.stdout,
            "help {words}"
        );
        assert!(command.get_about().is_some_and(|about| about.to_string().chars().count() < WIDTH), "{words}");
    }
    let version = place.call(["--version"]);
    assert_eq!(version.stdout, format!("thawline {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_examples_of_the_help_work_and_fit_a_terminal() {
    let place = Place::new();
    for class in ["my-pictures/cat", "my-pictures/dog"] {
        std::fs::create_dir_all(place.path(class)).unwrap();
        for number in 0..4 {
            let picture = image::RgbImage::from_pixel(9, 9, image::Rgb([number * 60, 99, class.len() as u8]));
            picture.save(place.path(class).join(format!("{number}.png"))).unwrap();
        }
    }
    image::RgbImage::new(9, 9).save(place.path("holiday.jpg")).unwrap();
    let small = "sweep --arms frozen,scratch --seeds 0,1 --epochs 1 --filters 2 --dense 2 --out runs/sweep";
    let mut lines: Vec<String> = vec![small.to_owned()];
    for (_, command) in commands(&program(), "") {
        let examples = command.get_after_help().unwrap().to_string();
        let calls = examples.lines().filter_map(|line| line.strip_prefix("  thawline "));
        lines.extend(calls.map(|line| line.trim_start().split("  ").next().unwrap().to_owned()));
    }
    assert!(lines.len() > 20, "{lines:?}");
    // Skipped: twenty epochs, a whole sweep, half a minute of benchmarks, thousands of drawn pictures; text for other
    // programs, which need not fit.
    let long = |line: &str| {
        ["the tutorial", "--head", "--source", "sweep", "bench", "completions", "man"]
            .iter()
            .any(|word| line.starts_with(word))
    };
    let draws = |line: &str| line.ends_with("built-in");
    lines.retain(|line| line == small || line.ends_with("--dry-run") || !long(line) && !draws(line));
    // The first example has no arguments.
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let mut command = place.command(line.split(' '));
        let output = command.env("THAWLINE_DATA", archive()).env("NO_COLOR", "1").output().unwrap();
        let call = crate::invocation::Call::from(output);
        assert_eq!(call.code, Some(0), "{line}: {}", call.stderr);
        // Python code has lines of any length.
        for printed in call.stdout.lines().filter(|_| !line.starts_with("export")) {
            assert!(printed.chars().count() <= WIDTH, "{line}: {printed}");
        }
    }
}

#[test]
fn completions_and_manual_pages_name_every_subcommand() {
    let place = Place::new();
    let pages = ["bash", "elvish", "fish", "powershell", "zsh"].map(|shell| vec!["completions", shell]);
    for call in pages.into_iter().chain([vec!["man"]]) {
        let printed = place.call(&call);
        assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""), "{call:?}");
        for command in program().get_subcommands() {
            assert!(printed.stdout.contains(command.get_name()), "{call:?} lacks {}", command.get_name());
        }
    }
    assert!(place.call(["man", "sweep"]).stdout.contains("\\-\\-dry\\-run"));
    let call = place.call(["man", "swep"]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("no subcommand 'swep'"), "{}", call.stderr);
}

#[test]
fn summary_and_info_print_their_main_lines() {
    let place = Place::new();
    let summary = place.call(["summary", "--freeze", "conv2d_1"]);
    assert!(summary.stdout.contains("trainable 1,645,125, frozen 0"), "{}", summary.stdout);
    assert!(summary.stdout.contains("trainable 1,643,333, frozen 1,792"), "{}", summary.stdout);
    let info = place.call(["info", "--threads", "3"]);
    for words in ["thawline   ", "rustc 1.", "CPU  ", "(in use)", "3 of ", "memory  "] {
        assert!(info.stdout.contains(words), "{words}: {}", info.stdout);
    }
}
