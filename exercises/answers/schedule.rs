//! 8. A schedule of your own.

/// The learning rate of a step, counted from 0. In the first tenth of the steps it rises in equal steps to `top`; after
/// that it falls in equal steps and would reach 0 one step after the last. `steps` is a multiple of 10.
pub fn rate(top: f64, step: u64, steps: u64) -> f64 {
    todo!()
}
