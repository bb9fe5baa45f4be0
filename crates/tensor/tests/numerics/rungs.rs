//! The rungs of the convolution ladder behind one signature, at a SIMD level of one's choice.

use thawline_tensor::dispatch;
use thawline_tensor::kernels::conv::winograd::{OutputGradient, Shrink};
use thawline_tensor::kernels::conv::{ConvShape, im2col, implicit, winograd};
use thawline_tensor::kernels::gemm::{Epilogue, Matrix, gemm};
use thawline_tensor::kernels::reference;
use thawline_tensor::simd::{LANES, Lanes, Level, Simd};

/// A way to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    Naive,
    Im2col,
    Implicit,
    Winograd,
}

/// What every scratch buffer holds at first: a kernel that reads what it has not written is found out.
const UNWRITTEN: f32 = f32::NAN;

impl Rung {
    pub const ALL: [Rung; 4] = [Rung::Naive, Rung::Im2col, Rung::Implicit, Rung::Winograd];

    pub fn is_legal(self, s: &ConvShape) -> bool {
        match self {
            Rung::Naive | Rung::Im2col => true,
            Rung::Implicit => implicit::is_legal(s),
            Rung::Winograd => winograd::is_legal(s),
        }
    }

    /// y of one image.
    pub fn forward(self, level: Level, s: &ConvShape, x: &[f32], kernel: &[f32], bias: &[f32]) -> Vec<f32> {
        let mut y = vec![UNWRITTEN; s.output_len()];
        match self {
            Rung::Naive => reference::conv(s, x, kernel, bias, &mut y),
            Rung::Im2col => {
                let patches = patches(s, x);
                let [a, b] = [patch_matrix(s, &patches), Matrix::new(kernel, s.depth(), s.filters)];
                dispatch!(level, simd => gemm(simd, a, b, &mut y, Epilogue::Bias(bias)));
            }
            Rung::Implicit => {
                let mut aligned = vec![[0.0; LANES]; implicit::kernel_vectors(s)];
                implicit::align_rows(kernel, s.filters, &mut aligned);
                let weights = [&*aligned, &*whole_vectors(bias)];
                let mut scratch = vec![UNWRITTEN; implicit::scratch_len(s)];
                dispatch!(level, simd => simd.vectorize(
                    #[inline(always)]
                    || implicit::forward(simd, s, x, weights, false, &mut y, &mut scratch),
                ));
            }
            Rung::Winograd => y = winograd_forward(level, s, x, kernel, bias, Shrink::None).0,
        }
        y
    }

    /// dx of one image.
    pub fn input_gradient(self, level: Level, s: &ConvShape, dy: &[f32], kernel: &[f32]) -> Vec<f32> {
        let mut dx = vec![UNWRITTEN; s.input_len()];
        match self {
            Rung::Naive => {
                dx.fill(0.0);
                reference::conv_input_gradient(s, dy, kernel, &mut dx);
            }
            Rung::Im2col => {
                let mut patches = vec![UNWRITTEN; s.out_h * s.out_w * s.depth()];
                let dy = Matrix::new(dy, s.out_h * s.out_w, s.filters);
                let kernel = Matrix::new(kernel, s.depth(), s.filters).transposed();
                dispatch!(level, simd => gemm(simd, dy, kernel, &mut patches, Epilogue::None));
                dx.fill(0.0);
                im2col::col2im(s, &patches, &mut dx);
            }
            Rung::Implicit => {
                let transposed = implicit::transposed_shape(s);
                let mut flipped = vec![[0.0; LANES]; implicit::kernel_vectors(&transposed)];
                implicit::flip_kernel(s, kernel, &mut flipped);
                let weights = [&*flipped, &*whole_vectors(&vec![0.0; s.c])];
                let mut scratch = vec![UNWRITTEN; implicit::scratch_len(&transposed)];
                dispatch!(level, simd => simd.vectorize(
                    #[inline(always)]
                    || implicit::forward(simd, &transposed, dy, weights, false, &mut dx, &mut scratch),
                ));
            }
            Rung::Winograd => dx = winograd_input_gradient(level, s, OutputGradient::Full(dy), kernel),
        }
        dx
    }

