//! Which arms are compared, and which runs are pooled.

use super::*;
use crate::sweep::arms::{Recipe, Scope};

#[test]
fn an_arm_is_never_pooled_with_itself() {
    let mut results = results(&[("scratch", &[860, 850, 870, 855, 865, 860])]);
    let stage_1 = Pretraining::of(ClassSet::Target).arm();
    let stage_1 =
        [840, 850, 845, 850, 840, 845].into_iter().zip(0..).map(|(right, seed)| record(&stage_1, seed, right));
    results.records.extend(stage_1);
    let analysis = Analysis::of(&results, true);
    let [pair] = &analysis.pairs[..] else { panic!("one pair") };
    assert_eq!([&*pair.arm, &*pair.baseline], ["scratch", "pretrain-target"]);
    // Both start from the same features with the same seed.
    assert!(pair.comparison.paired && pair.comparison.pooled_with.is_none());
    assert!((pair.difference.mean - 0.015).abs() < 1e-12, "{}", pair.difference.mean);
}

#[test]
fn an_arm_that_trials_gave_the_sweeps_recipe_is_pooled_with_stage_1() {
    let mut results = results(&SIX[..2]);
    let own = results.settings.recipe_of(&results.records[0].arm);
    let stage_1 = Pretraining::of(ClassSet::Target).arm();
    results.records.extend((0..6).map(|seed| record(&stage_1, seed, 850)));
    let mut pooled_with = |recipe: Recipe| {
        let scratch = results.records.iter_mut().filter(|record| record.arm.name == "scratch");
        scratch.for_each(|record| record.arm.recipe = Some(recipe));
        Analysis::of(&results, true).pair("frozen", "scratch").unwrap().comparison.pooled_with.clone()
    };
    assert_eq!(pooled_with(own).as_deref(), Some("pretrain-target"));
    assert_eq!(pooled_with(Recipe { learning_rate: 2.0 * own.learning_rate, ..own }), None);
}

#[test]
fn arms_of_different_seeds_or_lengths_are_not_compared() {
    let mut shards = results(&SIX[..2]);
    shards.records.retain(|record| (record.arm.name == "frozen") == (record.seed % 2 == 0));
    assert_eq!(
        answer(&shards)[0],
        "The arms frozen and scratch have no seed in common, so this report does not say what transfer is worth."
    );
    let mut unfinished = results(&SIX[..2]);
    unfinished.records.retain(|record| record.arm.name == "scratch" || record.seed < 4);
    let details = &answer(&unfinished)[1];
    assert!(details.ends_with("86.00 ± 0.30 % over 6 seeds (95 % intervals over 4 seeds)."), "{details}");

    let mut longer = results(&[("reversed", &[850; 6])]);
    let stage_1 = Pretraining::SOURCE.arm();
    longer.records.extend((0..6).map(|seed| record(&stage_1, seed, 860)));
    assert!(Analysis::of(&longer, true).pair("reversed", "pretrain-source").is_some());
    longer.records.iter_mut().filter(|record| record.arm.name == "reversed").for_each(|record| {
        record.history.pop();
    });
    assert!(Analysis::of(&longer, true).pair("reversed", "pretrain-source").is_none());
}

#[test]
fn the_similarity_of_the_halves_is_not_judged_from_few_splits() {
    let scope = Scope { splits: 6, ..SCOPE };
    let page = |splits: u32| {
        let records = (1..=splits).flat_map(|number| {
            let halves =
                if number % 2 == 0 { [["cat", "dog"], ["ship", "truck"]] } else { [["cat", "ship"], ["dog", "truck"]] };
            let arm = |suffix: &str| arms::named(&format!("split-{number}{suffix}"), scope).unwrap();
            let stage_1 = |classes| Pretraining::of(classes).arm();
            [
                (arm(""), 700 + u64::from(number), 1),
                (arm("-reversed"), 700, 0),
                (stage_1(ClassSet::SplitTarget(number)), 690, 1),
                (stage_1(ClassSet::SplitSource(number)), 695, 0),
            ]
            .map(|(arm, right, half)| JobRecord {
                classes: halves[half].map(str::to_owned).to_vec(),
                ..record(&arm, 0, right)
            })
        });
        let results = Results { settings: settings(), records: records.collect() };
        file(&results, "report.html", &Options::default())
    };
    let slope = "With each increase of 10 percentage points";
    assert!(page(6).contains(slope) && !page(5).contains(slope));
}
