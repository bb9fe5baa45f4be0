//! One image through a convolution, forward and back, by the method that was chosen.

use crate::buffer::Buffer;
use crate::dispatch;
use crate::kernels::activation::relu;
use crate::kernels::conv::winograd::{OutputGradient, Shrink};
use crate::kernels::conv::{im2col, implicit, winograd};
use crate::kernels::gemm::{Epilogue, Matrix, gemm};
use crate::kernels::reference;
use crate::simd::{Simd, vectors, vectors_mut};
use crate::threads::with_scratch;

use super::{Conv2D, Method};

impl Conv2D {
    /// y of one image.
    pub(super) fn forward_one(&self, x: &[f32], y: &mut [f32], winners: &mut [u8]) {
        let (s, p) = (self.shape(), &self.prepared);
        match self.method {
            Method::Winograd => with_scratch(winograd::scratch_len(s), |scratch| {
                let (u, bias) = (vectors(&p.forward), vectors(&p.bias));
                dispatch!(simd => simd.vectorize(
                    #[inline(always)]
                    || winograd::forward(simd, s, x, u, bias, self.shrink, y, winners, scratch),
                ));
            }),
            Method::Implicit => with_scratch(implicit::scratch_len(s), |scratch| {
                let weights = [vectors(&p.forward), vectors(&p.bias)];
                let relu = self.shrink == Shrink::Relu;
                dispatch!(simd => simd.vectorize(
                    #[inline(always)]
                    || implicit::forward(simd, s, x, weights, relu, y, scratch),
                ));
            }),
            Method::Im2col | Method::Auto => with_scratch(s.out_h * s.out_w * s.depth(), |patches| {
                im2col::im2col(s, x, patches);
                let patches = Matrix::new(patches, s.out_h * s.out_w, s.depth());
                let bias = &self.params[1].value;
                let epilogue =
                    if self.shrink == Shrink::Relu { Epilogue::BiasRelu(bias) } else { Epilogue::Bias(bias) };
                dispatch!(simd => gemm(simd, patches, self.kernel_matrix(), y, epilogue));
            }),
            Method::Naive => {
                reference::conv(s, x, &self.params[0].value, &self.params[1].value, y);
                if self.shrink == Shrink::Relu {
                    let before = Buffer::from(&*y);
                    dispatch!(simd => simd.vectorize(#[inline(always)] || relu(simd, &before, y)));
                }
            }
        }
    }

    /// The gradients of one image: for the input, and for the kernel, added to `dkernel` or in its place.
    pub(super) fn gradients_of_one(
        &self,
        x: &[f32],
        dy: OutputGradient,
        dx: Option<&mut [f32]>,
        dkernel: Option<&mut [f32]>,
        accumulate: bool,
    ) {
        if self.method == Method::Winograd {
            let s = self.shape();
            let for_input = dx.map(|dx| (vectors(&self.prepared.backward), dx));
            let for_kernel = dkernel.map(|dkernel| (x, vectors_mut(dkernel), accumulate));
            return with_scratch(winograd::scratch_len(s), |scratch| {
                dispatch!(simd => simd.vectorize(
                    #[inline(always)]
                    || winograd::gradients(simd, s, dy, for_input, for_kernel, scratch),
                ));
            });
        }
        let OutputGradient::Full(dy) = dy else { unreachable!("only Winograd's method folds a pool in") };
        if let Some(dx) = dx {
            self.input_gradient(dy, dx);
        }
        if let Some(dkernel) = dkernel {
            if !accumulate {
                dkernel.fill(0.0);
            }
            self.add_kernel_gradient(x, dy, dkernel);
        }
    }

    /// The gradient for the input of one image, by any method but Winograd's.
    fn input_gradient(&self, dy: &[f32], dx: &mut [f32]) {
        let (s, p) = (self.shape(), &self.prepared);
        match self.method {
            Method::Implicit => {
                let transposed = implicit::transposed_shape(s);
                let weights = [vectors(&p.backward), vectors(&p.no_bias)];
                with_scratch(implicit::scratch_len(&transposed), |scratch| {
                    dispatch!(simd => simd.vectorize(
                        #[inline(always)]
                        || implicit::forward(simd, &transposed, dy, weights, false, dx, scratch),
                    ));
                });
            }
            Method::Naive => {
                dx.fill(0.0);
                reference::conv_input_gradient(s, dy, &self.params[0].value, dx);
            }
            _ => with_scratch(s.out_h * s.out_w * s.depth(), |patches| {
                let dy = Matrix::new(dy, s.out_h * s.out_w, s.filters);
                dispatch!(simd => gemm(simd, dy, self.kernel_matrix().transposed(), patches, Epilogue::None));
                dx.fill(0.0);
                im2col::col2im(s, patches, dx);
            }),
        }
    }

    /// Adds the gradient for the kernel of one image, by any method but Winograd's.
    fn add_kernel_gradient(&self, x: &[f32], dy: &[f32], dkernel: &mut [f32]) {
        let s = self.shape();
        match self.method {
            Method::Implicit => with_scratch(implicit::scratch_len(s), |scratch| {
                dispatch!(simd => simd.vectorize(
                    #[inline(always)]
                    || implicit::kernel_gradient(simd, s, x, dy, vectors_mut(dkernel), scratch),
                ));
            }),
            Method::Naive => reference::conv_kernel_gradient(s, x, dy, dkernel),
            _ => with_scratch(s.out_h * s.out_w * s.depth(), |patches| {
                im2col::im2col(s, x, patches);
                let patches = Matrix::new(patches, s.out_h * s.out_w, s.depth());
                let dy = Matrix::new(dy, s.out_h * s.out_w, s.filters);
                with_scratch(dkernel.len(), |one| {
                    dispatch!(simd => gemm(simd, patches.transposed(), dy, one, Epilogue::None));
                    dkernel.iter_mut().zip(&*one).for_each(|(sum, &one)| *sum += one);
                });
            }),
        }
    }

    fn kernel_matrix(&self) -> Matrix<'_> {
        Matrix::new(&self.params[0].value, self.shape().depth(), self.filters)
    }
}
