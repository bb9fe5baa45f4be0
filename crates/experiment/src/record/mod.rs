//! What is written down: settings, and the records of a run and of an adaptation.

pub mod adaptation;
pub mod config;
pub mod data;
#[cfg(test)]
pub(crate) mod fixture;
pub mod options;
pub mod pictures;
pub mod run;
