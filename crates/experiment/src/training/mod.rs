//! Training one network, and making the second from the first.

pub mod estimate;
pub mod predictions;
pub mod progress;
pub mod train;
pub mod transfer;
