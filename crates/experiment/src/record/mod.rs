//! The files that a run saves: its settings and its record.

pub mod adaptation;
pub mod config;
pub mod data;
#[cfg(test)]
pub(crate) mod fixture;
pub mod options;
pub mod pictures;
pub mod ranges;
pub mod run;
pub mod scores;
