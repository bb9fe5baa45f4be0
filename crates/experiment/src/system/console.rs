//! Printing. Control characters are escaped, so that a file name or a library's message can neither move the cursor nor
//! imitate a line of the program.

use std::{
    borrow::Cow,
    env, fmt,
    io::{self, IsTerminal, Write},
};

use serde::Serialize;

use super::{failure::Result, json, number::NBSP};

/// Where the program's messages go.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console {
    /// Print only results.
    pub quiet: bool,
    /// Standard output carries data, so messages go to standard error.
    pub stdout_is_data: bool,
}

/// Assumed width of a terminal, in columns. Tables and running text fit it.
pub const WIDTH: usize = 80;

/// Lines of text to print. A line feed within a line is escaped like any other control character.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<Line>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    style: Style,
}

/// The kind of a line, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Heading,
    Good,
    Bad,
}

impl Style {
    /// The terminal codes that start the line.
    fn codes(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Heading => "\x1b[1m",
            Style::Good => "\x1b[32m",
            Style::Bad => "\x1b[1;31m",
        }
    }
}

/// The colours of the two models, close to those in the report.
const MODELS: [(&str, &str); 2] = [("model_1", "\x1b[94m"), ("model_2", "\x1b[33m")];

const PLAIN: &str = "\x1b[0m";

impl Text {
    /// The lines of a multi-line text made by this program, such as a network's summary.
    pub fn of_lines(text: impl ToString) -> Self {
        text.to_string().lines().map(str::to_owned).collect::<Vec<_>>().into()
    }

    /// A table whose first line is its heading.
    pub fn of_table(text: impl ToString) -> Self {
        let mut table = Text::of_lines(text);
        if let Some(first) = table.0.first_mut() {
            first.style = Style::Heading;
        }
        table
    }

    pub fn heading(line: impl Into<String>) -> Self {
        Text(vec![Line { text: line.into(), style: Style::Heading }])
    }

    /// A line that says whether a check passed.
    pub fn verdict(line: impl Into<String>, good: bool) -> Self {
        Text(vec![Line { text: line.into(), style: if good { Style::Good } else { Style::Bad } }])
    }

    /// A label and running text, wrapped at spaces to fit a terminal; further lines are indented by the label's length.
    pub fn wrapped(label: &str, text: impl AsRef<str>) -> Self {
        let indent = " ".repeat(label.len());
        let mut lines = vec![label.to_owned()];
        let mut free = WIDTH - label.len();
        for (index, word) in text.as_ref().split(' ').enumerate() {
            let length = word.chars().count();
            let fits = length < free || index == 0;
            if !fits {
                lines.push(indent.clone());
                free = WIDTH - label.len();
            }
            let line = lines.last_mut().expect("lines starts with the label");
            if fits && index > 0 {
                line.push(' ');
            }
            line.push_str(word);
            free = free.saturating_sub(length + usize::from(fits && index > 0));
        }
        lines.into()
    }

    pub fn push(&mut self, lines: impl Into<Text>) {
        self.0.extend(lines.into().0);
    }

    #[must_use]
    pub fn and(mut self, lines: impl Into<Text>) -> Self {
        self.push(lines);
        self
    }

    fn printable(&self, in_colour: bool) -> String {
        self.0.iter().map(|line| line.printable(in_colour) + "\n").collect()
    }
}

impl Line {
    fn printable(&self, in_colour: bool) -> String {
        let text = escaped(&self.text, escape).replace(NBSP, " ");
        if !in_colour {
            return text;
        }
        let outer = self.style.codes();
        let mut painted = String::new();
        for word in text.split_inclusive(' ') {
            let model = MODELS.iter().find(|(name, _)| word.trim_end_matches([' ', ',', ':']) == *name);
            match model {
                Some((name, codes)) => painted += &format!("{codes}{name}{PLAIN}{outer}{}", &word[name.len()..]),
                None => painted += word,
            }
        }
        if self.style == Style::Plain { painted } else { format!("{outer}{painted}{PLAIN}") }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(vec![Line { text, style: Style::Plain }])
    }
}

