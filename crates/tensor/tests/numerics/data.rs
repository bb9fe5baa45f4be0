//! The numbers that tests compute with; each is a function of a name, so every run and every test order sees the same.

use thawline_tensor::random::{Address, Bits, Purpose};
use thawline_tensor::simd::Level;

/// The SIMD levels that this CPU can run.
pub fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| level.is_supported())
}

/// The random bits of a test.
pub fn bits(name: &str) -> Bits {
    let number = name.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    Address { seed: 20, purpose: Purpose::Other(number), step: 0, index: 0 }.bits()
}

/// Whole numbers between -3 and 3, in which `f32` sums are exact: the result must be equal to the last bit.
pub fn integers(name: &str, len: usize) -> Vec<f32> {
    let mut bits = bits(name);
    (0..len).map(|_| bits.below(7) as f32 - 3.0).collect()
}

/// Numbers between -1 and 1.
pub fn reals(name: &str, len: usize) -> Vec<f32> {
    let mut bits = bits(name);
    (0..len).map(|_| 2.0 * bits.uniform() - 1.0).collect()
}

/// The same numbers in `f64`.
pub fn wide(floats: &[f32]) -> Vec<f64> {
    floats.iter().map(|&x| f64::from(x)).collect()
}
