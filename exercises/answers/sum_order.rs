//! 3. The order of a sum.

/// Four finite numbers whose sums from left to right and from right to left differ in their bits.
pub fn numbers() -> [f32; 4] {
    todo!()
}
