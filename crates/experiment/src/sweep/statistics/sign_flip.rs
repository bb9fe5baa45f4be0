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
    let flipped = |signs: u32| -> f64 {
        let signed = differences.iter().enumerate();
        signed.map(|(i, &difference)| if signs >> i & 1 == 1 { -difference } else { difference }).sum()
    };
    // A choice of signs and its opposite are equally far from zero, so half of them suffice.
    let half = 1_u32 << (n - 1);
    let extreme = (0..half).filter(|&signs| flipped(signs).abs() >= observed).count();
    Some(extreme as f64 / f64::from(half))
}
