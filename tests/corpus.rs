//! Runs every input of the fuzzing corpus through its fuzz target: each must end quickly and without a panic.
//! `fuzz/run` finds new inputs.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

#[path = "../fuzz/targets.rs"]
mod targets;

#[test]
fn every_target_handles_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::ALL {
        let inputs = fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("the corpus of {name}: {error}"));
        let mut count = 0;
        for path in inputs.map(|entry| entry.unwrap().path()) {
            let began = Instant::now();
            target(&fs::read(&path).unwrap());
            // Generous: an input takes at most a second in a release build on an idle machine.
            assert!(began.elapsed() < Duration::from_secs(10), "{}: {:?}", path.display(), began.elapsed());
            count += 1;
        }
        assert!(count > 0, "the corpus of {name} is empty");
        // Inputs that are invalid for every target.
        for bytes in [&b""[..], b"\0", b"{}", b"[[[[[[", &[0xff; 600]] {
            target(bytes);
        }
    }
}
