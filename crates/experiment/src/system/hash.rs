//! SHA-256, by which files, settings and weights are recognised.

use sha2::{Digest, Sha256};

/// SHA-256 of bytes that come in parts, in hexadecimal.
pub fn sha256(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> String {
    let mut hash = Sha256::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
