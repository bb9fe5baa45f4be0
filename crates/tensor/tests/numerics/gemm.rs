//! Matrix products: exact on whole numbers for every shape, form and level, and within the error bound of a sum of
//! products on real numbers.

use thawline_tensor::kernels::activation::Fused;
use thawline_tensor::kernels::gemm::{Epilogue, Matrix, gemm};
use thawline_tensor::kernels::reference::{matmul, transpose};
use thawline_tensor::simd::Level;

use crate::cases::products;
use crate::compare::{exact, within};
use crate::data::{integers, levels, reals, wide};

/// Which operand is stored transposed.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    AB,
    AtB,
    ABt,
}

pub const FORMS: [Form; 3] = [Form::AB, Form::AtB, Form::ABt];

/// A product of random operands, each stored as it is and transposed.
pub struct Product {
    shape: [usize; 3],
    a: [Vec<f32>; 2],
    b: [Vec<f32>; 2],
    pub bias: Vec<f32>,
}

impl Product {
    pub fn new([m, n, k]: [usize; 3], fill: fn(&str, usize) -> Vec<f32>) -> Self {
        let [a, b, bias] = [fill("a", m * k), fill("b", k * n), fill("bias", n)];
        let transposed = [transpose(&a, m, k), transpose(&b, k, n)];
        let [a_transposed, b_transposed] = transposed;
        Self { shape: [m, n, k], a: [a, a_transposed], b: [b, b_transposed], bias }
    }

    pub fn compute(&self, level: Level, form: Form, epilogue: Epilogue) -> Vec<f32> {
        let [m, n, k] = self.shape;
        let a = match form {
            Form::AtB => Matrix::new(&self.a[1], k, m).transposed(),
            _ => Matrix::new(&self.a[0], m, k),
        };
        let b = match form {
            Form::ABt => Matrix::new(&self.b[1], n, k).transposed(),
            _ => Matrix::new(&self.b[0], k, n),
        };
        let mut c = vec![f32::NAN; m * n];
        gemm(level, a, b, &mut c, epilogue);
        c
    }

    /// A B + bias in `f64`, with every operand passed through `f`.
    fn expected(&self, f: fn(f64) -> f64, bias: bool) -> Vec<f64> {
        let [a, b, biases] =
            [&self.a[0], &self.b[0], &self.bias].map(|x| wide(x).into_iter().map(f).collect::<Vec<_>>());
        let mut c = matmul(&a, &b, self.shape);
        if bias {
            c.chunks_exact_mut(biases.len().max(1))
                .for_each(|row| row.iter_mut().zip(&biases).for_each(|(c, b)| *c += b));
        }
        c
    }
}

#[test]
fn whole_numbers_are_exact_in_every_form_with_every_epilogue() {
    for shape in products() {
        let product = Product::new(shape, integers);
        let [plain, biased] = [false, true].map(|bias| product.expected(|x| x, bias));
        let rectified: Vec<f64> = biased.iter().map(|x| x.max(0.0)).collect();
        let epilogues = [
            (Epilogue::None, plain),
            (Epilogue::Bias(&product.bias, Fused::None), biased),
            (Epilogue::Bias(&product.bias, Fused::Relu), rectified),
        ];
        for level in levels() {
            for form in FORMS {
                for (epilogue, expected) in &epilogues {
                    let c = product.compute(level, form, *epilogue);
                    exact(format_args!("{shape:?} {form:?} at {level}, {epilogue:?}"), &c, expected);
                }
            }
        }
    }
}

#[test]
fn real_numbers_stay_within_the_error_bound() {
    // Every fifth shape; 5 and 16 have no common divisor, so every dimension still occurs in every place.
    for shape in products().step_by(5).chain([[300, 64, 576], [16, 128, 12_544], [65, 100, 1000]]) {
        let product = Product::new(shape, reals);
        let [expected, magnitudes] = [(|x| x) as fn(f64) -> f64, f64::abs].map(|f| product.expected(f, true));
        for level in levels() {
            for form in FORMS {
                let c = product.compute(level, form, Epilogue::Bias(&product.bias, Fused::None));
                within(format_args!("{shape:?} {form:?} at {level}"), &c, &expected, &magnitudes, shape[2] + 1);
            }
        }
    }
}

#[test]
#[should_panic(expected = "the product of 2 x 3 and 4 x 5 matrices")]
fn operands_of_mismatched_shapes_are_refused() {
    let zeros = [0.0; 20];
    gemm(Level::current(), Matrix::new(&zeros[..6], 2, 3), Matrix::new(&zeros, 4, 5), &mut [0.0; 10], Epilogue::None);
}

#[test]
#[should_panic(expected = "a 2 x 3 matrix was given 5 elements")]
fn a_matrix_of_the_wrong_size_is_refused() {
    Matrix::new(&[0.0; 5], 2, 3);
}
