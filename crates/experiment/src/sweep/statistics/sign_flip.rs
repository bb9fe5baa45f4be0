//! The exact sign-flip test (Fisher 1935) of paired differences.

/// With fewer pairs no outcome of the two-sided test reaches 5 %: 2 / 2^5 is 6.25 %.
pub const FEWEST_FOR_A_CLAIM: usize = 6;

/// With more pairs the enumeration would take too long.
const MAX: usize = 24;

/// The two-sided p-value of paired differences: if neither arm were better, each difference would be equally likely to
/// have the opposite sign. The p-value is the share of all 2^n choices of signs whose mean is at least as far from zero
/// as the observed one. `None` without pairs, or for more than 24.
pub fn sign_flip_p(differences: &[f64]) -> Option<f64> {
    let n = differences.len();
    if n == 0 || n > MAX {
        return None;
    }
    let magnitudes = differences.iter().map(|difference| difference.abs());
    // Sums that are equal on paper may differ in their last bits.
    let slack = 1e-12 * magnitudes.sum::<f64>();
    let observed = differences.iter().sum::<f64>().abs() - slack;
    if observed <= 0.0 {
        return Some(1.0);
    }
    // Each choice of signs is a sum of the first half plus one of the second: 2 x 4,096 sums instead of 2^24.
    let (first, second) = differences.split_at(n / 2);
    let (first, mut second) = (signed_sums(first), signed_sums(second));
    second.sort_by(f64::total_cmp);
    let extreme = |a: &f64| {
        let below = second.partition_point(|b| a + b <= -observed);
        let above = second.len() - second.partition_point(|b| a + b < observed);
        below + above
    };
    let extreme: usize = first.iter().map(extreme).sum();
    Some(extreme as f64 / (first.len() * second.len()) as f64)
}

/// The sums of some numbers with every choice of signs.
fn signed_sums(numbers: &[f64]) -> Vec<f64> {
    numbers.iter().fold(vec![0.0], |sums, x| sums.iter().flat_map(|sum| [sum + x, sum - x]).collect())
}
