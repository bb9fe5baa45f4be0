pub fn rate(top: f64, step: u64, steps: u64) -> f64 {
    let warm = steps / 10;
    match step < warm {
        true => top * (step + 1) as f64 / warm as f64,
        false => top * (steps - step) as f64 / (steps - warm + 1) as f64,
    }
}
