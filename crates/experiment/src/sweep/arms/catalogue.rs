//! The catalogue: every arm by its name.

use super::{Arm, Features, Half, Head, Labels, Pretraining, Stage, Training, Validation};

/// Target pictures of each class in the `samples` group; all of them is the arm without a number.
pub const SAMPLES: [usize; 8] = [10, 25, 50, 100, 250, 500, 1_000, 2_500];

/// Random splits of the classes in the `splits` group.
const SPLITS: u32 = 3;

/// The source classes' features, frozen, and a fresh head: the arm of which the others are variations.
fn frozen() -> Arm {
    Arm {
        name: "frozen".to_owned(),
        learns: Half::Target,
        features: Features::Pretrained(Pretraining::SOURCE),
        blocks: 2,
        head: Head::Fresh,
        training: Training::Head,
        per_class: None,
        labels: Labels::True,
        validation: Validation::HeldOut,
        stage: Stage::Transfer,
    }
}

fn scratch() -> Arm {
    let training = Training::Everything(1.0);
    Arm { name: "scratch".to_owned(), features: Features::Untrained, blocks: 0, training, ..frozen() }
}

fn transferred(half: Half, learns: Half) -> Arm {
    Arm { features: Features::Pretrained(Pretraining::of(half)), learns, ..frozen() }
}

/// Every arm, in the order in which reports list them.
pub fn catalogue() -> Vec<Arm> {
    let arm = |name: &str, arm: Arm| Arm { name: name.to_owned(), ..arm };
    let everything = |factor: f64| Arm { training: Training::Everything(factor), ..frozen() };
    let tutorial = Pretraining { validation: Validation::TestSet, ..Pretraining::SOURCE };
    let shuffled = Pretraining { labels: Labels::Shuffled, ..Pretraining::SOURCE };
    let mut arms = vec![
        arm(
            "tutorial",
            Arm {
                features: Features::Pretrained(tutorial),
                head: Head::Warm,
                validation: Validation::TestSet,
                ..frozen()
            },
        ),
        frozen(),
        arm("frozen-warm", Arm { head: Head::Warm, ..frozen() }),
        scratch(),
        arm("frozen-random", Arm { features: Features::Untrained, ..frozen() }),
        arm("frozen-random-matched", Arm { features: Features::UntrainedMatched(Pretraining::SOURCE), ..frozen() }),
        arm("fine-tune", everything(1.0)),
        arm("fine-tune-1e-4", everything(0.1)),
        arm("head-then-all", Arm { training: Training::HeadThenEverything(0.1), ..frozen() }),
        arm("self", transferred(Half::Target, Half::Target)),
        arm("reversed", transferred(Half::Target, Half::Source)),
        arm("joint", transferred(Half::All, Half::Target)),
        arm("linear", Arm { head: Head::Linear, ..frozen() }),
        arm("pixels", Arm { head: Head::Pixels, features: Features::Untrained, blocks: 0, ..frozen() }),
        arm("shuffled-labels", Arm { features: Features::Pretrained(shuffled), ..frozen() }),
    ];
    for blocks in [1, 3] {
        arms.push(arm(&format!("depth-{blocks}-frozen"), Arm { blocks, ..frozen() }));
        arms.push(arm(&format!("depth-{blocks}-fine-tune"), Arm { blocks, ..everything(1.0) }));
    }
    for split in 1..=SPLITS {
        let target = Half::SplitTarget(split);
        arms.push(arm(&format!("split-{split}"), transferred(Half::SplitSource(split), target)));
        arms.push(arm(&format!("split-{split}-scratch"), Arm { learns: target, ..scratch() }));
    }
    arms.push(arm("vehicles-to-animals", transferred(Half::Vehicles, Half::Animals)));
    arms.push(arm("animals-scratch", Arm { learns: Half::Animals, ..scratch() }));
    arms.push(arm("animals-to-vehicles", transferred(Half::Animals, Half::Vehicles)));
    arms.push(arm("vehicles-scratch", Arm { learns: Half::Vehicles, ..scratch() }));
    for base in SAMPLED {
        let of_all = arms.iter().find(|arm| arm.name == base).cloned().expect("the sampled arms are listed above");
        let sampled = |n: &usize| Arm { name: format!("{base}@{n}"), per_class: Some(*n), ..of_all.clone() };
        arms.extend(SAMPLES.iter().map(sampled));
    }
    arms
}

