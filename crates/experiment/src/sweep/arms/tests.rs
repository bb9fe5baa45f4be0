//! Every arm exists and does what its description says.

use std::collections::BTreeSet;

use thawline_tensor::nn::Network;

use super::*;
use crate::{
    models::{Architecture, TutorialNetwork, file},
    record::data::ClassRecord,
    training::transfer,
};

const SEED: u64 = 7;

/// The blocks of the tutorial's network, and the default number of random splits.
pub(crate) const SCOPE: Scope = Scope { blocks: 3, features: 2, splits: 3 };

fn architecture() -> Architecture {
    TutorialNetwork { filters: [3, 4], dense: 6, ..TutorialNetwork::default() }.into()
}

fn named(name: &str) -> Option<Arm> {
    super::named(name, SCOPE)
}

fn network(seed: u64) -> Network {
    architecture().build(5, seed).unwrap()
}

/// The layers of an arm's network that have weights, with the origin of the weights and a plus if they are trained. The
/// origin is `stage-1`, the initial weights of the `seed`, those of the seed `derived` from it, or the arm's `own`.
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
fn arms_copy_and_train_the_layers_they_declare() {
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
        ("split-2-reversed", frozen),
        ("scratch-long", scratch),
        ("self-fine-tune", fine_tune),
        ("depth-3-self", "conv2d_1 stage-1, conv2d_2 stage-1, dense_1 stage-1, dense_2 derived +"),
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
fn arms_use_the_classes_and_features_they_declare() {
    let pretrained = |set| FeatureSource::Pretrained(Pretraining::of(set));
    let source = pretrained(ClassSet::Source);
    for (name, classes, features) in [
        ("frozen", ClassSet::Target, source),
        ("scratch", ClassSet::Target, FeatureSource::Untrained),
        ("frozen-random", ClassSet::Target, FeatureSource::Untrained),
        ("frozen-random-matched", ClassSet::Target, FeatureSource::UntrainedMatched(Pretraining::SOURCE)),
        ("fine-tune", ClassSet::Target, source),
        ("self", ClassSet::Target, pretrained(ClassSet::Target)),
        ("reversed", ClassSet::Source, pretrained(ClassSet::Target)),
        ("joint", ClassSet::Target, pretrained(ClassSet::All)),
        ("split-3", ClassSet::SplitTarget(3), pretrained(ClassSet::SplitSource(3))),
        ("split-3-reversed", ClassSet::SplitSource(3), pretrained(ClassSet::SplitTarget(3))),
        ("depth-1-self", ClassSet::Target, pretrained(ClassSet::Target)),
        ("vehicles-to-animals", ClassSet::Animals, pretrained(ClassSet::Vehicles)),
        ("animals-to-vehicles", ClassSet::Vehicles, pretrained(ClassSet::Animals)),
    ] {
        let arm = named(name).unwrap();
        assert_eq!((arm.classes, arm.features), (classes, features), "{name}");
    }
    let rates = |name: &str| named(name).unwrap().training;
    assert_eq!(rates("fine-tune"), TrainedLayers::Everything(1.0));
    assert_eq!(rates("fine-tune-1e-4"), TrainedLayers::Everything(0.1));
    assert_eq!(rates("head-then-all"), TrainedLayers::HeadThenEverything(0.1));
    // Only stage 1 has shuffled labels, and only the tutorial looks at the test set along the way.
    for arm in catalogue(SCOPE) {
        let pretraining = arm.features.pretraining();
        let labels = pretraining.map_or(Labelling::True, |pretraining| pretraining.labels);
        assert_eq!(arm.labels, Labelling::True, "{}", arm.name);
        assert_eq!(labels == Labelling::Shuffled, arm.name == "shuffled-labels", "{}", arm.name);
        let tutorial = arm.name == "tutorial";
        assert_eq!(arm.validation == Validation::TestSet, tutorial, "{}", arm.name);
        let validation = pretraining.map_or(Validation::HeldOut, |pretraining| pretraining.validation);
        assert_eq!(validation == Validation::TestSet, tutorial, "{}", arm.name);
    }
}

/// Two blocks of features with normalization and dropout, and one of the head.
const OWN: &str = r#"layers = [
    { type = "Conv2D", filters = 3, kernel_size = 3, activation = "relu" },
    { type = "BatchNormalization" },
    { type = "Dropout", rate = 0.1 },
    { type = "Conv2D", filters = 4, kernel_size = 3 },
    { type = "BatchNormalization" },
    { type = "GlobalAveragePooling2D" },
    { type = "Dense", units = 6, activation = "relu" },
    { type = "Dense" },
]"#;

