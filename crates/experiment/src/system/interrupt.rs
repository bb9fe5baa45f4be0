//! Ctrl-C and SIGTERM. Training finishes its step, and `run` then saves a checkpoint; most other work ends at once.
//! Neither leaves temporary files.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};

use super::{
    atomic_file, console,
    failure::{Failure, Kind, Result},
};

/// A second signal ends the program only this long after the first: `timeout` signals both the program and its process
/// group, and a wrapper that forwards Ctrl-C makes two of it.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the signal thread checks for signals.
const PERIOD: Duration = Duration::from_millis(20);

/// Whether a signal has arrived. The default value does not listen and never reports one.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    arrived: Arc<AtomicUsize>,
    deferred: Arc<AtomicBool>,
}

impl Interrupts {
    /// Starts listening. Until [`defer`](Self::defer) is called, a signal ends the program.
    pub fn listen() -> Result<Self> {
        let refused = |error: io::Error| Failure::new(Kind::Environment, format!("cannot listen for Ctrl-C: {error}"));
        let interrupts = Interrupts::default();
        let latest = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            for number in [&interrupts.arrived, &latest] {
                flag::register_usize(signal, Arc::clone(number), signal as usize).map_err(refused)?;
            }
        }
        let thread = thread::Builder::new().name("signals".to_owned()).stack_size(128 << 10);
        let watched = interrupts.clone();
        thread.spawn(move || watched.watch(&latest)).map_err(refused)?;
        Ok(interrupts)
    }

    /// From now on the caller checks [`signal`](Self::signal) and stops by itself; only a second signal ends the
    /// program.
    pub fn defer(&self) {
        self.deferred.store(true, Ordering::SeqCst);
    }

    /// From now on a signal ends the program again; fails if one has already arrived.
    pub fn end_at_once(&self) -> Result<()> {
        self.deferred.store(false, Ordering::SeqCst);
        self.check()
    }

    /// Fails if a signal has arrived.
    pub fn check(&self) -> Result<()> {
        self.signal().map_or(Ok(()), |signal| Err(Failure::new(Kind::Signal(signal), "interrupted")))
    }

    /// The number of the signal that has arrived, if any.
    pub fn signal(&self) -> Option<u8> {
        Some(self.arrived.load(Ordering::SeqCst) as u8).filter(|&number| number != 0)
    }

    fn watch(&self, latest: &AtomicUsize) {
        let mut first: Option<Instant> = None;
        loop {
            thread::sleep(PERIOD);
            let signal = latest.swap(0, Ordering::SeqCst);
            if signal == 0 {
                continue;
            }
            let is_second = first.get_or_insert_with(Instant::now).elapsed() >= PATIENCE;
            if is_second || !self.deferred.load(Ordering::SeqCst) {
                atomic_file::remove_unfinished();
                console::error(if is_second { "interrupted twice: ended without saving" } else { "interrupted" });
                low_level::exit(128 + signal as i32);
            }
        }
    }
}

/// Makes a write beyond the limit of `ulimit -f` fail, instead of letting SIGXFSZ kill the program.
pub fn survive_file_size_limit() -> Result<()> {
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .map_err(|error| Failure::new(Kind::Environment, format!("cannot listen for SIGXFSZ: {error}")))?;
    Ok(())
}
