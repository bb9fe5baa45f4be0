//! A failure of the program: a line for the user and an exit code for scripts.

use std::io;

use thawline_tensor::{nn, simd, threads};

use super::atomic_file::FileError;

pub type Result<T, E = Failure> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: Kind,
    /// One line: what went wrong, what was expected and found, and what to do. Empty to print nothing.
    pub message: String,
}

/// The kind of a failure, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bug in the program.
    Other,
    /// A wrong command line or input file; the same command will fail again.
    Usage,
    /// The machine failed or ran out of something; the same command may succeed later.
    Environment,
    /// The loss, or a model's output, is NaN or infinite.
    Numeric,
    /// A signal, by its number, ended the run.
    Signal(u8),
    /// The reader of the output has closed it, as in `thawline info | head -1`.
    OutputClosed,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into() }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::OutputClosed => 0,
            Kind::Other => 1,
            Kind::Usage => 2,
            Kind::Environment => 3,
            Kind::Numeric => 4,
            Kind::Signal(number) => 128 + number,
        }
    }

    /// The failure of work that was interrupted: if its output was closed, the exit code is SIGPIPE's instead of 0.
    pub fn while_unfinished(self) -> Self {
        match self.kind {
            Kind::OutputClosed => Failure::new(Kind::Signal(13), ""),
            _ => self,
        }
    }

    /// Prefixes the message with where the failure happened.
    pub fn within(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Adds what to do.
    pub fn with_advice(mut self, advice: &str) -> Self {
        self.message = format!("{}; {advice}", self.message);
        self
    }
}

impl From<thawline_cifar::Error> for Failure {
    fn from(error: thawline_cifar::Error) -> Self {
        let kind = if error.is_environment_fault() { Kind::Environment } else { Kind::Usage };
        Failure::new(kind, error.to_string())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let kind = if error.is_environment_fault() { Kind::Environment } else { Kind::Usage };
        Failure::new(kind, error.to_string())
    }
}

impl From<nn::NetworkError> for Failure {
    fn from(error: nn::NetworkError) -> Self {
        let kind = if error.is_lack_of_memory() { Kind::Environment } else { Kind::Usage };
        Failure::new(kind, error.to_string())
    }
}

impl From<nn::FitError> for Failure {
    fn from(error: nn::FitError) -> Self {
        let kind = match error {
            nn::FitError::NotFinite { .. } => Kind::Numeric,
            nn::FitError::NoMemory(_) => Kind::Environment,
            nn::FitError::Invalid(_) => Kind::Usage,
            // One of this program's observers stopped training with a failure.
            nn::FitError::Stopped(cause) => match cause.downcast::<Failure>() {
                Ok(failure) => return *failure,
                Err(cause) => return Failure::new(Kind::Other, cause.to_string()),
            },
        };
        Failure::new(kind, error.to_string())
    }
}

impl From<simd::LevelError> for Failure {
    fn from(error: simd::LevelError) -> Self {
        Failure::usage(error.to_string())
    }
}

impl From<threads::PoolError> for Failure {
    fn from(error: threads::PoolError) -> Self {
        Failure::new(Kind::Environment, error.to_string())
    }
}

/// A failed write to standard output. Errors of all other files name the file.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::new(Kind::OutputClosed, ""),
            _ => Failure::new(Kind::Environment, format!("cannot write the output: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_training_has_the_kind_of_its_cause() {
        let no_memory = nn::FitError::NoMemory(nn::NoMemory { bytes: 1 << 50 });
        let not_finite = nn::FitError::NotFinite { epoch: 2, step: 7, loss: f64::NAN, layer: "dense_1".to_owned() };
        let invalid = nn::FitError::Invalid("there are no training examples".to_owned());
        for (error, kind, words) in [
            (no_memory, Kind::Environment, ["1125899906842624 bytes", "turn the cache off"]),
            (not_finite, Kind::Numeric, ["epoch 2, step 7", "'dense_1'"]),
            (invalid, Kind::Usage, ["no training", "examples"]),
        ] {
            let failure = Failure::from(error);
            assert_eq!(failure.kind, kind, "{failure}");
            assert!(words.iter().all(|&word| failure.to_string().contains(word)), "{failure}");
        }
    }
}
