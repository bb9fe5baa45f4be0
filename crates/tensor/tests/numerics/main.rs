//! Tests of everything that the engine computes: every kernel and layer against `f64` references, golden values and
//! itself.
//!
//! | module | what it shows |
//! |---|---|
//! | [`bits`] | the same bits for any number of threads, alone or in a batch, and at every level with fused multiply-add |
//! | [`conv`] | on whole numbers, each convolution method is exact, Winograd's close, at every SIMD level |
//! | [`dropout`] | dropout drops the expected share, and always the same elements for an address |
//! | [`freezing`] | frozen weights keep every bit and have no gradients, and their features can be computed once |
//! | [`gemm`] | matrix products are exact on whole numbers and within the error bound on others, in every form |
//! | [`golden`] | logits, gradients and ten training steps agree with PyTorch and Keras, by every convolution method |
//! | [`gradients`] | the `f64` references' gradients are the slopes of their forward passes |
//! | [`layers`] | layers, with the layers fused into them, agree with the `f64` references |
//! | [`levels`] | layers, golden values and training agree at every SIMD level that the CPU has |
//! | [`light`] | memory-bound kernels are right at every length up to 67, and write nothing beyond it |
//! | [`mobile`] | depthwise convolutions are exact on whole numbers, and mobile blocks agree with PyTorch |
//! | [`network`] | a network refuses what does not fit, freezes what it says, and adds up its parameters |
//! | [`normalization`] | batch normalization does what its `f64` reference and PyTorch do, trained and frozen |
//! | [`optimizer`] | Adam and gradient descent follow their `f64` references, and stay finite |
//! | [`own_layers`] | layers written outside the engine get what they ask for |
//! | [`softmax`] | the loss is right to a few units in the last place, also at logits of 3e38 |
//! | [`stopping`] | training stops if the loss is not finite or it is told to, and resumes with the same bits |
//! | [`training`] | the training loop sees every example once an epoch, and refuses what does not fit |
//! | [`vectors`] | vector operations do to each lane what the scalar ones do, for special numbers, too |
//! | [`winograd_error`] | the error of Winograd's method, as a table and with a bound |
//!
//! | module | what the others share |
//! |---|---|
//! | [`cases`] | the shapes |
//! | [`chain`] | a network's passes, with every gradient accessible |
//! | [`compare`] | what "equal" means |
//! | [`data`] | the numbers |
//! | [`reference`] | layers in `f64` |
//! | [`rungs`] | a convolution method on one or more images, at any level |
//! | [`small`] | a small training run |

mod bits;
mod cases;
mod chain;
mod compare;
mod conv;
mod data;
mod dropout;
mod freezing;
mod gemm;
mod golden;
mod gradients;
mod layers;
mod levels;
mod light;
mod mobile;
mod network;
mod normalization;
mod optimizer;
mod own_layers;
mod reference;
mod rungs;
mod small;
mod softmax;
mod stopping;
mod training;
mod vectors;
mod winograd_error;
