//! The network: layers with explicit backward passes, and training.
//!
//! There is no automatic differentiation. A network is a list; its backward pass is the list reversed; each layer's
//! file holds `y =` and `dx =` side by side. To follow one batch from images to updated weights, read
//! [`fit::train_step`], then [`trace::Trace`], then a layer such as [`Conv2D`]. To freeze layers, call
//! [`Network::freeze_through`].
//!
//! ```
//! use thawline_tensor::Tensor;
//! use thawline_tensor::nn::{Activation, Dense, Examples, Fit, Network};
//!
//! let mut network = Network::builder([2])
//!     .layer("hidden", Dense::new(16))
//!     .layer("relu", Activation::Relu)
//!     .layer("logits", Dense::new(2))
//!     .build(1)?;
//! let xor = Tensor::from_slice([4, 2], &[0., 0., 0., 1., 1., 0., 1., 1.]);
//! let xor = Examples::new(xor, vec![0, 1, 1, 0]);
//! network.fit(&xor, Fit { epochs: 300, rate: 0.02, ..Fit::default() })?;
//! assert_eq!(network.predict(&xor).classes(), xor.labels());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activation;
mod augment;
mod average_pooling2d;
mod batch_normalization;
mod conv2d;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod evaluate;
mod examples;
pub mod fit;
mod flatten;
mod freeze;
mod global_average_pooling2d;
mod gradients;
mod group;
mod init;
mod layer;
mod max_pooling2d;
mod memory;
mod network;
mod observer;
mod optimizer;
mod rescaling;
mod residual;
#[cfg(feature = "safetensors")]
mod save;
mod schedule;
mod score;
mod stage;
mod summary;
pub mod trace;
mod windowed;

pub use activation::Activation;
pub use augment::Augment;
pub use average_pooling2d::AveragePooling2D;
pub use batch_normalization::BatchNormalization;
pub use conv2d::Conv2D;
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2D;
pub use dropout::Dropout;
pub use evaluate::Predictions;
pub use examples::{Examples, Inputs, NoMemory, cache_bytes};
pub use fit::{Fit, FitError, Training};
pub use flatten::Flatten;
pub use freeze::{Fingerprint, Prefix};
pub use global_average_pooling2d::GlobalAveragePooling2D;
pub use gradients::{GradientError, check_gradients};
pub use group::group_size;
pub use init::Init;
pub use layer::{Backward, BuildError, CloneLayer, Layer, LayerSeed, Param, Role, Step};
pub use max_pooling2d::MaxPooling2D;
pub use memory::Scratch;
pub use network::{Builder, Copied, Network, NetworkError, Node};
pub use observer::{EpochReport, History, Observer, Snapshot, StepReport, StopEarly, StopReason, TrainingState};
pub use optimizer::{Optimizer, Rule};
pub use rescaling::Rescaling;
pub use residual::Residual;
#[cfg(feature = "safetensors")]
pub use save::WeightsError;
pub use schedule::Schedule;
pub use score::{Metrics, Score};
pub use summary::{Summary, SummaryRow};

pub use crate::kernels::{conv::Method, window::Padding};
