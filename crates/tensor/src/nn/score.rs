//! How well a network does: sums over examples, and their means.

/// The sums over a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// The sum of the examples' losses.
    pub loss: f64,
    /// How many were classified rightly.
    pub correct: usize,
}

/// Loss and accuracy over some examples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Mean softmax cross-entropy, in nats.
    pub loss: f64,
    /// The share that was classified rightly.
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
