//! The catalogue: every arm by its name.

use super::{Arm, Budget, ClassSet, FeatureSource, Head, Labelling, Pretraining, Stage, TrainedLayers, Validation};

/// Training pictures per target class of the arms in the `samples` group; an arm without a number is trained on all.
pub const SAMPLES: [usize; 8] = [10, 25, 50, 100, 250, 500, 1_000, 2_500];

/// The maximum number of random splits: ten classes have 126 different ones.
pub const MAX_SPLITS: u32 = 126;

/// The default number of random splits.
pub const DEFAULT_SPLITS: u32 = 3;

/// What the catalogue depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Blocks of the network.
    pub blocks: usize,
    /// Feature blocks among them.
    pub features: usize,
    /// Random splits of the classes.
    pub splits: u32,
}

/// The source classes' features, frozen, and a fresh head: the other arms are variations of this one.
fn frozen(scope: Scope) -> Arm {
    Arm {
        name: "frozen".to_owned(),
        classes: ClassSet::Target,
        features: FeatureSource::Pretrained(Pretraining::SOURCE),
        blocks: scope.features,
        head: Head::Fresh,
        training: TrainedLayers::Head,
        budget: Budget::Stage,
        recipe: None,
        per_class: None,
        labels: Labelling::True,
        validation: Validation::HeldOut,
        stage: Stage::Transfer,
    }
}

/// Every arm but those of stage 1 and the trials, in the order in which reports list them.
pub fn catalogue(scope: Scope) -> Vec<Arm> {
    let frozen = || frozen(scope);
    let arm = |name: &str, arm: Arm| Arm { name: name.to_owned(), ..arm };
    let everything = |factor: f64| Arm { training: TrainedLayers::Everything(factor), ..frozen() };
    let scratch =
        || Arm { name: "scratch".to_owned(), features: FeatureSource::Untrained, blocks: 0, ..everything(1.0) };
    let transferred = |source: ClassSet, classes: ClassSet| Arm {
        features: FeatureSource::Pretrained(Pretraining::of(source)),
        classes,
        ..frozen()
    };
    let tutorial = Pretraining { validation: Validation::TestSet, ..Pretraining::SOURCE };
    let shuffled = Pretraining { labels: Labelling::Shuffled, ..Pretraining::SOURCE };
    let of_target = FeatureSource::Pretrained(Pretraining::of(ClassSet::Target));
    let mut arms = vec![
        arm(
            "tutorial",
            Arm {
                features: FeatureSource::Pretrained(tutorial),
                head: Head::Warm,
                validation: Validation::TestSet,
                ..frozen()
            },
        ),
        frozen(),
        arm("frozen-warm", Arm { head: Head::Warm, ..frozen() }),
        scratch(),
        arm("scratch-long", Arm { budget: Budget::BothStages, ..scratch() }),
        arm("frozen-random", Arm { features: FeatureSource::Untrained, ..frozen() }),
        arm(
            "frozen-random-matched",
            Arm { features: FeatureSource::UntrainedMatched(Pretraining::SOURCE), ..frozen() },
        ),
        arm("fine-tune", everything(1.0)),
        arm("fine-tune-1e-4", everything(0.1)),
        arm("head-then-all", Arm { training: TrainedLayers::HeadThenEverything(0.1), ..frozen() }),
        arm("self", transferred(ClassSet::Target, ClassSet::Target)),
        arm("self-fine-tune", Arm { features: of_target, ..everything(1.0) }),
        arm("reversed", transferred(ClassSet::Target, ClassSet::Source)),
        arm("joint", transferred(ClassSet::All, ClassSet::Target)),
        arm("linear", Arm { head: Head::Linear, ..frozen() }),
        arm("pixels", Arm { head: Head::Pixels, features: FeatureSource::Untrained, blocks: 0, ..frozen() }),
        arm("shuffled-labels", Arm { features: FeatureSource::Pretrained(shuffled), ..frozen() }),
    ];
    // With all blocks of the features, these arms would be `frozen`, `fine-tune`, `self` and `self-fine-tune`.
    for blocks in (1..=scope.blocks).filter(|&blocks| blocks != scope.features) {
        let frozen = Arm { blocks, ..frozen() };
        let everything = Arm { blocks, ..everything(1.0) };
        arms.push(arm(&format!("depth-{blocks}-frozen"), frozen.clone()));
        arms.push(arm(&format!("depth-{blocks}-fine-tune"), everything.clone()));
        arms.push(arm(&format!("depth-{blocks}-self"), Arm { features: of_target, ..frozen }));
        arms.push(arm(&format!("depth-{blocks}-self-fine-tune"), Arm { features: of_target, ..everything }));
    }
    // Each direction's control is the other direction's stage 1.
    for split in 1..=scope.splits {
        let (source, target) = (ClassSet::SplitSource(split), ClassSet::SplitTarget(split));
        arms.push(arm(&format!("split-{split}"), transferred(source, target)));
        arms.push(arm(&format!("split-{split}-reversed"), transferred(target, source)));
    }
    arms.push(arm("vehicles-to-animals", transferred(ClassSet::Vehicles, ClassSet::Animals)));
    arms.push(arm("animals-scratch", Arm { classes: ClassSet::Animals, ..scratch() }));
    arms.push(arm("animals-to-vehicles", transferred(ClassSet::Animals, ClassSet::Vehicles)));
    arms.push(arm("vehicles-scratch", Arm { classes: ClassSet::Vehicles, ..scratch() }));
    for base in SAMPLED {
        let of_all = arms.iter().find(|arm| arm.name == base).cloned().expect("the sampled arms are listed above");
        let sampled = |n: &usize| Arm { name: format!("{base}@{n}"), per_class: Some(*n), ..of_all.clone() };
        arms.extend(SAMPLES.iter().map(sampled));
    }
    arms
}

