//! Layers, described in Keras's terms.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use thawline_tensor::{
    Shape,
    nn::{
        self, AveragePooling2D, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Dropout, Flatten,
        GlobalAveragePooling2D, MaxPooling2D, Method, Rescaling, Residual,
    },
};

/// A layer's type and arguments. An empty name has not been assigned yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum Layer {
    Conv2D {
        #[serde(default)]
        name: String,
        filters: usize,
        #[serde(deserialize_with = "one_or_two")]
        kernel_size: [usize; 2],
        #[serde(default = "one_by_one", deserialize_with = "one_or_two")]
        strides: [usize; 2],
        #[serde(default)]
        padding: Padding,
        /// Short for an activation layer after this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Activation>,
    },
    DepthwiseConv2D {
        #[serde(default)]
        name: String,
        #[serde(deserialize_with = "one_or_two")]
        kernel_size: [usize; 2],
        #[serde(default = "one_by_one", deserialize_with = "one_or_two")]
        strides: [usize; 2],
        #[serde(default)]
        padding: Padding,
        /// Short for an activation layer after this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Activation>,
    },
    /// y = x + f(x), where f is these layers.
    Residual {
        #[serde(default)]
        name: String,
        layers: Vec<Layer>,
    },
    /// y = x scale + offset, each one number or one per channel.
    Rescaling {
        #[serde(default)]
        name: String,
        #[serde(deserialize_with = "one_or_more")]
        scale: Vec<f32>,
        #[serde(default = "zero", deserialize_with = "one_or_more")]
        offset: Vec<f32>,
    },
    BatchNormalization {
        #[serde(default)]
        name: String,
        #[serde(default = "keras_momentum")]
        momentum: f64,
        #[serde(default = "keras_epsilon")]
        epsilon: f64,
    },
    GlobalAveragePooling2D {
        #[serde(default)]
        name: String,
    },
    MaxPooling2D {
        #[serde(default)]
        name: String,
        #[serde(default = "two_by_two", deserialize_with = "one_or_two")]
        pool_size: [usize; 2],
        /// `None` for the pool size.
        #[serde(default, deserialize_with = "some_one_or_two", skip_serializing_if = "Option::is_none")]
        strides: Option<[usize; 2]>,
        #[serde(default)]
        padding: Padding,
    },
    AveragePooling2D {
        #[serde(default)]
        name: String,
        #[serde(default = "two_by_two", deserialize_with = "one_or_two")]
        pool_size: [usize; 2],
        /// `None` for the pool size.
        #[serde(default, deserialize_with = "some_one_or_two", skip_serializing_if = "Option::is_none")]
        strides: Option<[usize; 2]>,
        #[serde(default)]
        padding: Padding,
    },
    Activation {
        #[serde(default)]
        name: String,
        activation: Activation,
    },
    Dropout {
        #[serde(default)]
        name: String,
        rate: f64,
    },
    Flatten {
        #[serde(default)]
        name: String,
    },
    Dense {
        #[serde(default)]
        name: String,
        /// `None` for one per class.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        units: Option<usize>,
        /// Short for an activation layer after this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Activation>,
    },
}

/// How far a window may reach beyond the border.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    #[default]
    Valid,
    /// As far as needed for an output of ceil(input / stride) rows and columns.
    Same,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    Relu,
    Relu6,
    /// Allowed only at the end, where it is part of the loss.
    Softmax,
}

impl From<Padding> for nn::Padding {
    fn from(padding: Padding) -> Self {
        match padding {
            Padding::Valid => nn::Padding::Valid,
            Padding::Same => nn::Padding::Same,
        }
    }
}

/// The name in a layer of any type, borrowed like the layer.
macro_rules! name {
    ($layer:expr) => {{
        let (Layer::Conv2D { name, .. }
        | Layer::DepthwiseConv2D { name, .. }
        | Layer::Residual { name, .. }
        | Layer::Rescaling { name, .. }
        | Layer::BatchNormalization { name, .. }
        | Layer::GlobalAveragePooling2D { name }
        | Layer::MaxPooling2D { name, .. }
        | Layer::AveragePooling2D { name, .. }
        | Layer::Activation { name, .. }
        | Layer::Dropout { name, .. }
        | Layer::Flatten { name }
        | Layer::Dense { name, .. }) = $layer;
        name
    }};
}

impl Layer {
    pub fn name(&self) -> &str {
        name!(self)
    }

    pub fn name_mut(&mut self) -> &mut String {
        name!(self)
    }

    /// The layers inside it, if it is a `Residual`.
    pub fn inside(&self) -> &[Layer] {
        if let Layer::Residual { layers, .. } = self { layers } else { &[] }
    }

