//! Panics and aborts end the program like other failures, with one line and an exit code. Running out of memory is not
//! reported as a bug.

use std::{
    cell::Cell,
    io,
    panic::{self, PanicHookInfo},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{consts::SIGABRT, flag};
use thawline_tensor::Buffer;

use super::failure::{Failure, Kind, Result};

/// The message if gzip's tables do not fit in memory. zlib-rs has no error for that; it panics with a `MemError`.
const NO_MEMORY_FOR_GZIP: &str = "not enough memory to read or write gzip";

/// The first panic of the process, in any thread.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// Whether the next panic of this thread is expected, and not a bug.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of a library that may panic; `None` if it does. Its state is dropped, so unwinding is safe.
pub fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    CONTAINED.set(true);
    let result = panic::catch_unwind(panic::AssertUnwindSafe(work));
    CONTAINED.set(false);
    result.ok()
}

/// Runs `work`; a panic in any thread becomes a failure.
pub fn without_panics<T>(work: impl FnOnce() -> Result<T> + panic::UnwindSafe) -> Result<T> {
    let defect =
        end_aborts().map_err(|error| Failure::new(Kind::Environment, format!("cannot listen for SIGABRT: {error}")))?;
    panic::set_hook(Box::new(move |info| {
        // A second panic, while the first unwinds, ends the program.
        if CONTAINED.take() {
            return;
        }
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
            true => (Kind::Environment, "close other programs, raise the memory limit, or lower --batch-size"),
            false => (Kind::Other, "this is a bug: please report it with the output of `thawline info`"),
        };
        Err(Failure::new(kind, format!("{what}; {advice}")))
    })
}

/// Sets the exit code of an abort. The standard library aborts if an allocation fails ("memory allocation of 4096 bytes
/// failed"), if a stack overflows, and if a panic cannot unwind; it has printed why. The returned flag marks the last
/// case, which is a bug.
fn end_aborts() -> io::Result<Arc<AtomicBool>> {
    let [of_the_machine, of_a_defect] = [Kind::Environment, Kind::Other].map(|kind| Failure::new(kind, "").exit_code());
    let defect = Arc::new(AtomicBool::new(false));
    // In this order: the first handler exits only if the flag is set, else the second one does.
    flag::register_conditional_shutdown(SIGABRT, of_a_defect.into(), Arc::clone(&defect))?;
    flag::register_conditional_shutdown(SIGABRT, of_the_machine.into(), Arc::new(AtomicBool::new(true)))?;
    Ok(defect)
}

/// A panic as one line.
fn describe(info: &PanicHookInfo) -> String {
    let message = message(info).replace('\n', " ");
    match info.location() {
        _ if message.contains("MemError") => NO_MEMORY_FOR_GZIP.to_owned(),
        // The place where memory ran out does not matter.
        Some(_) if is_lack_of_memory(&message) || is_lack_of_threads(&message) => message,
        Some(location) => format!("{message} ({}, line {})", location.file(), location.line()),
        None => message,
    }
}

/// Whether a panic means that memory ran out: a kernel's, gzip's, or the signal stack of a new thread.
fn is_lack_of_memory(message: &str) -> bool {
    [Buffer::NO_MEMORY, NO_MEMORY_FOR_GZIP].iter().any(|said| message.starts_with(said))
        || ["MemError", "Cannot allocate memory (os error"].iter().any(|theirs| message.contains(theirs))
}

/// Whether a panic means that the system refused a thread: a library such as the progress bar's panics then.
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

    /// One test, because the hook and the first panic are global.
    #[test]
    fn a_panic_in_any_thread_becomes_a_one_line_failure_and_the_other_threads_end() {
        let began = Instant::now();
        for count in [1, 2, 4] {
            for panicking in [0, 5, 63] {
                let work = move || {
                    let task = |i: usize, _: &mut u8| assert!(i != panicking, "task {i}\nwent wrong");
                    Ok(threads::with_threads(count, || threads::for_each(&mut [0; 64][..], task))?)
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
            Ok(threads::with_threads(2, || threads::for_each(&mut [0; 4][..], task))?)
        };
        let after_a_contained_panic = || -> Result<()> {
            assert_eq!(contained(|| panic!("in a decoder")), None::<()>);
            panic!("a bug")
        };
        let failure = without_panics(after_a_contained_panic).unwrap_err();
        assert!(failure.message.starts_with("a bug (") && failure.exit_code() == 1, "{failure}");
        let failure = without_panics(exhausted).unwrap_err();
        assert_eq!(failure.exit_code(), 3, "{failure}");
        assert!(failure.message.starts_with(Buffer::NO_MEMORY), "{failure}");
        assert!(failure.message.ends_with("or lower --batch-size"), "{failure}");
        let in_gzip = || -> Result<()> { panic!("assertion failed\n  left: MemError\n right: Ok") };
        let failure = without_panics(in_gzip).unwrap_err();
        assert_eq!(failure.exit_code(), 3, "{failure}");
        assert!(
            failure.message.starts_with("not enough memory to read or write gzip; close other programs"),
            "{failure}"
        );
        let no_thread = || -> Result<()> { panic!("failed to spawn thread: Os {{ code: 11 }}") };
        let failure = without_panics(no_thread).unwrap_err();
        assert!(failure.exit_code() == 3 && failure.message.contains("raise the limit of threads"), "{failure}");
        assert!(without_panics(|| Ok(())).is_ok());
        assert!(began.elapsed() < Duration::from_secs(20), "a thread waited");
    }
}
