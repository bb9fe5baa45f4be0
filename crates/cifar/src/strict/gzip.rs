//! The outer layer of an archive: gzip, read to the end. (A reader that stops at the end of the tar archive never
//! checks gzip's checksum.)
//!
//! A gzip file consists of one or several members, each with its own checksum; `pigz` and `cat a.gz b.gz` make several.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use crate::dataset::{Source, hexadecimal};
use crate::error::Fault;
use crate::format::Release;

/// The longest archive: a release's pictures take 185 MB if they are incompressible.
const MAX_BYTES: u64 = 256 << 20;

/// The maximum number of gzip members: bgzip, which makes the smallest ones in use, makes 2,800 from a release.
const MAX_MEMBERS: u32 = 1 << 14;

/// The place of "ustar" in a tar archive.
const USTAR: Range<usize> = 257..262;

/// Bytes read from the file at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Reads the decompressed bytes of an archive. `read` fails with a [`Fault`] inside the [`io::Error`].
pub(super) struct Unpacked<'a> {
    layer: Layer<'a>,
    members: u32,
    /// Bytes decompressed so far.
    pub position: u64,
}

enum Layer<'a> {
    Gzip(Box<GzDecoder<BufReader<Compressed<'a>>>>),
    /// Already decompressed, by a browser.
    Tar(BufReader<Compressed<'a>>),
}

impl<'a> Unpacked<'a> {
    pub fn new(mut source: impl Read + 'a) -> Result<Self, Fault> {
        // One read of the source may return fewer bytes than it takes to tell the format.
        let mut start = Vec::new();
        source.by_ref().take(USTAR.end as u64).read_to_end(&mut start).map_err(|error| Fault::io("read", error))?;
        let is_gzip = b"\x1f\x8b".starts_with(&start[..start.len().min(2)]);
        if start.is_empty() {
            return Err(Fault::Gzip("is empty (0 bytes); download it again".into()));
        } else if !is_gzip && start.get(USTAR) != Some(b"ustar") {
            return Err(not_gzip(&start));
        }
        let compressed = Compressed::new(io::Cursor::new(start).chain(source));
        let compressed = BufReader::with_capacity(BUFFER_BYTES, compressed);
        let layer = match is_gzip {
            true => Layer::Gzip(Box::new(GzDecoder::new(compressed))),
            false => Layer::Tar(compressed),
        };
        Ok(Unpacked { layer, members: 1, position: 0 })
    }

    /// Call this after `read` has returned 0: all checksums were correct, and nothing follows.
    pub fn finish(self, name: String, release: &Release) -> Source {
        match self.layer {
            Layer::Tar(_) => Source::Tar { name },
            Layer::Gzip(member) => {
                let Compressed { bytes, sha256, .. } = member.into_inner().into_inner();
                let sha256 = hexadecimal(sha256);
                let official = bytes == release.archive_bytes && sha256 == release.archive_sha256;
                Source::Archive { name, bytes, sha256, official }
            }
        }
    }

    fn unpack(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let member = match &mut self.layer {
            Layer::Gzip(member) => member,
            Layer::Tar(compressed) => return compressed.read(out),
        };
        loop {
            let count = member.read(out)?;
            if count > 0 || out.is_empty() {
                return Ok(count);
            }
            // This member has ended, and its checksum and length were correct.
            let what = match member.get_mut().fill_buf()?.first() {
                None => return Ok(0),
                Some(0x1f) if self.members < MAX_MEMBERS => {
                    // The decoder gives its reader back only in exchange for another.
                    let rest = member.reset(BufReader::with_capacity(0, Compressed::new(io::empty())));
                    member.reset(rest);
                    self.members += 1;
                    continue;
                }
                Some(0x1f) => "more gzip members than any archive needs",
                Some(_) => "other bytes",
            };
            return Err(io::Error::other(Fault::Gzip(format!(
                "continues after the end of its gzip data, at byte {}, with {what}; expected the end of the file",
                offset(member.get_ref())
            ))));
        }
    }

    /// Explains an error of the layers below.
    fn explain(&self, error: io::Error) -> Fault {
        let compressed = match &self.layer {
            Layer::Gzip(member) => member.get_ref(),
            Layer::Tar(compressed) => compressed,
        };
        error.downcast().unwrap_or_else(|error| {
            Fault::Gzip(match error.kind() {
                io::ErrorKind::UnexpectedEof => format!(
                    "ends too early: after {} bytes the compressed data are incomplete; \
                     resume the download or repeat it",
                    compressed.get_ref().bytes
                ),
                _ => format!(
                    "is damaged: its compressed data or their checksum are wrong, before byte {} of the archive; \
                     download it again",
                    offset(compressed)
                ),
            })
        })
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.unpack(out).map_err(|error| io::Error::other(self.explain(error)))?;
        self.position += count as u64;
        Ok(count)
    }
}

/// The position in the archive.
fn offset(compressed: &BufReader<Compressed<'_>>) -> u64 {
    compressed.get_ref().bytes - compressed.buffer().len() as u64
}

/// The fault for a file that is not gzip, with a guess at what it is.
fn not_gzip(start: &[u8]) -> Fault {
    let guess = match start.trim_ascii_start() {
        [b'<', ..] => " (a saved web page?)",
        [b'{', ..] => " (a server's error message?)",
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', b' ', ..] => " (a Git LFS pointer?)",
        [b'P', b'K', ..] => " (a zip file?)",
        [b'B', b'Z', b'h', ..] => " (a bzip2 file?)",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => " (an xz file?)",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => " (a zstd file?)",
        _ => "",
    };
    let bytes: Vec<String> = start.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Fault::Gzip(format!(
        "is not a gzip file: it starts with {}{guess}; expected 1f 8b; \
         check the path, or download the .tar.gz archive again",
        bytes.join(" ")
    ))
}

/// Reads the archive's bytes, counting and hashing them. It limits their number, and marks I/O errors so that a failing
/// disk is not reported as a damaged archive.
struct Compressed<'a> {
    source: Box<dyn Read + 'a>,
    bytes: u64,
    sha256: Sha256,
}

impl<'a> Compressed<'a> {
    fn new(source: impl Read + 'a) -> Self {
        Compressed { source: Box::new(source), bytes: 0, sha256: Sha256::new() }
    }
}

impl Read for Compressed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = loop {
            match self.source.read(out) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io::Error::other(Fault::io("read", error))),
            }
        };
        self.sha256.update(&out[..count]);
        self.bytes += count as u64;
        if self.bytes > MAX_BYTES {
            return Err(io::Error::other(Fault::Gzip(format!(
                "is longer than {MAX_BYTES} bytes, more than any CIFAR archive needs; check the path"
            ))));
        }
        Ok(count)
    }
}
