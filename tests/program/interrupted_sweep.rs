//! An interrupted sweep continues where it was, and a signal ends a wait for another process.

use std::fs;

use crate::{
    invocation::{Place, Running, names},
    sweep::{ALL_JOBS, assert_same, is_of_a_job, report, small_sweep, sweep, uninterrupted},
};

#[test]
fn a_resumed_sweep_gives_the_same_report() {
    for (signal, code) in [("-INT", Some(130)), ("-TERM", Some(143)), ("-KILL", None)] {
        let records =
            |place: &Place| names(&place.path("sweep/jobs")).into_iter().filter(|name| name.ends_with(".json"));
        let interrupted = |place: &Place| {
            // Ended after 1 job, after 2 more, and so on, somewhere within the next job.
            let in_time = [1, 2, 3, 5].into_iter().all(|jobs| is_ended_by(signal, code, jobs, place));
            in_time && records(place).count() < ALL_JOBS
        };
        let place = (0..5).map(|_| Place::new()).find(interrupted).expect("a signal came too late, five times");
        let partial = |folder: &str| names(&place.path(folder)).into_iter().any(|name| name.ends_with(".partial"));
        let done = records(&place).count();
        assert!((11..ALL_JOBS).contains(&done), "{signal}: {done} jobs were done");
        let call = sweep(&place, "sweep", "");
        let trained = call.stdout.lines().filter(|line| is_of_a_job(line)).count();
        assert_eq!(trained, ALL_JOBS - done, "{signal}: finished jobs are not repeated");
        assert!(!["sweep", "sweep/jobs", "sweep/weights"].into_iter().any(partial), "{signal}: temporary file left");
        assert_same(&report(&place.path("sweep")), uninterrupted());
    }
}

/// Starts the sweep, waits for `jobs` jobs and sends a signal, which must end it with this code. False if the signal came
/// when the sweep had finished, as may happen on a busy machine.
fn is_ended_by(signal: &str, code: Option<i32>, jobs: usize, place: &Place) -> bool {
    // With one thread the sweep is slow enough to be interrupted.
    let mut sweep = Running::start(place.command(small_sweep("sweep", "--threads 1")));
    let in_time = (0..jobs).all(|_| sweep.reaches(is_of_a_job));
    if in_time {
        sweep.signal(signal);
    }
    let call = sweep.end();
    let says_how_to_resume = call.stderr.contains("jobs are done in sweep; run the same command to resume");
    if in_time && call.code == code && (signal == "-KILL" || says_how_to_resume) {
        return true;
    }
    let ended = (call.code, call.stderr.as_str());
    assert!(ended == (Some(0), "") || ended == (code, "error: interrupted\n"), "{signal}: {ended:?}");
    false
}

#[test]
#[cfg(unix)]
fn a_signal_ends_the_wait_for_a_lock_that_another_process_holds() {
    let place = Place::new();
    sweep(&place, "sweep", "--arms pixels");
    let lock = fs::File::options().append(true).open(place.path("sweep/claims/report.lock")).unwrap();
    lock.lock().unwrap();
    let mut waiting = Running::start(place.command(small_sweep("sweep", "--arms pixels")));
    waiting.until(|line| line.contains("finished in"));
    // Linux lists who waits for a lock.
    let is_listed = |locks: String| {
        let process = waiting.child.id().to_string();
        locks.lines().any(|line| line.contains(" -> ") && line.split_whitespace().any(|word| word == process))
    };
    let is_waiting = (0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        fs::read_to_string("/proc/locks").map_or(true, is_listed)
    });
    assert!(is_waiting, "it does not wait for the lock");
    waiting.signal("-INT");
    let call = waiting.end();
    assert_eq!((call.code, call.stderr.as_str()), (Some(130), "error: interrupted\n"));
}
