//! A convolution method (a rung of the ladder) with weights at a SIMD level: its results for one or more images, as
//! vectors.

use thawline_tensor::kernels::activation::Fused;
use thawline_tensor::kernels::conv::{ConvShape, Method, OutputGradient, Rung, Weights};
use thawline_tensor::simd::Level;

pub struct Conv {
    rung: &'static dyn Rung,
    level: Level,
    weights: Weights,
}

/// The methods that compute a convolution.
pub fn methods(s: &ConvShape) -> impl Iterator<Item = Method> {
    Method::LADDER.into_iter().filter(|method| method.rung(s).is_ok())
}

impl Conv {
    pub fn new(method: Method, level: Level, s: &ConvShape, kernel: &[f32], bias: &[f32]) -> Self {
        let rung = method.rung(s).expect("a legal method");
        let mut weights = Weights::new(rung, *s);
        weights.set(rung, level, kernel, bias);
        Self { rung, level, weights }
    }

    /// y, and the winners of a fused pool.
    pub fn forward(&self, x: &[f32], fused: Fused) -> (Vec<f32>, Vec<u8>) {
        let len = self.weights.shape.images(x) * self.weights.shape.fused_len(fused);
        let (mut y, mut winners) = (vec![f32::NAN; len], vec![u8::MAX; if fused == Fused::ReluPool { len } else { 0 }]);
        self.rung.forward(self.level, &self.weights, x, fused, &mut y, Some(&mut winners));
        (y, winners)
    }

    pub fn y(&self, x: &[f32]) -> Vec<f32> {
        self.forward(x, Fused::None).0
    }

    pub fn dx(&self, dy: OutputGradient) -> Vec<f32> {
        let s = &self.weights.shape;
        let images = match dy {
            OutputGradient::Full(dy) => dy.len() / s.output_len(),
            OutputGradient::Pooled(dy, _) => dy.len() / s.fused_len(Fused::ReluPool),
        };
        let mut dx = vec![f32::NAN; images * s.input_len()];
        self.rung.input_gradient(self.level, &self.weights, dy, &mut dx);
        dx
    }

    pub fn dkernel(&self, x: &[f32], dy: OutputGradient) -> Vec<f32> {
        let s = &self.weights.shape;
        let (mut sum, mut dkernel) = (vec![0.0; self.weights.kernel.len()], vec![f32::NAN; s.kernel_len()]);
        self.rung.kernel_gradient(self.level, &self.weights, x, dy, &mut sum);
        self.rung.finish(self.level, s, &sum, &mut dkernel);
        dkernel
    }
}
