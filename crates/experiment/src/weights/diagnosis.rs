//! What is wrong with a file that cannot be read as safetensors, what it may be instead, and what to do with it.

use safetensors::SafeTensorError;

use crate::system::{number, wording};

/// What is wrong with a file of `length` bytes that starts with `bytes`. `longest` is the longest header that we accept.
pub fn describe(error: &SafeTensorError, bytes: &[u8], length: u64, longest: u64) -> String {
    let length = number::count(length);
    let announced = || {
        let header = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        format!("its first 8 bytes announce a header of {} bytes", number::count(header))
    };
    match error {
        _ if bytes.is_empty() => "is empty (0 bytes)".to_owned(),
        SafeTensorError::HeaderTooSmall => {
            format!("is not a safetensors file: it has {length} bytes, but the header's length alone takes 8")
        }
        SafeTensorError::HeaderTooLarge | SafeTensorError::InvalidHeaderLength => match guess(bytes) {
            Some(what) => format!("is not a safetensors file; it looks like {what}"),
            None if matches!(error, SafeTensorError::HeaderTooLarge) => {
                format!("is not a safetensors file: {}; expected at most {}", announced(), number::count(longest))
            }
            None => format!("is not a safetensors file, or is truncated: {}, but it has {length} bytes", announced()),
        },
        SafeTensorError::InvalidHeader(_) => "is damaged: its header is not UTF-8".to_owned(),
        SafeTensorError::InvalidHeaderDeserialization(error) => {
            format!("its header is not that of a safetensors file: {}", wording::json(error))
        }
        SafeTensorError::MetadataIncompleteBuffer => {
            format!(
                "is truncated or damaged: its header describes a different length than its {length} bytes; use an intact copy"
            )
        }
        SafeTensorError::InvalidOffset(name) => {
            format!("is damaged: tensor {name} does not start at the end of the previous one")
        }
        _ => "is damaged: a tensor's shape does not match its length".to_owned(),
    }
}

/// Guesses from its first bytes what a file is, and what to do with it.
fn guess(bytes: &[u8]) -> Option<String> {
    const TORCH: &str = "; in Python, safetensors.torch.save_file(torch.load(FILE, map_location=\"cpu\", \
                         weights_only=True), OUT) saves its state_dict as safetensors";
    const KERAS: &str = "; in Python, save each weight of each layer as LAYER/WEIGHT with safetensors.numpy.save_file";
    // The name of a zip archive's first entry tells what kind of archive it is.
    let entry = bytes.strip_prefix(b"PK\x03\x04").and_then(|zip| zip.get(26..)).unwrap_or_default();
    let entry = &entry[..entry.len().min(200)];
    let holds = |name: &[u8]| entry.windows(name.len()).any(|window| window == name);
    let formats: [(bool, &str, &str); 10] = [
        (matches!(bytes, [0x80, 2..=5, ..]), "a Python pickle, such as an old .pth or .pt of PyTorch", TORCH),
        (holds(b"data.pkl"), "a .pth or .pt of PyTorch (a zip archive)", TORCH),
        (holds(b"config.json") || holds(b"metadata.json"), "a .keras of Keras (a zip archive)", KERAS),
        (bytes.starts_with(b"PK\x03\x04"), "a zip archive (PyTorch's .pt, Keras's .keras, NumPy's .npz)", ""),
        (bytes.starts_with(b"\x89HDF"), "HDF5 (Keras's .h5)", KERAS),
        (matches!(bytes, [8, _, 0x12, ..]), "an ONNX model", "; export the weights from the framework it came from"),
        (bytes.starts_with(b"version https://git-lfs"), "a Git LFS pointer", "; `git lfs pull` gets the file itself"),
        (bytes.starts_with(b"\x1f\x8b"), "a gzip archive", ""),
        (bytes.starts_with(b"\x89PNG"), "a picture", ""),
        (bytes.starts_with(b"<"), "a web page", ""),
    ];
    formats.into_iter().find(|(is, ..)| *is).map(|(_, what, to_do)| format!("{what}{to_do}"))
}
