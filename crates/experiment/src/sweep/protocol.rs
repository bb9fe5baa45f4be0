//! The protocol: which pictures an arm is trained on, which validate it, and which test it, once.
//!
//! The last tenth of each class's training pictures, 500 in CIFAR-10, is held out and used for every choice. A network
//! is scored on the test set once, after the last epoch; the number of epochs is fixed beforehand. Only the arm that
//! reproduces the tutorial and its stage 1 hold nothing out and are scored on the test set after each epoch.

use thawline_tensor::nn::Examples;

use super::{
    arms::{Arm, ClassSet, Labelling, Validation},
    settings::SweepSettings,
};
use crate::{
    data::{
        open::Data,
        selection::{Selection, of_classes},
    },
    record::data::ClassRecord,
    system::{
        failure::{Failure, Result},
        streams::Stream,
    },
};

/// One of this many training pictures of each class is held out, but at least one.
const HELD_OUT: usize = 10;

/// The pictures of some classes, divided by purpose.
pub struct Pictures<'a> {
    /// The classes, in the order of a network's outputs.
    pub classes: Vec<ClassRecord>,
    /// For training.
    pub train: Selection<'a>,
    /// For validation after each epoch, and for every choice.
    pub validation: Selection<'a>,
    /// For the final score.
    pub test: Selection<'a>,
}

impl<'a> Pictures<'a> {
    /// The pictures of an arm. Those of the source classes may have a data set of their own.
    ///
    /// # Errors
    /// If a class is missing or has too few.
    pub fn of(
        arm: &Arm,
        settings: &SweepSettings,
        data: &'a Data,
        source_data: Option<&'a Data>,
    ) -> Result<Pictures<'a>> {
        let data = source_data.filter(|_| arm.classes == ClassSet::Source).unwrap_or(data);
        let classes = settings.classes().of(arm.classes)?;
        Pictures::new(data, classes, arm.validation, arm.labels, settings.per_class)
    }

    /// Divides the pictures of some classes. `per_class` limits the training pictures of each class, including those
    /// held out.
    ///
    /// # Errors
    /// If a class has too few.
    pub fn new(
        data: &'a Data,
        classes: Vec<ClassRecord>,
        validation: Validation,
        labels: Labelling,
        per_class: Option<usize>,
    ) -> Result<Self> {
        let limit = per_class.unwrap_or(usize::MAX);
        let of = |images| of_classes(images, &classes).collect::<Vec<_>>();
        let all = of(data.dataset.train());
        let mut counts: Vec<usize> = vec![0; classes.len()];
        all.iter().for_each(|&(_, class)| counts[class as usize] += 1);
        counts.iter_mut().for_each(|count| *count = limit.min(*count));
        let held_out = |class: u32| match validation {
            Validation::HeldOut => (counts[class as usize] / HELD_OUT).max(1),
            Validation::TestSet => 0,
        };
        let (mut train, mut validating, mut seen) = (Vec::new(), Vec::new(), vec![0; classes.len()]);
        for (index, class) in all {
            let (at, count) = (seen[class as usize], counts[class as usize]);
            seen[class as usize] += 1;
            if at < count.saturating_sub(held_out(class)) {
                train.push((index, class));
            } else if at < count {
                validating.push((index, class));
            }
        }
        let test = of(data.dataset.test());
        for (class, record) in classes.iter().enumerate() {
            let has = |chosen: &[(usize, u32)]| chosen.iter().any(|&(_, label)| label as usize == class);
            if !has(&train) || !has(&test) {
                let needed =
                    "expected at least 2 training pictures of each class, one of them to hold out, and 1 to test";
                return Err(Failure::usage(match per_class {
                    Some(limit @ ..2) => {
                        format!("--per-class {limit} leaves no training pictures of {}; {needed}", record.name)
                    }
                    _ => format!("the data set has too few pictures of {}; {needed}", record.name),
                }));
            }
        }
        if labels == Labelling::Shuffled {
            shuffle_labels(&mut train);
            shuffle_labels(&mut validating);
        }
        let test = Selection::new(data.dataset.test(), test);
        let validation = match validation {
            Validation::HeldOut => Selection::new(data.dataset.train(), validating),
            Validation::TestSet => test.clone(),
        };
        Ok(Pictures { classes, train: Selection::new(data.dataset.train(), train), validation, test })
    }

    pub fn names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }

    /// The positions, among the training pictures, that an epoch passes over: all of them once; or `per_class` of each
    /// class, drawn by the seed so that smaller sets are subsets of larger ones. These are repeated until the epoch has
    /// as many pictures of each class as an epoch of all, so the number of steps does not depend on `per_class`.
    ///
    /// # Errors
    /// If a class has fewer.
    pub fn epoch(&self, per_class: Option<usize>, seed: u64) -> Result<EpochPictures> {
        let all = self.train.labels.len();
        let Some(per_class) = per_class else {
            return Ok(EpochPictures { positions: (0..all as u32).collect(), distinct: all });
        };
        let mut positions = Vec::new();
        for (class, record) in self.classes.iter().enumerate() {
            let of_class = (0..all as u32).filter(|&at| self.train.labels[at as usize] as usize == class);
            let mut of_class: Vec<u32> = of_class.collect();
            if of_class.len() < per_class {
                return Err(Failure::usage(format!(
                    "{} has {} training pictures left after holding out, and this arm needs {per_class}: leave the arm \
                     out, raise --per-class, or use more pictures",
                    record.name,
                    of_class.len()
                )));
            }
            Stream::FewPictures.bits(seed, 0, u64::from(record.label)).shuffle(&mut of_class);
            positions.extend(of_class[..per_class].iter().cycle().take(of_class.len()));
        }
        positions.sort_unstable();
        Ok(EpochPictures { distinct: per_class * self.classes.len(), positions })
    }
}

/// The pictures of an epoch, before they are shuffled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochPictures {
    /// Positions among the training pictures.
    pub positions: Vec<u32>,
    /// The number of different pictures.
    pub distinct: usize,
}

impl EpochPictures {
    /// The epoch's examples, of all pictures or of their features.
    pub fn of<'b>(&self, all: &'b Examples) -> Examples<'b> {
        all.select(&self.positions[..])
    }
}

/// Shuffles the labels among the pictures: as many of each label as before, but unrelated to the pictures.
fn shuffle_labels(chosen: &mut [(usize, u32)]) {
    let mut labels: Vec<u32> = chosen.iter().map(|&(_, label)| label).collect();
    Stream::ShuffledLabels.bits(0, 0, chosen.len() as u64).shuffle(&mut labels);
    chosen.iter_mut().zip(labels).for_each(|(picture, label)| picture.1 = label);
}
