//! Training one network, and making the second one out of the first.

pub mod estimate;
pub mod predictions;
pub mod progress;
pub mod train;
pub mod transfer;
