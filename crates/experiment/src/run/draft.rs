//! The report of an unfinished run, rewritten after each epoch.

use super::{folder::RunFolder, prepare};
use crate::{
    data::open::Data,
    record::run::{EpochRow, RunRecord},
    report::{self, Grids},
    system::failure::Result,
};

pub struct Draft {
    record: RunRecord,
    grids: Grids,
}

impl Draft {
    pub fn new(record: RunRecord, data: &Data) -> Self {
        let grids = Grids::new(&record, &prepare::pictures(data, &record));
        Draft { record, grids }
    }

    pub fn add(&mut self, model: &str, row: EpochRow) {
        let model = self.record.model_mut(model);
        model.total_seconds += row.seconds;
        model.history.push(row);
    }

    /// Writes the report so far.
    pub fn write(&self, folder: &RunFolder) -> Result<()> {
        folder.write("report.html", report::render(&self.record, &self.grids).as_bytes())
    }
}
