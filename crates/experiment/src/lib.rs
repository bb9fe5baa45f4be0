//! The experiment.
#![forbid(unsafe_code)]
