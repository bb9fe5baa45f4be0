//! Files of class names: one name per line, in the order of the labels.

use crate::error::Fault;

/// The longest file of names, far longer than a hundred names need.
pub(crate) const MAX_BYTES: u64 = 16 * 1024;

/// The longest name: names appear in tables.
const MAX_NAME_BYTES: usize = 64;

/// Parses a file of exactly `count` names. Empty lines at the end, Windows line endings and a byte order mark are
/// allowed.
pub(crate) fn parse(file: &str, count: usize, contents: Vec<u8>) -> Result<Vec<String>, Fault> {
    let text = String::from_utf8(contents)
        .map_err(|error| Fault::Names(format!("{file}: not UTF-8 at byte {}", error.utf8_error().valid_up_to())))?;
    // Some Windows editors start a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let names: Vec<String> = text.trim_end_matches(['\r', '\n']).lines().map(str::to_owned).collect();
    check(file, count, &names)?;
    Ok(names)
}

/// Checks that there are `count` names, printable and distinct.
pub(crate) fn check(file: &str, count: usize, names: &[String]) -> Result<(), Fault> {
    for (index, name) in names.iter().enumerate() {
        let problem = if name.is_empty() {
            "is empty".into()
        } else if name.len() > MAX_NAME_BYTES {
            format!("is longer than {MAX_NAME_BYTES} bytes")
        } else if name.contains(char::is_control) {
            format!("contains a control character, {name:?}")
        } else if name.trim() != name {
            format!("starts or ends with a space, {name:?}")
        } else if name.starts_with('\u{feff}') {
            format!("starts with a byte order mark, {name:?}")
        } else if let Some(earlier) = names[..index].iter().position(|other| other == name) {
            format!("repeats line {}, \"{name}\"", earlier + 1)
        } else {
            continue;
        };
        return Err(Fault::Names(format!("{file}: line {} {problem}", index + 1)));
    }
    if names.len() != count {
        return Err(Fault::Names(format!("{file}: {} class names, expected {count}", names.len())));
    }
    Ok(())
}
