//! Whole steps: a training step of model_1, of model_2 with its features computed in every step and before, and the
//! features alone.

mod measure;

use thawline::commands::bench::steps::{Task, with_task};

fn main() {
    let mut bench = measure::Bench::new();
    for task in Task::ALL {
        with_task(task, |prepared| bench.workload(prepared));
    }
    bench.finish();
}
