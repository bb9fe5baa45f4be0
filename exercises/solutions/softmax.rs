pub fn softmax_cross_entropy(logits: &[f64], label: usize) -> (f64, Vec<f64>) {
    // exp(1000) overflows. Subtracting the largest logit divides numerator and denominator by the same number.
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let sum: f64 = exps.iter().sum();
    // The logarithm of a probability that is rounded to 0 would be infinite; the difference of logarithms is not.
    let loss = sum.ln() - (logits[label] - largest);
    let mut gradient: Vec<f64> = exps.iter().map(|exp| exp / sum).collect();
    gradient[label] -= 1.0;
    (loss, gradient)
}
