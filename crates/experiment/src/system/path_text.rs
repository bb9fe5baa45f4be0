//! Paths as text. A path that is not UTF-8 is written like bash's `$'...'`, so that different paths stay different.

use std::path::{Path, PathBuf};

use super::console::is_hidden;

const START: &str = "$'";

/// The path for JSON and TOML: unchanged, but `$'...'` if it is not UTF-8 or starts with `$'` itself.
pub fn exact(path: &Path) -> String {
    written(path, |text| !text.starts_with(START))
}

/// The path for a line of text or a table cell: unchanged, but `$'...'` if it is not printable or starts with `$'`.
pub fn printable(path: &Path) -> String {
    written(path, |text| !text.starts_with(START) && !text.chars().any(is_hidden))
}

/// The path as an argument in any shell, with `./` before a leading `-`.
pub fn argument(path: &Path) -> String {
    let is_flag = path.as_os_str().as_encoded_bytes().starts_with(b"-");
    quoted(&printable(&if is_flag { Path::new(".").join(path) } else { path.to_owned() }))
}

/// Quotes a word, or a path written by [`exact`] or [`printable`], for a shell.
pub fn quoted(word: &str) -> String {
    if !word.starts_with(START) {
        // Only a NUL byte cannot be quoted, and no argument contains one.
        return shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into);
    }
    // Not every shell knows `$'...'`.
    let octal = |&byte: &u8| match byte {
        b'%' => "%%".to_owned(),
        b' '..=b'~' if !b"'\\".contains(&byte) => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    };
    let path = path(word);
    format!("\"$(printf '{}')\"", path.as_os_str().as_encoded_bytes().iter().map(octal).collect::<String>())
}

fn written(path: &Path, is_fit: impl Fn(&str) -> bool) -> String {
    if let Some(text) = path.to_str().filter(|text| is_fit(text)) {
        return text.to_owned();
    }
    let mut written = START.to_owned();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => written.extend(['\\', c]),
                c if is_hidden(c) => written += &hex(c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => written.push(c),
            }
        }
        written += &hex(chunk.invalid());
    }
    written + "'"
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// The path written by [`exact`] or [`printable`].
pub fn path(text: &str) -> PathBuf {
    let Some(mut rest) = text.strip_prefix(START).and_then(|rest| rest.strip_suffix('\'')) else { return text.into() };
    let mut bytes = Vec::new();
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.as_bytes());
        let hex = after.strip_prefix('x').and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
        let length = if hex.is_some() { 3 } else { after.chars().next().map_or(0, char::len_utf8) };
        bytes.extend(hex.as_slice());
        bytes.extend(&after.as_bytes()[..if hex.is_some() { 0 } else { length }]);
        rest = &after[length..];
    }
    bytes.extend(rest.as_bytes());
    from_bytes(bytes)
}

/// The path of these bytes.
#[cfg(unix)]
pub fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into()
}

/// The path of these bytes.
#[cfg(not(unix))]
pub fn from_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_as_text_and_in_a_shell() {
        for (bytes, exactly, printably, in_a_shell) in [
            (&b"a/b.png"[..], "a/b.png", "a/b.png", "a/b.png"),
            (b"a b", "a b", "a b", "'a b'"),
            (b"-x", "-x", "-x", "./-x"),
            (b"caf\xe9", r"$'caf\xe9'", r"$'caf\xe9'", r#""$(printf 'caf\351')""#),
            (b"caf\xe8", r"$'caf\xe8'", r"$'caf\xe8'", r#""$(printf 'caf\350')""#),
            (b"-\xff%", r"$'-\xff%'", r"$'-\xff%'", r#""$(printf './-\377%%')""#),
            (b"a\nb", "a\nb", r"$'a\x0ab'", r#""$(printf 'a\012b')""#),
            (br"a\nb", r"a\nb", r"a\nb", r#""a\\nb""#),
            (b"\xffit's \\x41", r"$'\xffit\'s \\x41'", r"$'\xffit\'s \\x41'", r#""$(printf '\377it\047s \134x41')""#),
            (br"$'\xe9'", r"$'$\'\\xe9\''", r"$'$\'\\xe9\''", r#""$(printf '$\047\134xe9\047')""#),
        ] {
            let path = from_bytes(bytes.to_vec());
            assert_eq!(exact(&path), exactly);
            assert_eq!(printable(&path), printably);
            assert_eq!(argument(&path), in_a_shell);
            assert_eq!(super::path(&exact(&path)), path);
        }
    }
}
