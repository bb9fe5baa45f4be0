//! 12. The same bits: this sum depends on the number of threads. Find out where, and repair it; keep it parallel.

use thawline_tensor::threads;

pub fn sum(terms: &[f32]) -> f32 {
    let part = terms.len().div_ceil(threads::count()).max(1);
    let mut sums = vec![0.0; terms.len().div_ceil(part)];
    threads::for_each(&mut sums[..], |i, sum| {
        *sum = terms[i * part..].iter().take(part).sum();
    });
    sums.iter().sum()
}
