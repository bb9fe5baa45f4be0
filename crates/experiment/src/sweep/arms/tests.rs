//! Every arm is there, and is what it says.

use std::collections::BTreeSet;

use thawline_tensor::nn::Network;

use super::{catalogue::group, *};
use crate::{models::Tutorial, record::run::ClassRecord, training::transfer};

const SEED: u64 = 7;

fn architecture() -> Tutorial {
    Tutorial { filters: [3, 4], dense: 6, ..Tutorial::default() }
}

fn network(seed: u64) -> Network {
    architecture().build(5, seed).unwrap()
}

/// The layers of an arm's network that have weights; where those come from: the network that stands for stage 1, the
/// initial weights of the seed, those of the seed derived from it, or a layer that no other network has; and a plus where
/// they are trained.
fn describe(arm: &Arm, seed: u64) -> String {
    let origins = [("stage-1", network(99)), ("seed", network(seed)), ("derived", network(transfer::seed(seed)))];
    let features = (arm.blocks > 0 && arm.features.pretraining().is_some()).then_some(&origins[0].1);
    let assembled = assemble(arm, &architecture(), 5, seed, features).unwrap();
    let kernels =
        assembled.params().filter_map(|(name, param)| Some((name.strip_suffix("/kernel")?.to_owned(), param)));
    let describe = |(layer, kernel): (String, &thawline_tensor::nn::Param)| {
        let is_same = |other: &Network| {
            other.params().any(|(name, param)| name == format!("{layer}/kernel") && param.value[..] == kernel.value[..])
        };
        let origin = origins.iter().find(|(_, network)| is_same(network)).map_or("own", |(origin, _)| origin);
        format!("{layer} {origin}{}", if kernel.trainable { " +" } else { "" })
    };
    kernels.map(describe).collect::<Vec<_>>().join(", ")
}

#[test]
fn arms_take_over_and_train_what_they_say() {
    let frozen = "conv2d_1 stage-1, conv2d_2 stage-1, dense_1 derived +, dense_2 derived +";
    let warm = "conv2d_1 stage-1, conv2d_2 stage-1, dense_1 stage-1 +, dense_2 stage-1 +";
    let scratch = "conv2d_1 seed +, conv2d_2 seed +, dense_1 derived +, dense_2 derived +";
    let fine_tune = "conv2d_1 stage-1 +, conv2d_2 stage-1 +, dense_1 derived +, dense_2 derived +";
    for (name, expected) in [
        ("tutorial", warm),
        ("frozen", frozen),
        ("frozen-warm", warm),
        ("scratch", scratch),
        ("frozen-random", "conv2d_1 seed, conv2d_2 seed, dense_1 derived +, dense_2 derived +"),
        ("frozen-random-matched", frozen),
        ("fine-tune", fine_tune),
        ("fine-tune-1e-4", fine_tune),
        ("head-then-all", frozen),
        ("self", frozen),
        ("reversed", frozen),
        ("joint", frozen),
        ("linear", "conv2d_1 stage-1, conv2d_2 stage-1, dense_2 own +"),
        ("pixels", "dense_2 own +"),
        ("shuffled-labels", frozen),
        ("depth-1-frozen", "conv2d_1 stage-1, conv2d_2 seed +, dense_1 derived +, dense_2 derived +"),
        ("depth-1-fine-tune", "conv2d_1 stage-1 +, conv2d_2 seed +, dense_1 derived +, dense_2 derived +"),
        ("depth-3-frozen", "conv2d_1 stage-1, conv2d_2 stage-1, dense_1 stage-1, dense_2 derived +"),
        ("depth-3-fine-tune", "conv2d_1 stage-1 +, conv2d_2 stage-1 +, dense_1 stage-1 +, dense_2 derived +"),
        ("split-2", frozen),
        ("split-2-scratch", scratch),
        ("frozen@50", frozen),
        ("scratch@50", scratch),
        ("fine-tune@50", fine_tune),
    ] {
        assert_eq!(describe(&named(name).unwrap(), SEED), expected, "{name}");
    }
    let stage_1 = "conv2d_1 seed +, conv2d_2 seed +, dense_1 seed +, dense_2 seed +";
    assert_eq!(describe(&Pretraining::SOURCE.arm(), SEED), stage_1);
}

