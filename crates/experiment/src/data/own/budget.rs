//! The memory that decoding pictures may take, over all threads: a large picture waits until others have returned theirs.

use std::sync::{Condvar, Mutex, PoisonError};

/// A JPEG of 150 million pixels fits, and the whole program stays below 1 GB.
pub const BYTES: u64 = 750_000_000;

static FREE: Mutex<u64> = Mutex::new(BYTES);
static RETURNED: Condvar = Condvar::new();

/// A part of the budget, until it is dropped.
#[derive(Debug)]
pub struct Reserved(u64);

/// Waits until so much is free; `None` if there is never so much.
pub fn reserve(bytes: u64) -> Option<Reserved> {
    if bytes > BYTES {
        return None;
    }
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut free = RETURNED.wait_while(free, |free| *free < bytes).unwrap_or_else(PoisonError::into_inner);
    *free -= bytes;
    Some(Reserved(bytes))
}

impl Drop for Reserved {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        RETURNED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn what_does_not_fit_waits_and_what_never_fits_is_refused() {
        assert!(reserve(BYTES + 1).is_none());
        let first = reserve(BYTES - 10).unwrap();
        assert!(reserve(10).is_some());
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || sender.send(reserve(11).is_some()).unwrap());
            assert!(receiver.recv_timeout(std::time::Duration::from_millis(50)).is_err(), "it did not wait");
            drop(first);
            assert!(receiver.recv().unwrap());
        });
    }
}
