//! 3. The order of a sum.

/// Four finite numbers whose sum from left to right has other bits than their sum from right to left.
pub fn numbers() -> [f32; 4] {
    todo!()
}
