pub fn patches(x: &[f32], [h, w, c]: [usize; 3], k: usize) -> Vec<f32> {
    let mut patches = Vec::new();
    for row in 0..=h - k {
        for column in 0..=w - k {
            for kernel_row in 0..k {
                // With channels last, k pixels of a row are k c consecutive floats.
                let start = ((row + kernel_row) * w + column) * c;
                patches.extend_from_slice(&x[start..start + k * c]);
            }
        }
    }
    patches
}
