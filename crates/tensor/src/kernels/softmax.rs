//! Softmax and the cross-entropy loss, fused and stable.
//!
//! With z the logits, p = softmax(z) and t the label, loss = -ln `p_t` = ln sum exp(z - max) - (`z_t` - max), which
//! does not overflow for any finite logits; its gradient is p - onehot(t). All in `f64`: a row has few classes, and the
//! loss is exact to the last bit of an `f32` even at logits of +-3e38.

/// Probabilities of one example from its logits.
pub fn softmax(logits: &[f32], probabilities: &mut [f32]) {
    let (largest, sum) = normalizer(logits);
    for (p, &z) in probabilities.iter_mut().zip(logits) {
        *p = (libm::exp(f64::from(z) - largest) / sum) as f32;
    }
}

/// The loss of one example. Writes its gradient with respect to the logits, times `scale` (1 / N for a mean), unless
/// `gradient` is empty.
///
/// A logit that is NaN or positive infinity gives NaN. A logit of negative infinity rules a class out: the loss is
/// infinite if it is the label, else as if the class did not exist.
///
/// # Panics
/// If the label is not a class.
pub fn softmax_cross_entropy(logits: &[f32], label: usize, scale: f32, gradient: &mut [f32]) -> f64 {
    let (largest, sum) = normalizer(logits);
    for (class, (g, &z)) in gradient.iter_mut().zip(logits).enumerate() {
        let p = libm::exp(f64::from(z) - largest) / sum;
        *g = ((p - f64::from(u8::from(class == label))) * f64::from(scale)) as f32;
    }
    libm::log(sum) - (f64::from(logits[label]) - largest)
}

/// The largest logit, and the sum of the exponentials relative to it. `max` ignores a NaN; the sum does not.
fn normalizer(logits: &[f32]) -> (f64, f64) {
    let largest = logits.iter().copied().map(f64::from).fold(f64::NEG_INFINITY, f64::max);
    (largest, logits.iter().map(|&z| libm::exp(f64::from(z) - largest)).sum())
}

/// The class with the largest logit; the first if several are equal. A NaN wins only if it is the first.
pub fn argmax(logits: &[f32]) -> usize {
    (1..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best })
}
