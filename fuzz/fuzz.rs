//! The fuzz binary: runs the target that `THAWLINE_FUZZ_TARGET` names.
#![no_main]

use std::{env, sync::OnceLock};

use libfuzzer_sys::fuzz_target;

mod targets;

fuzz_target!(|bytes: &[u8]| {
    static TARGET: OnceLock<targets::Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let wanted = env::var("THAWLINE_FUZZ_TARGET").unwrap_or_default();
        let found = targets::ALL.into_iter().find(|(name, _)| *name == wanted);
        found.unwrap_or_else(|| panic!("THAWLINE_FUZZ_TARGET: unknown target '{wanted}'")).1
    });
    target(bytes);
});
