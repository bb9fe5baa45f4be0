//! The experiment: a network learns some classes of pictures, its features are frozen, and a new head learns others.
//!
//! The rooms, from top to bottom; each uses only those below it:
//!
//! | room | what it holds |
//! |---|---|
//! | [`commands`] | the subcommands, their flags and settings files |
//! | [`run`] | one run: its settings checked, its folder, its resumption |
//! | [`report`] | HTML and plots from the records |
//! | [`sweep`] | many trainings: arms, jobs, statistics |
//! | [`training`] | training one network, and making the second one out of the first |
//! | [`weights`] | files of weights: models, checkpoints, other programs' |
//! | [`data`] | pictures: CIFAR, built-in, a user's own |
//! | [`record`] | what is written down: settings and results |
//! | [`models`] | networks as descriptions |
//! | [`system`] | failures, files, the console, memory, the machine |
//!
//! To read on, begin with [`commands::run`].
#![forbid(unsafe_code)]
#![allow(missing_docs)] // a program's own modules, not an interface

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