#[test]
fn arms_learn_what_they_say_from_what_they_say() {
    let pretrained = |half| Features::Pretrained(Pretraining::of(half));
    let source = pretrained(Half::Source);
    for (name, learns, features) in [
        ("frozen", Half::Target, source),
        ("scratch", Half::Target, Features::Untrained),
        ("frozen-random", Half::Target, Features::Untrained),
        ("frozen-random-matched", Half::Target, Features::UntrainedMatched(Pretraining::SOURCE)),
        ("fine-tune", Half::Target, source),
        ("self", Half::Target, pretrained(Half::Target)),
        ("reversed", Half::Source, pretrained(Half::Target)),
        ("joint", Half::Target, pretrained(Half::All)),
        ("split-3", Half::SplitTarget(3), pretrained(Half::SplitSource(3))),
        ("split-3-scratch", Half::SplitTarget(3), Features::Untrained),
        ("vehicles-to-animals", Half::Animals, pretrained(Half::Vehicles)),
        ("animals-to-vehicles", Half::Vehicles, pretrained(Half::Animals)),
    ] {
        let arm = named(name).unwrap();
        assert_eq!((arm.learns, arm.features), (learns, features), "{name}");
    }
    let rates = |name: &str| named(name).unwrap().training;
    assert_eq!(rates("fine-tune"), Training::Everything(1.0));
    assert_eq!(rates("fine-tune-1e-4"), Training::Everything(0.1));
    assert_eq!(rates("head-then-all"), Training::HeadThenEverything(0.1));
    // Labels lie to stage 1 alone, and only the tutorial looks at the test set along the way.
    for arm in catalogue() {
        let pretraining = arm.features.pretraining();
        let labels = pretraining.map_or(Labels::True, |pretraining| pretraining.labels);
        assert_eq!(arm.labels, Labels::True, "{}", arm.name);
        assert_eq!(labels == Labels::Shuffled, arm.name == "shuffled-labels", "{}", arm.name);
        let tutorial = arm.name == "tutorial";
        assert_eq!(arm.validation == Validation::TestSet, tutorial, "{}", arm.name);
        let validation = pretraining.map_or(Validation::HeldOut, |pretraining| pretraining.validation);
        assert_eq!(validation == Validation::TestSet, tutorial, "{}", arm.name);
    }
}

#[test]
fn one_seed_gives_arms_the_same_initial_weights_and_another_seed_others() {
    let initial = |name: &str, seed: u64| {
        let arm = named(name).unwrap();
        let source = network(99);
        let features = (arm.blocks > 0 && arm.features.pretraining().is_some()).then_some(&source);
        assemble(&arm, &architecture(), 5, seed, features).unwrap()
    };
    let head = |network: &Network| {
        let of_head = network.params().filter(|(name, _)| name.starts_with("dense_"));
        of_head.map(|(_, param)| param.value.to_vec()).collect::<Vec<_>>()
    };
    let frozen = head(&initial("frozen", SEED));
    for name in
        ["scratch", "frozen-random", "fine-tune", "head-then-all", "self", "joint", "depth-1-frozen", "frozen@10"]
    {
        assert_eq!(head(&initial(name, SEED)), frozen, "{name}");
        assert_ne!(head(&initial(name, SEED + 1)), frozen, "{name}");
    }
    assert_ne!(head(&network(SEED)), frozen, "stage 1 begins with another head");
}

#[test]
fn a_warm_head_needs_as_many_classes() {
    let warm = named("frozen-warm").unwrap();
    let failure = assemble(&warm, &architecture(), 4, SEED, Some(&network(99))).unwrap_err();
    assert!(failure.message.contains("as many target classes as source classes: there are 4 and"), "{failure}");
    // A fresh one does not: four vehicles, six animals.
    let fresh = named("animals-to-vehicles").unwrap();
    assert_eq!(assemble(&fresh, &architecture(), 4, SEED, Some(&network(99))).unwrap().output().size(), 4);
}

