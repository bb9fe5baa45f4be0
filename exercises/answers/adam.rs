//! 9. Adam as Keras computes it (see the chapter): betas 0.9 and 0.999, epsilon 1e-7.

/// One parameter and its moments.
#[derive(Default)]
pub struct Adam {
    pub value: f64,
    pub mean: f64,
    pub square: f64,
    /// The number of steps done.
    pub steps: i32,
}

impl Adam {
    /// One step.
    pub fn step(&mut self, gradient: f64, rate: f64) {
        todo!()
    }
}
