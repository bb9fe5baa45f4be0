//! The fuzz target: runs the layer that `THAWLINE_FUZZ_LAYER` names.
#![no_main]

use std::{env, sync::OnceLock};

use libfuzzer_sys::fuzz_target;

mod layers;

fuzz_target!(|bytes: &[u8]| {
    static LAYER: OnceLock<layers::Layer> = OnceLock::new();
    let layer = LAYER.get_or_init(|| {
        let wanted = env::var("THAWLINE_FUZZ_LAYER").unwrap_or_default();
        let found = layers::ALL.into_iter().find(|(name, _)| *name == wanted);
        found.unwrap_or_else(|| panic!("THAWLINE_FUZZ_LAYER: unknown layer '{wanted}'")).1
    });
    layer(bytes);
});
