//! `DepthwiseConv2D`: a convolution of each channel with its own kernel. The activation after it is fused.

use crate::dispatch;
use crate::kernels::activation::{Fused, activation_gradient};
use crate::kernels::depthwise::{depthwise, depthwise_input_gradient, depthwise_kernel_gradient};
use crate::kernels::sums::add_rows;
use crate::kernels::window::Padding;
use crate::shape::Shape;
use crate::simd::{LANES, vectors_mut};

use super::init::{Init, zeros};
use super::layer::{Backward, BuildError, Layer, LayerSeed, Param, Role};
use super::windowed::Windowed;

/// A depthwise convolution of H x W x C images: C channels in, C channels out, and no sum over channels. The kernel is
/// KH x KW x C; the bias has one element per channel.
///
/// ```
/// use thawline_tensor::nn::{Activation, DepthwiseConv2D, Network, Padding};
///
/// let network = Network::builder([32, 32, 24])
///     .layer("depthwise", DepthwiseConv2D::new([3, 3]).stride([2, 2]).padding(Padding::Same))
///     .layer("relu6", Activation::Relu6)
///     .build(1)?;
/// assert_eq!(network.output().dims(), [16, 16, 24]);
/// # Ok::<(), thawline_tensor::nn::NetworkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DepthwiseConv2D {
    windows: Windowed,
    init: Init,
    fused: Fused,
    /// Kernel and bias, once built.
    params: Vec<Param>,
}

impl DepthwiseConv2D {
    /// Stride 1, no padding, Glorot-uniform kernel, zero bias.
    pub fn new(kernel: [usize; 2]) -> Self {
        Self { windows: Windowed::new(kernel, [1, 1]), init: Init::default(), fused: Fused::None, params: Vec::new() }
    }

    /// Sets the stride (default: 1).
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.windows.stride = stride;
        self
    }

    /// Sets the padding with zeros (default: none).
    pub fn padding(mut self, padding: Padding) -> Self {
        self.windows.padding = padding;
        self
    }

    /// Sets how the initial weights are drawn.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }
}

impl Layer for DepthwiseConv2D {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        let output = self.windows.build(input)?;
        let s = self.windows.shape();
        self.params = vec![Param::new("kernel", [s.window[0], s.window[1], s.c]), Param::new("bias", [s.c])];
        Ok(output)
    }

    /// The fans are Keras's, which counts as if every output summed over all channels.
    fn initialize(&mut self, seed: LayerSeed) -> Result<(), BuildError> {
        let s = self.windows.shape();
        let (taps, c) = (s.window[0] * s.window[1], s.c);
        self.params[0].value = self.init.values(taps * c, [taps * c, taps], seed)?;
        self.params[1].value = zeros(c)?;
        Ok(())
    }

    /// y = x * kernel + bias, channel by channel
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        let (s, weights) = (self.windows.shape(), [&*self.params[0].value, &*self.params[1].value]);
        for (x, y) in x.chunks_exact(s.input_len()).zip(y.chunks_exact_mut(s.output_len())) {
            dispatch!(simd => depthwise(simd, s, x, weights, self.fused, y));
        }
    }

    /// dkernel = x' * dy, dbias = the sum of dy over pixels, dx = dy * kernel', channel by channel
    fn backward(&self, pass: Backward<'_>) {
        let (s, kernel) = (self.windows.shape(), &*self.params[0].value);
        let Backward { x, y, dy, dx, gradient, accumulate, .. } = pass;
        dispatch!(simd => activation_gradient(simd, self.fused, y, dy));
        if let Some(gradient) = gradient {
            if !accumulate {
                gradient.fill(0.0);
            }
            let (dkernel, dbias) = gradient.split_at_mut(kernel.len());
            dispatch!(simd => add_rows(simd, dy, s.c, vectors_mut(dbias)));
            for (x, dy) in x.chunks_exact(s.input_len()).zip(dy.chunks_exact(s.output_len())) {
                dispatch!(simd => depthwise_kernel_gradient(simd, s, x, dy, dkernel));
            }
        }
        if let Some(dx) = dx {
            for (dy, dx) in dy.chunks_exact(s.output_len()).zip(dx.chunks_exact_mut(s.input_len())) {
                dispatch!(simd => depthwise_input_gradient(simd, s, dy, kernel, dx));
            }
        }
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }

    /// The bias's gradient is padded to whole vectors.
    fn gradient_len(&self) -> usize {
        self.params[0].shape.size() + self.windows.shape().c.next_multiple_of(LANES)
    }

    fn flops(&self) -> u64 {
        let s = self.windows.shape();
        2 * (s.output_len() * s.window[0] * s.window[1]) as u64
    }

    fn absorb(&mut self, next: Role) -> bool {
        next.fuse_into(&mut self.fused)
    }
}
