//! The records of one sweep, from one folder or from several, in an order that does not depend on the folders.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    arms::{MAX_SPLITS, catalogue},
    folder::{read_records, read_settings},
    record::JobRecord,
    settings::SweepSettings,
};
use crate::system::{
    failure::{Failure, Result},
    json,
};

/// The input of a sweep's report.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// The settings that all jobs share.
    pub settings: SweepSettings,
    /// The records: arms in the catalogue's order, then stage 1 and trials; seeds ascending.
    pub records: Vec<JobRecord>,
}

/// Reads the records of all folders.
///
/// # Errors
/// If the folders hold different sweeps, two records of a job differ, or a record is damaged.
pub fn read(folders: &[PathBuf]) -> Result<Results> {
    let Some(first) = folders.first() else { return Err(Failure::usage("no folder to report on")) };
    let mut settings = read_settings(first)?;
    let mut records: BTreeMap<(usize, String, u64), (JobRecord, &Path)> = BTreeMap::new();
    let order: Vec<String> = catalogue(settings.scope(MAX_SPLITS)?).into_iter().map(|arm| arm.name).collect();
    for folder in folders {
        let theirs = read_settings(folder)?;
        if let Some(difference) = settings.difference(&theirs) {
            return Err(Failure::usage(format!(
                "{} and {} hold different sweeps: {difference}; report on each separately",
                first.display(),
                folder.display()
            )));
        }
        // The origin of the data may differ; the report shows the first in alphabetical order.
        let origin = |settings: &SweepSettings| json::pretty(settings);
        if origin(&theirs) < origin(&settings) {
            settings = theirs;
        }
        for record in read_records(folder, &settings)? {
            let rank = order.iter().position(|name| *name == record.arm.name).unwrap_or(order.len());
            let key = (rank, record.arm.name.clone(), record.seed);
            match records.get(&key) {
                Some((other, at)) if other.reproducible_part() != record.reproducible_part() => {
                    return Err(Failure::usage(format!(
                        "{} and {} have different results for {}, seed {}: at least one of them is wrong",
                        at.display(),
                        folder.display(),
                        record.arm.name,
                        record.seed
                    )));
                }
                // One job, done twice: the record that was finished first counts.
                Some((other, _)) if finished_first(other, &record) => {}
                _ => {
                    records.insert(key, (record, folder));
                }
            }
        }
    }
    Ok(Results { settings, records: records.into_values().map(|(record, _)| record).collect() })
}

/// Whether `a` was finished before `b`; its content decides if the dates are equal.
fn finished_first(a: &JobRecord, b: &JobRecord) -> bool {
    (&a.machine.date, a.to_json()) <= (&b.machine.date, b.to_json())
}
