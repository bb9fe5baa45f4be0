pub fn bytes(pictures: u64, kernel: u64, filters: u64, pool: u64) -> u64 {
    // Dropout is random, so the prefix ends with the pool; it drops the rows and columns that fill no window.
    let side = (32 - 2 * (kernel - 1)) / pool;
    pictures * side * side * filters * 4
}
