//! The inputs that fuzzing has found worth keeping, one by one: each layer ends with each of them, quickly and without a
//! panic. `fuzz/run` finds new ones.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

#[path = "../fuzz/layers.rs"]
mod layers;

#[test]
fn every_layer_bears_every_input_that_is_kept() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, layer) in layers::ALL {
        let inputs = fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("the corpus of {name}: {error}"));
        let mut count = 0;
        for path in inputs.map(|entry| entry.unwrap().path()) {
            let began = Instant::now();
            layer(&fs::read(&path).unwrap());
            // A second on an idle machine with a release build.
            assert!(began.elapsed() < Duration::from_secs(10), "{}: {:?}", path.display(), began.elapsed());
            count += 1;
        }
        assert!(count > 0, "the corpus of {name} is empty");
        // And what is no input of any layer.
        for bytes in [&b""[..], b"\0", b"{}", b"[[[[[[", &[0xff; 600]] {
            layer(bytes);
        }
    }
}
