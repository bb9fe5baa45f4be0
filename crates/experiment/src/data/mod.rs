//! Where pictures come from, and which of them train and validate a model.

pub mod classes;
pub mod open;
pub mod own;
pub mod png;
pub mod selection;
pub mod task;
