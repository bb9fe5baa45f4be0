//! The kernels: plain functions on slices.
//!
//! The operations that dominate the running time of most networks share one building block, a product of small matrices
//! in registers ([`tile`]), inside different loops: [`gemm`] for dense layers, and a ladder of convolution methods in
//! [`conv`]. The other operations are single loops over memory: [`depthwise`], [`pool`], [`activation`],
//! [`batch_norm`], [`dropout`], [`softmax`], [`optimizer`]. [`window`] has what convolution and pooling share,
//! [`sums`] the sums of rows and of slices that layers and products need. [`mod@reference`] computes some of the same
//! results in plain loops, in `f64` for the tests.
//!
//! A function that takes a [`Simd`](crate::simd::Simd) token runs at the token's level, and is called through
//! [`dispatch!`](crate::dispatch). Slices hold `f32` in row-major order, images as H x W x C. With a slice of the wrong
//! length a kernel panics or computes only a part. [`gemm`] is parallel, and so is a convolution that uses it (im2col)
//! or takes several images at once; the other kernels leave it to their caller to run them in parallel.

// A register tile is indexed in plain loops: only they are sure to be unrolled.
#![allow(clippy::needless_range_loop)]

pub mod activation;
pub mod batch_norm;
pub mod conv;
pub mod depthwise;
pub mod dropout;
pub mod gemm;
pub mod optimizer;
pub mod pool;
pub mod reference;
pub mod softmax;
pub mod sums;
pub mod tile;
pub mod window;
