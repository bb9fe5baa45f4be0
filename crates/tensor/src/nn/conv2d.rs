//! `Conv2D`: a convolution by one rung of the ladder of methods in [`conv`](crate::kernels::conv). An activation after
//! it is fused, and so is a 2 x 2 max-pooling after a ReLU if the rung supports that.

use bytemuck::{cast_slice, cast_slice_mut};

use crate::dispatch;
use crate::kernels::activation::{Fused, activation_gradient};
use crate::kernels::conv::{ConvShape, Method, OutputGradient, Rung, Weights};
use crate::kernels::sums::add_rows;
use crate::kernels::window::Padding;
use crate::shape::Shape;
use crate::simd::{LANES, Level, vectors_mut};
use crate::threads::with_scratch;

use super::init::{Init, zeros};
use super::layer::{Backward, BuildError, Layer, LayerSeed, Param, Role, Step};
use super::windowed::require_image;

/// A convolution of H x W x C images. With stride 1, no padding and no dilation,
/// `y[h, w, f] = b[f] + sum of x[h + kh, w + kw, c] W[kh, kw, c, f]` over kh < KH, kw < KW and c < C. The kernel W is
/// KH x KW x C x filters; the bias b has one element per filter.
#[derive(Clone, Debug)]
pub struct Conv2D {
    filters: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
    init: Init,
    method: Method,
    fused: Fused,
    /// Kernel and bias, once built.
    params: Vec<Param>,
    built: Option<(&'static dyn Rung, ConvShape)>,
    /// The parameters in the rung's form, once they have values.
    weights: Option<Weights>,
}

impl Conv2D {
    /// Stride 1, no padding, no dilation, Glorot-uniform kernel, zero bias, the method that is likely the fastest.
    ///
    /// ```
    /// use thawline_tensor::nn::{Conv2D, Network, Padding};
    ///
    /// let network = Network::builder([32, 32, 3])
    ///     .layer("conv2d_1", Conv2D::new(64, [3, 3])) // 30 x 30 x 64
    ///     .layer("conv2d_2", Conv2D::new(16, [5, 5]).stride([2, 2]).padding(Padding::Same))
    ///     .build(1)?;
    /// assert_eq!(network.output().dims(), [15, 15, 16]);
    /// # Ok::<(), thawline_tensor::nn::NetworkError>(())
    /// ```
    pub fn new(filters: usize, kernel: [usize; 2]) -> Self {
        Self {
            filters,
            kernel,
            stride: [1, 1],
            dilation: [1, 1],
            padding: Padding::Valid,
            init: Init::default(),
            method: Method::Auto,
            fused: Fused::None,
            params: Vec::new(),
            built: None,
            weights: None,
        }
    }

    /// Sets the stride (default: 1).
    pub fn stride(self, stride: [usize; 2]) -> Self {
        Self { stride, ..self }
    }

    /// Sets the dilation, the distance between the kernel's elements (default: 1).
    pub fn dilation(self, dilation: [usize; 2]) -> Self {
        Self { dilation, ..self }
    }

    /// Sets the padding with zeros (default: none).
    pub fn padding(self, padding: Padding) -> Self {
        Self { padding, ..self }
    }

    /// Sets how the initial weights are drawn.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// Sets the method; building fails if it cannot compute the convolution.
    pub fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    fn built(&self) -> (&'static dyn Rung, &ConvShape) {
        let (rung, shape) = self.built.as_ref().expect("a layer is built before it is used");
        (*rung, shape)
    }

    fn weights(&self) -> &Weights {
        self.weights.as_ref().expect("parameters have values before they are used")
    }

    /// The length of the summed kernel gradient, in the rung's form.
    fn kernel_gradient_len(&self) -> usize {
        let (rung, s) = self.built();
        rung.kernel_lens(s)[0]
    }

    /// y = x * kernel + bias, then what is fused, for each image. A pool's winners are saved, if `saved` is given.
    fn convolve(&self, x: &[f32], y: &mut [f32], saved: Option<&mut [f32]>) {
        let (rung, s) = self.built();
        let (weights, len) = (self.weights(), s.fused_len(self.fused));
        let images = rung.images_at_once(s);
        let saved_len = self.saved_len(1);
        let mut winners = saved.map(|saved| saved.chunks_mut(images * saved_len.max(1)));
        for (x, y) in x.chunks(images * s.input_len()).zip(y.chunks_mut(images * len)) {
            let winners = winners.as_mut().and_then(Iterator::next).map(cast_slice_mut);
            rung.forward(Level::current(), weights, x, self.fused, y, winners);
        }
    }
}

impl Layer for Conv2D {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        let image = require_image(input)?;
        let s = ConvShape::new(image, self.kernel, self.filters, self.stride, self.dilation, self.padding)?;
        self.built = Some((self.method.rung(&s)?, s));
        self.params = vec![Param::new("kernel", [s.kh, s.kw, s.c, s.filters]), Param::new("bias", [s.filters])];
        Ok(Shape::from([s.out_h, s.out_w, s.filters]))
    }

