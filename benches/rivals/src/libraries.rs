//! The libraries behind one signature: C = A B, with row and column strides for each operand.

use faer::{Accum, MatMut, MatRef, Par};
use thawline::commands::bench::product::{Case, Form};
use thawline_tensor::{
    kernels::gemm::{Epilogue, Matrix},
    simd::Level,
};

/// Computes a case's C from its operands, on a number of threads.
pub type Multiply = fn(Case, [&[f32]; 2], &mut [f32], usize);

/// Thawline first.
pub const LIBRARIES: [(&str, Multiply); 4] =
    [("Thawline", thawline), ("matrixmultiply 0.3", matrixmultiply), ("gemm 0.19", gemm), ("faer 0.24", faer)];

fn thawline(case: Case, [a, b]: [&[f32]; 2], c: &mut [f32], _threads: usize) {
    let [m, n, k] = case.shape;
    let a = if case.form == Form::AtB { Matrix::new(a, k, m).transposed() } else { Matrix::new(a, m, k) };
    let b = if case.form == Form::ABt { Matrix::new(b, n, k).transposed() } else { Matrix::new(b, k, n) };
    thawline_tensor::kernels::gemm::gemm(Level::current(), a, b, c, Epilogue::None);
}

fn matrixmultiply(case: Case, [a, b]: [&[f32]; 2], c: &mut [f32], _threads: usize) {
    let [m, n, k] = case.shape;
    require_whole(case, [a, b], c);
    let [[a_down, a_across], [b_down, b_across]] = case.strides().map(|strides| strides.map(|stride| stride as isize));
    // SAFETY: the operands are whole matrices of the case's sizes, with its strides; C is row-major.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.as_ptr(),
            a_down,
            a_across,
            b.as_ptr(),
            b_down,
            b_across,
            0.0,
            c.as_mut_ptr(),
            n as isize,
            1,
        );
    }
}

fn gemm(case: Case, [a, b]: [&[f32]; 2], c: &mut [f32], threads: usize) {
    let [m, n, k] = case.shape;
    require_whole(case, [a, b], c);
    let [[a_down, a_across], [b_down, b_across]] = case.strides().map(|strides| strides.map(|stride| stride as isize));
    let parallelism = if threads == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(threads) };
    // SAFETY: the operands are whole matrices of the case's sizes, with its strides; C is row-major.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            a_across,
            a_down,
            b.as_ptr(),
            b_across,
            b_down,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

fn faer(case: Case, [a, b]: [&[f32]; 2], c: &mut [f32], threads: usize) {
    let [m, n, k] = case.shape;
    let a = match case.form {
        Form::AtB => MatRef::from_row_major_slice(a, k, m).transpose(),
        _ => MatRef::from_row_major_slice(a, m, k),
    };
    let b = match case.form {
        Form::ABt => MatRef::from_row_major_slice(b, n, k).transpose(),
        _ => MatRef::from_row_major_slice(b, k, n),
    };
    let parallelism = if threads == 1 { Par::Seq } else { Par::rayon(threads) };
    let c = MatMut::from_row_major_slice_mut(c, m, n);
    faer::linalg::matmul::matmul(c, Accum::Replace, a, b, 1.0, parallelism);
}

/// Checks the sizes that the libraries with pointer interfaces rely on.
fn require_whole(case: Case, [a, b]: [&[f32]; 2], c: &[f32]) {
    let [m, n, k] = case.shape;
    assert_eq!([a.len(), b.len(), c.len()], [m * k, k * n, m * n], "whole matrices");
}
