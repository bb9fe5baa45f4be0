//! `BatchNormalization`: each channel gets mean 0 and variance 1 over the batch, then a learned scale and shift
//! (Ioffe and Szegedy 2015).
//!
//! In training, mean and variance are those of the batch, over examples, rows and columns; their moving averages are
//! used in inference. A frozen layer uses the moving averages in training, too, and does not change them.

use crate::buffer::Buffer;
use crate::dispatch;
use crate::kernels::activation::{Fused, activation_gradient};
use crate::kernels::batch_norm::{add_gradients, add_squared_distances, input_gradient, normalize};
use crate::kernels::sums::add_rows;
use crate::shape::Shape;
use crate::simd::{LANES, Lanes, vectors, vectors_mut};
use crate::threads::{for_chunks, with_scratch};

use super::init::zeros;
use super::layer::{Backward, BuildError, Layer, LayerSeed, Param, Role, Step};

/// Rows that one task works on; the sums of several tasks are added in order.
const ROWS: usize = 256;

/// Normalizes the last dimension, C, of images or vectors: y = gamma (x - mean) / sqrt(variance + epsilon) + beta,
/// channel by channel. The parameters are `gamma`, `beta`, `moving_mean` and `moving_variance`, C floats each.
///
/// ```
/// use thawline_tensor::nn::{BatchNormalization, Network};
///
/// let network = Network::builder([30, 30, 64]).layer("normalize", BatchNormalization::new().momentum(0.9)).build(1)?;
/// assert_eq!(network.output().dims(), [30, 30, 64]);
/// assert_eq!(network.summary().parameters(), 4 * 64);
/// # Ok::<(), thawline_tensor::nn::NetworkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BatchNormalization {
    momentum: f64,
    epsilon: f64,
    fused: Fused,
    channels: usize,
    size: usize,
    params: Vec<Param>,
    /// For inference: moving mean, scale and shift, in rows of whole vectors.
    prepared: [Buffer; 3],
}

impl Default for BatchNormalization {
    /// Momentum 0.99, epsilon 0.001.
    fn default() -> Self {
        Self::new()
    }
}

impl BatchNormalization {
    /// Keras's defaults: momentum 0.99, epsilon 0.001.
    pub fn new() -> Self {
        Self {
            momentum: 0.99,
            epsilon: 1e-3,
            fused: Fused::None,
            channels: 0,
            size: 0,
            params: Vec::new(),
            prepared: Default::default(),
        }
    }

    /// Sets the share of the moving averages that each step keeps.
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// Sets the number that is added to the variance, so that the quotient stays finite.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    fn is_frozen(&self) -> bool {
        self.params[..2].iter().all(|param| !param.trainable)
    }

    /// C, padded to whole vectors.
    fn width(&self) -> usize {
        self.channels.next_multiple_of(LANES)
    }

    /// gamma / sqrt(variance + epsilon) of a channel.
    fn scale(&self, channel: usize, variance: f32) -> f32 {
        (f64::from(self.params[0].value[channel]) * self.inverse_deviation(variance)) as f32
    }

    fn inverse_deviation(&self, variance: f32) -> f64 {
        1.0 / libm::sqrt(f64::from(variance) + self.epsilon)
    }

    /// y from x, in parallel.
    fn apply(&self, x: &[f32], [mean, scale, shift]: [&[f32]; 3], y: &mut [f32]) {
        let (columns, chunk) = (self.channels, ROWS * self.channels);
        let of_columns = [mean, scale, shift].map(vectors);
        for_chunks(y, chunk, |i, y| {
            let x = &x[i * chunk..][..y.len()];
            dispatch!(simd => normalize(simd, x, columns, of_columns, self.fused, y));
        });
    }

    /// The means over all rows of what `add` sums up: `N` numbers per column.
    fn means<const N: usize>(
        &self,
        rows: usize,
        means: &mut [f32],
        add: impl Fn(std::ops::Range<usize>, &mut [Lanes]) + Send + Sync,
    ) {
        let width = N * self.width();
        with_scratch(rows.div_ceil(ROWS) * width, |partials| {
            for_chunks(partials, width, |i, partial| {
                partial.fill(0.0);
                add(i * ROWS * self.channels..rows.min((i + 1) * ROWS) * self.channels, vectors_mut(partial));
            });
            for (column, mean) in means.iter_mut().enumerate() {
                let sum: f64 = partials.iter().skip(column).step_by(width).fold(0.0, |sum, &x| sum + f64::from(x));
                *mean = (sum / rows as f64) as f32;
            }
        });
    }
}

