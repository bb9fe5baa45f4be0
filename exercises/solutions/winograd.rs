/// A point to a power. Of the sixth point, infinity, only the highest power counts.
fn power(point: usize, exponent: usize, highest: usize) -> f64 {
    match [0.0f64, 1.0, -1.0, 2.0, -2.0].get(point) {
        Some(point) => point.powi(exponent as i32),
        None => f64::from(u8::from(exponent == highest)),
    }
}

/// A row for each output: its power of the points.
pub fn a() -> [[f64; 6]; 2] {
    std::array::from_fn(|i| std::array::from_fn(|point| power(point, i, 1)))
}

/// A row for each point: its powers, as many as the kernel has elements, divided as in F(4, 3).
pub fn g() -> [[f64; 5]; 6] {
    let divisors = [4.0, -6.0, -6.0, 24.0, 24.0, 1.0];
    std::array::from_fn(|point| std::array::from_fn(|k| power(point, k, 4) / divisors[point]))
}

/// F(2, 5) has 2 + 5 - 1 = 6 points like F(4, 3), so this matrix stays the same.
pub fn b() -> [[f64; 6]; 6] {
    [
        [4.0, 0.0, -5.0, 0.0, 1.0, 0.0],
        [0.0, -4.0, -4.0, 1.0, 1.0, 0.0],
        [0.0, 4.0, -4.0, -1.0, 1.0, 0.0],
        [0.0, -2.0, -1.0, 2.0, 1.0, 0.0],
        [0.0, 2.0, -1.0, -2.0, 1.0, 0.0],
        [0.0, 4.0, 0.0, -5.0, 0.0, 1.0],
    ]
}
