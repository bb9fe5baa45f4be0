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

fn assert_same_bits(flags: &str, other_flags: &str) {
    let (first, second) = (run(flags), run(other_flags));
    assert_eq!(first.metrics(), second.metrics(), "{flags} and {other_flags}: the metrics differ");
    assert!(first.weights() == second.weights(), "{flags} and {other_flags}: the weights differ");
}

#[test]
fn threads_do_not_change_the_result() {
    for threads in [2, 3, 4, 8] {
        assert_same_bits("--threads 1", &format!("--threads {threads}"));
    }
}

#[test]
fn the_seed_decides_the_weights() {
    assert_same_bits("", "--seed 1");
    let (first, second) = (run("--seed 1"), run("--seed 2"));
    let ([a1, a2], [b1, b2]) = (first.weights(), second.weights());
    assert!(a1 != b1 && a2 != b2);
}

#[test]
fn cached_and_recomputed_features_give_the_same_result() {
    assert_same_bits("--cache on", "--cache off");
    assert_same_bits("--cache auto --freeze conv2d_1", "--cache off --freeze conv2d_1");
    assert_eq!(run("--cache off").summary()["model_2"]["features_seconds"], 0.0);
}

#[test]
fn avx2_and_avx512_give_the_same_bits() {
    if !Level::Avx512.is_supported() {
        println!("skipped: this CPU has no AVX-512");
        return;
    }
    assert_same_bits("--simd avx2", "--simd avx512");
    assert_same_bits("--simd avx2 --conv-method im2col", "--simd avx512 --conv-method im2col");
}

#[test]
fn every_level_and_method_trains() {
    let loss = |flags: &str| run(flags).metrics().last().unwrap()["val_loss"].as_f64().unwrap();
    let expected = loss("");
    for flags in ["--simd portable", "--conv-method naive", "--conv-method im2col", "--conv-method implicit"] {
        let difference = (loss(flags) - expected).abs() / expected;
        assert!(difference < 1e-3, "{flags}: the loss differs by {difference:e}");
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