impl From<&str> for Text {
    fn from(line: &str) -> Self {
        line.to_owned().into()
    }
}

impl From<Vec<String>> for Text {
    fn from(lines: Vec<String>) -> Self {
        Text(lines.into_iter().map(|text| Line { text, style: Style::Plain }).collect())
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Text {
    fn from(lines: [S; N]) -> Self {
        lines.map(Into::into).to_vec().into()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.printable(false))
    }
}

impl Console {
    /// Prints a progress message, unless `quiet`.
    pub fn say(self, text: impl Into<Text>) -> Result<()> {
        if self.quiet { Ok(()) } else { self.result(text) }
    }

    /// Prints a result.
    pub fn result(self, text: impl Into<Text>) -> Result<()> {
        if self.stdout_is_data {
            warn(text);
            return Ok(());
        }
        print(text)
    }
}

/// Writes lines to standard output.
pub fn print(text: impl Into<Text>) -> Result<()> {
    write(&text.into().printable(in_colour(&io::stdout())))
}

/// Writes JSON, CSV or Python code to standard output. Control characters become JSON escapes, which mean the same in
/// JSON and Python; CSV has none left, see [`spreadsheet`](crate::system::spreadsheet).
pub fn print_data(text: &str) -> Result<()> {
    let json = |c: char| if c == '\n' { "\n".to_owned() } else { format!("\\u{:04x}", u32::from(c)) };
    write(&escaped(text, json))
}

/// Writes a value to standard output as indented JSON.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print_data(&json::pretty(value))
}

/// Writes text without untrusted parts to standard output.
pub fn write(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Writes lines to standard error.
pub fn warn(text: impl Into<Text>) {
    // A failure cannot be reported anywhere, and `eprintln` would panic.
    let _ = io::stderr().write_all(text.into().printable(in_colour(&io::stderr())).as_bytes());
}

/// Whether to print colours: on a terminal, unless NO_COLOR is set or TERM is `dumb`. An old Windows console would show
/// the codes.
fn in_colour(output: &impl IsTerminal) -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let knows_codes = if cfg!(windows) { is_set("WT_SESSION") || is_set("TERM") } else { true };
    knows_codes && !is_set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb") && output.is_terminal()
}

/// Longest error message, in characters: it may quote a name of any length.
const LONGEST_ERROR: usize = 4000;

/// Writes the error line that ends the program. A long message loses its middle, because the advice comes last.
pub fn error(message: &str) {
    let message = escaped(&cut(message, LONGEST_ERROR, LONGEST_ERROR / 2), escape).replace(NBSP, " ");
    let [start, end] = if in_colour(&io::stderr()) { [Style::Bad.codes(), PLAIN] } else { [""; 2] };
    let _ = io::stderr().write_all(format!("{start}error:{end} {message}\n").as_bytes());
}

/// Longest name shown in running text, in characters. A column may be narrower.
pub const LONGEST_NAME: usize = 40;

/// A class or layer name for display: printable, and short enough for a line.
pub fn shown(name: &str) -> String {
    fitted(name, LONGEST_NAME)
}

/// A path for display, short enough for a line; a long one keeps its end.
pub fn shown_path(path: &str) -> String {
    cut(&escaped(path, escape), LONGEST_NAME, LONGEST_NAME - 3).into_owned()
}

/// A name cut to fit a column.
pub fn fitted(name: &str, width: usize) -> String {
    // Escaped first, because escaping makes it longer.
    cut(&escaped(name, escape), width, 0).into_owned()
}

const MAX_NAMES: usize = 20;

