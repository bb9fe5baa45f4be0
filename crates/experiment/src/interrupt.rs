//! Ctrl-C and SIGTERM: the first finishes the step, the second ends the program at once.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::failure::{Failure, Kind, Result};

/// Whether a signal has arrived; the default never hears of one.
#[derive(Debug, Clone, Default)]
pub struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> Result<Self> {
        let refused = |error: io::Error| Failure::new(Kind::Environment, format!("cannot listen for Ctrl-C: {error}"));
        let arrived = Arc::new(AtomicUsize::new(0));
        let once = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds `once` unset, sets it, and only the second ends the program.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&once)).map_err(refused)?;
            flag::register(signal, Arc::clone(&once)).map_err(refused)?;
            flag::register_usize(signal, Arc::clone(&arrived), signal as usize).map_err(refused)?;
        }
        Ok(Interrupts(arrived))
    }

    /// The number of the signal that has arrived.
    pub fn signal(&self) -> Option<u8> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            number => Some(number as u8),
        }
    }
}
