//! A small tensor engine for the CPU: SIMD kernels, layers with explicit backward passes, and a network you can freeze.
//!
//! Three modules, each of which uses only those before it: [`simd`] (vectors of sixteen lanes at every level),
//! [`kernels`] (plain functions on slices), [`nn`] (layers, the network, training). Beside them, [`random`] makes
//! random bits that depend only on a seed and an address, [`threads`] runs loops in parallel, and a [`Tensor`] is
//! floats with a [`Shape`].

#![deny(unsafe_code)]

mod buffer;
pub mod kernels;
pub mod nn;
pub mod random;
mod shape;
pub mod simd;
mod tensor;
pub mod threads;

pub use buffer::Buffer;
pub use shape::Shape;
pub use tensor::Tensor;

/// The example in the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
