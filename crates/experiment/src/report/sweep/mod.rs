//! The report of a sweep: one HTML file, the same numbers as CSV and JSON, and the plots as SVG.
//!
//! It is a function of the sweep's records: the same records give the same bytes, no matter which process did which job
//! in which folder. Without times it is a function of their results, which do not depend on when and where a job was
//! done.

mod analysis;
mod answer;
mod comparisons;
mod differences;
mod files;
mod numbers;
mod page;
mod plots;
mod reproduction;
mod tables;
#[cfg(test)]
mod tests;
mod text;

use super::svg::Plot;
use crate::{sweep::merge::Results, system::console::Text};
use analysis::Analysis;

/// Options of a report.
#[derive(Default)]
pub struct Options {
    /// Leave times and machines out.
    pub no_times: bool,
    /// An additional sentence for the reader.
    pub note: Option<String>,
}

/// Every file of the report, by its name; `None` for a plot that it lacks, which an older report may have had.
pub fn files(results: &Results, options: &Options) -> Vec<(String, Option<Vec<u8>>)> {
    let analysis = Analysis::of(results, !options.no_times);
    let plots = Plots::of(&analysis);
    // The JSON comes first: it identifies the sweep that the other files belong to.
    let mut files = vec![
        ("report.json".to_owned(), Some(files::json(&analysis))),
        ("report.html".to_owned(), Some(page::render(&analysis, &plots, options).into_bytes())),
    ];
    files.extend(files::csv(&analysis).map(|(name, bytes)| (name.to_owned(), Some(bytes))));
    files.push(("splits.csv".to_owned(), files::splits(&analysis)));
    let svg = |plot: Plot| plot.standalone().into_bytes();
    files.extend(plots.named().map(|(name, plot)| (format!("plots/{name}.svg"), plot.map(svg))));
    files
}

/// The results as text for a terminal.
pub fn text(results: &Results, no_times: bool) -> Text {
    text::table(&Analysis::of(results, !no_times))
}

/// The plots; `None` if the sweep has no data for one.
struct Plots {
    accuracy: Option<Plot>,
    accuracy_others: Option<Plot>,
    loss: Option<Plot>,
    differences: Option<Plot>,
    splits: Option<Plot>,
    samples: Option<Plot>,
    depth: Option<Plot>,
    reliability: Option<Plot>,
    time: Option<Plot>,
}

impl Plots {
    fn of(analysis: &Analysis) -> Self {
        Plots {
            accuracy: plots::accuracy(analysis),
            accuracy_others: plots::other_accuracy(analysis),
            loss: plots::loss(analysis),
            differences: differences::of_pairs(&analysis.declared_pairs.iter().collect::<Vec<_>>()),
            splits: differences::of_splits(analysis),
            samples: plots::samples(analysis),
            depth: plots::depth(analysis),
            reliability: plots::reliability(analysis),
            time: plots::time(analysis),
        }
    }

    /// Each with the name of its file.
    fn named(self) -> [(&'static str, Option<Plot>); 9] {
        [
            ("accuracy", self.accuracy),
            ("accuracy-others", self.accuracy_others),
            ("loss", self.loss),
            ("differences", self.differences),
            ("splits", self.splits),
            ("samples", self.samples),
            ("depth", self.depth),
            ("reliability", self.reliability),
            ("time", self.time),
        ]
    }
}
