//! 2. The cache's size.

/// Bytes of the cached features of some pictures of 32 x 32. The frozen layers are two convolutions with this kernel
/// and number of filters (stride 1, no padding), each with a ReLU; a pool with windows of `pool` x `pool`; dropout;
/// flatten.
pub fn bytes(pictures: u64, kernel: u64, filters: u64, pool: u64) -> u64 {
    todo!()
}
