//! Files of weights: the program's own, checkpoints, and those of other programs.

pub mod checkpoint;
pub mod exchange;
pub mod features;
pub mod metadata;
pub mod model;
pub mod tensor_file;
