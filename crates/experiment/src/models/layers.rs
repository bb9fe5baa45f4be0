//! Layers, described in Keras's words.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, SeqAccess, Visitor},
};
use thawline_tensor::{
    Shape,
    nn::{self, BatchNormalization, Conv2D, Dense, Dropout, Flatten, GlobalAveragePooling2D, MaxPooling2D, Method},
};

/// A layer's type and its arguments. A name that is empty is still to be given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum Layer {
    /// A convolution.
    Conv2D {
        /// Its name.
        #[serde(default)]
        name: String,
        /// Channels of the output.
        filters: usize,
        /// Rows and columns of the kernel.
        #[serde(deserialize_with = "one_or_two")]
        kernel_size: [usize; 2],
        /// Rows and columns from one place of the kernel to the next.
        #[serde(default = "ones", deserialize_with = "one_or_two")]
        strides: [usize; 2],
        /// What is at the border.
        #[serde(default)]
        padding: Padding,
        /// Short for a layer behind this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Activation>,
    },
    /// Each channel gets mean 0 and variance 1 over the batch, then a scale and a shift.
    BatchNormalization {
        /// Its name.
        #[serde(default)]
        name: String,
        /// How much of the moving averages stays in a step.
        #[serde(default = "keras_momentum")]
        momentum: f64,
        /// What is added to the variance.
        #[serde(default = "keras_epsilon")]
        epsilon: f64,
    },
    /// The mean of each channel.
    GlobalAveragePooling2D {
        /// Its name.
        #[serde(default)]
        name: String,
    },
    /// The largest element of each window.
    MaxPooling2D {
        /// Its name.
        #[serde(default)]
        name: String,
        /// Rows and columns of a window.
        #[serde(default = "twos", deserialize_with = "one_or_two")]
        pool_size: [usize; 2],
        /// Rows and columns from one window to the next, where they are not the window's own.
        #[serde(default, deserialize_with = "some_one_or_two", skip_serializing_if = "Option::is_none")]
        strides: Option<[usize; 2]>,
        /// What is at the border.
        #[serde(default)]
        padding: Padding,
    },
    /// An activation function.
    Activation {
        /// Its name.
        #[serde(default)]
        name: String,
        /// The function.
        activation: Activation,
    },
    /// While training, elements are dropped.
    Dropout {
        /// Its name.
        #[serde(default)]
        name: String,
        /// How often.
        rate: f64,
    },
    /// An image becomes a vector.
    Flatten {
        /// Its name.
        #[serde(default)]
        name: String,
    },
    /// Every output depends on every input.
    Dense {
        /// Its name.
        #[serde(default)]
        name: String,
        /// Outputs; where absent, as many as there are classes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        units: Option<usize>,
        /// Short for a layer behind this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activation: Option<Activation>,
    },
}

/// How far a window may reach over the border.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Not at all.
    #[default]
    Valid,
    /// So far that the output has ceil(input / stride) rows and columns.
    Same,
}

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// Probabilities; at the end alone, where it is part of the loss.
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

impl Layer {
    /// The layer's name.
    pub fn name(&self) -> &str {
        let (Layer::Conv2D { name, .. }
        | Layer::BatchNormalization { name, .. }
        | Layer::GlobalAveragePooling2D { name }
        | Layer::MaxPooling2D { name, .. }
        | Layer::Activation { name, .. }
        | Layer::Dropout { name, .. }
        | Layer::Flatten { name }
        | Layer::Dense { name, .. }) = self;
        name
    }

    /// The layer's name, to be given.
    pub fn name_mut(&mut self) -> &mut String {
        let (Layer::Conv2D { name, .. }
        | Layer::BatchNormalization { name, .. }
        | Layer::GlobalAveragePooling2D { name }
        | Layer::MaxPooling2D { name, .. }
        | Layer::Activation { name, .. }
        | Layer::Dropout { name, .. }
        | Layer::Flatten { name }
        | Layer::Dense { name, .. }) = self;
        name
    }

    /// What Keras calls layers of this type, before it counts them.
    pub fn stem(&self) -> &'static str {
        match self {
            Layer::Conv2D { .. } => "conv2d",
            Layer::BatchNormalization { .. } => "batch_normalization",
            Layer::GlobalAveragePooling2D { .. } => "global_average_pooling2d",
            Layer::MaxPooling2D { .. } => "max_pooling2d",
            Layer::Activation { .. } => "activation",
            Layer::Dropout { .. } => "dropout",
            Layer::Flatten { .. } => "flatten",
            Layer::Dense { .. } => "dense",
        }
    }

    /// The output's shape, or `None` if the layer does not fit.
    pub fn output(&self, input: &Shape, classes: usize) -> Option<Shape> {
        self.build(classes, Method::Auto).ok()?.build(input, 1).ok()
    }

    /// The layer, to be put into a network that tells so many classes apart.
    ///
    /// # Errors
    /// An activation that is not a layer of its own, or that no layer computes.
    pub fn build(&self, classes: usize, method: Method) -> Result<Box<dyn nn::Layer>, String> {
        Ok(match *self {
            Layer::Conv2D { activation: Some(_), .. } | Layer::Dense { activation: Some(_), .. } => {
                return Err("its activation must be a layer of its own, listed after it".to_owned());
            }
            Layer::Conv2D { filters, kernel_size, strides, padding, .. } => {
                Box::new(Conv2D::new(filters, kernel_size).stride(strides).padding(padding.into()).method(method))
            }
            Layer::MaxPooling2D { pool_size, strides, padding, .. } => {
                Box::new(MaxPooling2D::new(pool_size).stride(strides.unwrap_or(pool_size)).padding(padding.into()))
            }
            Layer::BatchNormalization { momentum, epsilon, .. } => {
                Box::new(BatchNormalization::new().momentum(momentum).epsilon(epsilon))
            }
            Layer::GlobalAveragePooling2D { .. } => Box::new(GlobalAveragePooling2D::new()),
            Layer::Activation { activation: Activation::Relu, .. } => Box::new(nn::Activation::Relu),
            Layer::Activation { activation: Activation::Softmax, .. } => {
                return Err("softmax is part of the loss, not a layer".to_owned());
            }
            Layer::Dropout { rate, .. } => Box::new(Dropout::new(rate as f32)),
            Layer::Flatten { .. } => Box::new(Flatten),
            Layer::Dense { units, .. } => Box::new(Dense::new(units.unwrap_or(classes))),
        })
    }
}

fn ones() -> [usize; 2] {
    [1; 2]
}

fn keras_momentum() -> f64 {
    0.99
}

fn keras_epsilon() -> f64 {
    0.001
}

fn twos() -> [usize; 2] {
    [2; 2]
}

fn some_one_or_two<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[usize; 2]>, D::Error> {
    one_or_two(deserializer).map(Some)
}

/// Rows and columns: two numbers, or one for both.
fn one_or_two<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[usize; 2], D::Error> {
    struct OneOrTwo;

    impl<'de> Visitor<'de> for OneOrTwo {
        type Value = [usize; 2];

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a whole number, or two as in [3, 3]")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            let number = number.try_into().map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))?;
            Ok([number; 2])
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            let number = number.try_into().map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))?;
            Ok([number; 2])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Self::Value, A::Error> {
            let mut next = |place| numbers.next_element()?.ok_or_else(|| de::Error::invalid_length(place, &self));
            let pair = [next(0)?, next(1)?];
            match numbers.next_element::<de::IgnoredAny>()? {
                None => Ok(pair),
                Some(_) => Err(de::Error::invalid_length(3, &self)),
            }
        }
    }

    deserializer.deserialize_any(OneOrTwo)
}
