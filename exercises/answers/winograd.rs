//! 11. Winograd for a kernel of five: F(2, 5), two outputs by six products instead of ten.
//!
//! For six inputs d and a kernel g, y = A' ((G g) o (B' d)), where `y[i]` is the sum of `d[i + k] g[k]`, and o
//! multiplies element by element.

/// A'
pub fn a() -> [[f64; 6]; 2] {
    todo!()
}

/// G
pub fn g() -> [[f64; 5]; 6] {
    todo!()
}

/// B'
pub fn b() -> [[f64; 6]; 6] {
    todo!()
}
