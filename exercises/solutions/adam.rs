#[derive(Default)]
pub struct Adam {
    pub value: f64,
    pub mean: f64,
    pub square: f64,
    pub steps: i32,
}

impl Adam {
    pub fn step(&mut self, gradient: f64, rate: f64) {
        self.steps += 1;
        self.mean += 0.1 * (gradient - self.mean);
        self.square += 0.001 * (gradient * gradient - self.square);
        let correction = (1.0 - 0.999f64.powi(self.steps)).sqrt() / (1.0 - 0.9f64.powi(self.steps));
        self.value -= rate * correction * self.mean / (self.square.sqrt() + 1e-7);
    }
}