    fn initialize(&mut self, seed: LayerSeed) -> Result<(), BuildError> {
        let (rung, &s) = self.built();
        let fans = [s.kh * s.kw * s.c, s.kh * s.kw * s.filters];
        self.params[0].value = self.init.values(s.kernel_len(), fans, seed)?;
        self.params[1].value = zeros(s.filters)?;
        self.weights = Some(Weights::try_new(rung, s).map_err(|_| BuildError::NoMemory { weights: s.kernel_len() })?);
        self.refresh();
        Ok(())
    }

    /// y = x * kernel + bias
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        self.convolve(x, y, None);
    }

    fn forward_training(&self, x: &[f32], y: &mut [f32], saved: &mut [f32], _step: Step) {
        self.convolve(x, y, Some(saved));
    }

    /// dkernel = x' * dy, dbias = the sum of dy over pixels, dx = dy * kernel'; `kernels::conv` has the sums
    fn backward(&self, pass: Backward<'_>) {
        let Backward { x, y, saved, dy, mut dx, gradient, accumulate, .. } = pass;
        let (rung, s) = self.built();
        let images = rung.images_at_once(s);
        let [input_len, output_len, saved_len] =
            [s.input_len(), s.fused_len(self.fused), self.saved_len(1)].map(|len| images * len);
        dispatch!(simd => activation_gradient(simd, self.fused, y, dy));
        let mut dkernel = gradient.map(|gradient| {
            if !accumulate {
                gradient.fill(0.0);
            }
            let (dkernel, dbias) = gradient.split_at_mut(self.kernel_gradient_len());
            dispatch!(simd => add_rows(simd, dy, self.filters, vectors_mut(dbias)));
            dkernel
        });
        for (n, dy) in dy.chunks(output_len).enumerate() {
            let dy = match self.fused {
                Fused::None | Fused::Relu | Fused::Relu6 => OutputGradient::Full(dy),
                Fused::ReluPool => {
                    let winners = saved.chunks(saved_len).nth(n).unwrap_or_default();
                    OutputGradient::Pooled(dy, cast_slice(winners))
                }
            };
            let some = n * input_len..x.len().min((n + 1) * input_len);
            let dx = dx.as_deref_mut().map(|dx| &mut dx[some.clone()]);
            let dkernel = dkernel.as_deref_mut().map(|dkernel| (&x[some], dkernel));
            rung.gradients(Level::current(), self.weights(), dy, dx, dkernel);
        }
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }

    fn refresh(&mut self) {
        let (rung, &shape) = self.built();
        let weights = self.weights.get_or_insert_with(|| Weights::new(rung, shape));
        weights.set(rung, Level::current(), &self.params[0].value, &self.params[1].value);
    }

    fn derived_lens(&self) -> Vec<usize> {
        let (rung, s) = self.built();
        let [kernel, transposed] = rung.kernel_lens(s);
        vec![kernel, transposed, s.filters.next_multiple_of(LANES)]
    }

    fn scratch_lens(&self, examples: usize) -> [usize; 2] {
        let (rung, s) = self.built();
        let of_image = rung.scratch_len(s, 1);
        match rung.images_at_once(s) {
            1 => [s.kernel_len(), of_image],
            images => [s.kernel_len().max(rung.scratch_len(s, examples.min(images))), of_image],
        }
    }

    fn prefers_whole_batch(&self) -> bool {
        let (rung, s) = self.built();
        rung.images_at_once(s) > 1
    }

    fn gradient_len(&self) -> usize {
        self.kernel_gradient_len() + self.filters.next_multiple_of(LANES)
    }

    fn finish_gradient(&self, gradient: &mut [f32]) {
        let ((rung, s), own_len) = (self.built(), self.kernel_gradient_len());
        with_scratch(s.kernel_len(), |dkernel| {
            rung.finish(Level::current(), s, &gradient[..own_len], dkernel);
            gradient.copy_within(own_len..own_len + s.filters, s.kernel_len());
            gradient[..s.kernel_len()].copy_from_slice(dkernel);
        });
    }

    /// If a pool is fused, one byte per output: the position of the maximum in its window.
    fn saved_len(&self, examples: usize) -> usize {
        let len = self.built().1.fused_len(self.fused).div_ceil(size_of::<f32>());
        if self.fused == Fused::ReluPool { examples * len } else { 0 }
    }

    fn flops(&self) -> u64 {
        self.built().1.flops()
    }

    fn flops_done(&self) -> u64 {
        let (rung, s) = self.built();
        rung.flops(s)
    }

    fn absorb(&mut self, next: Role) -> bool {
        let pool = (self.fused, next) == (Fused::Relu, Role::MaxPool2x2) && self.built().0.fuses_pool();
        if pool {
            self.fused = Fused::ReluPool;
        }
        pool || next.fuse_into(&mut self.fused)
    }
}
