//! An arm's training, validation and test pictures.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::sweep::{
    arms::{ClassSet, Labelling, Validation},
    protocol::Pictures,
};

fn pictures<'a>(data: &'a Data, set: ClassSet, validation: Validation, labels: Labelling) -> Pictures<'a> {
    let classes = settings(data).classes().of(set).unwrap();
    Pictures::new(data, classes, validation, labels, None).unwrap()
}

fn target(data: &Data) -> Pictures<'_> {
    pictures(data, ClassSet::Target, Validation::HeldOut, Labelling::True)
}

#[test]
fn the_last_tenth_of_each_class_is_held_out() {
    let data = data(20);
    let pictures = target(&data);
    assert_eq!((pictures.train.labels.len(), pictures.validation.labels.len()), (90, 10));
    for class in 0..5 {
        let of_class = |indices: &[usize], labels: &[u32]| {
            let chosen = indices.iter().zip(labels).filter(|&(_, &label)| label == class);
            chosen.map(|(&index, _)| index).collect::<Vec<_>>()
        };
        let train = of_class(&pictures.train.indices, &pictures.train.labels);
        let validation = of_class(&pictures.validation.indices, &pictures.validation.labels);
        assert_eq!((train.len(), validation.len()), (18, 2));
        assert!(train.iter().max() < validation.iter().min(), "the last ones, and no picture is in both");
        let label = pictures.classes[class as usize].label;
        let is = |&at: &usize| u16::from(data.dataset.train().get(at).label) == label;
        assert!(train.iter().chain(&validation).all(is));
    }
    assert_eq!(pictures.test.labels.len(), 20, "every test picture of the target classes");
}

#[test]
fn the_tutorial_holds_nothing_out_and_validates_on_the_test_set() {
    let data = data(20);
    let pictures = pictures(&data, ClassSet::Target, Validation::TestSet, Labelling::True);
    assert_eq!(pictures.train.labels.len(), 100);
    assert_eq!(pictures.validation.indices, pictures.test.indices);
}

#[test]
fn the_limit_per_class_applies_before_the_split() {
    let data = data(20);
    let classes = settings(&data).target;
    let pictures = Pictures::new(&data, classes.clone(), Validation::HeldOut, Labelling::True, Some(10)).unwrap();
    assert_eq!((pictures.train.labels.len(), pictures.validation.labels.len()), (45, 5));
    let failure = Pictures::new(&data, classes, Validation::HeldOut, Labelling::True, Some(1)).err().unwrap();
    assert!(failure.message.contains("leaves no training pictures of boat; expected at least 2"), "{failure}");
}

#[test]
fn shuffling_the_labels_keeps_the_class_counts() {
    let data = data(20);
    let (honest, shuffled) =
        (target(&data), pictures(&data, ClassSet::Target, Validation::HeldOut, Labelling::Shuffled));
    assert_eq!(honest.train.indices, shuffled.train.indices);
    assert_eq!(honest.test.labels, shuffled.test.labels, "the test's labels are true");
    let sorted = |labels: &[u32]| {
        let mut labels = labels.to_vec();
        labels.sort_unstable();
        labels
    };
    for (true_labels, dealt) in
        [(&honest.train.labels, &shuffled.train.labels), (&honest.validation.labels, &shuffled.validation.labels)]
    {
        assert_eq!(sorted(true_labels), sorted(dealt));
    }
    let right = honest.train.labels.iter().zip(&shuffled.train.labels).filter(|(a, b)| a == b).count();
    assert!((8..=30).contains(&right), "{right} of 90 labels are right; by chance it is 18");
}

#[test]
fn small_sets_are_stratified_lie_within_larger_ones_and_differ_by_seed() {
    let data = data(20);
    let pictures = target(&data);
    let subset = |per_class: usize, seed: u64| {
        let epoch = pictures.epoch(Some(per_class), seed).unwrap();
        let distinct: BTreeSet<u32> = epoch.positions.iter().copied().collect();
        assert_eq!((distinct.len(), epoch.distinct), (5 * per_class, 5 * per_class));
        for class in 0..5 {
            let of_class = distinct.iter().filter(|&&at| pictures.train.labels[at as usize] == class);
            assert_eq!(of_class.count(), per_class, "of each class as many");
        }
        distinct
    };
    for seed in 0..3 {
        assert!(subset(1, seed).is_subset(&subset(2, seed)));
        assert!(subset(2, seed).is_subset(&subset(7, seed)));
    }
    assert_ne!(subset(2, 0), subset(2, 1));
    assert_eq!(subset(18, 0), (0..90).collect(), "all pictures that are not held out");
    let failure = pictures.epoch(Some(19), 0).unwrap_err();
    assert!(failure.message.contains("boat has 18 training pictures left after holding out, and this arm needs 19"));
}

#[test]
fn an_epoch_of_a_small_set_repeats_its_pictures() {
    let data = data(20);
    let pictures = target(&data);
    for (per_class, repeats) in [(None, 1..=1), (Some(1), 18..=18), (Some(7), 2..=3), (Some(18), 1..=1)] {
        let epoch = pictures.epoch(per_class, 0).unwrap();
        assert_eq!(epoch.positions.len(), 90, "{per_class:?}");
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        epoch.positions.iter().for_each(|&at| *counts.entry(at).or_default() += 1);
        assert_eq!(counts.len(), epoch.distinct);
        assert!(counts.values().all(|count| repeats.contains(count)), "{per_class:?}: {counts:?}");
        for class in 0..5 {
            let of_class = epoch.positions.iter().filter(|&&at| pictures.train.labels[at as usize] == class);
            assert_eq!(of_class.count(), 18, "classes stay as frequent as they are");
        }
    }
    let few = pictures.epoch(Some(1), 0).unwrap();
    let all = pictures.train.examples();
    let examples = few.of(&all);
    let (mut one, mut same) = (vec![0.0; 3072], vec![0.0; 3072]);
    examples.inputs().read(0, &mut one);
    examples.inputs().read(1, &mut same);
    assert_eq!((one, examples.labels()[0]), (same, examples.labels()[1]), "the same picture again, with its label");
}
