//! Floor 1, the kernels: plain functions on slices.
//!
//! Every heavy operation is the same building block, a product of small matrices in registers ([`tile`]), inside
//! different loops: [`gemm`] for dense layers, and a ladder of convolutions in [`conv`]. The rest is light: [`pool`],
//! [`activation`], [`batch_norm`], [`dropout`], [`softmax`], [`optimizer`]. Convolution and pooling share [`window`].
//! [`mod@reference`] computes the same in plain loops; in `f64` it is the oracle of the tests.
//!
//! A function that takes a [`Simd`](crate::simd::Simd) token runs at that level, and is called through
//! [`dispatch!`](crate::dispatch). Slices hold `f32` in row-major order, images as H x W x C; one of the wrong length
//! makes a kernel panic. [`gemm`] is parallel; a convolution computes one image and leaves it to the caller to run
//! many.

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
pub mod window;
