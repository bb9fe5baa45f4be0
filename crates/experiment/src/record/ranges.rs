//! The ranges of a record's numbers.

/// The largest loss or time. A finite loss of `f32` logits is smaller, and a plot can add up and scale such numbers.
const LARGEST: f64 = 1e100;

/// Refuses a share outside 0 to 1, and a loss or time that is negative or does not fit into a plot.
pub fn check_ranges(
    shares: impl IntoIterator<Item = f64>,
    losses_and_times: impl IntoIterator<Item = f64>,
) -> Result<(), String> {
    if let Some(share) = shares.into_iter().find(|share| !(0.0..=1.0).contains(share)) {
        return Err(format!("{share} is not a fraction from 0 to 1"));
    }
    match losses_and_times.into_iter().find(|number| !(0.0..=LARGEST).contains(number)) {
        Some(number) => Err(format!("{number:?} is not a loss or a time; expected a number from 0 to {LARGEST:e}")),
        None => Ok(()),
    }
}
