//! Softmax regression with an L2 penalty: a linear head for few pictures.
//!
//! ```text
//! loss(W, b) = sum_i v_i CE(x_i W + b, y_i) / sum_i v_i + penalty / 2 |W|^2
//! ```
//!
//! The loss is convex, so the solution depends on no seed, learning rate or number of epochs. Several heads with
//! weights v of their own are fitted together, which reads the features once for all: their losses are added.

use lbfgs::Lbfgs;
use thawline_tensor::{
    kernels::{
        activation::Fused,
        gemm::{Epilogue, Matrix, gemm},
        softmax::softmax_cross_entropy,
    },
    simd::Level,
};

use crate::system::failure::Result;

/// Steps that L-BFGS remembers, as in SciPy.
const REMEMBERED_STEPS: usize = 10;

/// A solution takes 20 to 80 steps.
const MAX_STEPS: usize = 500;

/// The largest component of the gradient at a solution, as in scikit-learn.
const TOLERANCE: f64 = 1e-4;

/// A step must achieve this fraction of the decrease that the slope promises (Armijo).
const DECREASE: f64 = 1e-4;

/// Features with their labels.
#[derive(Debug, Clone, Copy)]
pub struct Regression<'a> {
    /// Examples x width, standardized.
    pub features: &'a [f32],
    pub labels: &'a [u32],
    /// Heads x examples: how much an example counts for a head; 0 holds it out.
    pub weights: &'a [f32],
    pub classes: usize,
}

