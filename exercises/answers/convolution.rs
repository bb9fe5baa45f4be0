//! 1. What a convolution costs: h x w x c in, kernels of k x k, stride 1, no padding.

/// Floating-point operations of the direct method; a multiply-add counts as two.
pub fn flops([h, w, c]: [u64; 3], k: u64, filters: u64) -> u64 {
    todo!()
}

/// FLOPs per byte if input and kernel are read once and the output is written once, as `f32`. The bias does not count.
pub fn intensity([h, w, c]: [u64; 3], k: u64, filters: u64) -> f64 {
    todo!()
}
