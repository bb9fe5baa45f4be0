//! Names of classes and layers that can be shown on one line as they are.

use std::collections::HashSet;

use super::console::shown;

/// The longest name, as file systems have it.
const MOST_BYTES: usize = 255;

/// Refuses a name that cannot be shown on one line as it is.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("is empty"),
        _ if name.contains(char::is_control) => Err("has a control character"),
        _ if name.len() > MOST_BYTES => Err("is longer than 255 bytes"),
        _ if name.trim() != name => Err("begins or ends with a space"),
        _ => Ok(()),
    }
}

/// Refuses a list with such a name, or with a name twice.
///
/// # Errors
/// The name and what is wrong with it.
pub fn check_names(names: &[String]) -> Result<(), String> {
    let mut seen = HashSet::new();
    for (name, number) in names.iter().zip(1..) {
        let sound = check_name(name).and_then(|()| if seen.insert(name) { Ok(()) } else { Err("is there twice") });
        sound.map_err(|wrong| {
            format!("name {number}, \"{}\", {wrong}; expected another name for each class", shown(name))
        })?;
    }
    Ok(())
}
