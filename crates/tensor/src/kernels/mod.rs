//! The kernels: plain functions on slices.
//!
//! All operations that dominate the running time share one building block, a product of small matrices in registers
//! ([`tile`]), inside different loops: [`gemm`] for dense layers, and a ladder of convolution methods in [`conv`]. The
//! other operations are limited by memory: [`pool`], [`activation`], [`batch_norm`], [`dropout`], [`softmax`],
//! [`optimizer`]. Convolution and pooling share [`window`]. [`mod@reference`] computes the same results in plain
//! loops; in `f64` it is the reference for the tests.
//!
//! A function that takes a [`Simd`](crate::simd::Simd) token runs at the token's level, and is called through
//! [`dispatch!`](crate::dispatch). Slices hold `f32` in row-major order, images as H x W x C; a slice of the wrong
//! length makes a kernel panic. [`gemm`] is parallel; a convolution computes one image, and its caller runs many in
//! parallel.

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
pub mod tile;
pub mod window;
