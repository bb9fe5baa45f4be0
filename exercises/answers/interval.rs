//! 14. An interval.

/// Half the width of the 95 % interval of the mean of six differences. Student's t leaves 2.5 % above 2.570582.
pub fn half_width(differences: &[f64; 6]) -> f64 {
    todo!()
}

/// The share of the 64 choices of signs whose sum is at least as far from 0 as the sum of the differences.
pub fn sign_flip_p(differences: &[f64; 6]) -> f64 {
    todo!()
}
