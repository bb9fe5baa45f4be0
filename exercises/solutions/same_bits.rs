use thawline_tensor::threads;

/// Terms in a part: few enough for many threads, many enough to be worth a task.
const PART: usize = 1024;

pub fn sum(terms: &[f32]) -> f32 {
    let mut sums = vec![0.0; terms.len().div_ceil(PART)];
    threads::for_each(&mut sums[..], |i, sum| {
        *sum = terms[i * PART..].iter().take(PART).sum();
    });
    sums.iter().sum()
}
