//! Matrix products: a large square one, that of a convolution, the three of a dense layer. benches/rivals compares them
//! with other libraries.

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
