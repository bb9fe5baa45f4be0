//! Files of class names: one name a line, in the order of the labels.

use std::io::Read;

use crate::error::Fault;

/// The longest file of names that is read: far longer than a hundred names need.
const MOST_BYTES: u64 = 16 * 1024;

/// The longest name. Names go into tables and file names.
const MOST_NAME_BYTES: usize = 64;

/// Reads exactly `count` names. Empty lines at the end, Windows line ends and a byte
/// order mark are allowed.
pub(crate) fn read(file: &str, count: usize, bytes: u64, from: impl Read) -> Result<Vec<String>, Fault> {
    if bytes > MOST_BYTES {
        return Err(Fault::OversizedFile { file: file.into(), bytes, limit: MOST_BYTES });
    }
    let mut text = Vec::new();
    from.take(bytes).read_to_end(&mut text).map_err(|error| Fault::io(format!("read {file}"), error))?;
    if (text.len() as u64) < bytes {
        return Err(Fault::Short { file: file.into(), expected: bytes, found: text.len() as u64 });
    }
    let text = String::from_utf8(text)
        .map_err(|error| fault(file, format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to())))?;
    // Editors on Windows put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let names: Vec<String> = text.trim_end_matches(['\r', '\n']).lines().map(str::to_owned).collect();
    check(file, &names, count)?;
    Ok(names)
}

/// Checks that there are `count` names and that each can be shown and told from the others.
pub(crate) fn check(file: &str, names: &[String], count: usize) -> Result<(), Fault> {
    for (index, name) in names.iter().enumerate() {
        let detail = if name.is_empty() {
            "is empty".into()
        } else if name.len() > MOST_NAME_BYTES {
            format!("is longer than {MOST_NAME_BYTES} bytes")
        } else if name.contains(char::is_control) {
            format!("contains a control character, {name:?}")
        } else if name.trim() != name {
            format!("begins or ends with a blank, {name:?}")
        } else if let Some(earlier) = names[..index].iter().position(|other| other == name) {
            format!("repeats line {}, \"{name}\"", earlier + 1)
        } else {
            continue;
        };
        return Err(fault(file, format!("line {} {detail}", index + 1)));
    }
    if names.len() != count {
        return Err(fault(file, format!("{} class names, expected {count}", names.len())));
    }
    Ok(())
}

fn fault(file: &str, detail: String) -> Fault {
    Fault::Names { file: file.into(), detail }
}
