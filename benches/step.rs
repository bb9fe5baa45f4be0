//! Training steps of model_1 and of model_2, the latter with and without cached features, and the computation of the
//! features.

mod measure;

use thawline::commands::bench::steps::{StepCase, with_step};

fn main() {
    let mut bench = measure::Bench::new();
    for case in StepCase::ALL {
        with_step(case, |workload| bench.workload(workload));
    }
    bench.finish();
}
