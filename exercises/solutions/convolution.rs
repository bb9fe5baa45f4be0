pub fn flops([h, w, c]: [u64; 3], k: u64, filters: u64) -> u64 {
    2 * (h - k + 1) * (w - k + 1) * filters * (k * k * c)
}

pub fn intensity([h, w, c]: [u64; 3], k: u64, filters: u64) -> f64 {
    let floats = h * w * c + k * k * c * filters + (h - k + 1) * (w - k + 1) * filters;
    flops([h, w, c], k, filters) as f64 / (4 * floats) as f64
}
