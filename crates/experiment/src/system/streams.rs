//! The program's random streams, in addition to the engine's. A stream's number decides its bits: it never changes and
//! is never reused.

use thawline_tensor::random::{Address, Bits, Purpose};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Operands of the benchmark's matrix products.
    BenchProduct = 1,
    /// The second model's seed.
    Model2Seed = 2,
    /// Operands of the benchmark's layers and light operations.
    BenchLayer = 3,
    /// Pictures of the benchmark's training steps.
    BenchStep = 5,
    /// The vector that the benchmark checks a product with.
    BenchCheck = 6,
    /// Which classes are source and which target, in a sweep over splits.
    ClassSplit = 10,
    /// The training pictures of an arm that uses only a few of each class.
    FewPictures = 11,
    /// Shuffled labels.
    ShuffledLabels = 12,
    /// The seed of a training run's second phase.
    PhaseSeed = 13,
    /// Which of a user's own pictures are held out.
    HeldOut = 20,
    /// The folds of a cross-validation over a user's own pictures.
    Folds = 21,
}

impl Stream {
    /// The bits for a seed, a step and an index.
    pub fn bits(self, seed: u64, step: u64, index: u64) -> Bits {
        Address { seed, purpose: Purpose::Other(self as u32), step, index }.bits()
    }

    /// A new seed drawn from another.
    pub fn seed(self, seed: u64, step: u64) -> u64 {
        let mut bytes = [0; 8];
        self.bits(seed, step, 0).fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
