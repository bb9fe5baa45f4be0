//! The tutorial's network, with all its numbers adjustable.

use serde::{Deserialize, Serialize};
use thawline_tensor::nn::Network;

use super::{
    Architecture, ConvMethod, FEATURES_END,
    layers::{Activation, Layer, Padding},
};
use crate::system::failure::Result;

/// The numbers of the tutorial's network. The default values are the tutorial's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TutorialNetwork {
    /// Filters of the two convolutions.
    pub filters: [usize; 2],
    /// Height and width of the kernels.
    pub kernel: usize,
    /// Height and width of the pooling windows.
    pub pool: usize,
    /// Dropout rates: after the features and after the hidden dense layer.
    pub dropout: [f64; 2],
    /// Units of the hidden dense layer.
    pub dense: usize,
    pub conv_method: ConvMethod,
}

impl Default for TutorialNetwork {
    fn default() -> Self {
        TutorialNetwork {
            filters: [64, 64],
            kernel: 3,
            pool: 2,
            dropout: [0.25, 0.25],
            dense: 128,
            conv_method: ConvMethod::Auto,
        }
    }
}

impl TutorialNetwork {
    /// The layers, named as in the tutorial. Its last layer, softmax, is part of the loss here.
    pub fn layers(&self) -> Vec<Layer> {
        let conv = |name: &str, filters| Layer::Conv2D {
            name: name.into(),
            filters,
            kernel_size: [self.kernel; 2],
            strides: [1; 2],
            padding: Padding::Valid,
            activation: None,
        };
        let relu = |name: &str| Layer::Activation { name: name.into(), activation: Activation::Relu };
        let dropout = |name: &str, rate| Layer::Dropout { name: name.into(), rate };
        let dense = |name: &str, units| Layer::Dense { name: name.into(), units, activation: None };
        vec![
            conv("conv2d_1", self.filters[0]),
            relu("activation_1"),
            conv("conv2d_2", self.filters[1]),
            relu("activation_2"),
            Layer::MaxPooling2D {
                name: "max_pooling2d_1".into(),
                pool_size: [self.pool; 2],
                strides: None,
                padding: Padding::Valid,
            },
            dropout("dropout_1", self.dropout[0]),
            Layer::Flatten { name: FEATURES_END.into() },
            dense("dense_1", Some(self.dense)),
            relu("activation_3"),
            dropout("dropout_2", self.dropout[1]),
            dense("dense_2", None),
        ]
    }

    /// Builds the network for a number of classes.
    pub fn build(&self, classes: usize, seed: u64) -> Result<Network> {
        Architecture::from(self.clone()).build(classes, seed)
    }
}
