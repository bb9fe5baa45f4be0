//! Floor 2, the network: layers with explicit backward passes, and training.
//!
//! There is no automatic differentiation. A network is a list; its backward pass is the list reversed; each layer's file
//! holds `y =` and `dx =` side by side. To follow one batch from images to updated weights, read [`fit::train_step`],
//! then [`trace::Trace`], then a layer such as [`Conv2D`].
//!
//! ```
//! use thawline_tensor::Tensor;
//! use thawline_tensor::nn::{Dense, Examples, Fit, Network, Activation, evaluate, fit};
//!
//! let mut network = Network::builder([2])
//!     .layer("hidden", Dense::new(16))
//!     .layer("relu", Activation::Relu)
//!     .layer("logits", Dense::new(2))
//!     .build(1)?;
//! let xor = Tensor::from_slice([4, 2], &[0., 0., 0., 1., 1., 0., 1., 1.]);
//! let xor = Examples::new(xor, vec![0, 1, 1, 0]);
//! fit(&mut network, &xor, None, &Fit { epochs: 300, rate: 0.02, ..Fit::default() }, &mut ())?;
//! assert_eq!(evaluate(&network, &xor).accuracy, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activation;
mod augment;
mod batch_normalization;
mod conv2d;
mod dense;
mod dropout;
mod examples;
pub mod fit;
mod flatten;
mod global_average_pooling2d;
mod group;
mod init;
mod layer;
mod max_pooling2d;
mod memory;
mod network;
mod optimizer;

mod schedule;
mod score;
mod summary;
pub mod trace;

pub use activation::Activation;
pub use augment::Augment;
pub use batch_normalization::BatchNormalization;
pub use conv2d::{Conv2D, Method};
pub use dense::Dense;
pub use dropout::Dropout;
pub use examples::{Examples, Inputs, NoMemory, cache_bytes};
pub use fit::{
    EpochReport, Fit, FitError, Observer, Rest, State, StepReport, evaluate, fit, fit_from, fit_head, predict,
    predict_head,
};
pub use flatten::Flatten;
pub use global_average_pooling2d::GlobalAveragePooling2D;
pub use init::Init;
pub use layer::{Backward, Layer, Param, Role, Step};
pub use max_pooling2d::MaxPooling2D;
pub use memory::Scratch;
pub use network::{Builder, Head, Network, NetworkError, Node, Prefix};
pub use optimizer::{Optimizer, Rule};

pub use schedule::Schedule;
pub use score::{Metrics, Score};
pub use summary::{Summary, SummaryRow};

pub use crate::kernels::conv::Padding;
