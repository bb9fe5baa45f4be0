//! Training one network, and building the second one from the first.

pub mod estimate;
pub mod explanation;
pub mod linear_head;
pub mod predictions;
pub mod progress;
pub mod regression;
pub mod train;
pub mod transfer;
