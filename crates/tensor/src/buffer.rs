//! A block of floats that starts on a cache line, so that no load at a multiple of sixteen floats straddles two lines.
//! Large blocks ask for huge pages.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::simd::LANES;

/// Bytes of a cache line.
const LINE: usize = LANES * size_of::<f32>();

/// Bytes of a huge page. A buffer of at least a quarter of one asks for them: it has 128 pages of 4 KiB, more than a
/// core's first-level TLB holds.
const HUGE_PAGE: usize = 2 << 20;

/// Floats on a 64-byte boundary, of fixed length, zero at first. Dereferences to a slice.
///
/// The alignment is only for speed: every unaligned 512-bit load touches two cache lines.
pub struct Buffer {
    memory: Memory,
    start: usize,
    len: usize,
}

enum Memory {
    Heap(Vec<f32>),
    Pages(MmapMut),
}

impl Buffer {
    /// Prefix of the out-of-memory panic's message, which distinguishes it from a bug.
    pub const NO_MEMORY: &str = "no memory for a buffer";

    /// Bytes of memory that a buffer of `len` floats takes once it is used, or `u64::MAX` if they overflow. On Linux, a
    /// large one takes whole huge pages.
    pub fn resident_bytes(len: usize) -> u64 {
        let (bytes, page) = ((size_of::<f32>() as u64).saturating_mul(len as u64), HUGE_PAGE as u64);
        let whole_pages = cfg!(target_os = "linux") && bytes >= page / 4;
        if whole_pages { bytes.checked_next_multiple_of(page).unwrap_or(u64::MAX) } else { bytes }
    }

    /// `len` zeros.
    ///
    /// # Panics
    /// If memory runs out, with a message that starts with [`Buffer::NO_MEMORY`]. Use [`Buffer::try_zeros`] for a size
    /// that comes from outside.
    pub fn zeros(len: usize) -> Self {
        Self::try_zeros(len).unwrap_or_else(|error| {
            panic!("{} of {} bytes: {error}", Self::NO_MEMORY, size_of::<f32>() as u128 * len as u128)
        })
    }

    /// `len` zeros.
    ///
    /// # Errors
    /// If the allocator or the system has too little memory.
    pub fn try_zeros(len: usize) -> io::Result<Self> {
        let bytes = len.checked_mul(size_of::<f32>()).ok_or(io::ErrorKind::OutOfMemory)?;
        // WebAssembly cannot map pages.
        if bytes < HUGE_PAGE / 4 || cfg!(not(any(unix, windows))) {
            let mut floats: Vec<f32> = Vec::new();
            floats.try_reserve_exact(len + LANES).map_err(|_| io::ErrorKind::OutOfMemory)?;
            floats.resize(len + LANES, 0.0);
            let start = aligned(floats.as_ptr(), LINE);
            return Ok(Self { memory: Memory::Heap(floats), start, len });
        }
        // Mapped pages take no memory until they are touched.
        let mapped = bytes.checked_add(2 * HUGE_PAGE).ok_or(io::ErrorKind::OutOfMemory)? / HUGE_PAGE * HUGE_PAGE;
        let pages = MmapMut::map_anon(mapped)?;
        #[cfg(target_os = "linux")]
        {
            // A hint: without huge pages the buffer is only slower.
            let _ = pages.advise(memmap2::Advice::HugePage);
        }
        let start = aligned(bytemuck::cast_slice::<u8, f32>(&pages).as_ptr(), HUGE_PAGE);
        Ok(Self { memory: Memory::Pages(pages), start, len })
    }
}

/// The number of floats from an address to the next boundary.
fn aligned(start: *const f32, boundary: usize) -> usize {
    // `align_offset` may fail; then the buffer is only slower.
    Some(start.align_offset(boundary)).filter(|&floats| floats < boundary / size_of::<f32>()).unwrap_or(0)
}

impl Default for Buffer {
    fn default() -> Self {
        Self::zeros(0)
    }
}

impl From<&[f32]> for Buffer {
    fn from(floats: &[f32]) -> Self {
        let mut buffer = Self::zeros(floats.len());
        buffer.copy_from_slice(floats);
        buffer
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }

    fn clone_from(&mut self, source: &Self) {
        if self.len == source.len {
            self.copy_from_slice(source);
        } else {
            *self = source.clone();
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        let floats = match &self.memory {
            Memory::Heap(floats) => floats,
            Memory::Pages(pages) => bytemuck::cast_slice(pages),
        };
        &floats[self.start..][..self.len]
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        let floats = match &mut self.memory {
            Memory::Heap(floats) => &mut floats[..],
            Memory::Pages(pages) => bytemuck::cast_slice_mut(pages),
        };
        &mut floats[self.start..][..self.len]
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} floats)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_on_a_cache_line_even_when_cloned() {
        for len in [0, 1, 5, 16, 1000, 1 << 17, (1 << 17) + 1, 3 << 20] {
            let mut buffer = Buffer::zeros(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr() as usize % LINE, 0);
            buffer.iter_mut().for_each(|float| *float += 1.0);
            let copy = buffer.clone();
            assert_eq!(copy.as_ptr() as usize % LINE, 0);
            assert!(copy.iter().all(|&float| float == 1.0), "{len} floats were not zero at first");
        }
    }

    #[test]
    fn sizes_that_cannot_be_allocated_are_refused() {
        assert!(Buffer::try_zeros(usize::MAX / 8).is_err());
        assert!(Buffer::try_zeros(usize::MAX).is_err());
        let panic = std::panic::catch_unwind(|| Buffer::zeros(1 << 59)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.starts_with(&format!("{} of {} bytes: ", Buffer::NO_MEMORY, 1u64 << 61)), "{message}");
    }
}
