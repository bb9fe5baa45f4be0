//! Checks that a JPEG is complete. Decoders silently paint missing data grey, so this reads every Huffman code of every
//! scan and counts the blocks, without computing pixels.

mod huffman;

use super::decoding::damaged;
use crate::system::{
    failure::{Failure, Result},
    number,
};
use huffman::{Bits, Table, define};

/// More scans than any encoder writes, and the decoder's own limit.
const MAX_SCANS: usize = 100;

const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

/// The frame header.
#[derive(Debug)]
pub struct Frame {
    progressive: bool,
    components: Vec<Component>,
    /// MCUs (minimum coded units) per row and per column of the picture.
    mcus: [usize; 2],
    /// The largest sampling factors.
    most: [usize; 2],
    size: [usize; 2],
    /// Whether the first scan has all components, so that the decoder need not keep coefficients.
    interleaved: bool,
}

#[derive(Debug)]
struct Component {
    id: u8,
    sampling: [usize; 2],
    /// For each coefficient, how many low bits are still missing; `ALL_BITS` before its first scan.
    missing_bits: [u8; 64],
    /// In a progressive picture, for each block a mask of the nonzero coefficients: refinement scans depend on it.
    nonzero: Vec<u64>,
}

const ALL_BITS: u8 = 0xff;

impl Frame {
    /// Reads the headers up to the first scan. Errors are worded to follow the file's name.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut frame = None;
        for segment in Segments::new(bytes) {
            let (marker, payload) = segment?;
            match marker {
                0xc0..=0xc2 => frame = Some(Frame::parse(marker, payload)?),
                // The other values in this range are DHT, JPG and DAC.
                0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xf7 => {
                    let kind = match marker {
                        0xc3 | 0xf7 => "a lossless",
                        0xc5..=0xc7 => "a hierarchical",
                        _ => "an arithmetic-coded",
                    };
                    return Err(unsupported(kind));
                }
                SOS => {
                    let mut frame = frame.ok_or_else(|| damaged("the image data has no frame header"))?;
                    frame.interleaved = payload.first().is_some_and(|&n| usize::from(n) == frame.components.len());
                    return Ok(frame);
                }
                _ => {}
            }
        }
        Err(damaged("it has no image data"))
    }

    fn parse(marker: u8, payload: &[u8]) -> Result<Self> {
        let wrong = || damaged("the frame header is invalid");
        let [precision, h1, h0, w1, w0, count, list @ ..] = payload else { return Err(wrong()) };
        if *precision == 12 {
            return Err(unsupported("a 12-bit"));
        }
        let size = [u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0])].map(usize::from);
        let component = |c: &[u8]| Component {
            id: c[0],
            sampling: [c[1] >> 4, c[1] & 15].map(usize::from),
            missing_bits: [ALL_BITS; 64],
            nonzero: Vec::new(),
        };
        let components: Vec<_> = list.chunks_exact(3).take(usize::from(*count)).map(component).collect();
        let valid = components.iter().all(|c| c.sampling.iter().all(|factor| (1..=4).contains(factor)));
        if !valid || components.is_empty() || components.len() != usize::from(*count) || size.contains(&0) {
            return Err(wrong());
        }
        let most = [0, 1].map(|axis| components.iter().map(|c| c.sampling[axis]).max().unwrap_or(1));
        let mcus = [0, 1].map(|axis| size[axis].div_ceil(8 * most[axis]));
        Ok(Frame { progressive: marker == 0xc2, components, mcus, most, size, interleaved: false })
    }

    /// Width and height.
    pub fn size(&self) -> [u32; 2] {
        self.size.map(|side| side as u32)
    }

    /// Bytes of the pixels and of the coefficients kept from scan to scan, here and in the decoder.
    pub fn memory(&self) -> u64 {
        let blocks: usize = (0..self.components.len()).map(|component| self.blocks(component)).sum();
        let kept = if self.progressive || !self.interleaved { 136 * blocks as u64 } else { 0 };
        // A grey picture is held as grey and as RGB.
        let channels = if self.components.len() == 1 { 4 } else { 3 };
        kept + channels * (self.size[0] * self.size[1]) as u64
    }

    fn blocks(&self, component: usize) -> usize {
        let [across, down] = self.components[component].sampling;
        self.mcus[0] * across * self.mcus[1] * down
    }

    /// Reads all scans. Errors are worded to follow the file's name.
    pub fn check(mut self, bytes: &[u8]) -> Result<()> {
        let mut tables: [Option<Table>; 8] = Default::default();
        let (mut restart_interval, mut scans) = (0, 0);
        let mut segments = Segments::new(bytes);
        let complete =
            |frame: &Frame, bits: fn(&u8) -> bool| frame.components.iter().all(|c| c.missing_bits.iter().all(bits));
        while let Some(segment) = segments.next() {
            // A file may lack only its end marker.
            let (marker, payload) = match segment {
                Err(_) if scans > 0 && segments.left() <= 1 && complete(&self, |&bits| bits == 0) => return Ok(()),
                segment => segment?,
            };
            match marker {
                0xc4 => define(&mut tables, payload)?,
                0xdd => restart_interval = payload.first_chunk().map_or(0, |&two| u16::from_be_bytes(two)).into(),
                SOS => {
                    scans += 1;
                    if scans > MAX_SCANS {
                        return Err(damaged(&format!("it has more than {MAX_SCANS} scans")));
                    }
                    let mut bits = Bits::new(&bytes[segments.at..]);
                    let (read, mcus) = self.scan(payload, &tables, restart_interval, &mut bits)?;
                    if read < mcus {
                        let [read, mcus] = [read, mcus].map(|count| number::count(count as u64));
                        return Err(damaged(&format!(
                            "the image data ends early: scan {scans} has {read} of {mcus} MCUs"
                        )));
                    }
                    if bits.have_unread_codes() {
                        return Err(damaged(&format!("scan {scans} has more image data than MCUs")));
                    }
                    segments.at += bits.at - bits.unread_bytes();
                }
                EOI if complete(&self, |&bits| bits != ALL_BITS) => return Ok(()),
                EOI => return Err(damaged("it ends before all of its color components")),
                _ => {}
            }
        }
        Err(damaged("it has no end marker"))
    }
}

