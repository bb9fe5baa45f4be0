pub fn half_width(differences: &[f64; 6]) -> f64 {
    let mean = differences.iter().sum::<f64>() / 6.0;
    let variance = differences.iter().map(|d| (d - mean) * (d - mean)).sum::<f64>() / 5.0;
    2.570582 * (variance / 6.0).sqrt()
}

pub fn sign_flip_p(differences: &[f64; 6]) -> f64 {
    let sum = |signs: u32| -> f64 {
        differences.iter().enumerate().map(|(i, d)| if signs >> i & 1 == 1 { -d } else { *d }).sum()
    };
    // Sums that are equal on paper may differ in their last bits.
    let observed = sum(0).abs() - 1e-9;
    (0..64).filter(|&signs| sum(signs).abs() >= observed).count() as f64 / 64.0
}