    /// dkernel of one image.
    pub fn kernel_gradient(self, level: Level, s: &ConvShape, x: &[f32], dy: &[f32]) -> Vec<f32> {
        match self {
            Rung::Naive => {
                let mut dkernel = vec![0.0; s.kernel_len()];
                reference::conv_kernel_gradient(s, x, dy, &mut dkernel);
                dkernel
            }
            Rung::Im2col => {
                let mut dkernel = vec![UNWRITTEN; s.kernel_len()];
                let patches = patches(s, x);
                let dy = Matrix::new(dy, s.out_h * s.out_w, s.filters);
                let patches = patch_matrix(s, &patches).transposed();
                dispatch!(level, simd => gemm(simd, patches, dy, &mut dkernel, Epilogue::None));
                dkernel
            }
            Rung::Implicit => {
                let mut sums = vec![[0.0; LANES]; implicit::kernel_vectors(s)];
                let mut scratch = vec![UNWRITTEN; implicit::scratch_len(s)];
                dispatch!(level, simd => simd.vectorize(
                    #[inline(always)]
                    || implicit::kernel_gradient(simd, s, x, dy, &mut sums, &mut scratch),
                ));
                sums.chunks_exact(s.filters.div_ceil(LANES))
                    .flat_map(|row| &row.as_flattened()[..s.filters])
                    .copied()
                    .collect()
            }
            Rung::Winograd => winograd_kernel_gradient(level, s, x, OutputGradient::Full(dy)),
        }
    }
}

/// Winograd's forward pass with what is folded into it, and the winners of the pool.
pub fn winograd_forward(
    level: Level,
    s: &ConvShape,
    x: &[f32],
    kernel: &[f32],
    bias: &[f32],
    shrink: Shrink,
) -> (Vec<f32>, Vec<u8>) {
    let pooled = s.out_h / 2 * (s.out_w / 2) * s.filters;
    let [len, noted] = if shrink == Shrink::ReluMaxPool { [pooled, pooled] } else { [s.output_len(), 0] };
    let (mut y, mut winners) = (vec![UNWRITTEN; len], vec![u8::MAX; noted]);
    let [u, _] = transformed_kernel(level, s, kernel);
    let bias = whole_vectors(bias);
    let mut scratch = vec![UNWRITTEN; winograd::scratch_len(s)];
    dispatch!(level, simd => simd.vectorize(
        #[inline(always)]
        || winograd::forward(simd, s, x, &u, &bias, shrink, &mut y, &mut winners, &mut scratch),
    ));
    (y, winners)
}

/// Winograd's input gradient, also from a pool folded in.
pub fn winograd_input_gradient(level: Level, s: &ConvShape, dy: OutputGradient, kernel: &[f32]) -> Vec<f32> {
    let mut dx = vec![UNWRITTEN; s.input_len()];
    let [_, u] = transformed_kernel(level, s, kernel);
    let mut scratch = vec![UNWRITTEN; winograd::scratch_len(s)];
    dispatch!(level, simd => simd.vectorize(
        #[inline(always)]
        || winograd::input_gradient(simd, s, dy, &u, &mut dx, &mut scratch),
    ));
    dx
}

/// Winograd's kernel gradient, also from a pool folded in.
pub fn winograd_kernel_gradient(level: Level, s: &ConvShape, x: &[f32], dy: OutputGradient) -> Vec<f32> {
    let mut du = vec![[UNWRITTEN; LANES]; winograd::kernel_vectors(s)[0]];
    let mut dkernel = vec![UNWRITTEN; s.kernel_len()];
    let mut scratch = vec![UNWRITTEN; winograd::scratch_len(s)];
    dispatch!(level, simd => simd.vectorize(
        #[inline(always)]
        || {
            winograd::kernel_gradient(simd, s, x, dy, &mut du, false, &mut scratch);
            winograd::transform_kernel_gradient(simd, s, &du, &mut dkernel);
        },
    ));
    dkernel
}

fn transformed_kernel(level: Level, s: &ConvShape, kernel: &[f32]) -> [Vec<Lanes>; 2] {
    let [mut u, mut transposed] = winograd::kernel_vectors(s).map(|vectors| vec![[0.0; LANES]; vectors]);
    dispatch!(level, simd => simd.vectorize(
        #[inline(always)]
        || winograd::transform_kernel(simd, s, kernel, &mut u, &mut transposed),
    ));
    [u, transposed]
}

fn patches(s: &ConvShape, x: &[f32]) -> Vec<f32> {
    let mut patches = vec![UNWRITTEN; s.out_h * s.out_w * s.depth()];
    im2col::im2col(s, x, &mut patches);
    patches
}

fn patch_matrix<'a>(s: &ConvShape, patches: &'a [f32]) -> Matrix<'a> {
    Matrix::new(patches, s.out_h * s.out_w, s.depth())
}

fn whole_vectors(floats: &[f32]) -> Vec<Lanes> {
    let mut vectors = vec![[0.0; LANES]; floats.len().div_ceil(LANES)];
    vectors.as_flattened_mut()[..floats.len()].copy_from_slice(floats);
    vectors
}