#[test]
fn a_listed_network_is_cut_into_blocks() {
    let listed = file::parse("own.toml".as_ref(), OWN, false).unwrap();
    let architecture = Architecture::Listed(listed);
    let blocks = Blocks::of(&architecture).unwrap();
    assert_eq!((blocks.count(), blocks.features, blocks.first(1).len(), blocks.feature_layers().len()), (3, 2, 4, 7));
    let source = architecture.build(5, 99).unwrap();
    let scope = Scope { blocks: 3, features: 2, splits: 0 };
    // A convolution with its normalization has six tensors, a dense layer two.
    for (name, kernels, frozen) in
        [("depth-1-frozen", 1, 6), ("frozen", 2, 12), ("depth-3-self", 3, 14), ("fine-tune", 2, 0)]
    {
        let arm = super::named(name, scope).unwrap();
        let network = assemble(&arm, &architecture, 4, SEED, Some(&source)).unwrap();
        let same = |other: &Network| {
            let theirs =
                |name: &str| other.params().find(|(other, _)| other == name).map(|(_, param)| param.value.to_vec());
            // What fresh networks have in common, such as biases, says nothing.
            let of_kernels = network.params().filter(|(name, _)| name.ends_with("kernel"));
            of_kernels.filter(|(name, param)| theirs(name).as_deref() == Some(&param.value[..])).count()
        };
        assert_eq!(same(&source), kernels, "{name}");
        assert_eq!(network.params().filter(|(_, param)| !param.trainable).count(), frozen, "{name}");
    }
    let convolution = r#"{ type = "Conv2D", filters = 10, kernel_size = 3 }, { type = "GlobalAveragePooling2D" }"#;
    for layers in [r#"{ type = "Flatten" }, { type = "Dense" }"#, convolution] {
        let without = file::parse("own.toml".as_ref(), &format!("layers = [{layers}]"), false).unwrap();
        let failure = Blocks::of(&Architecture::Listed(without)).unwrap_err();
        assert!(failure.message.contains("it needs a Conv2D before a final Dense"), "{failure}");
    }
}

