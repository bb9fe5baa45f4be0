//! Random streams: every picture has its own, so that pictures can be drawn independently and in any order.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Separates these streams from all other uses of the same seed.
const DOMAIN: &[u8; 24] = b"thawline, built-in drawn";

/// A stream of random choices, determined by a seed and a stream number.
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream `stream` of `seed`, from its start.
    pub fn at(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..].copy_from_slice(DOMAIN);
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream);
        Chance(generator)
    }

    /// A number in `low..high`, in steps of 2^-24 of the range.
    pub fn within(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// A number in `-reach..reach`.
    pub fn either_side(&mut self, reach: f32) -> f32 {
        self.within(-reach, reach)
    }

    /// True with the given probability.
    pub fn happens(&mut self, probability: f32) -> bool {
        self.within(0.0, 1.0) < probability
    }

    /// +1 or -1.
    pub fn sign(&mut self) -> f32 {
        if self.happens(0.5) { 1.0 } else { -1.0 }
    }

    /// A whole number in `0..bound`, by multiplication and shift (the bias of less than `bound` / 2^32 does not matter
    /// here).
    pub fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.0.next_u32()) * bound as u64) >> 32) as usize
    }

    /// A whole number in `low..=high`.
    pub fn count(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// One of the choices, all equally likely.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// An approximately normal deviate of mean 0 and standard deviation 1: the sum of four random bytes, without
    /// logarithms.
    pub fn bell(&mut self) -> f32 {
        const MEAN: f32 = 4.0 * 127.5;
        const DEVIATION: f32 = 147.799_86; // sqrt(4 (256^2 - 1) / 12)
        let sum: u32 = self.0.next_u32().to_le_bytes().into_iter().map(u32::from).sum();
        (sum as f32 - MEAN) / DEVIATION
    }

    /// Shuffles the items (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
