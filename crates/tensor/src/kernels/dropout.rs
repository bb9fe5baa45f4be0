//! Inverted dropout (Srivastava et al. 2014): training scales up the elements that it keeps, so inference does nothing.
//!
//! The mask is not stored. One or two random bytes decide for each element, and the backward pass draws the same bytes
//! again.

use crate::random::Address;
use crate::simd::Simd;

/// Random bytes drawn at once.
const BLOCK: usize = 512;

/// The number of elements, of 65,536, that dropout drops on average: the rate as it is used.
pub fn rounded(rate: f32) -> u32 {
    (f64::from(rate) * 65536.0).round() as u32
}

/// In place, y = x / (1 - rate) where the element is kept, else zero. The gradient is the same map, applied to dy.
///
/// The rate is rounded to a multiple of 1/65536; 0 keeps everything and 1 drops everything. A multiple of 1/256 costs
/// one random byte per element, any other rate two.
#[inline(always)]
pub fn dropout<S: Simd>(_simd: S, rate: f32, mask: Address, x: &mut [f32]) {
    let dropped = rounded(rate);
    let scale = if dropped < 1 << 16 { (65536.0 / f64::from((1 << 16) - dropped)) as f32 } else { 0.0 };
    if dropped == 0 {
        return;
    }
    let mut bits = mask.bits();
    let mut bytes = [0; BLOCK];
    if dropped.is_multiple_of(256) {
        for x in x.chunks_mut(BLOCK) {
            bits.fill(&mut bytes);
            keep(x, bytes.iter().map(|&byte| u32::from(byte)), dropped / 256, scale);
        }
    } else {
        for x in x.chunks_mut(BLOCK / 2) {
            bits.fill(&mut bytes);
            let words = bytes.as_chunks().0.iter().map(|&pair| u32::from(u16::from_le_bytes(pair)));
            keep(x, words, dropped, scale);
        }
    }
}

#[inline(always)]
fn keep(x: &mut [f32], bits: impl Iterator<Item = u32>, dropped: u32, scale: f32) {
    for (x, bits) in x.iter_mut().zip(bits) {
        *x = if bits >= dropped { *x * scale } else { 0.0 };
    }
}
