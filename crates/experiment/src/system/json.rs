//! The program's JSON: indented, with a line feed at the end.

use serde::{Deserialize, Serialize};

/// A value as text. NaN and infinity become `null`.
pub fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("all keys are strings") + "\n"
}

/// The `format` of a record. It is read before the rest, where a missing field of another version would hide the
/// reason.
pub fn format_of(record: &[u8]) -> serde_json::Result<u32> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    serde_json::from_slice(record).map(|Version { format }| format)
}
