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

/// The part of the manual from this heading to the next one of the same level.
fn section(heading: &str) -> &'static str {
    let level = format!("\n{} ", heading.split(' ').next().unwrap());
    let starts = MANUAL.split(&level).skip(1).filter(|part| {
        let rest = part.strip_prefix(heading.trim_start_matches(['#', ' ']));
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    });
    let [part] = starts.collect::<Vec<_>>()[..] else { panic!("the manual has not exactly one section {heading}") };
    part.split("\n## ").next().unwrap()
}

/// The heading of a command's section, and the headings of run's tables that it refers to.
fn headings(words: &str) -> (String, &'static [&'static str]) {
    let name = words.split(' ').nth(1).unwrap_or("run");
    let shared: &[_] = match name {
        "adapt" => &["### Machine", "### Output"],
        "sweep" => &["### Network", "### Machine"],
        "import" | "summary" => &["### Network"],
        "info" => &["### Machine"],
        _ => &[],
    };
    (format!("## `thawline {name}"), shared)
}

/// The rows of a section's tables that start with flags: the first cell and the default.
fn rows(section: &str) -> impl Iterator<Item = [&str; 2]> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `--").map(|_| &line[2..]));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        [cells.next().unwrap(), cells.next().unwrap()]
    })
}

/// Whether a text names the flag as `--flag` or `--flag VALUE`, in code.
fn names(text: &str, flag: &str) -> bool {
    [format!("`--{flag}`"), format!("`--{flag} ")].iter().any(|name| text.contains(name))
}

#[test]
fn every_flag_is_in_its_commands_section_with_its_default() {
    for (words, command) in commands(&program(), "thawline") {
        let (own, shared) = headings(&words);
        let sections: Vec<&str> = [&*own].into_iter().chain(shared.iter().copied()).map(section).collect();
        for argument in
            command.get_arguments().filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"))
        {
            let Some(flag) = argument.get_long() else { continue };
            assert!(sections.iter().any(|section| names(section, flag)), "{words}: --{flag} is missing");
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let stated = help.rsplit_once("[default: ").map(|(_, value)| value.trim_end_matches(']').to_owned());
            let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
            let defaults = defaults.filter(|_| argument.get_action().takes_values()).chain(stated);
            for value in defaults.filter(|value| !value.contains(' ')) {
                let mut rows = sections.iter().flat_map(|section| rows(section));
                let row = rows.find(|[flags, _]| names(flags, flag));
                let [_, default] = row.unwrap_or_else(|| panic!("{words}: no table has --{flag}, default {value}"));
                let is_stated = default.split(['`', ' ', ',', ';']).any(|word| word == value);
                assert!(is_stated, "{words} --{flag}: the default is {value}, not {default}");
            }
        }
    }
}

#[test]
fn the_manual_has_no_flag_that_does_not_exist() {
    let commands = commands(&program(), "thawline");
    let flags = |command: &Command| -> Vec<String> {
        command.get_arguments().filter_map(|argument| argument.get_long().map(|flag| format!("--{flag}"))).collect()
    };
    let known: BTreeSet<String> = commands.iter().flat_map(|(_, command)| flags(command)).collect();
    let is_flag = |word: &&str| word.starts_with("--") && word.len() > 2 && !word.starts_with("---");
    let words_of = |text: &'static str| {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(is_flag).collect::<Vec<_>>()
    };
    // Flags of other programs.
    let others = ["--release", "--locked", "--path"];
    for word in words_of(MANUAL).iter().filter(|word| !others.contains(word)) {
        assert!(known.contains(*word), "the manual has {word}, but the program does not");
    }
    // A table of a command has only its flags.
    for (words, _) in &commands {
        let (own, _) = headings(words);
        let of_section = commands.iter().filter(|(words, _)| headings(words).0 == own);
        let known: Vec<String> = of_section.flat_map(|(_, command)| flags(command)).collect();
        for flag in rows(section(&own)).flat_map(|[flags, _]| words_of(flags)) {
            assert!(known.iter().any(|known| known == flag), "the manual has {words} {flag}, but the program does not");
        }
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
    assert!(place.call(["man", "data", "synth"]).stdout.contains("\\-\\-train"));
    place.call(["man", "swep"]).assert_refused("man: no subcommand 'swep'; see thawline --help");
    place.call(["man", "data", "sinth"]).assert_refused("man: no subcommand 'sinth'; see thawline data --help");
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
    let json = |line: &str| -> serde_json::Value {
        serde_json::from_str(&place.call(format!("{line} --json").split(' ')).stdout).unwrap()
    };
    let summary = json("summary --freeze conv2d_1 --classes 7");
    for (model, frozen) in [("model_1", 0), ("model_2", 1792)] {
        let (network, layers) = (&summary[model], summary[model]["layers"].as_array().unwrap());
        assert_eq!((&network["frozen"], layers.len()), (&frozen.into(), 11), "{summary}");
        assert_eq!((&layers[0]["trainable"], &layers[10]["output"][0]), (&(frozen == 0).into(), &7.into()));
    }
    let info = json("info --threads 3 --simd portable");
    assert_eq!((&info["threads"], &info["simd"]), (&3.into(), &"portable".into()), "{info}");
    assert!(info["simd_levels"].as_array().unwrap().contains(&info["simd"]), "{info}");
    assert_eq!(info["thawline"], env!("CARGO_PKG_VERSION"));
    for figure in ["logical_cpus", "memory_bytes", "free_memory_bytes"] {
        assert!(!cfg!(target_os = "linux") || info[figure].as_u64().is_some_and(|figure| figure > 0), "{info}");
    }
}
