//! The sweep: many arms with many seeds, on one protocol, in one folder.
//!
//! [`plan`] lists the jobs, [`worker`] runs those that no other process runs, [`trainer`] does one of them, [`folder`]
//! keeps their [`record`]s, and [`merge`] reads the records of one folder or several for the report.

pub mod arms;
pub mod statistics;

pub mod comparison;
pub mod cost;
pub mod folder;
pub mod merge;
pub mod plan;
pub mod progress;
pub mod protocol;
pub mod record;
pub mod settings;
pub mod splits;
pub mod stage1;
#[cfg(test)]
mod tests;
pub mod trainer;
pub mod tuning;
pub mod worker;
