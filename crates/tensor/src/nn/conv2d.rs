//! `Conv2D`: a convolution by the fastest legal rung of the ladder, with the ReLU and the 2 x 2 max-pool after it folded
//! in where that saves memory traffic.

use crate::buffer::Buffer;
use crate::dispatch;
use crate::kernels::activation::{add_rows, relu_gradient};
use crate::kernels::conv::winograd::{OutputGradient, Shrink};
use crate::kernels::conv::{ConvShape, Padding, implicit, winograd};
use crate::kernels::gemm::{self, Matrix};
use crate::shape::Shape;
use crate::simd::{LANES, Simd, vectors, vectors_mut};
use crate::threads::with_scratch;

use super::init::Init;
use super::layer::{Backward, BuildError, Layer, LayerSeed, Param, Role, Step};

mod one_image;

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// The fastest that is legal.
    #[default]
    Auto,
    /// Seven loops; to learn from and to test against.
    Naive,
    /// Patches in a matrix, one matrix product: any stride, padding and dilation.
    Im2col,
    /// A matrix product on the pixels where they lie: stride 1, no dilation.
    Implicit,
    /// F(4x4, 3x3): 3 x 3 kernels, stride 1, no dilation.
    Winograd,
}

/// A convolution over H x W x C images. The kernel is KH x KW x C x filters, the bias has an element a filter.
#[derive(Clone, Debug)]
pub struct Conv2D {
    filters: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
    init: Init,
    method: Method,
    shrink: Shrink,
    /// Kernel and bias, once built.
    params: Vec<Param>,
    shape: Option<ConvShape>,
    prepared: Prepared,
}

/// What a method derives from the parameters, all in rows of whole vectors.
#[derive(Clone, Debug, Default)]
struct Prepared {
    /// The kernel as the forward pass wants it.
    forward: Buffer,
    /// The kernel as the input gradient wants it.
    backward: Buffer,
    bias: Buffer,
    /// A bias of zeros, for the input gradient.
    no_bias: Buffer,
}

impl Conv2D {
    /// Stride 1, no padding, no dilation, Glorot-uniform kernel, zero bias, the fastest method.
    pub fn new(filters: usize, kernel: [usize; 2]) -> Self {
        Self {
            filters,
            kernel,
            stride: [1, 1],
            dilation: [1, 1],
            padding: Padding::Valid,
            init: Init::default(),
            method: Method::Auto,
            shrink: Shrink::None,
            params: Vec::new(),
            shape: None,
            prepared: Prepared::default(),
        }
    }

    /// With another stride.
    pub fn stride(self, stride: [usize; 2]) -> Self {
        Self { stride, ..self }
    }

    /// With gaps between the kernel's elements.
    pub fn dilation(self, dilation: [usize; 2]) -> Self {
        Self { dilation, ..self }
    }

    /// With zeros on the border.
    pub fn padding(self, padding: Padding) -> Self {
        Self { padding, ..self }
    }

    /// With other initial weights.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// With a method of one's choice; building fails where it is not legal.
    pub fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    fn shape(&self) -> &ConvShape {
        self.shape.as_ref().expect("a layer is built before it is used")
    }

    /// Floats of one output, with what is folded in.
    fn output_len(&self) -> usize {
        let s = self.shape();
        match self.shrink {
            Shrink::ReluMaxPool => s.out_h / 2 * (s.out_w / 2) * s.filters,
            _ => s.output_len(),
        }
    }

