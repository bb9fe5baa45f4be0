//! Why the program ends without having done what it was asked to: a line for the user, an exit code for scripts.

use std::{fmt, io};

use thawline_tensor::{nn, simd, threads};

use super::atomic_file::AtomicWriteError;

/// A result of the program.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// What went wrong, in one line that says what was expected, what was found and what to do.
#[derive(Debug)]
pub struct Failure {
    /// The kind, which decides the exit code.
    pub kind: Kind,
    /// The line; empty where there is nothing to say.
    pub message: String,
}

/// The kinds of failure that a script tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything else: a defect of the program.
    Other,
    /// The command line or a file that was given is wrong; the same call will fail again.
    Usage,
    /// The machine failed or has too little of something; the same call may succeed later.
    Environment,
    /// The training left the numbers.
    Numeric,
    /// A signal ended the run, of this number.
    Signal(u8),
    /// Whoever read the output has closed it.
    OutputClosed,
}

impl Failure {
    /// A failure with its line.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into() }
    }

    /// The user asked for what cannot be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The exit code: 0 is for what was done.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            // Whoever has read enough is content: `thawline info | head -1`.
            Kind::OutputClosed => 0,
            Kind::Other => 1,
            Kind::Usage => 2,
            Kind::Environment => 3,
            Kind::Numeric => 4,
            Kind::Signal(number) => 128 + number,
        }
    }

    /// The same, of work that is not done when nobody reads its output any more: that end is then SIGPIPE's.
    pub fn of_unfinished_work(self) -> Self {
        match self.kind {
            Kind::OutputClosed => Failure::new(Kind::Signal(13), ""),
            _ => self,
        }
    }

    /// Puts words before the line: where it happened.
    pub fn within(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<thawline_cifar::Error> for Failure {
    fn from(error: thawline_cifar::Error) -> Self {
        let kind = if error.is_environment_fault() { Kind::Environment } else { Kind::Usage };
        Failure::new(kind, error.to_string())
    }
}

impl From<AtomicWriteError> for Failure {
    fn from(error: AtomicWriteError) -> Self {
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
        let kind = match &error {
            nn::FitError::NotFinite { .. } => Kind::Numeric,
            nn::FitError::NoMemory(_) => Kind::Environment,
            nn::FitError::Invalid(_) => Kind::Usage,
            nn::FitError::Stopped(_) => Kind::Other,
        };
        match error {
            // What an observer of ours ended the training with.
            nn::FitError::Stopped(cause) => match cause.downcast::<Failure>() {
                Ok(failure) => *failure,
                Err(cause) => Failure::new(kind, cause.to_string()),
            },
            error => Failure::new(kind, error.to_string()),
        }
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

/// A failed write to the program's own output; every other file names itself in its error.
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
    fn a_training_that_ends_badly_says_whose_fault_it_is() {
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
