//! Reads pictures, selects those for training and validation, and encodes pictures as PNG.

pub mod classes;
pub mod open;
pub mod own;
pub mod png;
pub mod selection;
pub mod task;