/// Iterates over the segments up to the end marker: the marker and the payload. Like decoders, it skips bytes between
/// segments. It ends with an error if the file ends first.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
    ended: bool,
}

impl<'a> Segments<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Segments { bytes, at: 2, ended: false }
    }

    fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    fn take(&mut self) -> Option<(u8, &'a [u8])> {
        let mut at = self.at;
        let marker = loop {
            at += self.bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
            match *self.bytes.get(at + 1)? {
                // Not a marker, or one without a payload.
                0 | 1 | 0xd0..=0xd8 => at += 2,
                0xff => at += 1,
                marker => break marker,
            }
        };
        if marker == EOI {
            return Some((marker, &[]));
        }
        let length = u16::from_be_bytes(*self.bytes.get(at + 2..)?.first_chunk()?);
        let end = at + 2 + usize::from(length);
        let payload = self.bytes.get(at + 4..end)?;
        self.at = end;
        Some((marker, payload))
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<(u8, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let segment = self.take();
        self.ended = !matches!(segment, Some((marker, _)) if marker != EOI);
        Some(segment.ok_or_else(|| damaged("the file ends before the picture does")))
    }
}

/// The coefficients that a scan holds of each block, and the blocks left in a run without further codes.
struct Band {
    progressive: bool,
    first: usize,
    last: usize,
    /// Whether the scan refines coefficients whose higher bits came earlier.
    refines: bool,
    run: u32,
}

/// A component as part of a scan.
struct Part<'a> {
    component: usize,
    /// Its blocks per MCU: across, down.
    blocks: [usize; 2],
    /// Its blocks per row of the picture.
    stride: usize,
    dc: Option<&'a Table>,
    ac: Option<&'a Table>,
}

