//! The memory budget of decoding, shared by all threads: a large picture waits until others have returned their share.

use std::sync::{Condvar, Mutex, PoisonError};

/// Enough for a baseline JPEG of 150 million pixels (a progressive one takes more), while the whole program stays below
/// 1 GB.
pub const BYTES: u64 = 750_000_000;

static FREE: Mutex<u64> = Mutex::new(BYTES);
static RETURNED: Condvar = Condvar::new();

/// A share of the budget, returned when dropped.
#[derive(Debug)]
pub struct Reserved(u64);

/// Waits until `bytes` are free; `None` if the budget is smaller than that.
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
    use std::{io::Cursor, sync::mpsc, thread};

    use super::*;
    use crate::data::{own::file::decode_whole, png};

    /// Asserts that this much cannot be reserved until `held` is dropped.
    fn assert_waits(bytes: u64, held: impl Sized) {
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                sender.send(None).unwrap();
                sender.send(Some(reserve(bytes).is_some())).unwrap();
            });
            assert_eq!(receiver.recv(), Ok(None), "it has begun");
            assert!(
                receiver.recv_timeout(std::time::Duration::from_millis(50)).is_err(),
                "the reservation did not wait"
            );
            drop(held);
            assert_eq!(receiver.recv(), Ok(Some(true)));
        });
    }

    #[test]
    fn a_reservation_waits_for_memory_and_is_refused_beyond_the_budget() {
        assert!(reserve(BYTES + 1).is_none());
        let first = reserve(BYTES - 10).unwrap();
        assert!(reserve(10).is_some());
        assert_waits(11, first);
    }

    #[test]
    fn a_decoded_picture_keeps_its_memory_until_it_is_dropped() {
        let file = png::picture(&[7; 3 * 4 * 4]);
        let length = file.len() as u64;
        assert_waits(BYTES, decode_whole(Cursor::new(file), length).unwrap());
    }
}
