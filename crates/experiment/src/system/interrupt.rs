//! Ctrl-C and SIGTERM: a training finishes its step and is saved, anything else ends at once; and never leaves a temporary
//! file.

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

/// How long after the first signal a second one ends the program. `timeout` sends one to the program and one to its group,
/// and so does a terminal whose user presses Ctrl-C on a program that passes signals on.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the thread that ends the program looks for signals.
const PERIOD: Duration = Duration::from_millis(20);

/// Whether a signal has arrived; the default never hears of one.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    arrived: Arc<AtomicUsize>,
    deferred: Arc<AtomicBool>,
}

impl Interrupts {
    /// Begins to listen. Until [`defer`](Self::defer) is called, a signal ends the program.
    ///
    /// # Errors
    /// If the system refuses.
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

    /// From now on the work asks for [`signal`](Self::signal) and ends itself; only a second one ends the program.
    pub fn defer(&self) {
        self.deferred.store(true, Ordering::SeqCst);
    }

    /// From now on a signal ends the program again.
    ///
    /// # Errors
    /// One that has arrived already.
    pub fn end_at_once(&self) -> Result<()> {
        self.deferred.store(false, Ordering::SeqCst);
        self.signal().map_or(Ok(()), |signal| Err(Failure::new(Kind::Signal(signal), "interrupted")))
    }

    /// The number of the signal that has arrived.
    pub fn signal(&self) -> Option<u8> {
        match self.arrived.load(Ordering::SeqCst) {
            0 => None,
            number => Some(number as u8),
        }
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
                atomic_file::abandon();
                console::error(if is_second { "interrupted twice: ended without saving" } else { "interrupted" });
                low_level::exit(128 + signal as i32);
            }
        }
    }
}

/// Lets a write beyond the limit of `ulimit -f` fail, instead of ending the program by SIGXFSZ.
///
/// # Errors
/// If the system refuses.
pub fn survive_file_size_limit() -> Result<()> {
    #[cfg(unix)]
    flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .map_err(|error| Failure::new(Kind::Environment, format!("cannot listen for SIGXFSZ: {error}")))?;
    Ok(())
}
