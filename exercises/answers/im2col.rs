//! 10. A convolution as a matrix product.

/// The patch matrix of an image (H x W x C): a row for each window of k x k, in row order; in it the window's pixels in
/// row order, channels together. Stride 1, no padding. Times the kernel (k k C x filters) it is the convolution.
pub fn patches(x: &[f32], [h, w, c]: [usize; 3], k: usize) -> Vec<f32> {
    todo!()
}