/// Names separated by commas; a long list is cut, with the total at its end.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let mut list: Vec<_> = names.iter().take(MAX_NAMES).map(|name| shown(name.as_ref())).collect();
    if names.len() > MAX_NAMES {
        list.push(format!("... ({} in all)", names.len()));
    }
    list.join(", ")
}

/// Cuts a text to `most` characters by leaving out its middle; its last `last` characters stay.
fn cut(text: &str, most: usize, last: usize) -> Cow<'_, str> {
    const MARK: &str = "...";
    let count = text.chars().count();
    if count <= most {
        return text.into();
    }
    let at = |character: usize| text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte);
    let (head, tail) = (&text[..at(most.saturating_sub(last + MARK.len()))], &text[at(count - last)..]);
    format!("{head}{MARK}{tail}").into()
}

fn escape(c: char) -> String {
    c.escape_default().to_string()
}

/// Replaces the characters that a terminal would act on or not show.
pub(crate) fn escaped(text: &str, by: impl Fn(char) -> String) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { printable += &by(c) } else { printable.push(c) }
    }
    printable
}

/// Control characters, and others that are invisible, change the direction of text or break a line.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let text = Text::from("a\nerror: b\u{1b}[2J\r\u{9b}31m\u{202e}c\u{7f}").and(["d".to_owned()]);
        assert_eq!(text.printable(false), "a\\nerror: b\\u{1b}[2J\\r\\u{9b}31m\\u{202e}c\\u{7f}\nd\n");
        assert_eq!((fitted("a\u{200e}", 7).as_str(), fitted("\u{200e}", 1).as_str()), ("a\\u{...", "..."));
        let text = "Größe, naïve, 猫, 👩‍🔬, C:\\new 'x' \"y\"";
        assert_eq!(Text::from(text).printable(false), format!("{text}\n"));
    }

    #[test]
    fn colour_codes_come_only_from_styles_and_only_on_a_terminal() {
        let text =
            Text::heading("model_1, \x1b[5m").and("the model_2 of weights-model_1").and(Text::verdict("same", true));
        assert_eq!(text.printable(false), "model_1, \\u{1b}[5m\nthe model_2 of weights-model_1\nsame\n");
        let painted = "\x1b[1m\x1b[94mmodel_1\x1b[0m\x1b[1m, \\u{1b}[5m\x1b[0m\n\
                       the \x1b[33mmodel_2\x1b[0m of weights-model_1\n\x1b[32msame\x1b[0m\n";
        assert_eq!(text.printable(true), painted);
    }

    #[test]
    fn running_text_is_wrapped() {
        let text = Text::wrapped("memory    ", "word ".repeat(40).trim_end()).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(text.lines().map(|line| line.len()).next(), Some(79), "{text}");
        assert!(text.starts_with("memory    word") && text.contains("\n          word"), "{text}");
        assert_eq!(text.split_whitespace().count(), 41);
        let long = "x".repeat(100);
        assert_eq!(Text::wrapped("to  ", format!("a {long} b")).to_string(), format!("to  a\n    {long}\n    b\n"));
    }

    #[test]
    fn long_names_and_errors_are_cut_and_errors_keep_their_end() {
        assert_eq!(shown("cat"), "cat");
        let long = shown(&"é".repeat(66_000));
        assert_eq!((long.chars().count(), long.ends_with("é...")), (LONGEST_NAME, true));
        assert_eq!(listed(&["a", "b\n"]), "a, b\\n");
        assert!(listed(&["x"; 100]).ends_with("x, ... (100 in all)"));
        assert_eq!(shown_path(&format!("{}/a.png", "x".repeat(100))), format!("...{}/a.png", "x".repeat(31)));
        let error = format!("layer '{}': rename it", "a".repeat(66_000));
        let error = cut(&error, LONGEST_ERROR, LONGEST_ERROR / 2);
        assert_eq!((error.len(), error.starts_with("layer 'a")), (LONGEST_ERROR, true));
        assert!(error.contains("a...a") && error.ends_with("a': rename it"));
    }
}
