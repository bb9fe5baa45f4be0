//! Summed loss and correct predictions over some examples, and their means.

/// Sums over some examples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// The sum of the examples' losses, in nats.
    pub loss: f64,
    /// How many were classified correctly.
    pub correct: usize,
}

/// Loss and accuracy over some examples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Mean softmax cross-entropy, in nats.
    pub loss: f64,
    /// The fraction that was classified correctly, from 0 to 1.
    pub accuracy: f64,
}

impl std::ops::Add for Score {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { loss: self.loss + other.loss, correct: self.correct + other.correct }
    }
}

impl Score {
    /// The means over `n` examples.
    pub fn mean(self, n: usize) -> Metrics {
        let n = n.max(1) as f64;
        Metrics { loss: self.loss / n, accuracy: self.correct as f64 / n }
    }
}
