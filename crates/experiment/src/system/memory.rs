//! Estimates the memory that a command needs, before any of it is allocated.

use std::fmt;

use thawline_tensor::{
    nn::{Network, Scratch},
    threads,
};

use super::{
    failure::{Failure, Kind, Result},
    machine, number,
};

/// The peak memory of a command, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Already held by the process: the program itself and the pictures.
    pub held: u64,
    /// The parameters of all networks, and what the optimizer remembers.
    pub parameters: u64,
    /// Activations and gradients of a batch, and the scratch memory of all threads.
    pub batch: u64,
    /// Cached features.
    pub features: u64,
    /// A weights file that is read or written.
    pub file: u64,
    /// Pictures that are still to be read.
    pub pictures: u64,
}

/// The advice where no setting lowers the memory.
pub const USE_MORE_MEMORY: &str = "use a machine with more memory";

/// A thread's stack and its share of the allocator.
const THREAD: u64 = 100 << 10;
/// What a command needs in addition to everything counted here.
const OTHER: u64 = 2 << 20;

/// The properties of a training run that decide its memory.
#[derive(Debug, Clone, Copy)]
pub struct Training<'a> {
    pub network: &'a Network,
    /// Batch size.
    pub batch: usize,
    /// Number of validation pictures.
    pub validation: usize,
    /// Bytes of cached features.
    pub features: u64,
    /// Whether checkpoints are written, with the optimizer's moments.
    pub checkpoints: bool,
}

impl Memory {
    /// For several training runs one after the other: that of the most demanding one.
    pub fn of_training_runs<const N: usize>(runs: [Training; N]) -> Self {
        // Threads keep their scratch memory from one training run to the next.
        let mut scratch = Scratch::default();
        let of_training = |training: Training| {
            let Training { network, batch, validation, features, checkpoints } = training;
            let (weights, moments) = (network.weight_bytes(), 2 * network.learned_bytes());
            let saved = if checkpoints { moments } else { 0 };
            let trained = Memory {
                parameters: weights + moments,
                batch: network.training_bytes(batch, threads::count(), &mut scratch),
                features,
                file: if checkpoints { file_bytes(network) + saved } else { 0 },
                ..Memory::held()
            };
            let written = Memory { parameters: weights, file: file_bytes(network), ..Memory::held() };
            let validated = Memory {
                parameters: weights,
                batch: network.inference_bytes(validation, threads::count(), &mut scratch),
                ..Memory::held()
            };
            [trained, written, validated]
        };
        let memories = runs.into_iter().flat_map(of_training);
        memories.max_by_key(Memory::total).unwrap_or_default()
    }

    /// For fitting linear heads to this many rows of features, those of all folds at the same time. The optimizer
    /// remembers its steps in f64.
    pub fn of_linear_head(network: &Network, rows: usize, folds: usize) -> Self {
        let (rows, features) = (rows as u64, network.prefix().output().size() as u64);
        let logits = (folds * network.output().size()) as u64;
        Memory {
            parameters: network.weight_bytes() + 8 * 30 * (features + 1) * logits,
            batch: network.inference_bytes(threads::count(), threads::count(), &mut Scratch::default()),
            // Twice: the products copy them in parts.
            features: 4 * rows * (2 * features + 5 * logits),
            ..Memory::held()
        }
    }

    /// For inference on this many pictures, with the network already in memory.
    pub fn of_inference(network: &Network, pictures: usize) -> Self {
        let batch = network.inference_bytes(pictures, threads::count(), &mut Scratch::default());
        Memory { batch, ..Memory::held() }
    }

    /// For reading this many pictures, scaled to `size` rows and columns.
    pub fn of_pictures(pictures: usize, size: usize) -> Self {
        let [pictures, size] = [pictures, size].map(|number| number as u64);
        Memory { pictures: pictures.saturating_mul(3 * size * size), ..Memory::held() }
    }

    /// For a file in memory.
    pub fn of_file(file: u64) -> Self {
        Memory { file, ..Memory::held() }
    }

    /// For reading a weights file of this many bytes into a network.
    pub fn of_reading(network: &Network, file: u64) -> Self {
        Memory { parameters: network.weight_bytes(), file: file + largest_tensor(network), ..Memory::held() }
    }

    fn held() -> Self {
        let held = machine::resident_memory_bytes().unwrap_or(0) + OTHER + THREAD * threads::count() as u64;
        Memory { held, ..Memory::default() }
    }

    pub fn total(&self) -> u64 {
        self.held + self.more()
    }

    /// Bytes still to be allocated.
    fn more(&self) -> u64 {
        let parts = [self.parameters, self.batch, self.features, self.file, self.pictures];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Fails if the machine has less memory free than this needs.
    pub fn require(&self, what: &str, advice: &str) -> Result<()> {
        self.require_of(machine::free_memory(), what, advice)
    }

    fn require_of(&self, free: Option<u64>, what: &str, advice: &str) -> Result<()> {
        match free {
            Some(free) if self.more() > free => Err(Failure::new(
                Kind::Environment,
                format!(
                    "{what} needs up to {} more memory, but only {} is free: {advice}",
                    number::bytes(self.more()),
                    number::bytes(free)
                ),
            )),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Memory { held, parameters, batch, features, file, .. } = self;
        write!(
            f,
            "about {}: program and pictures {}, parameters and optimizer {}",
            number::bytes(self.total()),
            number::bytes(held),
            number::bytes(parameters)
        )?;
        for (what, amount) in [("a batch", batch), ("frozen features", features), ("a weights file", file)] {
            if amount > 0 {
                write!(f, ", {what} {}", number::bytes(amount))?;
            }
        }
        Ok(())
    }
}

/// Bytes of a network's parameters in a file, plus the copy made of one tensor at a time while writing.
fn file_bytes(network: &Network) -> u64 {
    (size_of::<f32>() * network.summary().parameters()) as u64 + largest_tensor(network)
}

fn largest_tensor(network: &Network) -> u64 {
    network.params().map(|(_, param)| (size_of::<f32>() * param.shape.size()) as u64).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_free_memory_is_refused_and_memory_in_use_is_not_counted_twice() {
        let memory = Memory { held: 100, parameters: 20, batch: 30, features: 40, file: 5, pictures: 5 };
        assert!(memory.require_of(Some(100), "it", "").is_ok() && memory.require_of(None, "it", "").is_ok());
        let failure = memory.require_of(Some(99), "it", "wait").unwrap_err();
        assert_eq!(failure.kind, Kind::Environment);
        assert_eq!(
            failure.message.replace(number::NBSP, " "),
            "it needs up to 100 B more memory, but only 99 B is free: wait"
        );
    }
}
