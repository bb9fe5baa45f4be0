//! Dropout (Srivastava et al. 2014), inverted: what stays is scaled up while training, so inference does nothing.
//!
//! The mask is not stored. Sixteen random bits at the element's address decide, and the backward pass asks for the same
//! bits again.

use crate::random::Address;

/// Elements decided at once.
const BLOCK: usize = 512;

/// y = x / (1 - rate) where the element stays, else zero. In place. The gradient is the same map, of dy.
///
/// The rate is resolved to 1/65536: 0 keeps and 1 drops everything.
pub fn dropout(rate: f32, mask: Address, x: &mut [f32]) {
    let dropped = (f64::from(rate) * 65536.0).round() as u32;
    let scale = if dropped < 1 << 16 { (65536.0 / f64::from((1 << 16) - dropped)) as f32 } else { 0.0 };
    if dropped == 0 {
        return;
    }
    let mut bits = mask.bits();
    let mut bytes = [0; 2 * BLOCK];
    for block in x.chunks_mut(BLOCK) {
        bits.fill(&mut bytes);
        for (x, bits) in block.iter_mut().zip(bytes.as_chunks().0) {
            let stays = u32::from(u16::from_le_bytes(*bits)) >= dropped;
            *x = if stays { *x * scale } else { 0.0 };
        }
    }
}