    /// The pool's winners of one example, in its memory.
    fn winners_mut<'a>(&self, memory: &'a mut [f32]) -> &'a mut [u8] {
        let bytes = bytemuck::cast_slice_mut(memory);
        let len = bytes.len().min(self.output_len());
        &mut bytes[..len]
    }

    /// Floats of the summed kernel gradient, in the method's own form.
    fn kernel_gradient_len(&self) -> usize {
        let s = self.shape();
        match self.method {
            Method::Winograd => winograd::kernel_vectors(s)[0] * LANES,
            Method::Implicit => implicit::kernel_vectors(s) * LANES,
            _ => s.kernel_len(),
        }
    }

    /// Floats of what the method derives from the kernel: for the forward pass, and for the input gradient.
    fn prepared_lens(&self) -> [usize; 2] {
        let s = self.shape();
        let vectors = match self.method {
            Method::Winograd => winograd::kernel_vectors(s),
            Method::Implicit => [implicit::kernel_vectors(s), implicit::kernel_vectors(&implicit::transposed_shape(s))],
            _ => [0, 0],
        };
        vectors.map(|vectors| vectors * LANES)
    }

    fn resolve(&self, s: &ConvShape) -> Result<Method, String> {
        let method = match self.method {
            // With few channels Winograd's transforms cost more than its products save.
            Method::Auto if winograd::is_legal(s) && s.c >= LANES && s.filters >= LANES => Method::Winograd,
            Method::Auto if implicit::is_legal(s) => Method::Implicit,
            Method::Auto => Method::Im2col,
            chosen => chosen,
        };
        match method {
            Method::Winograd if !winograd::is_legal(s) => {
                Err("Winograd's method needs a 3 x 3 kernel, stride 1 and no dilation".into())
            }
            Method::Implicit if !implicit::is_legal(s) => {
                Err("the implicit method needs stride 1, no dilation and a padding below the kernel".into())
            }
            method => Ok(method),
        }
    }
}

