//! Floor 1, the kernels: plain functions on slices.
//!
//! Every heavy operation is one building block, a product of small matrices in registers ([`tile`]), under different
//! loops: [`gemm`] for dense layers, and a ladder of convolutions in [`conv`]. The rest is light: [`pool`],
//! [`activation`], [`batch_norm`], [`dropout`], [`softmax`], [`optimizer`]. [`mod@reference`] says in `f64` and in the plainest loops what
//! the others must compute.
//!
//! Functions that take a [`Simd`](crate::simd::Simd) token run at that level; those in [`gemm`] are parallel, the
//! convolutions work on one image and leave it to the caller to run many.

// A register tile is indexed in plain loops: only they are sure to be unrolled.
#![allow(clippy::needless_range_loop)]

pub mod activation;
pub mod batch_norm;
pub mod conv;
pub mod dropout;
pub mod gemm;
pub mod optimizer;
pub mod pool;
pub mod reference;
pub mod softmax;
pub mod tile;
