//! Huffman tables and the bit reader of a scan.

use crate::{data::own::decoding::damaged, system::failure::Result};

/// A Huffman table. Codes of up to `FAST` bits are looked up directly, longer ones by the range of each length.
pub(super) struct Table {
    /// Length and symbol for the next `FAST` bits; length 0 if the code is longer.
    fast: [(u8, u8); 1 << FAST],
    /// For each length: the end of its code range, left-aligned in 16 bits, and the offset from a code to its symbol's
    /// index.
    ends: [(u32, i32); 17],
    symbols: Vec<u8>,
}

const FAST: usize = 9;

/// Reads the tables of a DHT segment: 0 to 3 for DC, 4 to 7 for AC.
pub(super) fn define(tables: &mut [Option<Table>; 8], mut payload: &[u8]) -> Result<()> {
    let wrong = || damaged("a Huffman table is invalid");
    while let [which, rest @ ..] = payload {
        let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
        let total = counts.iter().map(|&count| usize::from(count)).sum();
        let (symbols, rest) = rest.split_at_checked(total).ok_or_else(wrong)?;
        let slot = usize::from(which >> 4) * 4 + usize::from(which & 15);
        *tables.get_mut(slot).ok_or_else(wrong)? = Some(Table::new(counts, symbols).ok_or_else(wrong)?);
        payload = rest;
    }
    Ok(())
}

impl Table {
    fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Table { fast: [(0, 0); 1 << FAST], ends: [(0, 0); 17], symbols: symbols.to_vec() };
        let (mut code, mut index) = (0_usize, 0_usize);
        for (length, &count) in (1..).zip(counts) {
            table.ends[length].1 = index as i32 - code as i32;
            for _ in 0..count {
                if length <= FAST {
                    let first = code << (FAST - length);
                    table.fast.get_mut(first..first + (1 << (FAST - length)))?.fill((length as u8, symbols[index]));
                }
                code += 1;
                index += 1;
            }
            if code > 1 << length {
                return None;
            }
            table.ends[length].0 = (code << (16 - length)) as u32;
            code <<= 1;
        }
        Some(table)
    }
}

/// Reads the bits of a scan up to the next marker, then zeros.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
    /// The next bits, left-aligned.
    bits: u64,
    count: u32,
    /// How many zeros have been appended past the end of the data.
    padding: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, at: 0, bits: 0, count: 0, padding: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let byte = match self.bytes.get(self.at..).unwrap_or_default() {
                [0xff, 0, ..] => {
                    self.at += 2;
                    0xff
                }
                [] | [0xff, ..] => {
                    self.padding += 8;
                    0
                }
                [byte, ..] => {
                    self.at += 1;
                    *byte
                }
            };
            self.bits |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next bits, at most 16.
    pub(super) fn take(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        if self.count < count {
            self.fill();
        }
        let taken = (self.bits >> (64 - count)) as u32;
        self.bits <<= count;
        self.count -= count;
        taken
    }

    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8> {
        if self.count < 16 {
            self.fill();
        }
        let (length, symbol) = table.fast[(self.bits >> (64 - FAST)) as usize];
        if length > 0 {
            self.bits <<= length;
            self.count -= u32::from(length);
            return Ok(symbol);
        }
        let sixteen = (self.bits >> 48) as u32;
        let length = (FAST + 1..=16).find(|&length| sixteen < table.ends[length].0);
        let length = length.ok_or_else(|| damaged("a code is not in its Huffman table"))?;
        let index = self.take(length as u32) as i32 + table.ends[length].1;
        Ok(table.symbols.get(index as usize).copied().unwrap_or(0))
    }

    /// Whether bits past the end of the data were taken.
    pub(super) fn overrun(&self) -> bool {
        self.padding > self.count
    }

    pub(super) fn unread_bytes(&self) -> usize {
        (self.count.saturating_sub(self.padding) / 8) as usize
    }

    /// Whether data are left before the next marker, and do not begin with the 1-bits that fill the last byte of a
    /// scan. If so, the codes were misread. After such fill bits, extra bytes are harmless, and decoders skip them.
    pub(super) fn have_unread_codes(&self) -> bool {
        let fill_bits = self.count.saturating_sub(self.padding) % 8;
        let at_marker =
            self.bytes.get(self.at + 1).is_none_or(|&next| next != 0) && self.bytes[self.at..].first() == Some(&0xff);
        let more = self.unread_bytes() > 0 || !at_marker && self.at < self.bytes.len();
        more && self.bits.leading_ones() < fill_bits
    }

    /// Continues after the next marker if that is a restart marker.
    pub(super) fn restart(&mut self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let marker = rest.windows(2).position(|two| two[0] == 0xff && two[1] != 0 && two[1] != 0xff);
        let Some(marker) = marker.filter(|&at| matches!(rest[at + 1], 0xd0..=0xd7)) else { return false };
        *self = Bits { at: self.at + marker + 2, ..Bits::new(self.bytes) };
        true
    }
}