impl Layer for Conv2D {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        let image = input.as_image().ok_or_else(|| format!("it takes an image (H x W x C) and was given {input}"))?;
        let s = ConvShape::new(image, self.kernel, self.filters, self.stride, self.dilation, self.padding)?;
        self.method = self.resolve(&s)?;
        self.shape = Some(s);
        self.params = vec![Param::new("kernel", [s.kh, s.kw, s.c, s.filters]), Param::new("bias", [s.filters])];
        Ok(Shape::from([s.out_h, s.out_w, s.filters]))
    }

    fn initialize(&mut self, seed: LayerSeed) -> Result<(), BuildError> {
        let s = *self.shape();
        let fans = [s.kh * s.kw * s.c, s.kh * s.kw * s.filters];
        self.params[0].value = self.init.values(s.kernel_len(), fans, seed)?;
        self.params[1].value = Init::Zeros.values(s.filters, fans, seed)?;
        self.refresh();
        Ok(())
    }

    /// y = x * kernel + bias
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks_exact(self.shape().input_len()).zip(y.chunks_exact_mut(self.output_len())) {
            self.forward_one(x, y, &mut []);
        }
    }

    fn forward_training(&self, x: &[f32], y: &mut [f32], memory: &mut [f32], _step: Step) {
        let noted = self.memory_len(1);
        for (example, (x, y)) in
            x.chunks_exact(self.shape().input_len()).zip(y.chunks_exact_mut(self.output_len())).enumerate()
        {
            self.forward_one(x, y, self.winners_mut(&mut memory[example * noted..][..noted]));
        }
    }

    /// dkernel = x' * dy, dbias = the sum of dy over pixels, dx = dy * kernel'
    fn backward(&self, pass: Backward<'_>) {
        let Backward { x, y, memory, dy, mut dx, mut gradient, accumulate, .. } = pass;
        let (s, noted, filters) = (self.shape(), self.memory_len(1), self.filters);
        let (input_len, output_len) = (s.input_len(), self.output_len());
        for (example, dy) in dy.chunks_exact_mut(output_len).enumerate() {
            if self.shrink != Shrink::None {
                let y = &y[example * output_len..][..output_len];
                dispatch!(simd => simd.vectorize(#[inline(always)] || relu_gradient(simd, y, dy)));
            }
            let dy = &*dy;
            let source = match self.shrink {
                Shrink::ReluMaxPool => {
                    OutputGradient::Pooled(dy, &bytemuck::cast_slice(&memory[example * noted..][..noted])[..output_len])
                }
                _ => OutputGradient::Full(dy),
            };
            let x = &x[example * input_len..][..input_len];
            let dx = dx.as_deref_mut().map(|dx| &mut dx[example * input_len..][..input_len]);
            let accumulate = accumulate || example > 0;
            let mut dkernel = None;
            if let Some(gradient) = gradient.as_deref_mut() {
                let (kernel, bias) = gradient.split_at_mut(self.kernel_gradient_len());
                let dbias = vectors_mut(bias);
                if !accumulate {
                    dbias.fill([0.0; LANES]);
                }
                dispatch!(simd => simd.vectorize(#[inline(always)] || add_rows(simd, dy, filters, dbias)));
                dkernel = Some(kernel);
            }
            self.gradients_of_one(x, source, dx, dkernel, accumulate);
        }
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }

    fn refresh(&mut self) {
        let s = *self.shape();
        if self.prepared.bias.is_empty() {
            let [forward, backward] = self.prepared_lens();
            self.prepared = Prepared {
                forward: Buffer::zeros(forward),
                backward: Buffer::zeros(backward),
                bias: Buffer::zeros(s.filters.next_multiple_of(LANES)),
                no_bias: Buffer::zeros(s.c.next_multiple_of(LANES)),
            };
        }
        let Prepared { forward, backward, bias, .. } = &mut self.prepared;
        let kernel = &self.params[0].value;
        bias[..s.filters].copy_from_slice(&self.params[1].value);
        match self.method {
            Method::Winograd => {
                let (u, u_transposed) = (vectors_mut(forward), vectors_mut(backward));
                dispatch!(simd => simd.vectorize(
                    #[inline(always)]
                    || winograd::transform_kernel(simd, &s, kernel, u, u_transposed),
                ));
            }
            Method::Implicit => {
                implicit::align_rows(kernel, s.filters, vectors_mut(forward));
                implicit::flip_kernel(&s, kernel, vectors_mut(backward));
            }
            _ => {}
        }
    }

    fn derived_lens(&self) -> Vec<usize> {
        let [filters, channels] = [self.filters, self.shape().c].map(|len| len.next_multiple_of(LANES));
        [&self.prepared_lens()[..], &[filters, channels]].concat()
    }

    fn scratch_lens(&self, _examples: usize) -> [usize; 2] {
        let s = self.shape();
        let (pixels, finished) = (s.out_h * s.out_w, s.kernel_len() + s.filters);
        let of_image = match self.method {
            Method::Winograd => winograd::scratch_len(s),
            Method::Implicit => implicit::scratch_len(s).max(implicit::scratch_len(&implicit::transposed_shape(s))),
            Method::Naive => s.output_len(),
            _ => {
                let [patches, outputs] = [Matrix::outline(pixels, s.depth()), Matrix::outline(pixels, s.filters)];
                let kernel = Matrix::outline(s.depth(), s.filters);
                let products = [(patches, kernel), (outputs, kernel.transposed()), (patches.transposed(), outputs)];
                let of_product = products.map(|(a, b)| gemm::scratch_lens(a, b).iter().sum::<usize>());
                pixels * s.depth() + s.kernel_len() + of_product.into_iter().max().unwrap_or(0)
            }
        };
        [finished, of_image]
    }

    fn gradient_len(&self) -> usize {
        self.kernel_gradient_len() + self.filters.next_multiple_of(LANES)
    }

    fn finish_gradient(&self, gradient: &mut [f32]) {
        let s = self.shape();
        with_scratch(s.kernel_len() + s.filters, |finished| {
            let (sums, bias) = gradient.split_at(self.kernel_gradient_len());
            let (dkernel, dbias) = finished.split_at_mut(s.kernel_len());
            match self.method {
                Method::Winograd => dispatch!(simd => simd.vectorize(
                    #[inline(always)]
                    || winograd::transform_kernel_gradient(simd, s, vectors(sums), dkernel),
                )),
                Method::Implicit => {
                    let rows = vectors(sums).chunks_exact(s.filters.div_ceil(LANES));
                    for (finished, row) in dkernel.chunks_exact_mut(s.filters).zip(rows) {
                        finished.copy_from_slice(&row.as_flattened()[..s.filters]);
                    }
                }
                _ => dkernel.copy_from_slice(sums),
            }
            dbias.copy_from_slice(&bias[..s.filters]);
            gradient[..s.kernel_len() + s.filters].copy_from_slice(finished);
        });
    }

    /// A byte for each output of the pool: which element of its window won.
    fn memory_len(&self, examples: usize) -> usize {
        if self.shrink == Shrink::ReluMaxPool { examples * self.output_len().div_ceil(size_of::<f32>()) } else { 0 }
    }

    fn flops(&self) -> u64 {
        self.shape().flops()
    }

    fn absorb(&mut self, next: Role) -> bool {
        let shrink = match (self.shrink, next) {
            (Shrink::None, Role::Relu) => Shrink::Relu,
            (Shrink::Relu, Role::MaxPool2x2) if self.method == Method::Winograd => Shrink::ReluMaxPool,
            _ => return false,
        };
        self.shrink = shrink;
        true
    }
}
