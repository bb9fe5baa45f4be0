//! `Dense`: y = x W + b. The whole batch is one matrix product.

use crate::dispatch;
use crate::kernels::activation::{Fused, activation_gradient};
use crate::kernels::gemm::{Epilogue, Matrix, gemm, scratch_lens};
use crate::kernels::sums::add_rows;
use crate::shape::Shape;
use crate::simd::{LANES, Level, vectors_mut};
use crate::threads;

use super::init::{Init, zeros};
use super::layer::{Backward, BuildError, Layer, LayerSeed, Param, Role};

/// A fully connected layer: y = x W + b. W is K x N (inputs x units), b has N elements.
#[derive(Clone, Debug)]
pub struct Dense {
    units: usize,
    init: Init,
    inputs: usize,
    fused: Fused,
    /// Kernel and bias, once built.
    params: Vec<Param>,
}

impl Dense {
    /// A layer with `units` units, Glorot-uniform weights and zero biases.
    ///
    /// ```
    /// use thawline_tensor::nn::{Dense, Network};
    ///
    /// let network = Network::builder([12_544]).layer("hidden", Dense::new(128)).layer("logits", Dense::new(5)).build(1)?;
    /// assert_eq!(network.output().dims(), [5]);
    /// assert_eq!(network.summary().parameters(), (12_544 + 1) * 128 + (128 + 1) * 5);
    /// # Ok::<(), thawline_tensor::nn::NetworkError>(())
    /// ```
    pub fn new(units: usize) -> Self {
        Self { units, init: Init::default(), inputs: 0, fused: Fused::None, params: Vec::new() }
    }

    /// Sets how the initial weights are drawn.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    fn kernel(&self) -> Matrix<'_> {
        Matrix::new(&self.params[0].value, self.inputs, self.units)
    }
}

impl Layer for Dense {
    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, BuildError> {
        let inputs = input
            .as_vector()
            .ok_or_else(|| format!("it takes a vector and was given {input}: put a Flatten before it"))?;
        if inputs == 0 || self.units == 0 {
            return Err(format!("it has {inputs} inputs and {} units; both must be at least 1", self.units).into());
        }
        self.inputs = inputs;
        self.params = vec![Param::new("kernel", [inputs, self.units]), Param::new("bias", [self.units])];
        Ok(Shape::from([self.units]))
    }

    fn initialize(&mut self, seed: LayerSeed) -> Result<(), BuildError> {
        let fans = [self.inputs, self.units];
        self.params[0].value = self.init.values(self.inputs * self.units, fans, seed)?;
        self.params[1].value = zeros(self.units)?;
        Ok(())
    }

    /// y = x W + b
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        let x = Matrix::new(x, x.len() / self.inputs, self.inputs);
        gemm(Level::current(), x, self.kernel(), y, Epilogue::Bias(&self.params[1].value, self.fused));
    }

    /// dW = x' dy (' means transposed), db = the sum of dy over the batch, dx = dy W'
    fn backward(&self, pass: Backward<'_>) {
        let Backward { x, y, dy, dx, gradient, .. } = pass;
        let examples = dy.len() / self.units;
        dispatch!(simd => activation_gradient(simd, self.fused, y, dy));
        let dy = &*dy;
        let dy_matrix = Matrix::new(dy, examples, self.units);
        if let Some(gradient) = gradient {
            let (dw, db) = gradient.split_at_mut(self.inputs * self.units);
            let x = Matrix::new(x, examples, self.inputs);
            gemm(Level::current(), x.transposed(), dy_matrix, dw, Epilogue::None);
            threads::with_scratch(self.units.next_multiple_of(LANES), |sums| {
                sums.fill(0.0);
                dispatch!(simd => add_rows(simd, dy, self.units, vectors_mut(sums)));
                db.copy_from_slice(&sums[..self.units]);
            });
        }
        if let Some(dx) = dx {
            gemm(Level::current(), dy_matrix, self.kernel().transposed(), dx, Epilogue::None);
        }
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }

    fn scratch_lens(&self, examples: usize) -> [usize; 2] {
        let [x, dy] = [self.inputs, self.units].map(|len| Matrix::outline(examples, len));
        let kernel = Matrix::outline(self.inputs, self.units);
        let products = [(x, kernel), (x.transposed(), dy), (dy, kernel.transposed())];
        let lens = products.map(|(a, b)| scratch_lens(a, b));
        [0, 1].map(|of| lens.iter().map(|lens| lens[of]).max().unwrap_or(0))
    }

    fn gradient_len(&self) -> usize {
        (self.inputs + 1) * self.units
    }

    fn whole_batch(&self) -> bool {
        true
    }

    fn flops(&self) -> u64 {
        2 * (self.inputs * self.units) as u64
    }

    fn absorb(&mut self, next: Role) -> bool {
        next.fuse_into(&mut self.fused)
    }
}
