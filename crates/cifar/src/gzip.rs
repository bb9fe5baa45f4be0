//! The outer layer of an archive: gzip, read to its very end. A reader that stops where the tar archive stops
//! never sees gzip's checksum.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use crate::dataset::hexadecimal;
use crate::error::Fault;

/// The longest archive that is read: all pictures of a release, incompressible, take 185 MB.
const MOST_BYTES: u64 = 256 << 20;

/// How much is asked of the file at once.
const BUFFER_BYTES: usize = 256 << 10;

/// The unpacked bytes of a gzip file. Its `read` fails with a [`Fault`] inside the [`io::Error`].
pub(crate) struct GzipReader<R: Read> {
    decoder: GzDecoder<BufReader<Compressed<R>>>,
    /// Bytes unpacked so far.
    pub position: u64,
}

/// What is known of an archive when it has been read whole.
pub(crate) struct Digested {
    pub bytes: u64,
    pub sha256: String,
}

impl<R: Read> GzipReader<R> {
    pub fn new(source: R) -> Self {
        let compressed = Compressed { source, bytes: 0, start: Vec::new(), sha256: Sha256::new() };
        let decoder = GzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, compressed));
        GzipReader { decoder, position: 0 }
    }

    /// After `read` has returned 0 (and so the checksum was right): checks that nothing follows.
    pub fn finish(mut self) -> Result<Digested, Fault> {
        let rest = self.decoder.get_mut().fill_buf().map_err(|error| Fault::io("read", error))?;
        let left = rest.len() as u64;
        let what = if rest.starts_with(b"\x1f\x8b") { "a second gzip member" } else { "other bytes" };
        let Compressed { bytes, sha256, .. } = self.decoder.into_inner().into_inner();
        match left {
            0 => Ok(Digested { bytes, sha256: hexadecimal(&sha256.finalize()) }),
            _ => Err(Fault::Trailing { offset: bytes - left, what }),
        }
    }

    /// Finds the words for an error of the decoder.
    fn explain(&self, error: io::Error) -> Fault {
        let buffered = self.decoder.get_ref();
        let Compressed { bytes, start, .. } = buffered.get_ref();
        match error.downcast::<Fault>() {
            Ok(fault) => fault,
            Err(_) if *bytes == 0 => Fault::Empty,
            Err(_) if !b"\x1f\x8b".starts_with(&start[..start.len().min(2)]) => not_gzip(start),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Fault::Truncated { bytes: *bytes },
            Err(error) => Fault::Damaged { detail: error.to_string(), offset: bytes - buffered.buffer().len() as u64 },
        }
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let unpacked = self.decoder.read(out).map_err(|error| self.explain(error).into_io())?;
        self.position += unpacked as u64;
        Ok(unpacked)
    }
}

/// Says what a file that is not gzip might be.
fn not_gzip(start: &[u8]) -> Fault {
    let text = start.trim_ascii_start();
    let guess = match start {
        _ if text.starts_with(b"<") => " (a saved web page?)",
        [b'P', b'K', ..] => " (a zip file?)",
        [b'B', b'Z', b'h', ..] => " (a bzip2 file?)",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => " (an xz file?)",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => " (a zstd file?)",
        _ if start.starts_with(b"cifar-10") || start.starts_with(b"./") => {
            " (a tar archive already unpacked from gzip?)"
        }
        _ => "",
    };
    let bytes: Vec<String> = start.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Fault::NotGzip { start: bytes.join(" "), guess }
}

/// The archive's own bytes: counts and hashes them, bounds their number, and marks what the system got wrong, so
/// that a failing disk is not taken for a damaged archive.
struct Compressed<R> {
    source: R,
    bytes: u64,
    /// The first few.
    start: Vec<u8>,
    sha256: Sha256,
}

impl<R: Read> Read for Compressed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = loop {
            match self.source.read(out) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Io { action: "read".into(), error }.into_io()),
            }
        };
        let read = &out[..count];
        self.start.extend(read.iter().take(16 - self.start.len()));
        self.sha256.update(read);
        self.bytes += count as u64;
        if self.bytes > MOST_BYTES {
            return Err(Fault::TooLong { limit: MOST_BYTES }.into_io());
        }
        Ok(count)
    }
}
