//! The report of a sweep: one HTML file, and the same numbers as CSV and JSON.
//!
//! It is a function of the sweep's records alone: the same records give the same bytes, whichever process did which job
//! and in whichever folder its record lay. Without times it is a function of their results alone.

pub mod analysis;
mod tables;

use crate::sweep::merge::Results;

/// Every file of the report, by its name.
pub fn files(results: &Results, no_times: bool) -> Vec<(String, Vec<u8>)> {
    let _ = no_times;
    let analysis = analysis::Analysis::of(results);
    vec![("arms.csv".to_owned(), tables::arms_csv(&analysis))]
}

/// The table of the arms as text for a terminal.
pub fn text(results: &Results) -> String {
    tables::text(&analysis::Analysis::of(results))
}
