//! What the program says. Every byte for a terminal goes out here, so that no name, path or message from elsewhere can
//! move the cursor or pass for a line of ours.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use crate::failure::Result;

/// Where the program's text goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console {
    /// Say nothing but results.
    pub quiet: bool,
    /// Standard output is for a machine; text for people goes to standard error.
    pub stdout_is_data: bool,
}

/// Lines for people. A line feed within a line is escaped like any other control character: only a new item is a new line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<String>);

impl Text {
    /// The lines of a text of ours that comes as a whole, such as a network's summary.
    pub fn of_lines(text: impl ToString) -> Self {
        Text(text.to_string().lines().map(str::to_owned).collect())
    }

    /// Adds lines.
    pub fn push(&mut self, lines: impl Into<Text>) {
        self.0.extend(lines.into().0);
    }

    /// The same lines, and more.
    #[must_use]
    pub fn and(mut self, lines: impl Into<Text>) -> Self {
        self.push(lines);
        self
    }

    fn printable(&self) -> String {
        self.0.iter().map(|line| escaped(line, escape) + "\n").collect()
    }
}

impl From<&str> for Text {
    fn from(line: &str) -> Self {
        Text(vec![line.to_owned()])
    }
}

impl From<String> for Text {
    fn from(line: String) -> Self {
        Text(vec![line])
    }
}

impl From<Vec<String>> for Text {
    fn from(lines: Vec<String>) -> Self {
        Text(lines)
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Text {
    fn from(lines: [S; N]) -> Self {
        Text(lines.map(Into::into).into())
    }
}

impl Console {
    /// Lines that accompany the work.
    ///
    /// # Errors
    /// If writing to standard output fails.
    pub fn say(self, text: impl Into<Text>) -> Result<()> {
        if self.quiet { Ok(()) } else { self.result(text) }
    }

    /// Lines that the user asked for.
    ///
    /// # Errors
    /// If writing to standard output fails.
    pub fn result(self, text: impl Into<Text>) -> Result<()> {
        if self.stdout_is_data {
            warn(text);
            return Ok(());
        }
        print(text)
    }
}

/// Writes lines to standard output.
///
/// # Errors
/// If writing to standard output fails.
pub fn print(text: impl Into<Text>) -> Result<()> {
    write(&text.into().printable())
}

/// Writes JSON or CSV to standard output. What a terminal would act on is written in JSON's own escapes, which mean the
/// same; cells of CSV have none, see [`spreadsheet`](crate::spreadsheet).
///
/// # Errors
/// If writing to standard output fails.
pub fn print_data(text: &str) -> Result<()> {
    let json = |c: char| if c == '\n' { "\n".to_owned() } else { format!("\\u{:04x}", u32::from(c)) };
    write(&escaped(text, json))
}

fn write(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Writes lines to standard error.
pub fn warn(text: impl Into<Text>) {
    // Where this fails, there is nowhere left to say so; `eprintln` would panic.
    let _ = io::stderr().write_all(text.into().printable().as_bytes());
}

/// The most characters of an error: a name of any length may be in it.
const LONGEST_ERROR: usize = 4000;

/// Writes the line that says why the program ends. Its middle is left out where it is too long, for the advice comes last.
pub fn error(message: &str) {
    warn(format!("error: {}", cut(message, LONGEST_ERROR, LONGEST_ERROR / 2)));
}

/// The most characters of a name in running text or a column.
pub const LONGEST_NAME: usize = 40;

/// A name of a class or a layer as it is shown: printable, and short enough for a line.
pub fn shown(name: &str) -> String {
    escaped(&cut(name, LONGEST_NAME, 0), escape)
}

/// The most names in a list.
const MOST_NAMES: usize = 20;

/// Names, separated by commas; of many, the first and their number.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let mut list: Vec<_> = names.iter().take(MOST_NAMES).map(|name| shown(name.as_ref())).collect();
    if names.len() > MOST_NAMES {
        list.push(format!("... ({} in all)", names.len()));
    }
    list.join(", ")
}

/// A text of at most that many characters, the last of which are its own last ones.
fn cut(text: &str, most: usize, last: usize) -> Cow<'_, str> {
    const MARK: &str = "...";
    let count = text.chars().count();
    if count <= most {
        return text.into();
    }
    let at = |character: usize| text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte);
    let (head, tail) = (&text[..at(most - last - MARK.len())], &text[at(count - last)..]);
    format!("{head}{MARK}{tail}").into()
}

fn escape(c: char) -> String {
    c.escape_default().to_string()
}

/// A text in which what a terminal would act on, or not show, is replaced.
pub(crate) fn escaped(text: &str, by: impl Fn(char) -> String) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { printable += &by(c) } else { printable.push(c) }
    }
    printable
}

/// Control characters, and those that turn the direction of a text or break its line.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_moves_no_cursor() {
        let text = Text::from("a\nerror: b\u{1b}[2J\r\u{9b}31m\u{202e}c\u{7f}").and(["d".to_owned()]);
        assert_eq!(text.printable(), "a\\nerror: b\\u{1b}[2J\\r\\u{9b}31m\\u{202e}c\\u{7f}\nd\n");
        let text = "Größe, naïve, 猫, 👩‍🔬, C:\\new 'x' \"y\"";
        assert_eq!(Text::from(text).printable(), format!("{text}\n"));
    }

    #[test]
    fn long_names_are_cut_and_long_errors_keep_their_advice() {
        assert_eq!(shown("cat"), "cat");
        let long = shown(&"é".repeat(66_000));
        assert_eq!((long.chars().count(), long.ends_with("é...")), (LONGEST_NAME, true));
        assert_eq!(listed(&["a", "b\n"]), "a, b\\n");
        assert!(listed(&["x"; 100]).ends_with("x, ... (100 in all)"));
        let error = format!("layer '{}': rename it", "a".repeat(66_000));
        let error = cut(&error, LONGEST_ERROR, LONGEST_ERROR / 2);
        assert_eq!((error.len(), error.starts_with("layer 'a")), (LONGEST_ERROR, true));
        assert!(error.contains("a...a") && error.ends_with("a': rename it"));
    }
}
