//! The format of weight files: safetensors with metadata and a seal.
//!
//! The header's metadata has one key, `thawline`, with a JSON string. It starts with `sha256`, the hash of the whole
//! file with these 64 digits as zeros, so that any changed bit is detected.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    path::Path,
};

use byteorder::{ByteOrder, LittleEndian};
pub use safetensors::tensor::Dtype;
use safetensors::{
    SafeTensorError, View,
    tensor::{self, TensorInfo},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error, IgnoredAny, MapAccess, Visitor},
};

use super::diagnosis;
use crate::system::{
    failure::{Failure, Kind, Result},
    hash::sha256,
    input::{Input, WEIGHTS},
    json, wording,
};

/// The only key of the metadata.
const KEY: &str = "thawline";

/// Hexadecimal digits of a SHA-256.
pub const DIGITS: usize = 64;

/// The file starts with the length of its header, in this many bytes.
const LENGTH: usize = 8;
/// The longest header in bytes, enough for 100,000 tensors. Parsing it takes about twenty times as much memory.
const MAX_HEADER: u64 = 16_000_000;

/// Up to this length a file is read before its metadata is checked, so that damage is reported as such.
const SMALL: u64 = 64 << 20;

/// The text before the seal's digits: JSON inside a JSON string.
const BEFORE_SEAL: &[u8] = br#"\"sha256\":\""#;

/// A tensor to write: name, dimensions, values.
pub type Tensor<'a> = (String, &'a [usize], &'a [f32]);

/// The metadata with its seal.
#[derive(Serialize)]
struct Sealed<'a, M> {
    sha256: &'a str,
    #[serde(flatten)]
    metadata: &'a M,
}

/// The bytes of a sealed file; the same tensors and metadata give the same bytes.
pub fn to_bytes<'a>(tensors: impl IntoIterator<Item = Tensor<'a>>, metadata: &impl Serialize) -> Result<Vec<u8>> {
    let sealed = Sealed { sha256: &"0".repeat(DIGITS), metadata };
    let text = serde_json::to_string(&sealed).map_err(|error| inexpressible(&error))?;
    let mut bytes = to_foreign_bytes(tensors, Some((KEY, &text)))?;
    let seal = seal_position(&bytes).ok_or_else(|| inexpressible(&"no place for the seal"))?;
    let hash = sha256([&bytes]);
    bytes[seal..seal + DIGITS].copy_from_slice(hash.as_bytes());
    Ok(bytes)
}

/// The bytes of a file for other programs, without a seal. The metadata has at most one entry, because the order of
/// several would be random.
pub fn to_foreign_bytes<'a>(
    tensors: impl IntoIterator<Item = Tensor<'a>>,
    metadata: Option<(&str, &str)>,
) -> Result<Vec<u8>> {
    let metadata = metadata.map(|(key, text)| HashMap::from([(key.to_owned(), text.to_owned())]));
    let tensors = tensors.into_iter().map(|(name, shape, values)| (name, Floats { shape, values }));
    let bytes = safetensors::serialize(tensors, metadata).map_err(|error| inexpressible(&error))?;
    let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    if header > MAX_HEADER {
        return Err(inexpressible(&format!(
            "the header takes {header} bytes, more than the {MAX_HEADER} that can be read back"
        )));
    }
    Ok(bytes)
}

/// A tensor's floats, converted to bytes one tensor at a time.
struct Floats<'a> {
    shape: &'a [usize],
    values: &'a [f32],
}

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = vec![0; self.data_len()];
        LittleEndian::write_f32_into(self.values, &mut bytes);
        bytes.into()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

fn inexpressible(what: &dyn fmt::Display) -> Failure {
    Failure::new(Kind::Other, format!("cannot write the weights as safetensors: {what}"))
}

/// The seal of a file: its SHA-256 with the digits at `position` as zeros.
pub fn seal_of(bytes: &[u8], position: usize) -> String {
    let (before, after) = (&bytes[..position], &bytes[position + DIGITS..]);
    sha256([before, &[b'0'; DIGITS], after])
}

/// The position of the seal's digits, near the start of the header.
fn seal_position(bytes: &[u8]) -> Option<usize> {
    let header = &bytes[..bytes.len().min(1 << 10)];
    let position = header.windows(BEFORE_SEAL.len()).position(|window| window == BEFORE_SEAL)?;
    let seal = position + BEFORE_SEAL.len();
    (seal + DIGITS <= bytes.len()).then_some(seal)
}

/// A validated header: everything before the tensors' values.
pub struct Header {
    tensors: tensor::Metadata,
    /// The names of the tensors, sorted.
    names: Vec<String>,
    /// The JSON string under [`KEY`].
    metadata: Option<String>,
    /// Where the values start.
    end: usize,
}

