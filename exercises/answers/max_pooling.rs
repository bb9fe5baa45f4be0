//! 4. A pool by hand: windows of 2 x 2, stride 2, on an image of H x W x C with even H and W.

/// The largest element of each window: H/2 x W/2 x C.
pub fn forward(x: &[f32], [h, w, c]: [usize; 3]) -> Vec<f32> {
    todo!()
}

/// dx: each window's gradient at its largest element, 0 elsewhere. The first in row order wins a tie.
pub fn backward(x: &[f32], dy: &[f32], [h, w, c]: [usize; 3]) -> Vec<f32> {
    todo!()
}
