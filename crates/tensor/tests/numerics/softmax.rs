//! Softmax and its loss: accuracy in units in the last place, and the limits of `f32`.

use thawline_tensor::kernels::reference;
use thawline_tensor::kernels::softmax::{argmax, softmax, softmax_cross_entropy};

use crate::data::{bits, wide};

/// Loss and gradient of one example.
fn loss(logits: &[f32], label: usize, scale: f32) -> (f64, Vec<f32>) {
    let mut gradient = vec![f32::NAN; logits.len()];
    (softmax_cross_entropy(logits, label, scale, &mut gradient), gradient)
}

#[test]
fn loss_gradient_and_probabilities_are_accurate_to_a_few_ulps() {
    let eps = f64::from(f32::EPSILON);
    let mut random = bits("logits");
    for case in 0..2000 {
        let classes = 1 + random.below(20) as usize;
        let label = random.below(classes as u64) as usize;
        let spread = [0.1, 1.0, 10.0, 80.0][case % 4];
        let logits: Vec<f32> = (0..classes).map(|_| spread * random.normal()).collect();
        let (expected, slope) = reference::softmax_cross_entropy(&wide(&logits), label);

        let (loss, gradient) = loss(&logits, label, 0.125);
        assert!((loss - expected).abs() <= 10.0 * eps * expected, "loss {loss}, not {expected}, of {logits:?}");
        let mut p = vec![f32::NAN; classes];
        softmax(&logits, &mut p);
        for class in 0..classes {
            let (g, e) = (f64::from(gradient[class]), 0.125 * slope[class]);
            // A tiny gradient has fewer digits in f32.
            assert!((g - e).abs() <= 40.0 * eps * e.abs() + 1e-44, "gradient {g}, not {e}, of {logits:?}");
            let e = slope[class] + if class == label { 1.0 } else { 0.0 };
            assert!((f64::from(p[class]) - e).abs() <= 10.0 * eps * e + eps, "p {}, not {e}, of {logits:?}", p[class]);
        }
    }
}

#[test]
fn huge_logits_give_the_exact_loss() {
    for huge in [1e8, 1e30, 3e38] {
        // The largest logit gets all the probability; a loss is the distance to it.
        let logits = [0.0, huge, -huge];
        assert_eq!(loss(&logits, 1, 1.0), (0.0, vec![0.0, 0.0, 0.0]));
        assert_eq!(loss(&logits, 0, 1.0), (f64::from(huge), vec![-1.0, 1.0, 0.0]));
        assert_eq!(loss(&logits, 2, 1.0), (2.0 * f64::from(huge), vec![0.0, 1.0, -1.0]));
        // Equal logits share it.
        let (equal, gradient) = loss(&[huge; 4], 3, 1.0);
        assert!((equal - 4f64.ln()).abs() < 1e-15);
        assert_eq!(gradient, [0.25, 0.25, 0.25, -0.75]);
        assert!((loss(&[-huge; 4], 3, 1.0).0 - 4f64.ln()).abs() < 1e-15);
    }
}

#[test]
fn nan_and_infinite_logits_are_not_hidden() {
    for position in 0..4 {
        for label in 0..4 {
            for broken in [f32::NAN, f32::INFINITY] {
                let mut logits = [1.0, 2.0, 3.0, 4.0];
                logits[position] = broken;
                let (loss, gradient) = loss(&logits, label, 1.0);
                assert!(loss.is_nan(), "{logits:?} with label {label} gave {loss}");
                assert!(gradient[position].is_nan(), "{logits:?} with label {label} gave {gradient:?}");
            }
        }
    }
    // An impossible class adds no loss, unless it is the label.
    let logits = [f32::NEG_INFINITY, 0.0];
    assert_eq!(loss(&logits, 1, 1.0).0, 0.0);
    assert_eq!(loss(&logits, 0, 1.0).0, f64::INFINITY);
}

#[test]
fn the_first_of_equal_logits_is_predicted() {
    assert_eq!(argmax(&[1.0, 3.0, 3.0, 2.0]), 1);
    assert_eq!(argmax(&[0.0; 5]), 0);
    assert_eq!(argmax(&[-2.0, -1.0]), 1);
}