impl Header {
    /// Parses the header of a file of `length` bytes, of which `start` are the first ones. It needs no
    /// [seal](TensorFile::open_seal): the file may come from another program.
    pub fn parse(start: &[u8], length: u64) -> Result<Self> {
        let fault = |error| Failure::usage(diagnosis::describe(&error, start, length, MAX_HEADER));
        let first = start.first_chunk().ok_or_else(|| fault(SafeTensorError::HeaderTooSmall))?;
        let header = u64::from_le_bytes(*first);
        if header > MAX_HEADER {
            return Err(fault(SafeTensorError::HeaderTooLarge));
        }
        let end = LENGTH + header as usize;
        let text = start.get(LENGTH..end).ok_or_else(|| fault(SafeTensorError::InvalidHeaderLength))?;
        let text = std::str::from_utf8(text).map_err(|error| fault(SafeTensorError::InvalidHeader(error)))?;
        let entries = serde_json::from_str(text);
        let Entries { mut tensors, metadata } =
            entries.map_err(|error| fault(SafeTensorError::InvalidHeaderDeserialization(error)))?;
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        let mut names: Vec<String> = tensors.iter().map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        let tensors = tensor::Metadata::new(None, tensors).map_err(fault)?;
        if (end as u64).checked_add(tensors.data_len() as u64) != Some(length) {
            return Err(fault(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Header { tensors, names, metadata, end })
    }

    /// The file's metadata, unverified; [`TensorFile::open_seal`] verifies it. Fails if there is none, or if it has
    /// another format or missing fields.
    pub fn metadata<M: DeserializeOwned>(&self, format: u32) -> Result<M> {
        let text = self.metadata.as_deref().ok_or_else(|| {
            Failure::usage("is a safetensors file, but has no metadata of this program; `thawline import` may read it")
        })?;
        let unreadable = |error: serde_json::Error| {
            Failure::usage(format!("its metadata cannot be read: {}", wording::json(&error)))
        };
        let found = json::format_of(text.as_bytes()).map_err(unreadable)?;
        if found != format {
            return Err(Failure::usage(format!(
                "has format {found}; this version of the program reads format {format}; use the version that wrote the file"
            )));
        }
        serde_json::from_str(text).map_err(unreadable)
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// The file's length.
    pub fn file_len(&self) -> u64 {
        (self.end + self.tensors.data_len()) as u64
    }

    /// The dimensions of a tensor.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.info(name).map(|info| info.shape.clone())
    }

    /// Requires a tensor to exist with this shape and one of these types; else says what was expected and found.
    pub fn require(&self, name: &str, shape: &[usize], types: &[Dtype]) -> std::result::Result<&TensorInfo, String> {
        let expected = dimensions(shape);
        let info = self.tensors.info(name).ok_or_else(|| format!("tensor {name} ({expected}) is missing"))?;
        if !types.contains(&info.dtype) {
            let types = types.iter().map(|dtype| format!("{dtype:?}")).collect::<Vec<_>>().join(", ");
            let types = types.rsplit_once(", ").map_or(types.clone(), |(some, last)| format!("{some} or {last}"));
            return Err(format!("tensor {name}: expected {types}, found {:?}", info.dtype));
        }
        if info.shape != shape {
            return Err(format!("tensor {name}: expected {expected}, found {}", dimensions(&info.shape)));
        }
        Ok(info)
    }
}

/// A weights file with a validated header.
pub struct TensorFile<'a> {
    pub header: Header,
    bytes: Cow<'a, [u8]>,
}

impl<'a> TensorFile<'a> {
    /// Reads a file, checking its header before the rest; `check` may refuse a large file by its header.
    pub fn open(path: &Path, check: impl FnOnce(&Header) -> Result<()>) -> Result<TensorFile<'static>> {
        let mut input = Input::open(path, WEIGHTS)?;
        input.read_to(LENGTH as u64)?;
        let header = input.bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        input.read_to(LENGTH as u64 + header.min(MAX_HEADER))?;
        let refused = |failure: Failure| failure.within(&path.display().to_string());
        let header = Header::parse(&input.bytes, input.length).map_err(refused)?;
        let length = input.length;
        if length > SMALL {
            check(&header).map_err(refused)?;
        }
        let bytes = input.read_all()?;
        if bytes.len() as u64 != length {
            return Err(refused(Failure::usage("changed while it was being read; try again")));
        }
        Ok(TensorFile { header, bytes: bytes.into() })
    }