impl Regression<'_> {
    fn width(&self) -> usize {
        self.features.len() / self.labels.len()
    }

    /// Logits per example: those of the first head, then of the next.
    fn logits_len(&self) -> usize {
        self.weights.len() / self.labels.len() * self.classes
    }

    /// Number of parameters: W, width x heads x classes, then b.
    pub fn parameters(&self) -> usize {
        (self.width() + 1) * self.logits_len()
    }

    /// The logits of all examples, held out or not: examples x heads x classes.
    pub fn logits(&self, parameters: &[f64]) -> Vec<f32> {
        let (examples, width, len) = (self.labels.len(), self.width(), self.logits_len());
        let parameters: Vec<f32> = parameters.iter().map(|&value| value as f32).collect();
        let (w, b) = parameters.split_at(width * len);
        let mut logits = vec![0.0; examples * len];
        let [x, w] = [Matrix::new(self.features, examples, width), Matrix::new(w, width, len)];
        gemm(Level::current(), x, w, &mut logits, Epilogue::Bias(b, Fused::None));
        logits
    }

    /// The loss, added over the heads, and its gradient.
    pub fn loss_and_gradient(&self, parameters: &[f64], penalty: f64) -> (f64, Vec<f64>) {
        let (examples, width, len) = (self.labels.len(), self.width(), self.logits_len());
        let logits = self.logits(parameters);
        let mut dlogits = vec![0.0; logits.len()];
        let mut loss = 0.0;
        for (head, weights) in self.weights.chunks_exact(examples).enumerate() {
            let total: f64 = weights.iter().copied().map(f64::from).sum();
            for (example, (&label, &weight)) in self.labels.iter().zip(weights).enumerate().filter(|row| *row.1.1 > 0.0)
            {
                let row = example * len + head * self.classes..example * len + (head + 1) * self.classes;
                let weight = f64::from(weight) / total;
                loss += weight
                    * softmax_cross_entropy(&logits[row.clone()], label as usize, weight as f32, &mut dlogits[row]);
            }
        }
        let mut dw = vec![0.0; width * len];
        let [x, dy] = [Matrix::new(self.features, examples, width), Matrix::new(&dlogits, examples, len)];
        gemm(Level::current(), x.transposed(), dy, &mut dw, Epilogue::None);
        let w = &parameters[..dw.len()];
        let mut gradient: Vec<f64> = dw.iter().zip(w).map(|(&dw, &w)| f64::from(dw) + penalty * w).collect();
        let db = |logit| dlogits.iter().skip(logit).step_by(len).copied().map(f64::from).sum::<f64>();
        gradient.extend((0..len).map(db));
        (loss + penalty / 2.0 * dot(w, w), gradient)
    }

    /// Minimizes the loss from the given parameters. `check` is called before each step; its error ends the work.
    pub fn solve(&self, parameters: &mut Vec<f64>, penalty: f64, check: impl Fn() -> Result<()>) -> Result<()> {
        // Curvature is positive unless rounding hides it; a step where it does is not remembered.
        let mut lbfgs = Lbfgs::new(parameters.len(), REMEMBERED_STEPS).with_sy_epsilon(f64::MIN_POSITIVE);
        let (mut loss, mut gradient) = self.loss_and_gradient(parameters, penalty);
        for _ in 0..MAX_STEPS {
            check()?;
            if gradient.iter().all(|slope| slope.abs() < TOLERANCE) {
                break;
            }
            lbfgs.update_hessian(&gradient, parameters);
            let mut direction = gradient.clone();
            lbfgs.apply_hessian(&mut direction);
            let decrease = DECREASE * dot(&gradient, &direction);
            let mut steps = std::iter::successors(Some(1.0), |step| Some(step / 2.0)).take(30);
            let better = steps.find_map(|step| {
                let next: Vec<f64> = parameters.iter().zip(&direction).map(|(value, d)| value - step * d).collect();
                let (next_loss, next_gradient) = self.loss_and_gradient(&next, penalty);
                (next_loss <= loss - step * decrease).then_some((next, next_loss, next_gradient))
            });
            // Where rounding hides any decrease, this is the minimum.
            let Some(better) = better else { break };
            (*parameters, loss, gradient) = better;
        }
        Ok(())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLES: usize = 12;
    const WIDTH: usize = 5;
    const CLASSES: usize = 3;

    /// The problem of scripts/golden_regression.py.
    fn with_problem<T>(test: impl FnOnce(Regression) -> T) -> T {
        let x = |row: usize, column: usize| ((7 * row * row + 11 * column * column + 3 * row * column) % 13) as f32;
        let features: Vec<f32> = (0..EXAMPLES * WIDTH).map(|at| x(at / WIDTH, at % WIDTH) / 6.0 - 1.0).collect();
        let labels: Vec<u32> = (0..EXAMPLES).map(|row| ((row * row + row / 3) % CLASSES) as u32).collect();
        let weights: Vec<f32> = (0..EXAMPLES).map(|row| (1 + row % 2) as f32).collect();
        test(Regression { features: &features, labels: &labels, weights: &weights, classes: CLASSES })
    }

    #[test]
    fn the_solution_is_that_of_scikit_learn() {
        let golden: [(f64, [f64; 15], [f64; 3]); 2] = [
            (
                0.01,
                [
                    -0.472172, -0.433063, 0.905236, -0.052864, -0.025095, 0.077959, -1.254645, 2.212337, -0.957692,
                    0.880118, 0.684782, -1.5649, -0.24386, -1.003859, 1.247719,
                ],
                [-0.129304, 0.61002, -0.480716],
            ),
            (
                0.3,
                [
                    -0.078153, 0.039549, 0.038604, 0.150534, -0.121633, -0.028901, -0.323416, 0.346267, -0.022851,
                    0.194808, 0.047313, -0.242121, -0.019764, -0.177322, 0.197086,
                ],
                [-0.046811, 0.381918, -0.335107],
            ),
        ];
        for (penalty, kernel, bias) in golden {
            let mut found = vec![0.0; (WIDTH + 1) * CLASSES];
            with_problem(|problem| problem.solve(&mut found, penalty, || Ok(()))).unwrap();
            let mean = found[15..].iter().sum::<f64>() / 3.0;
            found[15..].iter_mut().for_each(|bias| *bias -= mean);
            for (found, expected) in found.iter().zip(kernel.iter().chain(&bias)) {
                assert!((found - expected).abs() < 0.005, "penalty {penalty}: {found} instead of {expected}");
            }
        }
    }

    #[test]
    fn an_example_of_weight_zero_is_not_learned_from() {
        with_problem(|problem| {
            let mut weights = problem.weights.to_vec();
            weights[5] = 0.0;
            let solution = |labels: &[u32]| {
                let mut parameters = vec![0.0; problem.parameters()];
                Regression { labels, weights: &weights, ..problem }.solve(&mut parameters, 0.1, || Ok(())).unwrap();
                parameters
            };
            let mut labels = problem.labels.to_vec();
            let first = solution(&labels);
            labels[5] = (labels[5] + 1) % 3;
            assert_eq!(solution(&labels), first);
        });
    }

    #[test]
    fn heads_that_are_fitted_together_do_not_disturb_each_other() {
        with_problem(|problem| {
            let solution = |weights: &[f32]| {
                let problem = Regression { weights, ..problem };
                let mut parameters = vec![0.0; problem.parameters()];
                problem.solve(&mut parameters, 0.3, || Ok(())).unwrap();
                problem.logits(&parameters)
            };
            let [first, second] = [vec![1.0; EXAMPLES], problem.weights.to_vec()];
            let both = solution(&[first.clone(), second.clone()].concat());
            let alone = [first, second].map(|weights| solution(&weights));
            for (example, both) in both.chunks(2 * CLASSES).enumerate() {
                for (head, both) in both.chunks(CLASSES).enumerate() {
                    let alone = &alone[head][example * CLASSES..][..CLASSES];
                    assert!(both.iter().zip(alone).all(|(a, b)| (a - b).abs() < 0.01), "{both:?}, alone {alone:?}");
                }
            }
        });
    }
}
