//! Layers, golden values and training at every SIMD level, not only the best. A process has one level, so each other
//! level gets its own process, which runs the same tests.

use std::process::Command;

use thawline_tensor::simd::{Level, LevelError};

use crate::data::levels;

#[test]
fn layers_and_golden_values_hold_at_every_level() {
    for level in levels().filter(|&level| level != Level::current()) {
        let output = Command::new(std::env::current_exe().expect("a running test has a file"))
            .args(["layers::", "golden::", "mobile::", "normalization::", "training::", "freezing::"])
            .env("THAWLINE_SIMD", level.to_string())
            .output()
            .expect("the test program starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "at {level}:\n{text}");
        assert!(text.contains("0 failed") && !text.contains(" 0 passed"), "at {level}:\n{text}");
    }
}

#[test]
fn the_level_is_chosen_once_and_by_name() {
    let current = Level::current();
    assert_eq!(current.force(), Ok(()));
    for other in Level::ALL.into_iter().filter(|&level| level != current) {
        let error = other.force().expect_err("another level is in use");
        match error {
            LevelError::InUse { .. } => {
                let expected = format!("cannot switch to {other}: this process already uses {current}");
                assert_eq!(error.to_string(), expected);
            }
            LevelError::Unsupported { .. } => assert!(!other.is_supported()),
        }
    }
    for level in Level::ALL {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
    let error = "avx1024".parse::<Level>().expect_err("there is no such level");
    assert_eq!(error.to_string(), "unknown SIMD level 'avx1024': expected portable, neon, avx2 or avx512");
}
