//! The experiment: a network learns some classes of pictures, its features are frozen, and a new head learns others.
//!
//! What happens, in order: [`data`] finds the pictures, [`task`] selects those of some classes, [`models`] builds a
//! network, [`experiment`] checks that all goes together, [`training`] trains, [`transfer`] makes the second network out of
//! the first, [`record`] is what is left, and [`report`] shows it. [`commands::run`] tells this story from the command line
//! ([`cli`]). [`commands::adapt`] and [`commands::predict`] put it to use on a user's [`own_pictures`].
#![forbid(unsafe_code)]

pub mod adaptation;
pub mod arms;
pub mod checkpoint;
pub mod classes;
pub mod cli;
pub mod command_line;
pub mod commands;
pub mod config;
pub mod data;
pub mod exchange;
pub mod experiment;
pub mod features;
pub mod model_file;
pub mod models;
pub mod options;
pub mod own_pictures;
mod path_text;
pub mod pictures;
pub mod png;
pub mod predictions;
pub mod selection;
pub mod statistics;
pub mod streams;
pub mod sweep;
pub mod task;
pub mod tensor_file;
pub mod training;
pub mod transfer;
pub mod weights;

pub mod console;
pub mod estimate;
pub mod failure;
pub mod hash;
pub mod input;
pub mod interrupt;
pub mod machine;
pub mod memory;
pub mod names;
pub mod number;
pub mod plan;
pub mod progress;
pub mod results;
pub mod spreadsheet;
pub mod wording;

pub mod atomic_file;
pub mod output;
pub mod record;
pub mod report;
pub mod run_folder;
