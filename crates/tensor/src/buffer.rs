//! A run of floats that starts on a cache line, so that no vector load straddles two.

use std::collections::TryReserveError;
use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::simd::LANES;

/// Floats on a 64-byte boundary; fixed length, zero at first. Dereferences to a slice.
///
/// The boundary is a matter of speed alone: half of all unaligned 512-bit loads would touch two cache lines.
#[derive(Default)]
pub struct Buffer {
    floats: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    ///
    /// # Panics
    /// If memory runs out; for sizes that come from outside use [`Buffer::try_zeros`].
    pub fn zeros(len: usize) -> Self {
        Self::place(vec![0.0; len + LANES], len)
    }

    /// `len` zeros, or an error where memory does not suffice.
    ///
    /// # Errors
    /// If the allocator refuses.
    pub fn try_zeros(len: usize) -> Result<Self, TryReserveError> {
        let mut floats = Vec::new();
        floats.try_reserve_exact(len.saturating_add(LANES))?;
        floats.resize(len + LANES, 0.0);
        Ok(Self::place(floats, len))
    }

    fn place(floats: Vec<f32>, len: usize) -> Self {
        // `align_offset` may decline to answer; then the buffer is merely slower.
        let start = Some(floats.as_ptr().align_offset(LANES * size_of::<f32>())).filter(|&n| n < LANES).unwrap_or(0);
        Self { floats, start, len }
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
}

impl Deref for Buffer {
    type Target = [f32];

    #[inline]
    fn deref(&self) -> &[f32] {
        &self.floats[self.start..][..self.len]
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.floats[self.start..][..self.len]
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
    fn starts_on_a_cache_line_even_when_cloned() {
        for len in [0, 1, 5, 16, 1000] {
            let buffer = Buffer::zeros(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr() as usize % 64, 0);
            assert_eq!(buffer.clone().as_ptr() as usize % 64, 0);
        }
    }

    #[test]
    fn refuses_what_cannot_be() {
        assert!(Buffer::try_zeros(usize::MAX / 8).is_err());
    }
}
