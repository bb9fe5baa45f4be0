//! Random splits of the classes as the unit of replication: what transfer is worth, and whether that depends on the
//! similarity of the halves.

use serde::Serialize;

use super::{
    arms::{ClassSet, FeatureSource, Stage},
    record::JobRecord,
    statistics::{Line, Sample},
};

/// The results of a sweep's random splits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Splits {
    pub splits: Vec<Split>,
    /// The mean gap over splits, each the mean of its directions and seeds.
    pub gap: Sample,
    /// How many splits have a gap above zero.
    pub positive: usize,
    /// The gap as a function of likeness; `None` without vehicles and animals, for fewer than three splits, or if all
    /// are equally alike.
    pub by_likeness: Option<Line>,
}

/// One split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Split {
    pub number: u32,
    /// The test accuracy with frozen features minus that of training from scratch, in each direction.
    pub gaps: Vec<f64>,
    /// The share of pairs of a source and a target class that are two animals or two vehicles.
    pub likeness: Option<f64>,
}

impl Split {
    /// The mean of its directions.
    pub fn gap(&self) -> f64 {
        self.gaps.iter().sum::<f64>() / self.gaps.len() as f64
    }
}

impl Splits {
    /// The splits among a sweep's records, without unfinished ones; `None` if there are none.
    pub fn of(records: &[JobRecord], is_vehicle: impl Fn(&str) -> Option<bool>) -> Option<Self> {
        let mut splits: Vec<Split> = Vec::new();
        let transfers = records.iter().filter(|record| record.arm.stage == Stage::Transfer);
        for number in transfers.filter_map(|record| record.arm.classes.split()) {
            if !splits.iter().any(|split| split.number == number) {
                splits.extend(split(records, number, &is_vehicle));
            }
        }
        let gaps: Vec<f64> = splits.iter().map(Split::gap).collect();
        let likeness: Option<Vec<f64>> = splits.iter().map(|split| split.likeness).collect();
        Some(Splits {
            gap: Sample::of(&gaps)?,
            positive: gaps.iter().filter(|&&gap| gap > 0.0).count(),
            by_likeness: likeness.and_then(|likeness| Line::fit(&likeness, &gaps)),
            splits,
        })
    }
}

/// The gaps of one split; `None` unless both directions have results. The control of each direction is stage 1 of the
/// other: training from scratch on the same classes.
fn split(records: &[JobRecord], number: u32, is_vehicle: impl Fn(&str) -> Option<bool>) -> Option<Split> {
    let halves = [ClassSet::SplitTarget(number), ClassSet::SplitSource(number)];
    let mean = |is_transfer: bool, half: ClassSet| {
        let of_half = records.iter().filter(|record| record.arm.classes == half);
        let wanted = of_half.filter(|record| (record.arm.features != FeatureSource::Untrained) == is_transfer);
        Some(Sample::of(&wanted.map(|record| record.test.accuracy).collect::<Vec<_>>())?.mean)
    };
    // In an unfinished sweep, one direction alone is not a split's value.
    let gaps = halves.into_iter().map(|half| Some(mean(true, half)? - mean(false, half)?)).collect::<Option<_>>()?;
    let classes = halves.map(|half| {
        let record = records.iter().find(|record| record.arm.classes == half)?;
        record.classes.iter().map(|class| is_vehicle(class)).collect::<Option<Vec<bool>>>()
    });
    let likeness = match classes {
        [Some(one), Some(other)] => {
            let alike = one.iter().map(|kind| other.iter().filter(|&other| other == kind).count()).sum::<usize>();
            Some(alike as f64 / (one.len() * other.len()) as f64)
        }
        _ => None,
    };
    Some(Split { number, gaps, likeness })
}
