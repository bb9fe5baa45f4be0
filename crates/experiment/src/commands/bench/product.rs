//! Matrix products to time: a large square one, that of a convolution, and the three of a dense layer.

use thawline_tensor::{
    Buffer,
    kernels::gemm::{Epilogue, Matrix, gemm},
    simd::Level,
};

use super::timing::{Work, Workload};
use crate::system::streams::Stream;

/// Which operand is stored transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// C = A B
    AB,
    /// C = A' B
    AtB,
    /// C = A B'
    ABt,
}

/// A product to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub name: &'static str,
    pub form: Form,
    /// M, N, K: C (M x N) = A (M x K) B (K x N).
    pub shape: [usize; 3],
}

/// The square product commonly used to compare libraries.
pub const SQUARE: Case = Case { name: "square", form: Form::AB, shape: [1024, 1024, 1024] };

/// All products: the square one; the tutorial's second convolution on a batch as one product; the three of
/// its first dense layer, forward (y = x W) and backward (dx = dy W', dW = x' dy).
pub const CASES: [Case; 5] = [
    SQUARE,
    Case { name: "conv2 as a product", form: Form::AB, shape: [128 * 28 * 28, 64, 9 * 64] },
    Case { name: "dense forward", form: Form::AB, shape: [128, 128, 12_544] },
    Case { name: "dense input gradient", form: Form::ABt, shape: [128, 12_544, 128] },
    Case { name: "dense kernel gradient", form: Form::AtB, shape: [12_544, 128, 128] },
];

impl Case {
    /// FLOPs, and bytes of the operands and the result.
    pub fn work(&self) -> Work {
        let [m, n, k] = self.shape.map(|size| size as u64);
        Work::direct(2 * m * n * k, 4 * (m * k + k * n + m * n))
    }

    /// Row and column strides of A and of B.
    pub fn strides(&self) -> [[usize; 2]; 2] {
        let [m, n, k] = self.shape;
        [if self.form == Form::AtB { [1, m] } else { [k, 1] }, if self.form == Form::ABt { [1, k] } else { [n, 1] }]
    }
}

/// A matrix product with its operands.
pub struct Product {
    case: Case,
    level: Level,
    a: Buffer,
    b: Buffer,
    c: Buffer,
}

impl Product {
    /// The operands are small whole numbers, so that every sum is exact.
    pub fn new(case: Case, level: Level) -> Self {
        let [m, n, k] = case.shape;
        Self { case, level, a: whole_numbers(0, m * k), b: whole_numbers(1, k * n), c: Buffer::zeros(m * n) }
    }

    fn operands(&self) -> [Matrix<'_>; 2] {
        let [m, n, k] = self.case.shape;
        let a = match self.case.form {
            Form::AtB => Matrix::new(&self.a, k, m).transposed(),
            _ => Matrix::new(&self.a, m, k),
        };
        let b = match self.case.form {
            Form::ABt => Matrix::new(&self.b, n, k).transposed(),
            _ => Matrix::new(&self.b, k, n),
        };
        [a, b]
    }

    /// The floats of A, B and C, for other libraries.
    pub fn floats(&mut self) -> ([&[f32]; 2], &mut [f32]) {
        ([&self.a, &self.b], &mut self.c)
    }

    /// Compares C with A B without computing A B: C r = A (B r) for a vector r of random whole numbers (Freivalds
    /// 1977). All sums are exact; an error in a row goes undetected with a probability below 1/1000.
    pub fn verify(&self) -> Result<(), String> {
        let [m, n, k] = self.case.shape;
        let times = |matrix: &[f32], [down, across]: [usize; 2], rows: usize, r: &[f64]| -> Vec<f64> {
            let row =
                |row: usize| r.iter().enumerate().map(move |(col, r)| f64::from(matrix[row * down + col * across]) * r);
            (0..rows).map(|index| row(index).sum()).collect()
        };
        let mut bits = Stream::BenchCheck.bits(0, 0, 0);
        let r: Vec<f64> = (0..n).map(|_| bits.below(1024) as f64).collect();
        let [a, b] = self.case.strides();
        let expected = times(&self.a, a, m, &times(&self.b, b, k, &r));
        let found = times(&self.c, [n, 1], m, &r);
        match expected.iter().zip(&found).position(|(expected, found)| expected != found) {
            None => Ok(()),
            Some(row) => Err(format!("row {row} of C differs from A B")),
        }
    }
}

impl Workload for Product {
    fn labels(&self) -> [String; 2] {
        let [m, n, k] = self.case.shape;
        ["matrix product".to_owned(), format!("{}: {m} x {n} x {k}", self.case.name)]
    }

    fn work(&self) -> Work {
        self.case.work()
    }

    fn run(&mut self) {
        // C is taken out so that it can be written while A and B are borrowed.
        let mut c = std::mem::take(&mut self.c);
        let [a, b] = self.operands();
        gemm(self.level, a, b, &mut c, Epilogue::None);
        self.c = c;
    }

    fn check(&mut self) -> Result<f64, String> {
        self.c.fill(f32::NAN);
        self.run();
        self.verify().map(|()| 0.0)
    }
}

/// Whole numbers from -3 to 3.
fn whole_numbers(index: u64, len: usize) -> Buffer {
    let mut bytes = vec![0; len];
    Stream::BenchProduct.bits(0, 0, index).fill(&mut bytes);
    let mut numbers = Buffer::zeros(len);
    for (number, byte) in numbers.iter_mut().zip(bytes) {
        *number = f32::from(byte % 7) - 3.0;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_correct_and_errors_are_detected() {
        for form in [Form::AB, Form::AtB, Form::ABt] {
            let mut product = Product::new(Case { name: "small", form, shape: [33, 20, 50] }, Level::best());
            assert_eq!(product.check(), Ok(0.0), "{form:?}");
            product.c[7 * 20 + 3] += 1.0;
            assert_eq!(product.verify(), Err("row 7 of C differs from A B".to_owned()));
        }
    }
}
