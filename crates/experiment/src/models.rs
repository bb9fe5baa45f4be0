//! The tutorial's network, with every number of it open to change.

use serde::{Deserialize, Serialize};
use thawline_tensor::nn::{Conv2D, Dense, Dropout, Flatten, MaxPool2D, Method, Network, NetworkError, Relu};

/// The shape of a CIFAR picture: height, width, channels.
pub const INPUT: [usize; 3] = [32, 32, 3];

/// The last layer of the tutorial's features: what follows is the head.
pub const FEATURES_END: &str = "flatten_1";

/// The numbers of the tutorial's network; the defaults are the tutorial's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Architecture {
    /// Filters of the two convolutions.
    pub filters: [usize; 2],
    /// Height and width of their kernels.
    pub kernel: usize,
    /// Height and width of the pooling windows.
    pub pool: usize,
    /// Dropout rates: behind the features, behind the hidden dense layer.
    pub dropout: [f64; 2],
    /// Units of the hidden dense layer.
    pub dense: usize,
    /// How the convolutions are computed.
    pub conv_method: ConvMethod,
}

impl Default for Architecture {
    fn default() -> Self {
        Architecture {
            filters: [64, 64],
            kernel: 3,
            pool: 2,
            dropout: [0.25, 0.25],
            dense: 128,
            conv_method: ConvMethod::Auto,
        }
    }
}

/// How convolutions are computed; see [`Method`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ConvMethod {
    /// The fastest that is legal, for each layer
    Auto,
    /// Seven loops: slow, to compare with
    Naive,
    /// Patches in a matrix, then one matrix product
    Im2col,
    /// A matrix product on the pixels where they lie
    Implicit,
    /// F(4x4, 3x3): 3 x 3 kernels only
    Winograd,
}

impl From<ConvMethod> for Method {
    fn from(method: ConvMethod) -> Self {
        match method {
            ConvMethod::Auto => Method::Auto,
            ConvMethod::Naive => Method::Naive,
            ConvMethod::Im2col => Method::Im2col,
            ConvMethod::Implicit => Method::Implicit,
            ConvMethod::Winograd => Method::Winograd,
        }
    }
}

impl Architecture {
    /// Builds the network for a number of classes. The layers' names are those that Keras gave them in the tutorial; its
    /// last one, softmax, is part of the loss here, so the network gives logits.
    ///
    /// # Errors
    /// Names the layer whose shape does not fit.
    pub fn build(&self, classes: usize, seed: u64) -> Result<Network, NetworkError> {
        let conv = |filters| Conv2D::new(filters, [self.kernel; 2]).method(self.conv_method.into());
        let dropout = |rate: f64| Dropout::new(rate as f32);
        Network::builder(INPUT)
            .layer("conv2d_1", conv(self.filters[0]))
            .layer("activation_1", Relu)
            .layer("conv2d_2", conv(self.filters[1]))
            .layer("activation_2", Relu)
            .layer("max_pooling2d_1", MaxPool2D::new([self.pool; 2]))
            .layer("dropout_1", dropout(self.dropout[0]))
            .layer(FEATURES_END, Flatten)
            .layer("dense_1", Dense::new(self.dense))
            .layer("activation_3", Relu)
            .layer("dropout_2", dropout(self.dropout[1]))
            .layer("dense_2", Dense::new(classes))
            .build(seed)
    }

    /// The number of parameters that the network would have, without building it; `None` where it overflows or a layer
    /// does not fit, which building it explains.
    pub fn parameters(&self, classes: usize) -> Option<u64> {
        let [first, second] = self.filters;
        let taps = self.kernel.checked_mul(self.kernel)?;
        let side = INPUT[0].checked_sub(self.kernel.checked_sub(1)?.checked_mul(2)?)?.checked_div(self.pool)?;
        let with_bias = |inputs: usize, outputs: usize| inputs.checked_add(1)?.checked_mul(outputs);
        let layers = [
            with_bias(taps.checked_mul(INPUT[2])?, first)?,
            with_bias(taps.checked_mul(first)?, second)?,
            with_bias(side.checked_mul(side)?.checked_mul(second)?, self.dense)?,
            with_bias(self.dense, classes)?,
        ];
        layers.into_iter().try_fold(0, |sum: u64, layer| sum.checked_add(layer as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_tutorials_network() {
        let mut network = Architecture::default().build(5, 1).unwrap();
        assert_eq!(network.summary().parameters(), 1_645_125);
        network.freeze_through(FEATURES_END).unwrap();
        assert_eq!(network.summary().trainable(), 1_606_405);
        assert_eq!(network.summary().frozen(), 38_720);
    }

    #[test]
    fn parameters_are_foretold() {
        for architecture in [
            Architecture::default(),
            Architecture { filters: [8, 12], kernel: 5, pool: 3, dense: 7, ..Architecture::default() },
            Architecture { filters: [1, 1], kernel: 1, pool: 32, dense: 1, ..Architecture::default() },
        ] {
            for classes in [2, 5] {
                let built = architecture.build(classes, 1).unwrap().summary().parameters();
                assert_eq!(architecture.parameters(classes), Some(built as u64), "{architecture:?}");
            }
        }
        let absurd = Architecture { filters: [usize::MAX; 2], ..Architecture::default() };
        assert_eq!(absurd.parameters(5), None);
    }
}
