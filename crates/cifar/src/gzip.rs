//! The outer layer of an archive: gzip, read to its very end. A reader that stops where the tar archive stops
//! never sees gzip's checksum.
//!
//! A gzip file is a row of members, mostly one (`pigz` and `cat a.gz b.gz` make several): each is a header, the
//! deflated bytes, and a trailer with their checksum and length.

use std::io::{self, BufRead, BufReader, Read};

use byteorder::{LittleEndian, ReadBytesExt};
use flate2::{Crc, bufread::DeflateDecoder};
use sha2::{Digest, Sha256};

use crate::dataset::hexadecimal;
use crate::error::Fault;

/// The longest archive that is read: all pictures of a release, incompressible, take 185 MB.
const MOST_BYTES: u64 = 256 << 20;

/// The most gzip members: bgzip, whose members are the smallest in use, makes 2,900 of a release.
const MOST_MEMBERS: u32 = 1 << 14;

/// How much is asked of the file at once.
const BUFFER_BYTES: usize = 256 << 10;

/// The unpacked bytes of a gzip file, or of a tar archive that something has unpacked already. Its `read` fails with
/// a [`Fault`] inside the [`io::Error`].
pub(crate) struct GzipReader<R: Read> {
    decoder: DeflateDecoder<BufReader<Compressed<R>>>,
    /// Whether there is no gzip layer.
    is_plain: bool,
    members: u32,
    in_member: bool,
    /// Of the member's bytes so far.
    checksum: Crc,
    /// Bytes unpacked so far.
    pub position: u64,
}

/// What is known of an archive when it has been read whole.
pub(crate) struct Digested {
    pub is_plain: bool,
    pub bytes: u64,
    pub sha256: String,
}

impl<R: Read> GzipReader<R> {
    pub fn new(source: R) -> Result<Self, Fault> {
        let compressed = Compressed { source, bytes: 0, start: Vec::new(), sha256: Sha256::new() };
        let mut buffered = BufReader::with_capacity(BUFFER_BYTES, compressed);
        let start = buffered.fill_buf().map_err(|error| Fault::io("read", error))?;
        let is_plain = start.get(257..262) == Some(b"ustar") && !start.starts_with(b"\x1f\x8b");
        let (decoder, checksum) = (DeflateDecoder::new(buffered), Crc::new());
        Ok(GzipReader { decoder, is_plain, members: 0, in_member: false, checksum, position: 0 })
    }

    /// After `read` has returned 0, and so every checksum was right and nothing follows.
    pub fn finish(self) -> Digested {
        let Compressed { bytes, sha256, .. } = self.decoder.into_inner().into_inner();
        Digested { is_plain: self.is_plain, bytes, sha256: hexadecimal(&sha256.finalize()) }
    }

    /// How much of the file has been used.
    fn offset(&self) -> u64 {
        let buffered = self.decoder.get_ref();
        buffered.get_ref().bytes - buffered.buffer().len() as u64
    }

    fn read_members(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.in_member && !self.begin_member()? {
                return Ok(0);
            }
            let count = self.decoder.read(out)?;
            if count > 0 || out.is_empty() {
                self.checksum.update(&out[..count]);
                return Ok(count);
            }
            self.end_member()?;
        }
    }

    /// Returns false where there is no other member.
    fn begin_member(&mut self) -> io::Result<bool> {
        let next = self.decoder.get_mut().fill_buf()?.first().copied();
        let trailing = |what| Err(Fault::Trailing { offset: self.offset(), what }.into_io());
        match next {
            None if self.members > 0 => return Ok(false),
            Some(byte) if self.members > 0 && byte != 0x1f => return trailing("other bytes"),
            _ if self.members == MOST_MEMBERS => return trailing("more gzip members than any archive needs"),
            _ => {}
        }
        read_header(self.decoder.get_mut())?;
        self.decoder.reset_data();
        self.checksum.reset();
        (self.in_member, self.members) = (true, self.members + 1);
        Ok(true)
    }

    /// Compares the trailer, which is cut off if the deflated bytes were.
    fn end_member(&mut self) -> io::Result<()> {
        let from = self.decoder.get_mut();
        let expected = (from.read_u32::<LittleEndian>()?, from.read_u32::<LittleEndian>()?);
        let found = (self.checksum.sum(), self.checksum.amount());
        self.in_member = false;
        if found == expected {
            return Ok(());
        }
        let detail = if found.0 != expected.0 {
            format!("its contents have the checksum {:08x}, expected {:08x}", found.0, expected.0)
        } else {
            format!("its contents have {} bytes, expected {}", found.1, expected.1)
        };
        Err(Fault::Damaged { detail, offset: self.offset() }.into_io())
    }

    /// Finds the words for an error of the layers below.
    fn explain(&self, error: io::Error) -> Fault {
        let Compressed { bytes, start, .. } = self.decoder.get_ref().get_ref();
        match error.downcast::<Fault>() {
            Ok(fault) => fault,
            Err(_) if *bytes == 0 => Fault::Empty,
            Err(_) if !b"\x1f\x8b".starts_with(&start[..start.len().min(2)]) => not_gzip(start),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Fault::Truncated { bytes: *bytes },
            Err(_) => Fault::Damaged { detail: "its compressed data are malformed".into(), offset: self.offset() },
        }
    }
}

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let unpacked = if self.is_plain { self.decoder.get_mut().read(out) } else { self.read_members(out) };
        let unpacked = unpacked.map_err(|error| self.explain(error).into_io())?;
        self.position += unpacked as u64;
        Ok(unpacked)
    }
}

/// Reads past a member's header, of which nothing is needed.
fn read_header(from: &mut impl BufRead) -> io::Result<()> {
    let [has_checksum, has_extra, has_name, has_comment] = [2, 4, 8, 16];
    let mut fixed = [0; 10];
    from.read_exact(&mut fixed)?;
    let [0x1f, 0x8b, 8, flags @ 0..0x20, ..] = fixed else { return Err(io::ErrorKind::InvalidData.into()) };
    if flags & has_extra != 0 {
        let length = from.read_u16::<LittleEndian>()?;
        io::copy(&mut from.take(length.into()), &mut io::sink())?;
    }
    for text in [has_name, has_comment] {
        if flags & text != 0 {
            from.skip_until(0)?;
        }
    }
    if flags & has_checksum != 0 {
        from.read_u16::<LittleEndian>()?;
    }
    Ok(())
}

/// Says what a file that is not gzip might be.
fn not_gzip(start: &[u8]) -> Fault {
    let text = start.trim_ascii_start();
    let guess = match start {
        _ if text.starts_with(b"<") => " (a saved web page?)",
        _ if text.starts_with(b"{") => " (a server's error message?)",
        _ if text.starts_with(b"version https:") => " (a Git LFS pointer?)",
        [b'P', b'K', ..] => " (a zip file?)",
        [b'B', b'Z', b'h', ..] => " (a bzip2 file?)",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => " (an xz file?)",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => " (a zstd file?)",
        _ => "",
    };
    let is_text = text.first().is_some_and(|byte| b"<{v".contains(byte)) && !guess.is_empty();
    let advice = if is_text { "download it again" } else { "check the path, or give the .tar.gz archive as published" };
    let bytes: Vec<String> = start.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Fault::NotGzip { start: bytes.join(" "), guess, advice }
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
