//! Panics and aborts: a defect is a failure like others, with one line and an exit code of ours; memory that ran out is no
//! defect.

use std::{
    io,
    panic::{self, PanicHookInfo},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::system::failure::{Failure, Kind, Result};
use signal_hook::{consts::SIGABRT, flag};
use thawline_tensor::Buffer;

/// What is said where memory ran out for gzip's tables. zlib-rs has no error for it, it panics over a `MemError`.
const NO_MEMORY_FOR_GZIP: &str = "no memory to read or write gzip";

/// The first panic of the process, whichever thread it was in.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// Does the work; a panic of it, in whatever thread, becomes a failure.
pub fn without_panics<T>(work: impl FnOnce() -> Result<T> + panic::UnwindSafe) -> Result<T> {
    let defect =
        end_aborts().map_err(|error| Failure::new(Kind::Environment, format!("cannot listen for SIGABRT: {error}")))?;
    panic::set_hook(Box::new(move |info| {
        defect.fetch_or(!is_lack_of_memory(message(info)) && !is_lack_of_threads(message(info)), Ordering::SeqCst);
        if let Ok(mut first) = FIRST.lock() {
            first.get_or_insert_with(|| describe(info));
        }
    }));
    panic::catch_unwind(work).unwrap_or_else(|_| {
        let what = FIRST.lock().ok().and_then(|mut first| first.take()).unwrap_or_default();
        let (kind, advice) = match is_lack_of_memory(&what) {
            _ if is_lack_of_threads(&what) => {
                (Kind::Environment, "raise the limit of threads, and unset RUST_MIN_STACK")
            }
            true => (Kind::Environment, "free some, raise the limit, or lower --batch-size"),
            false => (Kind::Other, "this is a bug: please report it with the output of `thawline info`"),
        };
        Err(Failure::new(kind, format!("{what}; {advice}")))
    })
}

/// Gives exit codes of ours to what ends by SIGABRT. The standard library ends a process so when an allocation fails
/// ("memory allocation of 4096 bytes failed") or the stack is full, and when a panic cannot unwind; in each case it has
/// said so on standard error. Returned is the flag that tells the last from the others.
fn end_aborts() -> io::Result<Arc<AtomicBool>> {
    let [of_the_machine, of_a_defect] = [Kind::Environment, Kind::Other].map(|kind| Failure::new(kind, "").exit_code());
    let defect = Arc::new(AtomicBool::new(false));
    // In this order; what the first lets pass is for the second.
    flag::register_conditional_shutdown(SIGABRT, of_a_defect.into(), Arc::clone(&defect))?;
    flag::register_conditional_shutdown(SIGABRT, of_the_machine.into(), Arc::new(AtomicBool::new(true)))?;
    Ok(defect)
}

/// A panic in one line.
fn describe(info: &PanicHookInfo) -> String {
    let message = message(info).replace('\n', " ");
    match info.location() {
        _ if message.contains("MemError") => NO_MEMORY_FOR_GZIP.to_owned(),
        // Where memory ran out says nothing.
        Some(_) if is_lack_of_memory(&message) || is_lack_of_threads(&message) => message,
        Some(location) => format!("{message} ({}, line {})", location.file(), location.line()),
        None => message,
    }
}

/// Whether it was memory that ran out: a kernel's, gzip's, or what the standard library needs for a thread's own stack of
/// signals.
fn is_lack_of_memory(message: &str) -> bool {
    [Buffer::NO_MEMORY, NO_MEMORY_FOR_GZIP].iter().any(|said| message.starts_with(said))
        || ["MemError", "Cannot allocate memory (os error"].iter().any(|theirs| message.contains(theirs))
}

/// Whether the system refused a thread: std's message where a library, such as the progress bar's, takes that for granted.
fn is_lack_of_threads(message: &str) -> bool {
    message.starts_with("failed to spawn thread")
}

fn message<'a>(info: &'a PanicHookInfo) -> &'a str {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use thawline_tensor::threads;

    use super::*;

    /// One test, for the hook and the first panic belong to the process.
    #[test]
    fn a_panic_of_any_thread_is_one_line_with_a_code_of_ours_and_the_others_end() {
        let began = Instant::now();
        for count in [1, 2, 4] {
            for panicking in [0, 5, 63] {
                let work = move || {
                    let task = |i: usize, _: &mut u8| assert!(i != panicking, "task {i}\nwent wrong");
                    Ok(threads::with_threads(count, || threads::for_each(&mut [0; 64], task))?)
                };
                let failure = without_panics(work).unwrap_err();
                assert_eq!(failure.exit_code(), 1, "{failure}");
                assert!(failure.message.starts_with(&format!("task {panicking} went wrong (")), "{failure}");
                assert!(failure.message.contains("panics.rs, line ") && failure.message.contains("this is a bug"));
                assert_eq!(failure.message.lines().count(), 1, "{failure}");
            }
        }
        let exhausted = || {
            let task = |_: usize, _: &mut u8| drop(Buffer::zeros(1 << 60));
            Ok(threads::with_threads(2, || threads::for_each(&mut [0; 4], task))?)
        };
        let failure = without_panics(exhausted).unwrap_err();
        assert_eq!(failure.exit_code(), 3, "{failure}");
        assert!(failure.message.starts_with(Buffer::NO_MEMORY), "{failure}");
        assert!(failure.message.ends_with("or lower --batch-size"), "{failure}");
        let of_gzip = || -> Result<()> { panic!("assertion failed\n  left: MemError\n right: Ok") };
        let failure = without_panics(of_gzip).unwrap_err();
        assert_eq!(failure.exit_code(), 3, "{failure}");
        assert!(failure.message.starts_with("no memory to read or write gzip; free some"), "{failure}");
        let of_threads = || -> Result<()> { panic!("failed to spawn thread: Os {{ code: 11 }}") };
        let failure = without_panics(of_threads).unwrap_err();
        assert!(failure.exit_code() == 3 && failure.message.contains("raise the limit of threads"), "{failure}");
        assert!(without_panics(|| Ok(())).is_ok());
        assert!(began.elapsed() < Duration::from_secs(20), "something waited");
    }
}