    /// The name that Keras gives a layer of this type, without the number.
    pub fn stem(&self) -> &'static str {
        match self {
            Layer::Conv2D { .. } => "conv2d",
            Layer::DepthwiseConv2D { .. } => "depthwise_conv2d",
            Layer::Residual { .. } => "residual",
            Layer::Rescaling { .. } => "rescaling",
            Layer::BatchNormalization { .. } => "batch_normalization",
            Layer::GlobalAveragePooling2D { .. } => "global_average_pooling2d",
            Layer::MaxPooling2D { .. } => "max_pooling2d",
            Layer::AveragePooling2D { .. } => "average_pooling2d",
            Layer::Activation { .. } => "activation",
            Layer::Dropout { .. } => "dropout",
            Layer::Flatten { .. } => "flatten",
            Layer::Dense { .. } => "dense",
        }
    }

    /// The output's shape, or `None` if the layer cannot take this input.
    pub fn output(&self, input: &Shape, classes: usize) -> Option<Shape> {
        self.build(classes, Method::Auto).ok()?.build(input, 1).ok()
    }

    /// The layer, for a network with this many classes.
    pub fn build(&self, classes: usize, method: Method) -> Result<Box<dyn nn::Layer>, String> {
        Ok(match *self {
            Layer::Conv2D { activation: Some(_), .. }
            | Layer::DepthwiseConv2D { activation: Some(_), .. }
            | Layer::Dense { activation: Some(_), .. } => {
                return Err("list its activation as a separate layer after it".to_owned());
            }
            Layer::Conv2D { filters, kernel_size, strides, padding, .. } => {
                Box::new(Conv2D::new(filters, kernel_size).stride(strides).padding(padding.into()).method(method))
            }
            Layer::DepthwiseConv2D { kernel_size, strides, padding, .. } => {
                Box::new(DepthwiseConv2D::new(kernel_size).stride(strides).padding(padding.into()))
            }
            Layer::Residual { ref layers, .. } => {
                let add = |inside: Residual, layer: &Layer| -> Result<Residual, String> {
                    Ok(inside.layer(layer.name(), layer.build(classes, method)?))
                };
                Box::new(layers.iter().try_fold(Residual::new(), add)?)
            }
            Layer::Rescaling { ref scale, ref offset, .. } => Box::new(Rescaling::new(&scale[..], &offset[..])),
            Layer::MaxPooling2D { pool_size, strides, padding, .. } => {
                Box::new(MaxPooling2D::new(pool_size).stride(strides.unwrap_or(pool_size)).padding(padding.into()))
            }
            Layer::AveragePooling2D { pool_size, strides, padding, .. } => {
                Box::new(AveragePooling2D::new(pool_size).stride(strides.unwrap_or(pool_size)).padding(padding.into()))
            }
            Layer::BatchNormalization { momentum, epsilon, .. } => {
                Box::new(BatchNormalization::new().momentum(momentum).epsilon(epsilon))
            }
            Layer::GlobalAveragePooling2D { .. } => Box::new(GlobalAveragePooling2D::new()),
            Layer::Activation { activation: Activation::Relu, .. } => Box::new(nn::Activation::Relu),
            Layer::Activation { activation: Activation::Relu6, .. } => Box::new(nn::Activation::Relu6),
            Layer::Activation { activation: Activation::Softmax, .. } => {
                return Err("softmax is part of the loss, not a layer".to_owned());
            }
            Layer::Dropout { rate, .. } => Box::new(Dropout::new(rate as f32)),
            Layer::Flatten { .. } => Box::new(Flatten),
            Layer::Dense { units, .. } => Box::new(Dense::new(units.unwrap_or(classes))),
        })
    }
}

fn one_by_one() -> [usize; 2] {
    [1; 2]
}

fn keras_momentum() -> f64 {
    0.99
}

fn keras_epsilon() -> f64 {
    0.001
}

fn two_by_two() -> [usize; 2] {
    [2; 2]
}

fn zero() -> Vec<f32> {
    vec![0.0]
}

/// One number, or a list of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a number, or a list of them as in [3, 3]")]
enum Numbers<T> {
    One(T),
    List(Vec<T>),
}

/// A number for all channels, or one for each.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    Ok(match Numbers::deserialize(deserializer)? {
        Numbers::One(number) => vec![number],
        Numbers::List(numbers) => numbers,
    })
}

/// Rows and columns: two numbers, or one for both.
fn one_or_two<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[usize; 2], D::Error> {
    match Numbers::deserialize(deserializer)? {
        Numbers::One(number) => Ok([number; 2]),
        Numbers::List(numbers) => <[usize; 2]>::try_from(numbers)
            .map_err(|numbers| D::Error::invalid_length(numbers.len(), &"a whole number, or two as in [3, 3]")),
    }
}

fn some_one_or_two<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[usize; 2]>, D::Error> {
    one_or_two(deserializer).map(Some)
}
