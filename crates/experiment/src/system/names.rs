//! Checks names of classes and layers: printable, on one line.

use std::collections::HashSet;

use super::console::shown;

/// The longest name, as on most file systems.
const MAX_BYTES: usize = 255;

/// Says what is wrong with a name, worded to follow it.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("is empty"),
        _ if name.contains(char::is_control) => Err("has a control character"),
        _ if name.len() > MAX_BYTES => Err("is longer than 255 bytes"),
        _ if name.trim() != name => Err("starts or ends with a space"),
        _ => Ok(()),
    }
}

/// Refuses a list with an invalid name, or with the same name twice.
pub fn check_names(names: &[String]) -> Result<(), String> {
    let mut seen = HashSet::new();
    for (name, number) in names.iter().zip(1..) {
        let sound = check_name(name).and_then(|()| if seen.insert(name) { Ok(()) } else { Err("occurs twice") });
        sound.map_err(|wrong| {
            format!("name {number}, \"{}\", {wrong}; expected a different name for each class", shown(name))
        })?;
    }
    Ok(())
}
