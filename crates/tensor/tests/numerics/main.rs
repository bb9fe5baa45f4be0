//! What the engine computes, proven: every kernel and layer against `f64` references, golden values and itself.
//!
//! | module | what it shows |
//! |---|---|
//! | [`golden`] | logits, gradients and ten training steps agree with PyTorch and Keras, by every convolution method |
//! | [`conv`] | each rung of the ladder gives the exact result on whole numbers, at every SIMD level |
//!
//! They share [`cases`] (the shapes), [`data`] (the numbers), [`rungs`] (the ladder behind one signature), [`chain`]
//! (a network's passes with every gradient in the open) and [`compare`] (what "equal" means).

mod cases;
mod chain;
mod compare;
mod conv;
mod data;
mod dropout;
mod gemm;
mod golden;
mod gradients;
mod layers;
mod light;
mod network;
mod optimizer;
mod oracle;
mod rungs;
mod softmax;
mod winograd_error;
