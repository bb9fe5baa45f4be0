//! The report of a run: one HTML file that opens from disk, with plots and pictures inside it.
//!
//! It needs no network and no script, follows the reader's light or dark colour scheme, and prints. Whatever it
//! says comes from the run's record: the same record and pictures give the same bytes.

mod adaptation;
mod bars;
mod canvas;
mod caveats;
mod curves;
mod figures;
mod networks;
mod number;
mod page;
mod palette;
mod pictures;
mod published;
mod results;
pub mod sweep;
#[cfg(test)]
mod tests;

use crate::{
    adaptation::{Adaptation, Mistake},
    record::{ClassPictures, DataKind, ReportPictures, RunRecord},
};

/// The whole `report.html`.
pub fn render(record: &RunRecord, pictures: &ReportPictures) -> String {
    page::render(record, pictures)
}

/// The whole `report.html` of an adaptation; of its mistakes, the surest first, as many as are good to look at.
pub fn adaptation(record: &Adaptation, mistakes: &[Mistake]) -> String {
    adaptation::render(record, mistakes)
}

/// The run's plots as files: name and SVG text of each.
pub fn plots(record: &RunRecord) -> [(&'static str, String); 3] {
    [
        ("accuracy.svg", figures::accuracy(record).standalone()),
        ("loss.svg", figures::loss(record).standalone()),
        ("time.svg", figures::time(record).standalone()),
    ]
}

/// The run's picture grids as files: name and PNG bytes of each half that has pictures.
pub fn picture_grids(record: &RunRecord, pictures: &ReportPictures) -> Vec<(&'static str, Vec<u8>)> {
    [("source.png", &pictures.source), ("target.png", &pictures.target)]
        .into_iter()
        .filter_map(|(name, rows)| Some((name, sample_grid(rows, record.data.kind)?)))
        .collect()
}

/// Sample pictures as the bytes of a PNG, a row per class; nothing where there are no pictures.
pub fn sample_grid(rows: &[ClassPictures], kind: DataKind) -> Option<Vec<u8>> {
    pictures::grid(rows, &pictures::describe(rows, kind))
}
