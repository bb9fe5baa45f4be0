//! Comparisons: equal bits, or equal up to an error, which the message shows.

use std::fmt::Display;

/// Equal bits, except for the sign of zero.
#[track_caller]
pub fn exact(what: impl Display, actual: &[f32], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    for (i, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        assert!(f64::from(a) == e, "{what}: element {i} is {a}, not {e}");
    }
}

/// Equal bits, including NaN and the sign of zero.
#[track_caller]
pub fn same_bits(what: impl Display, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(a.to_bits() == e.to_bits(), "{what}: element {i} is {a:e}, not {e:e}");
    }
}

/// The largest error, in units of the largest expected element. Infinite if anything is NaN.
pub fn relative_error(actual: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len(), "lengths");
    let largest = expected.iter().fold(0.0f64, |largest, e| largest.max(e.abs()));
    let errors = actual.iter().zip(expected).map(|(&a, &e)| (f64::from(a) - e).abs());
    let worst = errors.fold(0.0f64, |worst, error| if error.is_nan() { f64::INFINITY } else { worst.max(error) });
    if worst == 0.0 { 0.0 } else { worst / largest }
}

/// Equal up to a share of the largest expected element.
#[track_caller]
pub fn close(what: impl Display, actual: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    let error = relative_error(actual, expected);
    assert!(error <= tolerance, "{what}: the relative error is {error:.1e}, above {tolerance:.1e}");
}

/// Within the bound of a sum of k = `terms` products, 2 k u sum |a b|, where u is half the distance from 1 to the next
/// float. `magnitudes` are the sums of |a b|.
#[track_caller]
pub fn within(what: impl Display, actual: &[f32], expected: &[f64], magnitudes: &[f64], terms: usize) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    let unit = f64::from(f32::EPSILON) / 2.0;
    for (i, ((&a, &e), &magnitude)) in actual.iter().zip(expected).zip(magnitudes).enumerate() {
        let (error, bound) = ((f64::from(a) - e).abs(), 2.0 * terms as f64 * unit * magnitude);
        assert!(error <= bound, "{what}: element {i} is {a}, not {e}: off by {error:.1e}, allowed {bound:.1e}");
    }
}
