//! The experiment: train a network on some classes of pictures, freeze its features, and train a new head on others.
//!
//! The modules, from top to bottom; each uses only those below it:
//!
//! | module | contents |
//! |---|---|
//! | [`commands`] | the subcommands, their flags and settings files |
//! | [`run`] | one run: its settings, its folder, resuming it |
//! | [`report`] | HTML and plots from the records |
//! | [`sweep`] | many training runs: arms, jobs, statistics |
//! | [`training`] | training one network, and building the second one from the first |
//! | [`weights`] | weight files: models, checkpoints, PyTorch's and Keras's |
//! | [`data`] | pictures: CIFAR, built-in, your own |
//! | [`record`] | the settings and results that runs save |
//! | [`models`] | descriptions of networks |
//! | [`system`] | failures, files, the console, memory, the machine |
//!
//! Start reading at [`run::experiment`].
#![forbid(unsafe_code)]
#![allow(missing_docs)] // the modules of a program, not a public interface

pub mod commands;
pub mod data;
pub mod models;
pub mod record;
pub mod report;
pub mod run;
pub mod sweep;
pub mod system;
pub mod training;
pub mod weights;

/// The Rust examples in the documentation are tests.
#[cfg(doctest)]
mod documentation {
    macro_rules! pages {
        ($($name:ident: $page:literal)*) => {
            $(#[doc = include_str!(concat!("../../../docs/", $page))] mod $name {})*
        };
    }

    pages! {
        adding_a_layer: "adding-a-layer.md"
        backpropagation: "book/backpropagation.md"
        controls: "book/controls.md"
        convolution: "book/convolution.md"
        freezing: "book/freezing.md"
        matrix_product: "book/matrix-product.md"
        optimizers: "book/optimizers.md"
        randomness: "book/randomness.md"
        simd: "book/simd.md"
        winograd: "winograd.md"
    }

    #[doc = include_str!("../../../README.md")]
    mod readme {}
}
