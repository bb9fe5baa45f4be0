//! What the records of two arms say about their difference.

use super::{record::record, *};
use crate::sweep::{
    arms::{ClassSet, Pretraining, is_vehicle},
    comparison::{Comparison, adjust},
    record::{Evaluation, JobRecord},
    splits::Splits,
    statistics::Difference,
};

/// Records of an arm, one per seed, with this many of 1,000 test pictures correct, the first ones.
fn records(name: &str, right: &[usize]) -> Vec<JobRecord> {
    let of_seed = |(seed, &right): (usize, &usize)| {
        let bits = Evaluation::pack((0..1000).map(|at| at < right));
        let test = Evaluation { examples: 1000, accuracy: right as f64 / 1000.0, right: bits, ..record().test };
        JobRecord { arm: arm(name), seed: seed as u64, test, ..record() }
    };
    right.iter().enumerate().map(of_seed).collect()
}

fn compare(arm: &[JobRecord], baseline: &[JobRecord], repeated: &[JobRecord]) -> Comparison {
    let [arm, baseline, repeated] = [arm, baseline, repeated].map(|records| records.iter().collect::<Vec<_>>());
    Comparison::of(&arm, &baseline, &repeated).unwrap()
}

const FROZEN: [usize; 6] = [838, 840, 842, 836, 839, 841];

#[test]
fn seeds_are_paired_if_they_give_both_arms_the_same_features() {
    let frozen = records("frozen", &FROZEN);
    let together = records("scratch", &[858, 861, 863, 856, 859, 863]);
    let apart = records("scratch", &[861, 859, 858, 863, 862, 857]);
    let repeated: Vec<JobRecord> = records("scratch", &[860, 862, 858, 859, 861, 860])
        .into_iter()
        .map(|record| JobRecord { arm: Pretraining::of(ClassSet::Target).arm(), ..record })
        .collect();
    let warm = records("frozen-warm", &[858, 861, 863, 856, 859, 863]);
    let paired = compare(&frozen, &warm, &[]);
    assert!(paired.paired && paired.correlation.unwrap() > 0.9);
    assert_eq!((paired.seeds, paired.agreeing_seeds), ([6, 6], 6));
    assert_eq!(paired.sign_flip_p, Some(0.03125));
    // The accuracies are the same, but not the features.
    let groups = compare(&frozen, &together, &[]);
    assert!(!groups.paired && groups.correlation == paired.correlation && groups.pooled_with.is_none());
    assert!(groups.estimate.unwrap().standard_error > 2.0 * paired.estimate.unwrap().standard_error);
    // The repeated run with the same seed is averaged with the baseline's.
    let pooled = compare(&frozen, &apart, &repeated);
    assert_eq!((pooled.seeds, pooled.pooled_with.as_deref()), ([6, 6], Some("pretrain-target")));
    let means = [860.5, 860.5, 858.0, 861.0, 861.5, 858.5].map(|mean| mean / 1000.0);
    let frozen_alone = FROZEN.map(|right| right as f64 / 1000.0);
    let expected = Difference::unpaired(&frozen_alone, &means).unwrap().standard_error;
    assert!((pooled.estimate.unwrap().standard_error / expected - 1.0).abs() < 1e-12);
    let more = compare(&frozen, &apart[..4], &repeated);
    assert_eq!(more.seeds, [6, 6]);
    let incomplete = compare(&frozen, &warm[..5], &[]);
    assert_eq!((incomplete.paired, incomplete.seeds), (false, [6, 5]));
    // Few pictures are drawn by seed, so both arms learn from the same ones.
    let [few, few_scratch] = ["frozen@10", "scratch@10"].map(|name| records(name, &FROZEN));
    assert!(compare(&few, &few_scratch, &[]).paired);
    // With one seed, only the pictures can be tested: scratch alone classifies 20 of 1,000 correctly.
    let one = compare(&frozen[..1], &together[..1], &[]);
    assert!(one.p.is_none() && !one.has_enough_seeds() && one.mcnemar_p[0] < 1e-5, "{one:?}");
    assert!((one.mean() + 0.02).abs() < 1e-12);
    assert!(Comparison::of(&[], &[], &[]).is_none());
}

