//! The same seed gives the same bits, regardless of thread count and cache, and on both AVX2 and AVX-512.

use thawline_tensor::simd::Level;

use crate::invocation::{Place, Run};

/// Two epochs with a smaller last batch, so that shuffles, dropout and sums all matter.
const FLAGS: &str = "--epochs 2 --limit 90 --batch-size 40";

fn run(flags: &str) -> Run {
    // Leaked so that the folder outlives the returned run.
    let place = Box::leak(Box::new(Place::new()));
    place.run(&format!("{FLAGS} {flags}"))
}

/// Asserts that a run with these flags has the same bits as the first one, and returns it.
fn assert_same_bits(first: &Run, flags: &str) -> Run {
    let second = run(flags);
    assert_eq!(first.metrics(), second.metrics(), "{flags}: the metrics differ");
    assert!(first.weights() == second.weights(), "{flags}: the weights differ");
    second
}

#[test]
fn threads_do_not_change_the_result() {
    let first = run("--threads 1");
    assert_eq!(first.summary()["environment"]["threads"], 1);
    for threads in [2, 3, 4, 8] {
        let other = assert_same_bits(&first, &format!("--threads {threads}"));
        assert_eq!(other.summary()["environment"]["threads"], threads);
    }
}

#[test]
fn the_seed_decides_the_weights() {
    let first = run("");
    assert_same_bits(&first, "--seed 1");
    let second = run("--seed 2");
    let ([a1, a2], [b1, b2]) = (first.weights(), second.weights());
    assert!(a1 != b1 && a2 != b2);
}

#[test]
fn cached_and_recomputed_features_give_the_same_result() {
    let uncached = assert_same_bits(&run("--cache on"), "--cache off");
    assert_eq!(uncached.summary()["model_2"]["features_seconds"], 0.0);
    assert_same_bits(&run("--cache auto --freeze conv2d_1"), "--cache off --freeze conv2d_1");
}

#[test]
fn avx2_and_avx512_give_the_same_bits() {
    if !Level::Avx512.is_supported() {
        println!("skipped: this CPU has no AVX-512");
        return;
    }
    for method in ["auto", "im2col"] {
        let first = run(&format!("--simd avx2 --conv-method {method}"));
        let second = assert_same_bits(&first, &format!("--simd avx512 --conv-method {method}"));
        assert_eq!([&first, &second].map(|run| run.summary()["environment"]["simd"].clone()), ["avx2", "avx512"]);
    }
}

#[test]
fn every_level_and_method_trains() {
    let loss = |run: &Run| run.metrics().last().unwrap()["val_loss"].as_f64().unwrap();
    let close = |flags: &str, expected: f64| {
        let run = run(flags);
        let difference = (loss(&run) - expected).abs() / expected;
        assert!(difference < 1e-3, "{flags}: the loss differs by {difference:e}");
        run
    };
    let expected = loss(&run(""));
    assert_eq!(close("--simd portable", expected).summary()["environment"]["simd"], "portable");
    for method in ["naive", "im2col", "implicit", "winograd"] {
        close(&format!("--conv-method {method}"), expected);
    }
}

#[test]
fn the_environment_variable_names_the_level() {
    let place = Place::new();
    let call = |level: &str| {
        let output = place.command(["info"]).env("THAWLINE_SIMD", level).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(call("portable").contains("portable (in use)"));
    assert!(call("").contains(&format!("{} (in use)", Level::best())));
}