/// The arms of the `samples` group.
pub(super) const SAMPLED: [&str; 4] = ["frozen", "scratch", "frozen-random", "fine-tune"];

/// The arm of a name.
pub fn named(name: &str) -> Option<Arm> {
    catalogue().into_iter().find(|arm| arm.name == name)
}

/// The names that a group stands for; nothing if it is no group.
pub(super) fn group(name: &str) -> Option<Vec<String>> {
    let having = |part: &str| {
        let names = catalogue().into_iter().map(|arm| arm.name);
        names.filter(|name| name.starts_with(part)).collect::<Vec<_>>()
    };
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    match name {
        "depth" => Some([owned(&["scratch", "frozen", "fine-tune"]), having("depth-")].concat()),
        "splits" => Some([having("split-"), vehicles_and_animals()].concat()),
        "samples" => {
            let names = catalogue().into_iter().map(|arm| arm.name);
            let sampled = names.filter(|name| name.contains('@'));
            Some(owned(&SAMPLED).into_iter().chain(sampled).collect())
        }
        _ => None,
    }
}

/// The arms that only CIFAR-10's classes allow.
pub(super) fn vehicles_and_animals() -> Vec<String> {
    ["vehicles-to-animals", "animals-scratch", "animals-to-vehicles", "vehicles-scratch"].map(str::to_owned).to_vec()
}

/// What an arm is, in a phrase for the report.
pub fn about(arm: &Arm) -> String {
    let base = arm.name.split('@').next().unwrap_or_default();
    let phrase = match base {
        "tutorial" => "as published: warm head, all training pictures, validated on the test set",
        "frozen" => "source features frozen, fresh head",
        "frozen-warm" => "source features frozen, the source's head trained on",
        "scratch" => "the same network from its initialisation: no transfer",
        "frozen-random" => "untrained features, frozen: what the head alone can do",
        "frozen-random-matched" => "untrained features with the source features' means and variances",
        "fine-tune" => "source features, everything trained on",
        "fine-tune-1e-4" => "the same at a tenth of the learning rate",
        "head-then-all" => "the head first, then everything, the features at a tenth of the rate",
        "self" => "features of the target classes themselves, frozen, fresh head: the cost of cutting",
        "reversed" => "the other way round: target features frozen, the source classes learned",
        "joint" => "features of all classes, frozen, fresh head: a ceiling",
        "linear" => "logistic regression on the source features",
        "pixels" => "logistic regression on the pixels",
        "shuffled-labels" => "features of the source pictures with shuffled labels, frozen",
        "depth-1-frozen" => "only the first convolution taken over, frozen",
        "depth-1-fine-tune" => "only the first convolution taken over, everything trained",
        "depth-3-frozen" => "hidden dense layer taken over too; only the output layer learns",
        "depth-3-fine-tune" => "hidden dense layer taken over too, everything trained",
        "vehicles-to-animals" => "vehicle features frozen, animals learned",
        "animals-scratch" => "animals from the initialisation",
        "animals-to-vehicles" => "animal features frozen, vehicles learned",
        "vehicles-scratch" => "vehicles from the initialisation",
        split if split.ends_with("-scratch") => "the target half of a random split, from the initialisation",
        split if split.starts_with("split-") => "a random split of the classes: features frozen, fresh head",
        "pretrain-source" => "stage 1: the network learns the source classes",
        "pretrain-target" => "stage 1: the network learns the target classes",
        "pretrain-all" => "stage 1: the network learns all classes",
        "pretrain-source-shuffled" => "stage 1 with shuffled labels; tested on true ones",
        "pretrain-source-tutorial" => "stage 1 as published: validated on the test set",
        _ => "stage 1: the network learns the other half of a split",
    };
    match arm.per_class {
        None => phrase.to_owned(),
        Some(n) => format!("{phrase}; {n} pictures a class"),
    }
}
