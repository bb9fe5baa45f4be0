//! Training steps of model_1 and of model_2, the latter with and without cached features, and the computation of the
//! features.

mod measure;

use thawline::commands::bench::steps::{Task, with_task};

fn main() {
    let mut bench = measure::Bench::new();
    for task in Task::ALL {
        with_task(task, |prepared| bench.workload(prepared));
    }
    bench.finish();
}
