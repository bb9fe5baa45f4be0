//! Runs every input of the fuzzing corpus through its fuzz target: each must end quickly and without a panic.
//! `fuzz/run` finds new inputs.

use std::{fs, path::Path, time::Duration};

#[path = "../fuzz/targets.rs"]
mod targets;

#[test]
fn every_target_handles_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::ALL {
        let inputs = fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("the corpus of {name}: {error}"));
        let mut count = 0;
        for path in inputs.map(|entry| entry.unwrap().path()) {
            let began = cpu_time();
            target(&fs::read(&path).unwrap());
            // Generous: an input takes at most a second in a release build.
            let took = cpu_time() - began;
            assert!(took < Duration::from_secs(10), "{}: {took:?}", path.display());
            count += 1;
        }
        assert!(count > 0, "the corpus of {name} is empty");
        // Inputs that are invalid for every target.
        for bytes in [&b""[..], b"\0", b"{}", b"[[[[[[", &[0xff; 600]] {
            target(bytes);
        }
    }
}

/// The CPU time of this process, which has only this test: other programs do not lengthen it.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Wall-clock time, where CPU time is not available.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    static BEGAN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed()
}