impl Frame {
    /// Reads a scan. Returns the number of MCUs found and expected.
    fn scan(
        &mut self,
        payload: &[u8],
        tables: &[Option<Table>; 8],
        restart_interval: usize,
        bits: &mut Bits,
    ) -> Result<(usize, usize)> {
        let wrong = || damaged("a scan header is invalid");
        let (&count, rest) = payload.split_first().ok_or_else(wrong)?;
        let (list, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or_else(wrong)?;
        let &[first, last, approximation, ..] = rest else { return Err(wrong()) };
        let (progressive, refines) = (self.progressive, self.progressive && approximation >> 4 > 0);
        let [first, last] = if progressive { [first, last].map(usize::from) } else { [0, 63] };
        let mut band = Band { progressive, first, last, refines, run: 0 };
        if last > 63 || first > last || count == 0 {
            return Err(wrong());
        }
        let mut parts: Vec<Part> = Vec::new();
        for pair in list.chunks_exact(2) {
            let component = self.components.iter().position(|c| c.id == pair[0]).ok_or_else(wrong)?;
            // A component that is listed 255 times would make a small file take half an hour.
            if parts.iter().any(|part| part.component == component) {
                return Err(wrong());
            }
            let blocks = self.blocks(component);
            let found = &mut self.components[component];
            found.missing_bits[first..=last].fill(if progressive { approximation & 15 } else { 0 });
            if progressive && found.nonzero.is_empty() {
                found.nonzero = vec![0; blocks];
            }
            let [dc, ac] = [pair[1] >> 4, 4 + (pair[1] & 15)].map(|slot| tables.get(usize::from(slot))?.as_ref());
            let needs = [first == 0 && !refines, last > 0 && !(progressive && first == 0)];
            if needs[0] && dc.is_none() || needs[1] && ac.is_none() {
                // Motion JPEG omits the standard tables, which the decoder supplies; such a scan is not checked.
                return Ok((0, 0));
            }
            let stride = self.mcus[0] * found.sampling[0];
            parts.push(Part { component, blocks: found.sampling, stride, dc, ac });
        }
        // A scan of one component consists of single blocks, any other of MCUs.
        let [across, down] = match &mut parts[..] {
            [only] => {
                let sampling = std::mem::replace(&mut only.blocks, [1, 1]);
                [0, 1].map(|axis| (self.size[axis] * sampling[axis]).div_ceil(self.most[axis]).div_ceil(8))
            }
            _ => self.mcus,
        };
        for mcu in 0..across * down {
            if restart_interval > 0 && mcu > 0 && mcu % restart_interval == 0 {
                band.run = 0;
                if !bits.restart() {
                    return Ok((mcu, across * down));
                }
            }
            for part in &parts {
                let (nonzero, mut unused) = (&mut self.components[part.component].nonzero, 0);
                let [x, y] = [mcu % across * part.blocks[0], mcu / across * part.blocks[1]];
                for block in 0..part.blocks[0] * part.blocks[1] {
                    let at = (y + block / part.blocks[0]) * part.stride + x + block % part.blocks[0];
                    band.block(bits, part, nonzero.get_mut(at).unwrap_or(&mut unused))?;
                }
            }
            if bits.overrun() {
                return Ok((mcu, across * down));
            }
        }
        Ok((across * down, across * down))
    }
}

impl Band {
    /// Reads the codes of one block.
    fn block(&mut self, bits: &mut Bits, part: &Part, nonzero: &mut u64) -> Result<()> {
        if self.first == 0 && self.refines {
            bits.take(1);
        } else if let (0, Some(dc)) = (self.first, part.dc) {
            let size = bits.symbol(dc)?;
            bits.take(u32::from(size & 15));
        }
        let mut k = self.first.max(1);
        let Some(ac) = part.ac.filter(|_| !(self.progressive && self.first == 0)) else { return Ok(()) };
        if self.run == 0 {
            while k <= self.last {
                let code = bits.symbol(ac)?;
                let (mut zeros, size) = (usize::from(code >> 4), u32::from(code & 15));
                if size == 0 && zeros < 15 {
                    // End of band: this block and a number of following ones have no further codes.
                    self.run = (1 << zeros) + bits.take(zeros as u32);
                    break;
                }
                if self.refines {
                    bits.take(size.min(1));
                    // Each nonzero coefficient on the way has a refinement bit.
                    while k <= self.last && (*nonzero >> k & 1 == 1 || zeros > 0) {
                        if *nonzero >> k & 1 == 1 {
                            bits.take(1);
                        } else {
                            zeros -= 1;
                        }
                        k += 1;
                    }
                } else {
                    bits.take(size);
                    k += zeros;
                }
                if size > 0 && k < 64 {
                    *nonzero |= 1 << k;
                }
                k += 1;
            }
        }
        if self.run > 0 {
            self.run -= 1;
            if self.refines && k <= self.last {
                for _ in 0..(*nonzero >> k << k << (63 - self.last)).count_ones() {
                    bits.take(1);
                }
            }
        }
        Ok(())
    }
}

fn unsupported(kind: &str) -> Failure {
    Failure::usage(format!("is {kind} JPEG, which is not supported; save it as a baseline or progressive JPEG"))
}
