//! The experiment.
#![forbid(unsafe_code)]

pub mod atomic_file;
pub mod pictures;
pub mod record;
pub mod report;
pub mod run_folder;
