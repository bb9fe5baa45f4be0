//! The tutorial's two convolutions by every method, forward and both gradients, at every supported SIMD level, or at
//! that of THAWLINE_SIMD.

mod measure;

use std::{
    env,
    process::{Command, ExitCode},
};

use thawline::commands::bench::{
    NAIVE_IMAGES,
    layers::{Case, LayerPass, Pass},
    steps::BATCH,
};
use thawline_tensor::{nn::Method, simd::Level};

/// The level is fixed per process, so each level gets its own.
fn main() -> ExitCode {
    if env::var_os("THAWLINE_SIMD").is_some() {
        ladder();
        return ExitCode::SUCCESS;
    }
    for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
        let program = env::current_exe().expect("the bench has a path");
        let status =
            Command::new(program).args(env::args_os().skip(1)).env("THAWLINE_SIMD", level.to_string()).status();
        if !status.expect("the bench can be run").success() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn ladder() {
    let mut bench = measure::Bench::new();
    for case in [Case::conv1(), Case::conv2()] {
        for pass in Pass::ALL {
            for method in Method::LADDER {
                let images = if method == Method::Naive { NAIVE_IMAGES } else { BATCH };
                bench.workload(&mut LayerPass::convolution(&case, method, pass, images));
            }
        }
    }
    bench.finish();
}
