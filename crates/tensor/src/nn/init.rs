//! Initial values of parameters.

use crate::buffer::Buffer;
use crate::random::{Address, Purpose};

use super::layer::{BuildError, LayerSeed};

/// `len` zeros.
///
/// # Errors
/// If there is no memory for them.
pub(super) fn zeros(len: usize) -> Result<Buffer, BuildError> {
    Buffer::try_zeros(len).map_err(|_| BuildError::NoMemory { weights: len })
}

/// How the initial weights of a layer are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Init {
    /// Uniform in +-sqrt(6 / (`fan_in` + `fan_out`)): Glorot and Bengio (2010), Keras's default.
    #[default]
    GlorotUniform,
    /// Normal with variance 2 / `fan_in`: He et al. (2015), made for ReLU.
    HeNormal,
    /// All zero.
    Zeros,
}

impl Init {
    /// `len` initial values for a layer whose outputs each depend on `fan_in` inputs and whose inputs each reach
    /// `fan_out` outputs.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn values(
        self,
        len: usize,
        [fan_in, fan_out]: [usize; 2],
        LayerSeed { seed, position }: LayerSeed,
    ) -> Result<Buffer, BuildError> {
        let mut values = zeros(len)?;
        let mut bits = Address { seed, purpose: Purpose::Weights(position), step: 0, index: 0 }.bits();
        match self {
            Init::Zeros => {}
            Init::GlorotUniform => {
                let limit = (6.0 / (fan_in + fan_out) as f64).sqrt() as f32;
                values.iter_mut().for_each(|value| *value = (2.0 * bits.uniform() - 1.0) * limit);
            }
            Init::HeNormal => {
                let deviation = (2.0 / fan_in as f64).sqrt() as f32;
                values.iter_mut().for_each(|value| *value = bits.normal() * deviation);
            }
        }
        Ok(values)
    }
}