#[test]
fn only_features_of_convolutions_are_matched() {
    let listed = |block: &str| {
        let convolution = r#"{ type = "Conv2D", filters = 4, kernel_size = 3 }"#;
        let head = r#"{ type = "GlobalAveragePooling2D" }, { type = "Dense" }"#;
        let text = format!("layers = [{convolution}, {block}, {head}]");
        Architecture::Listed(file::parse("own.toml".as_ref(), &text, false).unwrap())
    };
    let [matched, frozen] = ["frozen-random-matched", "frozen"].map(|name| named(name).unwrap());
    require_matchable(&matched, &listed(r#"{ type = "BatchNormalization" }"#)).unwrap();
    let depthwise = r#"{ type = "DepthwiseConv2D", kernel_size = 3, padding = "same" }"#;
    for (block, name) in
        [(depthwise, "depthwise"), (&format!(r#"{{ type = "Residual", layers = [{depthwise}] }}"#), "residual")]
    {
        require_matchable(&frozen, &listed(block)).unwrap();
        let failure = require_matchable(&matched, &listed(block)).unwrap_err();
        let words = format!("frozen-random-matched: cannot match layer '{name}");
        assert!(failure.message.starts_with(&words), "{failure}");
    }
}

#[test]
fn a_warm_head_needs_the_same_number_of_classes() {
    let warm = named("frozen-warm").unwrap();
    let failure = assemble(&warm, &architecture(), 4, SEED, Some(&network(99))).unwrap_err();
    assert!(failure.message.contains("as many target classes as source classes: there are 4 and"), "{failure}");
    // A fresh one does not: four vehicles, six animals.
    let fresh = named("animals-to-vehicles").unwrap();
    assert_eq!(assemble(&fresh, &architecture(), 4, SEED, Some(&network(99))).unwrap().output().size(), 4);
}

#[test]
fn every_arm_has_a_unique_file_name_a_description_and_an_entry_in_the_manual() {
    let manual = include_str!("../../../../../docs/experiment.md");
    let first_cells: Vec<&str> =
        manual.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    let mut seen = BTreeSet::new();
    let fallback = "stage 1: the network trained on one half of a split";
    for arm in catalogue(SCOPE) {
        assert!(seen.insert(arm.name.clone()), "{} is there twice", arm.name);
        assert!(arm.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-@".contains(c)));
        assert!(!about(&arm).starts_with(fallback), "{} has no phrase of its own", arm.name);
        let group = GROUPS.into_iter().find(|(_, part)| arm.name.contains(part));
        let row = group.map_or_else(|| format!("`{}`", arm.name), |(name, _)| format!("`{name}` (group)"));
        assert!(first_cells.iter().any(|cell| cell.contains(&row)), "{} has no row in the manual", arm.name);
    }
    let mut pretrainings = BTreeSet::new();
    for pretraining in catalogue(SCOPE).iter().filter_map(|arm| arm.features.pretraining()).map(Pretraining::arm) {
        assert_eq!(about(&pretraining) == fallback, pretraining.classes.split().is_some(), "{}", pretraining.name);
        pretrainings.insert(pretraining.name);
    }
    assert!(pretrainings.is_disjoint(&seen));
    assert_eq!(pretrainings.len(), 13, "{pretrainings:?}");
}

#[test]
fn groups_and_presets_have_their_arms() {
    let names = |arms: Vec<Arm>| arms.into_iter().map(|arm| arm.name).collect::<Vec<_>>();
    let depth = names(select("depth", SCOPE).unwrap());
    assert_eq!(
        depth,
        [
            "frozen",
            "scratch",
            "fine-tune",
            "self",
            "self-fine-tune",
            "depth-1-frozen",
            "depth-1-fine-tune",
            "depth-1-self",
            "depth-1-self-fine-tune",
            "depth-3-frozen",
            "depth-3-fine-tune",
            "depth-3-self",
            "depth-3-self-fine-tune"
        ]
    );
    let samples = select("samples", SCOPE).unwrap();
    assert_eq!(samples.len(), 4 * (SAMPLES.len() + 1));
    for base in ["frozen", "scratch", "frozen-random", "fine-tune"] {
        let sizes = samples.iter().filter(|arm| arm.name.split('@').next() == Some(base)).map(|arm| arm.per_class);
        let expected: Vec<_> = std::iter::once(None).chain(SAMPLES.map(Some)).collect();
        assert_eq!(sizes.collect::<Vec<_>>(), expected, "{base}");
    }
    assert_eq!(select("splits", SCOPE).unwrap().len(), 6);
    assert_eq!(
        names(select("scratch, frozen,scratch", SCOPE).unwrap()),
        ["frozen", "scratch"],
        "in the catalogue's order, once"
    );
    assert!(select("frozzen", SCOPE).unwrap_err().message.contains("unknown arm 'frozzen'; did you mean frozen?"));

    let cifar = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    let drawings = thawline_drawings::CLASSES;
    let quick = Preset::Quick.arms(&classes(&drawings), SCOPE);
    assert_eq!(quick.len(), 10);
    assert_eq!([Preset::Quick, Preset::Controls, Preset::Full].map(Preset::seeds), ["0..6", "0..10", "0..10"]);
    assert!(names(quick).iter().any(|name| name == "scratch@10"));
    let controls = names(Preset::Controls.arms(&classes(&cifar), SCOPE));
    let asked = "tutorial frozen frozen-warm scratch scratch-long frozen-random frozen-random-matched fine-tune fine-tune-1e-4 \
                 head-then-all self reversed joint";
    assert_eq!(controls.join(" "), asked);
    assert_eq!(Preset::Full.arms(&classes(&cifar), SCOPE), catalogue(SCOPE));
    let full = names(Preset::Full.arms(&classes(&drawings), SCOPE));
    assert_eq!(full.len(), catalogue(SCOPE).len() - 4, "drawings are neither vehicles nor animals");
}

fn classes(names: &[&str; 10]) -> Classes {
    let record = |label: u16| ClassRecord { label, name: names[usize::from(label)].to_owned() };
    Classes {
        source: (0..5).map(record).collect(),
        target: (5..10).map(record).collect(),
        names: names.map(str::to_owned).to_vec(),
        two_data_sets: false,
    }
}

#[test]
fn the_number_of_a_split_decides_its_halves() {
    let classes = classes(&thawline_drawings::CLASSES);
    let labels = |half| classes.of(half).unwrap().iter().map(|class| class.label).collect::<Vec<_>>();
    let mut seen = BTreeSet::new();
    for split in 1..=MAX_SPLITS {
        let (source, target) = (labels(ClassSet::SplitSource(split)), labels(ClassSet::SplitTarget(split)));
        let mut both = [source.clone(), target.clone()].concat();
        assert_eq!((source.len(), target.len()), (5, 5));
        assert!(source.is_sorted() && target.is_sorted());
        both.sort_unstable();
        assert_eq!(both, (0..10).collect::<Vec<_>>(), "no class is in both halves");
        assert!(!seen.contains(&target) && seen.insert(source), "split {split} differs from those before");
    }
    let one_too_many = classes.of(ClassSet::SplitSource(MAX_SPLITS + 1)).unwrap_err();
    assert!(one_too_many.message.contains("10 classes have fewer than 127 different splits"), "{one_too_many}");
    let same = Classes { source: classes.target.clone(), target: classes.source.clone(), ..classes.clone() };
    assert_eq!(same.of(ClassSet::SplitSource(1)).unwrap(), classes.of(ClassSet::SplitSource(1)).unwrap());
    assert!(classes.of(ClassSet::Animals).unwrap_err().message.contains("no class 'bird'"));
}

#[test]
fn seeds_are_numbers_and_half_open_ranges() {
    assert_eq!(parse_seeds("0..6").unwrap(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(parse_seeds("7, 0..3").unwrap(), [0, 1, 2, 7]);
    for (list, words) in [
        ("", "'' is not a seed"),
        ("3..3", "the range 3..3 is empty"),
        ("1,0..3", "seed 1 is listed twice"),
        ("-1", "'-1' is not a seed"),
        ("0..6x", "'0..6x' is not a seed"),
        ("0..100000", "at most 10000 seeds"),
        ("9223372036854775808", "is not a seed"),
    ] {
        assert!(parse_seeds(list).unwrap_err().contains(words), "{list}");
    }
}
