//! Compares a benchmark with an earlier one, the saved output of `--json`.

use std::path::Path;

use serde::Deserialize;

use crate::system::{
    failure::{Failure, Result},
    input, json,
    machine::Environment,
    wording,
};

use super::record::{Change, FORMAT, Row};

/// What the comparison reads of the earlier record.
#[derive(Debug, Deserialize)]
pub struct Earlier {
    pub environment: Environment,
    /// Never read: without it, the record is another command's.
    #[serde(rename = "peak_gflops")]
    _peak: f64,
    #[serde(default)]
    kernels: Vec<EarlierRow>,
    #[serde(default)]
    steps: Vec<EarlierRow>,
}

#[derive(Debug, Deserialize)]
struct EarlierRow {
    group: String,
    name: String,
    threads: usize,
    median_ms: f64,
    quartiles_ms: [f64; 2],
}

impl Earlier {
    /// Reads a record; fails if the file cannot be read or is not a record of this format.
    pub fn read(path: &Path) -> Result<Self> {
        let refused = |reason: String| {
            let expected = "expected the output of `thawline bench --json`";
            Failure::usage(format!("--against: {}: {reason}; {expected}", path.display()))
        };
        let bytes = input::read(path, input::RECORD).map_err(|failure| failure.within("--against"))?;
        let misread = |error| refused(wording::json(&error));
        let format = json::format_of(&bytes).map_err(misread)?;
        if format != FORMAT {
            return Err(refused(format!("its format is {format}, and this program writes {FORMAT}")));
        }
        serde_json::from_slice(&bytes).map_err(misread)
    }

    /// The rows that both records have, in the order of the new one.
    pub fn compare(&self, rows: &[Row]) -> Vec<Change> {
        let earlier = |row: &Row| {
            let mut all = self.kernels.iter().chain(&self.steps);
            all.find(|earlier| (&earlier.group, &earlier.name, earlier.threads) == (&row.group, &row.name, row.threads))
        };
        let changes = rows.iter().filter_map(|row| {
            let earlier = earlier(row)?;
            let ([low, high], [earlier_low, earlier_high]) = (row.quartiles_ms, earlier.quartiles_ms);
            Some(Change {
                group: row.group.clone(),
                name: row.name.clone(),
                threads: row.threads,
                earlier_ms: earlier.median_ms,
                median_ms: row.median_ms,
                ratio: row.median_ms / earlier.median_ms,
                quartiles_apart: high < earlier_low || earlier_high < low,
            })
        });
        changes.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::{
        roof::Roof,
        timing::{Times, Work},
    };

    #[test]
    fn rows_are_compared_by_name_and_threads() {
        let roof = Roof { flops_per_second: 1.0, bytes_per_second: 1.0 };
        let row = |name: &str, threads, seconds: &[f64]| {
            Row::new(["step".into(), name.into()], threads, Work::traffic(1), &roof, &Times::new(seconds.to_vec()), 0.0)
        };
        let before = [row("a", 2, &[1.0, 1.0, 1.0]), row("a", 1, &[2.0, 2.0, 2.2]), row("b", 1, &[1.0, 3.0, 5.0])];
        let json =
            serde_json::json!({"format": FORMAT, "environment": environment(), "peak_gflops": 1.0, "steps": before});
        let earlier: Earlier = serde_json::from_value(json).unwrap();
        let now = [row("a", 1, &[1.0, 1.0, 1.1]), row("b", 1, &[2.0, 3.3, 4.0]), row("c", 1, &[1.0])];
        let changes = earlier.compare(&now);
        let found: Vec<_> =
            changes.iter().map(|change| (&*change.name, change.ratio, change.quartiles_apart)).collect();
        assert_eq!(found[0], ("a", 0.5, true));
        assert!(found.len() == 2 && found[1].0 == "b" && (found[1].1 - 1.1).abs() < 1e-9 && !found[1].2, "{found:?}");
    }

    fn environment() -> Environment {
        crate::system::machine::environment(std::time::SystemTime::UNIX_EPOCH)
    }
}