/// The arms that the `samples` group repeats with few pictures.
pub(super) const SAMPLED: [&str; 4] = ["frozen", "scratch", "frozen-random", "fine-tune"];

pub fn named(name: &str, scope: Scope) -> Option<Arm> {
    catalogue(scope).into_iter().find(|arm| arm.name == name)
}

/// Groups of arms, which `--arms` takes by name, and what the names of their own arms contain.
pub const GROUPS: [(&str, &str); 3] = [("samples", "@"), ("depth", "depth-"), ("splits", "split-")];

/// The names of a group's arms; `None` if there is no such group.
pub(super) fn group(name: &str, scope: Scope) -> Option<Vec<String>> {
    let (_, part) = GROUPS.into_iter().find(|(group, _)| *group == name)?;
    let shared: &[&str] = match name {
        "depth" => &["scratch", "frozen", "fine-tune", "self", "self-fine-tune"],
        "samples" => &SAMPLED,
        _ => &[],
    };
    let own = catalogue(scope).into_iter().map(|arm| arm.name).filter(|name| name.contains(part));
    Some(shared.iter().map(|&name| name.to_owned()).chain(own).collect())
}

/// The arms that only CIFAR-10's classes allow.
pub(super) const VEHICLES_AND_ANIMALS: [&str; 4] =
    ["vehicles-to-animals", "animals-scratch", "animals-to-vehicles", "vehicles-scratch"];

/// What an arm is, in a phrase for the report.
pub fn about(arm: &Arm) -> String {
    let base = arm.name.split('@').next().unwrap_or_default();
    let phrase = match base {
        "tutorial" => "as published: warm head, all training pictures, validated on the test set",
        "frozen" => "source features frozen, fresh head",
        "frozen-warm" => "source features frozen, the source's head fine-tuned",
        "scratch" => "the same network from fresh weights: no transfer",
        "scratch-long" => "no transfer, for as many epochs as stage 1 and stage 2 together",
        "frozen-random" => "untrained features, frozen: what the head alone can do",
        "frozen-random-matched" => "untrained features with the source features' means and variances",
        "fine-tune" => "source features, all layers fine-tuned",
        "fine-tune-1e-4" => "source features, all layers fine-tuned at a tenth of the learning rate",
        "head-then-all" => "the head first, then all layers, the features at a tenth of the rate",
        "self" => {
            "features of the target classes themselves, frozen, fresh head: the cost of cutting apart layers that were trained together"
        }
        "self-fine-tune" => "features of the target classes themselves, all layers fine-tuned",
        "reversed" => "target features frozen, trained on the source classes",
        "joint" => "features of all classes, frozen, fresh head",
        "linear" => "logistic regression on the source features",
        "pixels" => "logistic regression on the pixels",
        "shuffled-labels" => "features trained on the source pictures with shuffled labels, frozen",
        "vehicles-to-animals" => "vehicle features frozen, trained on animals",
        "animals-scratch" => "animals from fresh weights",
        "animals-to-vehicles" => "animal features frozen, trained on vehicles",
        "vehicles-scratch" => "vehicles from fresh weights",
        "pretrain-source" => "stage 1: the network trained on the source classes",
        "pretrain-target" => "stage 1: the network trained on the target classes",
        "pretrain-all" => "stage 1: the network trained on all classes",
        "pretrain-vehicles" => "stage 1: the network trained on the vehicles",
        "pretrain-animals" => "stage 1: the network trained on the animals",
        "pretrain-source-shuffled" => "stage 1 with shuffled labels; tested on true ones",
        "pretrain-source-tutorial" => "stage 1 as published: validated on the test set",
        split if split.starts_with("split-") => {
            "features of one half of a random split, frozen; fresh head for the other half"
        }
        depth if depth.starts_with("depth-") => return about_depth(arm),
        _ => "stage 1: the network trained on one half of a split",
    };
    match arm.per_class {
        None => phrase.to_owned(),
        Some(n) => format!("{phrase}; {n} pictures per class"),
    }
}

fn about_depth(arm: &Arm) -> String {
    let source = if arm.name.contains("-self") { "target's own" } else { "source's" };
    let training = if arm.training == TrainedLayers::Head { "frozen" } else { "all layers fine-tuned" };
    format!("{} of the {source} blocks transferred, {training}", arm.blocks)
}
