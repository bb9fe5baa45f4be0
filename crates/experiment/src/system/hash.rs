//! SHA-256, which identifies files, settings and weights.

use sha2::{Digest, Sha256};

/// The SHA-256 of the concatenated parts, in hexadecimal.
pub fn sha256(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> String {
    let mut hash = Sha256::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
