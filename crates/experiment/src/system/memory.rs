//! The memory that a command needs, known before any of it is allocated.

use std::fmt;

use thawline_tensor::{
    nn::{Network, Scratch},
    threads,
};

use super::{
    failure::{Failure, Kind, Result},
    machine, number,
};

/// The memory of a command when it holds the most, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// What the process holds already: itself, and the pictures.
    pub held: u64,
    /// The parameters of all networks, and what the optimizer remembers of them.
    pub parameters: u64,
    /// Activations and gradients of a batch, and the scratch of all threads.
    pub batch: u64,
    /// The kept features.
    pub features: u64,
    /// The bytes of a file of weights that is read or written.
    pub file: u64,
}

/// What to do where nothing can be made smaller.
pub const MORE: &str = "use a machine with more memory";

/// A thread's stack and its share of the allocator, and what a command takes beside all that is counted.
const THREAD: u64 = 100 << 10;
const BESIDE: u64 = 2 << 20;

/// A training, as far as its memory depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Training<'a> {
    /// What is trained.
    pub network: &'a Network,
    /// Pictures in a step.
    pub batch: usize,
    /// Pictures to validate with.
    pub validation: usize,
    /// Bytes of kept features.
    pub features: u64,
    /// Whether checkpoints are written, with the optimizer's moments.
    pub checkpoints: bool,
}

impl Memory {
    /// Of the more demanding of several trainings, one after the other.
    pub fn of_trainings<const N: usize>(trainings: [Training; N]) -> Self {
        // Threads keep what they needed.
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
            let judged = Memory {
                parameters: weights,
                batch: network.inference_bytes(validation, threads::count(), &mut scratch),
                ..Memory::held()
            };
            [trained, written, judged]
        };
        let memories = trainings.into_iter().flat_map(of_training);
        memories.max_by_key(Memory::total).unwrap_or_default()
    }

    /// Of passes forward, of so many pictures; the network is there already.
    pub fn of_inference(network: &Network, pictures: usize) -> Self {
        let batch = network.inference_bytes(pictures, threads::count(), &mut Scratch::default());
        Memory { batch, ..Memory::held() }
    }

    /// Of a file in memory.
    pub fn of_file(file: u64) -> Self {
        Memory { file, ..Memory::held() }
    }

    /// Of reading a file of weights of so many bytes into a network.
    pub fn of_reading(network: &Network, file: u64) -> Self {
        Memory { parameters: network.weight_bytes(), file: file + largest_tensor(network), ..Memory::held() }
    }

    fn held() -> Self {
        let held = machine::resident_memory_bytes().unwrap_or(0) + BESIDE + THREAD * threads::count() as u64;
        Memory { held, ..Memory::default() }
    }

    /// The sum.
    pub fn total(&self) -> u64 {
        self.held + self.more()
    }

    /// What is not held yet.
    fn more(&self) -> u64 {
        let parts = [self.parameters, self.batch, self.features, self.file];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Refuses what the machine cannot hold, before any of it is allocated.
    ///
    /// # Errors
    /// How much is missing, and what to do.
    pub fn require(&self, what: &str, advice: &str) -> Result<()> {
        self.require_of(machine::free_memory(), what, advice)
    }

    fn require_of(&self, free: Option<u64>, what: &str, advice: &str) -> Result<()> {
        match free {
            Some(free) if self.more() > free => Err(Failure::new(
                Kind::Environment,
                format!(
                    "{what} takes up to {} more memory, and {} are free: {advice}",
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
        let &Memory { held, parameters, batch, features, file } = self;
        write!(
            f,
            "up to {}: program and pictures {}, parameters and Adam {}",
            number::bytes(self.total()),
            number::bytes(held),
            number::bytes(parameters)
        )?;
        for (what, amount) in [("a batch", batch), ("frozen features", features), ("a file of weights", file)] {
            if amount > 0 {
                write!(f, ", {what} {}", number::bytes(amount))?;
            }
        }
        Ok(())
    }
}

/// Bytes of a network's parameters in a file, and of the copy that is made of each on its way there.
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
    fn more_memory_than_there_is_is_refused_and_what_is_held_is_not_counted_twice() {
        let memory = Memory { held: 100, parameters: 20, batch: 30, features: 45, file: 5 };
        assert!(memory.require_of(Some(100), "it", "").is_ok() && memory.require_of(None, "it", "").is_ok());
        let failure = memory.require_of(Some(99), "it", "wait").unwrap_err();
        assert_eq!(failure.kind, Kind::Environment);
        assert_eq!(
            failure.message.replace(number::NBSP, " "),
            "it takes up to 100 B more memory, and 99 B are free: wait"
        );
    }
}