    /// Like [`open`](Self::open), from the bytes of a file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        Ok(TensorFile { header: Header::parse(bytes, bytes.len() as u64)?, bytes: bytes.into() })
    }

    /// The metadata, after the seal has shown that the file is intact. Also fails if it has unknown fields.
    pub fn open_seal<M: DeserializeOwned + Serialize>(&self, format: u32) -> Result<M> {
        #[derive(Deserialize)]
        struct Seal {
            #[serde(default)]
            sha256: String,
        }
        // Checks the version first: another version may have another seal.
        let Seal { sha256: seal } = self.header.metadata(format)?;
        let position = seal_position(&self.bytes).filter(|_| seal.len() == DIGITS);
        let position = position.ok_or_else(|| Failure::usage("is damaged: its metadata has no sha256"))?;
        let found = seal_of(&self.bytes, position);
        if found != seal {
            return Err(Failure::usage(format!(
                "is damaged, or was changed by another program: its seal is {seal}, but its content has {found}; \
                 use an intact copy"
            )));
        }
        let metadata: M = self.header.metadata(format)?;
        let known = serde_json::to_value(&metadata).map_err(|error| inexpressible(&error))?;
        let fields: BTreeMap<String, IgnoredAny> = self.header.metadata(format)?;
        match fields.keys().find(|&field| field != "sha256" && known.get(field).is_none()) {
            None => Ok(metadata),
            Some(field) => Err(Failure::usage(format!("its metadata has an unknown field, {field:?}"))),
        }
    }

    /// SHA-256 of the file's bytes, in hexadecimal.
    pub fn sha256(&self) -> String {
        sha256([&self.bytes])
    }

    /// The values of an F32 tensor, which must be finite.
    pub fn values(&self, name: &str, shape: &[usize]) -> std::result::Result<Vec<f32>, String> {
        self.header.require(name, shape, &[Dtype::F32])?;
        self.float_values(name, shape)
    }

    /// Like [`values`](Self::values), for any floating-point type.
    pub fn float_values(&self, name: &str, shape: &[usize]) -> std::result::Result<Vec<f32>, String> {
        const FLOATS: [Dtype; 4] = [Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::F64];
        let &TensorInfo { data_offsets: (start, end), dtype, .. } = self.header.require(name, shape, &FLOATS)?;
        let bytes = &self.bytes[self.header.end..][start..end];
        let values: Vec<f32> = match dtype {
            Dtype::F64 => bytes.chunks_exact(8).map(|bytes| LittleEndian::read_f64(bytes) as f32).collect(),
            Dtype::F16 => bytes.chunks_exact(2).map(|bytes| half(LittleEndian::read_u16(bytes))).collect(),
            // The upper half of an f32.
            Dtype::BF16 => bytes
                .chunks_exact(2)
                .map(|bytes| f32::from_bits(u32::from(LittleEndian::read_u16(bytes)) << 16))
                .collect(),
            _ => bytes.chunks_exact(4).map(LittleEndian::read_f32).collect(),
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(format!("tensor {name}: value {index} is {}; expected finite numbers", values[index])),
        }
    }
}

/// Decodes a half-precision number: 1 sign bit, 5 exponent bits, 10 fraction bits.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (bits >> 10 & 31, bits & 1023);
    let magnitude = match exponent {
        0 => f32::from(fraction) / 16_777_216.0, // subnormal, in units of 2^-24
        31 if fraction == 0 => f32::INFINITY,
        31 => f32::NAN,
        _ => f32::from_bits((u32::from(exponent) + 112) << 23 | u32::from(fraction) << 13),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

/// The entries of a header. Duplicate names, which JSON parsers accept, are refused.
struct Entries {
    tensors: Vec<(String, TensorInfo)>,
    metadata: Option<String>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(header: D) -> std::result::Result<Self, D::Error> {
        header.deserialize_map(Entries { tensors: Vec::new(), metadata: None })
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> std::result::Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = entries.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("tensor {name} occurs twice")));
            }
            if name == "__metadata__" {
                self.metadata = entries.next_value::<HashMap<String, String>>()?.remove(KEY);
            } else {
                self.tensors.push((name, entries.next_value()?));
            }
        }
        Ok(self)
    }
}

/// Dimensions as text: `3 x 3 x 3 x 64`.
pub fn dimensions(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ")
}

/// One line for several faults: the first in full, and the number of the others.
pub fn first_of(faults: &[String]) -> Option<String> {
    let (first, others) = faults.split_first()?;
    Some(match others.len() {
        0 => first.clone(),
        1 => format!("{first}; 1 more tensor does not match"),
        n => format!("{first}; {n} more tensors do not match"),
    })
}
