//! What the program draws random bits for, beyond the engine's own purposes. Each stream's number decides its bits, so it
//! never changes and is never used twice.

use thawline_tensor::random::{Address, Bits, Purpose};

/// A stream of random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Operands of the benchmark's matrix products.
    BenchProduct = 1,
    /// The second model's own seed.
    Model2Seed = 2,
    /// Operands of the benchmark's layers.
    BenchLayer = 3,
    /// Operands of the benchmark's light operations.
    BenchLight = 4,
    /// Pictures of the benchmark's training steps.
    BenchStep = 5,
    /// The vector by which the benchmark checks a product.
    BenchCheck = 6,
    /// Which classes are in which half, in a sweep over splits.
    ClassSplit = 10,
    /// The training pictures of an arm that sees few of each class.
    FewPictures = 11,
    /// Labels dealt out at random.
    ShuffledLabels = 12,
    /// The seed of a training's later phase.
    PhaseSeed = 13,
    /// The pictures of a user's own classes that are held out.
    HeldOut = 20,
}

impl Stream {
    /// The stream's bits for a seed, at a step and an index.
    pub fn bits(self, seed: u64, step: u64, index: u64) -> Bits {
        Address { seed, purpose: Purpose::Other(self as u32), step, index }.bits()
    }

    /// A seed drawn from another.
    pub fn seed(self, seed: u64, step: u64) -> u64 {
        let mut bytes = [0; 8];
        self.bits(seed, step, 0).fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
