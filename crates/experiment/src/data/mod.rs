//! Reads pictures and selects those that train and validate a model.

pub mod classes;
pub mod open;
pub mod own;
pub mod png;
pub mod selection;
pub mod task;
