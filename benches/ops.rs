//! The memory-bound operations: ReLU, max pooling, depthwise convolution, dropout, softmax cross-entropy, Adam.

mod measure;

use thawline::commands::bench::light_operations;

fn main() {
    let mut bench = measure::Bench::new();
    for mut operation in light_operations() {
        bench.workload(&mut *operation);
    }
    bench.finish();
}
