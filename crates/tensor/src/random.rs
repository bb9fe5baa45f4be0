//! Randomness with an address.
//!
//! No generator is passed around: random bits are a function of (seed, purpose, step, index), the output of the
//! ChaCha8 block function (Bernstein 2008) at that address. So threads can draw in any order, a mask can be drawn again
//! instead of stored, and a resumed run gets the bits it would have had. Floats, bounded integers and shuffles are made
//! here, and compared with golden values, since those of a library may change between versions.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What random bits are for; different purposes never share bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The initial weights of the layer at a position below 2^32.
    Weights(usize),
    /// The order of the examples.
    Shuffle,
    /// The mask of the dropout layer at a position below 2^32.
    Dropout(usize),
    /// The flip and the shift of an example.
    Augment,
    /// A purpose of the caller, by number.
    Other(u32),
}

impl Purpose {
    fn code(self) -> u64 {
        let (kind, position) = match self {
            Purpose::Weights(layer) => (1, layer as u64),
            Purpose::Shuffle => (2, 0),
            Purpose::Dropout(layer) => (3, layer as u64),
            Purpose::Augment => (4, 0),
            Purpose::Other(number) => (5, u64::from(number)),
        };
        debug_assert!(position >> 32 == 0, "a position has 32 bits");
        (kind << 32) | position
    }
}

/// The address of random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The seed of the run.
    pub seed: u64,
    /// What the bits are for.
    pub purpose: Purpose,
    /// The training step or the epoch, depending on the purpose.
    pub step: u64,
    /// The example, or the index of anything else in the step.
    pub index: u64,
}

/// A sequence of random bits that starts at an address.
pub struct Bits(ChaCha8Rng);

impl Address {
    /// The bits at this address.
    pub fn bits(self) -> Bits {
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip([self.seed, self.purpose.code(), self.step, 0]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut core = ChaCha8Rng::from_seed(key);
        core.set_stream(self.index);
        Bits(core)
    }
}

impl Bits {
    /// A uniform float in [0, 1) with 24 random bits, the precision of an `f32`.
    pub fn uniform(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / (1 << 24) as f32)
    }

    /// A uniform integer below `bound`, without bias (Lemire 2019).
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no integer below zero");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// A standard normal float, by the Box-Muller transform.
    pub fn normal(&mut self) -> f32 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - f64::from(self.uniform())));
        (radius * libm::cos(core::f64::consts::TAU * f64::from(self.uniform()))) as f32
    }

    /// Puts the items in a uniformly random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// Fills a slice with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Address = Address { seed: 7, purpose: Purpose::Shuffle, step: 3, index: 11 };

    #[test]
    fn equal_addresses_give_equal_bits_and_different_ones_different_bits() {
        let draw = |address: Address| {
            let mut bytes = [0; 32];
            address.bits().fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(ADDRESS), draw(ADDRESS));
        let addresses = [
            ADDRESS,
            Address { seed: 8, ..ADDRESS },
            Address { purpose: Purpose::Dropout(0), ..ADDRESS },
            Address { purpose: Purpose::Dropout(1), ..ADDRESS },
            Address { purpose: Purpose::Weights(1), ..ADDRESS },
            Address { step: 4, ..ADDRESS },
            Address { index: 12, ..ADDRESS },
        ];
        let distinct: std::collections::HashSet<_> = addresses.map(draw).into_iter().collect();
        assert_eq!(distinct.len(), addresses.len());
    }

    #[test]
    fn draws_are_those_of_another_implementation() {
        let mut bits = ADDRESS.bits();
        assert_eq!([bits.uniform(), bits.uniform()].map(f32::to_bits), GOLDEN_UNIFORM);
        assert_eq!(ADDRESS.bits().normal().to_bits(), GOLDEN_NORMAL);
        assert_eq!(ADDRESS.bits().below(1000), GOLDEN_BELOW);
        let mut order: Vec<u8> = (0..10).collect();
        ADDRESS.bits().shuffle(&mut order);
        assert_eq!(order, GOLDEN_ORDER);
    }

    // From another implementation of ChaCha8; the normal float, from these uniform ones in Python. If these change,
    // every seeded run changes.
    const GOLDEN_UNIFORM: [u32; 2] = [0x3ed9_7972, 0x3eff_f65c];
    const GOLDEN_NORMAL: u32 = 0xbf86_9bae;
    const GOLDEN_BELOW: u64 = 499;
    const GOLDEN_ORDER: [u8; 10] = [8, 6, 0, 1, 7, 9, 5, 3, 2, 4];

    #[test]
    fn bounded_integers_are_uniform() {
        let mut counts = [0u32; 6];
        let mut bits = ADDRESS.bits();
        for _ in 0..60_000 {
            counts[bits.below(6) as usize] += 1;
        }
        // Chi-squared with 5 degrees of freedom: 20.5 has probability 0.001.
        let chi2: f64 = counts.iter().map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4).sum();
        assert!(chi2 < 20.5, "{counts:?}");
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut bits = ADDRESS.bits();
        let draws: Vec<f64> = (0..100_000).map(|_| f64::from(bits.normal())).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 4.0 / (draws.len() as f64).sqrt(), "mean {mean}");
        assert!((variance - 1.0).abs() < 0.02, "variance {variance}");
    }
}