#[test]
fn p_values_are_adjusted_and_equivalence_is_tested() {
    let frozen = records("frozen", &FROZEN);
    let mut far = compare(&frozen, &records("scratch", &[858, 861, 863, 856, 859, 863]), &[]);
    let mut near = compare(&frozen, &records("scratch", &[840, 838, 841, 838, 838, 842]), &[]);
    adjust([&mut far, &mut near]);
    assert_eq!(far.adjusted_p, far.p.map(|p| 2.0 * p));
    assert_eq!((far.is_shown(), far.is_equivalent()), (true, false));
    assert_eq!((near.is_shown(), near.is_equivalent()), (false, true));
    assert!(near.detectable.unwrap() < 0.01, "{near:?}");
    // A p-value that is small alone is not small among twenty.
    let mut many: Vec<Comparison> = (0..20).map(|_| Comparison { p: Some(0.03), ..far.clone() }).collect();
    adjust(&mut many);
    assert!(many.iter().all(|comparison| !comparison.is_shown()));
    let few = compare(&frozen[..5], &records("scratch", &[858, 861, 863, 856, 859]), &[]);
    assert!(!few.is_shown(), "five seeds are too few for a claim");
}

#[test]
fn seeds_and_pictures_are_sources_of_chance() {
    // The same twenty pictures in every seed: all chance is in the choice of pictures.
    let comparison = compare(&records("frozen", &[840; 6]), &records("scratch", &[860; 6]), &[]);
    let components = comparison.components.unwrap();
    assert_eq!((components.seed, components.residual), (0.0, 0.0));
    let expected = (0.02_f64 * 0.98 / 1000.0).sqrt();
    assert!((components.picture_error - expected).abs() < 1e-9 && components.standard_error > 0.99 * expected);
}

#[test]
fn a_model_at_chance_level_has_not_learned() {
    let with = |accuracy: f64| {
        let mut record = JobRecord { train_examples: 3000, ..record() };
        record.history[0].accuracy = accuracy;
        record.has_learned()
    };
    // Three classes: a third, and 1.645 standard deviations of 0.0086.
    assert!(!with(0.333) && !with(0.347) && with(0.348));
}

#[test]
fn a_split_counts_as_one_value() {
    let named = |name: &str, set: ClassSet, right: &[usize], classes: [&str; 2]| {
        let arm = if name.starts_with("split") { arm(name) } else { Pretraining::of(set).arm() };
        let classes = classes.map(str::to_owned).to_vec();
        records("frozen", right).into_iter().map(move |record| JobRecord {
            arm: arm.clone(),
            classes: classes.clone(),
            ..record
        })
    };
    let split = |number: u32, gaps: [usize; 2], a: [&'static str; 2], b: [&'static str; 2]| {
        let (source, target) = (ClassSet::SplitSource(number), ClassSet::SplitTarget(number));
        let jobs = named(&format!("split-{number}"), target, &[800 + gaps[0]; 2], b);
        jobs.chain(named("pretrain", target, &[800; 2], b))
            .chain(named(&format!("split-{number}-reversed"), source, &[700 + gaps[1]; 2], a))
            .chain(named("pretrain", source, &[700; 2], a))
    };
    let all: Vec<JobRecord> = split(1, [10, 30], ["cat", "dog"], ["ship", "truck"])
        .chain(split(2, [40, 40], ["cat", "ship"], ["dog", "truck"]))
        .chain(split(3, [60, 80], ["cat", "dog"], ["frog", "horse"]))
        .collect();
    let splits = Splits::of(&all, is_vehicle).unwrap();
    let gaps: Vec<f64> = splits.splits.iter().map(|split| (1000.0 * split.gap()).round()).collect();
    assert_eq!((gaps, splits.positive, splits.gap.n), (vec![20.0, 40.0, 70.0], 3, 3));
    let likeness: Vec<_> = splits.splits.iter().map(|split| split.likeness).collect();
    assert_eq!(likeness, [Some(0.0), Some(0.5), Some(1.0)]);
    assert!((splits.by_likeness.unwrap().slope.mean - 0.05).abs() < 1e-9);
    let foreign = Splits::of(&all, |_| None).unwrap();
    assert!(foreign.by_likeness.is_none() && foreign.splits[0].likeness.is_none());
    assert_eq!(Splits::of(&records("frozen", &FROZEN), is_vehicle), None);
}
