//! Rewords the libraries' messages about malformed files. The caller adds the position, except for JSON, where only the
//! library knows it.

use serde_json::error::Category;

/// Why a text is not the expected JSON, and where.
pub fn json(error: &serde_json::Error) -> String {
    let place = match error.line() {
        0 => String::new(),
        line => format!(" at line {line}, column {}", error.column()),
    };
    match error.classify() {
        Category::Eof => format!("unexpected end{place}"),
        Category::Data => {
            let message = error.to_string();
            // Drops the library's position.
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            format!("{}{place}", data(message).unwrap_or_else(|| message.to_owned()))
        }
        _ => format!("invalid JSON{place}"),
    }
}

/// Why a text is not the expected TOML. `message` is the library's and may have several lines.
pub fn toml(message: &str) -> String {
    const SYNTAX: [(&str, &str); 10] = [
        ("value was too large", "the number is too large"),
        ("unclosed", "a bracket is not closed"),
        ("key with no value", "the key has no value"),
        ("must be quoted", "expected a value after the =; put text in quotes"),
        ("escape", "unknown backslash escape: write a path in 'single quotes'"),
        ("unicode", "unknown backslash escape: write a path in 'single quotes'"),
        ("string", "the quoted text has no end or contains an invalid character"),
        ("opening quote", "the quoted text has no end or contains an invalid character"),
        ("digit", "the number is malformed"),
        ("zero", "the number is malformed"),
    ];
    let known = |&&(theirs, _): &&(&str, &str)| message.contains(theirs);
    data(message)
        .or_else(|| SYNTAX.iter().find(known).map(|&(_, ours)| ours.to_owned()))
        .unwrap_or_else(|| "is not TOML; expected lines such as epochs = 20".to_owned())
}

/// Rewords serde's messages about values; `None` for any other message.
fn data(message: &str) -> Option<String> {
    let message = message.lines().next().unwrap_or_default();
    let named = |rest: &str| rest.trim_end_matches('`').to_owned();
    if let Some(name) = message.strip_prefix("missing field `") {
        return Some(format!("{} is missing", named(name)));
    }
    if let Some(name) = message.strip_prefix("duplicate field `") {
        return Some(format!("{} occurs twice", named(name)));
    }
    if message.starts_with("expected ") {
        return Some(message.to_owned());
    }
    if message.contains(" as i128") || message.contains(" as u128") {
        return Some("the number is too large".to_owned());
    }
    let (found, expected) = message.split_once(", ")?;
    let expected = expected.strip_prefix("expected ").unwrap_or(expected);
    if let Some(name) = found.strip_prefix("unknown field `").or(found.strip_prefix("unknown variant `")) {
        return Some(format!("'{}' is unknown; expected {}", named(name), expected.replace('`', "")));
    }
    if let Some(length) = found.strip_prefix("invalid length ") {
        return Some(format!("expected {}, found {length} values", wanted(expected)));
    }
    let found = found.strip_prefix("invalid type: ").or(found.strip_prefix("invalid value: "))?;
    let value =
        found.split_once('`').map(|(_, value)| named(value)).or(found.strip_prefix("string ").map(str::to_owned));
    let found = value.unwrap_or_else(|| match found {
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        "null" | "unit value" => "nothing".to_owned(),
        other => other.to_owned(),
    });
    Some(format!("expected {}, found {found}", wanted(expected)))
}

/// What serde expected: Rust's type names in plain words.
fn wanted(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number >= 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "string" | "a string" | "variant identifier" | "string or map" | "string or table" => "text",
        "bool" | "a boolean" => "true or false",
        "sequence" | "a sequence" => "a list",
        "map" | "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "lowercase")]
    #[expect(dead_code, reason = "only the errors of reading it matter")]
    struct Settings {
        epochs: usize,
        rate: Option<f64>,
        name: Option<String>,
        sizes: Option<[u8; 2]>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        One,
        Two,
    }

    #[test]
    fn library_messages_are_reworded() {
        for (text, words) in [
            ("epochs = -1", "expected a whole number >= 0, found -1"),
            ("epochs = \"x\"", "expected a whole number >= 0, found \"x\""),
            ("epochs = [1]", "expected a whole number >= 0, found a list"),
            ("epochs = 1\nrate = true", "expected a number, found true"),
            ("epochs = 1\nname = 1.5", "expected text, found 1.5"),
            ("epochs = 1\nsizes = [1]", "expected an array of length 2, found 1 values"),
            ("epochs = 1\nkind = \"three\"", "'three' is unknown; expected one or two"),
            ("epoch = 1", "'epoch' is unknown; expected one of epochs, rate, name, sizes, kind"),
            ("rate = 1", "epochs is missing"),
            ("epochs = 99999999999999999999", "the number is too large"),
            ("epochs = 01", "the number is malformed"),
            ("epochs = [1,", "a bracket is not closed"),
            ("epochs", "the key has no value"),
            ("epochs = many", "expected a value after the =; put text in quotes"),
            ("name = \"C:\\users\"", "unknown backslash escape: write a path in 'single quotes'"),
            ("name = \"\\u12\"", "unknown backslash escape: write a path in 'single quotes'"),
            ("name = 'x", "the quoted text has no end or contains an invalid character"),
            ("= 3", "is not TOML; expected lines such as epochs = 20"),
        ] {
            let error = toml::from_str::<Settings>(text).unwrap_err();
            assert_eq!(super::toml(error.message()), words, "{text}: {}", error.message());
        }
        for (text, words) in [
            ("{\"epochs\": -1}", "expected a whole number >= 0, found -1 at line 1, column 13"),
            ("{\"epochs\": null}", "expected a whole number >= 0, found nothing at line 1, column 15"),
            ("{\"epochs\": 1, \"epochs\": 1}", "epochs occurs twice at line 1, column 22"),
            ("[", "unexpected end at line 1, column 1"),
            ("3", "expected a table, found 3 at line 1, column 1"),
            ("{\"epochs\": 1 2}", "invalid JSON at line 1, column 14"),
            ("{\"name\": \"\\u12\"}", "invalid JSON at line 1, column 16"),
        ] {
            let error = serde_json::from_str::<Settings>(text).unwrap_err();
            assert_eq!(super::json(&error), words, "{text}: {error}");
        }
    }
}
