//! Reports: HTML files that open from disk, with plots and pictures inside.
//!
//! They need no network and no script, follow the reader's light or dark colour scheme, and print. Their content comes
//! only from what they report on, such as a record and its pictures: the same ones give the same bytes.

mod adaptation;
mod bars;
mod comparison;
mod curves;
mod explanation;
mod figures;
mod networks;
mod page;
mod palette;
mod pictures;
mod published;
mod results;
mod rows;
mod run;
mod svg;
pub mod sweep;
mod table;
#[cfg(test)]
mod tests;

pub use adaptation::{MISTAKES, render as adaptation};
pub use comparison::comparison;
pub use explanation::render as explanation;
pub use pictures::{Grids, grid as sample_grid};
pub use run::render;

use crate::record::run::RunRecord;

/// The run's plots as files: name and SVG text of each.
pub fn plots(record: &RunRecord) -> [(&'static str, String); 3] {
    [
        ("accuracy.svg", figures::accuracy(record).standalone()),
        ("loss.svg", figures::loss(record).standalone()),
        ("time.svg", figures::time(record).standalone()),
    ]
}
