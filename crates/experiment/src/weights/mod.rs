//! Weight files: models, checkpoints, and PyTorch's and Keras's weights.

pub mod checkpoint;
mod diagnosis;
pub mod exchange;
pub mod features;
pub mod metadata;
pub mod model;
pub mod tensor_file;
