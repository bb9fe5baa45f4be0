//! Matrix products: a large square one, a convolution written as one, the three of a dense layer. Beside other libraries:
//! benches/rivals.

mod measure;

use thawline::commands::bench::product::{CASES, Product};
use thawline_tensor::simd::Level;

fn main() {
    let mut bench = measure::Bench::new();
    for case in CASES {
        bench.workload(&mut Product::new(case, Level::current()));
    }
    bench.finish();
}