impl Layer for BatchNormalization {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(format!("its momentum is {}; it must be between 0 and 1", self.momentum).into());
        }
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            return Err(format!("its epsilon is {}; it must be a positive number", self.epsilon).into());
        }
        let channels = *input.dims().last().ok_or("it takes images or vectors, and was given a number")?;
        (self.channels, self.size) = (channels, input.size());
        self.params = vec![
            Param::new("gamma", [channels]),
            Param::new("beta", [channels]),
            Param::statistic("moving_mean", [channels]),
            Param::statistic("moving_variance", [channels]),
        ];
        Ok(input.clone())
    }

    fn initialize(&mut self, _: LayerSeed) -> Result<(), BuildError> {
        for (param, initial) in self.params.iter_mut().zip([1.0, 0.0, 0.0, 1.0]) {
            param.value = zeros(self.channels)?;
            param.value.fill(initial);
        }
        let width = self.width();
        self.prepared = [zeros(width)?, zeros(width)?, zeros(width)?];
        self.refresh();
        Ok(())
    }

    /// y = gamma (x - `moving_mean`) / sqrt(`moving_variance` + epsilon) + beta
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        let [mean, scale, shift] = &self.prepared;
        self.apply(x, [mean, scale, shift], y);
    }

    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of the batch
    fn forward_training(&self, x: &[f32], y: &mut [f32], saved: &mut [f32], _step: Step) {
        if self.is_frozen() {
            return self.forward(x, y);
        }
        let (columns, width, rows) = (self.channels, self.width(), x.len() / self.channels);
        with_scratch(4 * width, |scratch| {
            scratch.fill(0.0);
            let (mean, rest) = scratch.split_at_mut(width);
            let (variance, rest) = rest.split_at_mut(width);
            let (scale, shift) = rest.split_at_mut(width);
            self.means::<1>(rows, &mut mean[..columns], |range, sums| {
                dispatch!(simd => add_rows(simd, &x[range], columns, sums));
            });
            let of_columns = vectors(mean);
            self.means::<1>(rows, &mut variance[..columns], |range, sums| {
                dispatch!(simd => add_squared_distances(simd, &x[range], columns, of_columns, sums));
            });
            for channel in 0..columns {
                scale[channel] = self.scale(channel, variance[channel]);
                shift[channel] = self.params[1].value[channel];
            }
            saved[..columns].copy_from_slice(&mean[..columns]);
            saved[columns..].copy_from_slice(&variance[..columns]);
            self.apply(x, [mean, scale, shift], y);
        });
    }

    /// With u = (x - mean) / sqrt(variance + epsilon), and means over the batch:
    /// dbeta = sum dy, dgamma = sum dy u, dx = gamma / sqrt(variance + epsilon) (dy - mean(dy) - u mean(dy u));
    /// if the layer is frozen, dx = gamma / sqrt(`moving_variance` + epsilon) dy
    fn backward(&self, pass: Backward<'_>) {
        let Backward { x, y, saved, dy, dx, gradient, .. } = pass;
        let (columns, width, rows) = (self.channels, self.width(), x.len() / self.channels);
        let chunk = ROWS * columns;
        if self.fused != Fused::None {
            for_chunks(dy, chunk, |i, dy| {
                let y = &y[i * chunk..][..dy.len()];
                dispatch!(simd => activation_gradient(simd, self.fused, y, dy));
            });
        }
        let dy = &*dy;
        with_scratch(5 * width, |scratch| {
            scratch.fill(0.0);
            let (mean, rest) = scratch.split_at_mut(width);
            let (scale, rest) = rest.split_at_mut(width);
            let (slope, means_of_dy) = rest.split_at_mut(width);
            if self.is_frozen() {
                // All but the scale stays zero: dx = scale dy.
                scale.copy_from_slice(&self.prepared[1]);
            } else {
                let (means, variances) = saved.split_at(columns);
                mean[..columns].copy_from_slice(means);
                let of_columns = vectors(mean);
                // The means of dy, and those of dy (x - mean).
                self.means::<2>(rows, means_of_dy, |range, sums| {
                    let (sums, products) = sums.split_at_mut(width / LANES);
                    let operands = [&x[range.clone()], &dy[range]];
                    dispatch!(simd => add_gradients(simd, operands, columns, of_columns, [sums, products]));
                });
                let (lift, products) = means_of_dy.split_at(width);
                let mut gradient = gradient;
                for (channel, &variance) in variances.iter().enumerate() {
                    let inverse = self.inverse_deviation(variance);
                    let product = f64::from(products[channel]);
                    scale[channel] = self.scale(channel, variance);
                    slope[channel] = (product * inverse * inverse) as f32;
                    if let Some(gradient) = &mut gradient {
                        gradient[channel] = (product * inverse * rows as f64) as f32;
                        gradient[columns + channel] = lift[channel] * rows as f32;
                    }
                }
            }
            let Some(dx) = dx else { return };
            let of_columns = [&*mean, scale, &means_of_dy[..width], slope].map(vectors);
            for_chunks(dx, chunk, |i, dx| {
                let operands = [x, dy].map(|operand| &operand[i * chunk..][..dx.len()]);
                dispatch!(simd => input_gradient(simd, operands, columns, of_columns, dx));
            });
        });
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }

    fn update_statistics(&mut self, saved: &[f32]) {
        if self.is_frozen() {
            return;
        }
        let momentum = self.momentum;
        for (param, batch) in self.params[2..].iter_mut().zip(saved.chunks_exact(self.channels)) {
            for (moving, &new) in param.value.iter_mut().zip(batch) {
                *moving = (f64::from(*moving) * momentum + f64::from(new) * (1.0 - momentum)) as f32;
            }
        }
    }

    fn refresh(&mut self) {
        if self.prepared[0].is_empty() {
            self.prepared = [0; 3].map(|_| Buffer::zeros(self.width()));
        }
        for channel in 0..self.channels {
            let scale = self.scale(channel, self.params[3].value[channel]);
            let [mean, prepared_scale, shift] = &mut self.prepared;
            mean[channel] = self.params[2].value[channel];
            prepared_scale[channel] = scale;
            shift[channel] = self.params[1].value[channel];
        }
    }

    fn derived_lens(&self) -> Vec<usize> {
        vec![self.width(); 3]
    }

    fn scratch_lens(&self, examples: usize) -> [usize; 2] {
        let rows = examples * (self.size / self.channels);
        [(rows.div_ceil(ROWS) * 2 + 5) * self.width(), 0]
    }

    /// The batch's mean and variance of each channel.
    fn saved_len(&self, _examples: usize) -> usize {
        2 * self.channels
    }

    fn whole_batch(&self) -> bool {
        true
    }

    fn flops(&self) -> u64 {
        2 * self.size as u64
    }

    fn absorb(&mut self, next: Role) -> bool {
        next.fuse_into(&mut self.fused)
    }
}