#[test]
fn names_are_unique_fit_for_files_described_and_in_the_manual() {
    let manual = include_str!("../../../../../docs/experiment.md");
    let mut seen = BTreeSet::new();
    let fallback = "stage 1: the network learns the other half of a split";
    for arm in catalogue() {
        assert!(seen.insert(arm.name.clone()), "{} is there twice", arm.name);
        assert!(arm.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-@".contains(c)));
        assert_ne!(about(&arm), fallback, "{} has no phrase of its own", arm.name);
        let belongs_to_a_group = ["depth", "samples", "splits"].iter().any(|name| {
            group(name).is_some_and(|names| names.contains(&arm.name)) && manual.contains(&format!("`{name}` (group)"))
        });
        assert!(belongs_to_a_group || manual.contains(&format!("`{}`", arm.name)), "{} is not in the manual", arm.name);
    }
    let pretrainings: BTreeSet<String> =
        catalogue().iter().filter_map(|arm| Some(arm.features.pretraining()?.arm().name)).collect();
    assert!(pretrainings.is_disjoint(&seen));
    assert_eq!(pretrainings.len(), 10, "{pretrainings:?}");
}

#[test]
fn groups_and_presets_have_their_arms() {
    let names = |arms: Vec<Arm>| arms.into_iter().map(|arm| arm.name).collect::<Vec<_>>();
    let depth = names(select("depth").unwrap());
    assert_eq!(
        depth,
        [
            "frozen",
            "scratch",
            "fine-tune",
            "depth-1-frozen",
            "depth-1-fine-tune",
            "depth-3-frozen",
            "depth-3-fine-tune"
        ]
    );
    let samples = select("samples").unwrap();
    assert_eq!(samples.len(), 4 * (SAMPLES.len() + 1));
    for base in ["frozen", "scratch", "frozen-random", "fine-tune"] {
        let sizes = samples.iter().filter(|arm| arm.name.split('@').next() == Some(base)).map(|arm| arm.per_class);
        let expected: Vec<_> = std::iter::once(None).chain(SAMPLES.map(Some)).collect();
        assert_eq!(sizes.collect::<Vec<_>>(), expected, "{base}");
    }
    assert_eq!(select("splits").unwrap().len(), 10);
    assert_eq!(
        names(select("scratch, frozen,scratch").unwrap()),
        ["frozen", "scratch"],
        "in the catalogue's order, once"
    );
    assert!(
        select("frozzen").unwrap_err().message.contains("there is no arm 'frozzen'; expected some of tutorial, frozen")
    );

    let cifar = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    let drawings = thawline_drawings::CLASSES;
    let quick = Preset::Quick.arms(&classes(&drawings));
    assert_eq!(quick.len(), 9);
    assert!(names(quick).iter().any(|name| name == "scratch@10"));
    let controls = names(Preset::Controls.arms(&classes(&cifar)));
    let asked = "tutorial frozen frozen-warm scratch frozen-random frozen-random-matched fine-tune fine-tune-1e-4 \
                 head-then-all self reversed joint";
    assert_eq!(controls.join(" "), asked);
    assert_eq!(Preset::Full.arms(&classes(&cifar)), catalogue());
    let full = names(Preset::Full.arms(&classes(&drawings)));
    assert_eq!(full.len(), catalogue().len() - 4, "drawings are neither vehicles nor animals");
}

fn classes(names: &[&str; 10]) -> Classes {
    let record = |label: u16| ClassRecord { label, name: names[usize::from(label)].to_owned() };
    Classes {
        source: (0..5).map(record).collect(),
        target: (5..10).map(record).collect(),
        names: names.map(str::to_owned).to_vec(),
    }
}

#[test]
fn splits_are_halves_that_only_their_number_decides() {
    let classes = classes(&thawline_drawings::CLASSES);
    let labels = |half| classes.of(half).unwrap().iter().map(|class| class.label).collect::<Vec<_>>();
    let mut seen = BTreeSet::new();
    for split in 1..=3 {
        let (source, target) = (labels(Half::SplitSource(split)), labels(Half::SplitTarget(split)));
        let mut both = [source.clone(), target.clone()].concat();
        assert_eq!((source.len(), target.len()), (5, 5));
        assert!(source.is_sorted() && target.is_sorted());
        both.sort_unstable();
        assert_eq!(both, (0..10).collect::<Vec<_>>(), "no class is in both halves");
        assert!(seen.insert(source), "split {split} is another one than those before");
    }
    assert!(!seen.contains(&labels(Half::Source)));
    let same = Classes { source: classes.target.clone(), target: classes.source.clone(), names: classes.names.clone() };
    assert_eq!(same.of(Half::SplitSource(1)).unwrap(), classes.of(Half::SplitSource(1)).unwrap());
    assert!(classes.of(Half::Animals).unwrap_err().message.contains("no class 'bird'"));
}

#[test]
fn seeds_are_numbers_and_half_open_ranges() {
    assert_eq!(parse_seeds("0..6").unwrap(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(parse_seeds("7, 0..3").unwrap(), [0, 1, 2, 7]);
    for (list, words) in [
        ("", "'' is no seed"),
        ("3..3", "the range 3..3 is empty"),
        ("1,0..3", "seed 1 is there twice"),
        ("-1", "'-1' is no seed"),
        ("0..6x", "'0..6x' is no seed"),
        ("0..100000", "at most 10000 seeds"),
        ("9223372036854775808", "is no seed"),
    ] {
        assert!(parse_seeds(list).unwrap_err().contains(words), "{list}");
    }
}
