//! The layers of a network as in Keras's summary, with the cost of each.

use std::fmt;

use crate::shape::Shape;

use super::network::Network;

/// One layer of a [`Summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// The layer's name.
    pub name: String,
    /// Its type, as [`Layer::kind`](super::Layer::kind) names it.
    pub kind: &'static str,
    /// The shape of its output for one example.
    pub output: Shape,
    /// The number of its parameters.
    pub parameters: usize,
    /// How many of them gradient descent updates.
    pub trainable: usize,
    /// How many of them are statistics that training updates: batch normalization's running means and variances.
    pub statistics: usize,
    /// Floating-point operations of the forward pass for one example, by the direct method.
    pub flops: u64,
    /// Bytes of its output for one example.
    pub activation_bytes: u64,
}

/// All layers of a network; prints as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The shape of one input.
    pub input: Shape,
    /// The layers.
    pub rows: Vec<SummaryRow>,
}

impl Network {
    /// The network's layers and what they cost.
    pub fn summary(&self) -> Summary {
        let mut counted = vec![false; self.nodes.len()];
        let rows = self.layers.iter().map(|listed| {
            // The parameters belong to the first of the fused layers.
            let own = listed.node.filter(|&node| !std::mem::replace(&mut counted[node], true));
            let params = own.map_or(&[][..], |node| self.nodes[node].layer.params());
            let count = |statistic: bool| {
                let counted = params.iter().filter(|param| param.trainable && param.statistic == statistic);
                counted.map(|param| param.shape.size()).sum()
            };
            SummaryRow {
                name: listed.name.clone(),
                kind: listed.kind,
                output: listed.output.clone(),
                parameters: listed.parameters,
                trainable: count(false),
                statistics: count(true),
                flops: listed.flops,
                activation_bytes: 4 * listed.output.size() as u64,
            }
        });
        Summary { input: self.input.clone(), rows: rows.collect() }
    }
}

impl Summary {
    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.parameters))
    }

    /// The number of parameters that gradient descent updates.
    pub fn trainable(&self) -> usize {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.trainable))
    }

    /// The number of parameters that are statistics and that training updates.
    pub fn statistics(&self) -> usize {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.statistics))
    }

    /// The number of parameters that training does not change.
    pub fn frozen(&self) -> usize {
        self.parameters().saturating_sub(self.trainable()).saturating_sub(self.statistics())
    }

    /// Floating-point operations of the forward pass for one example, by the direct method.
    pub fn flops(&self) -> u64 {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.flops))
    }

    /// Bytes of all outputs for one example.
    pub fn activation_bytes(&self) -> u64 {
        self.rows.iter().fold(0, |sum, row| sum.saturating_add(row.activation_bytes))
    }
}

/// Width of the name-and-type column; it makes the table 80 columns wide.
const LAYER: usize = 30;

/// A layer's name, and its type if both fit.
fn layer(name: &str, kind: &str) -> String {
    let both = format!("{name} ({kind})");
    match name.char_indices().nth(LAYER - 3) {
        _ if both.chars().count() <= LAYER => both,
        Some((end, _)) if name.chars().count() > LAYER => format!("{}...", &name[..end]),
        _ => name.to_owned(),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 6]| {
            let [layer, shape, parameters, trainable, mflops, kib] = cells;
            writeln!(f, "{layer:<LAYER$} {shape:>12} {parameters:>10} {trainable:>9} {mflops:>7} {kib:>7}")
        };
        line(f, ["Layer (type)", "Output shape", "Parameters", "Trainable", "MFLOPs", "KiB out"])?;
        writeln!(f, "{}", "-".repeat(80))?;
        for row in &self.rows {
            let trainable = match (row.parameters, row.trainable) {
                (0, _) => "-".to_owned(),
                (all, some) if all == some => "yes".to_owned(),
                (_, 0) => "no".to_owned(),
                (_, some) => thousands(some as u64),
            };
            line(
                f,
                [
                    &layer(&row.name, row.kind),
                    &row.output.to_string(),
                    &thousands(row.parameters as u64),
                    &trainable,
                    &format!("{:.2}", row.flops as f64 / 1e6),
                    &format!("{:.1}", row.activation_bytes as f64 / 1024.0),
                ],
            )?;
        }
        writeln!(f, "{}", "-".repeat(80))?;
        let [all, trainable, frozen] =
            [self.parameters(), self.trainable(), self.frozen()].map(|n| thousands(n as u64));
        write!(f, "Input {}; parameters {all}: trainable {trainable}, frozen {frozen}", self.input)?;
        match self.statistics() {
            0 => writeln!(f)?,
            statistics => writeln!(f, ", statistics {}", thousands(statistics as u64))?,
        }
        let (mflops, kib) = (self.flops() as f64 / 1e6, self.activation_bytes() as f64 / 1024.0);
        write!(f, "One example forward: {mflops:.1} MFLOPs (direct method), {kib:.0} KiB of activations")
    }
}

/// A whole number with commas: `1,645,125`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
