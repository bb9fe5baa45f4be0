//! Which jobs there are, in which order, and which process does them.

use std::collections::BTreeSet;

use super::*;
use crate::sweep::{
    arms::{Preset, catalogue},
    plan::{Shard, groups, jobs, of_shard},
    record::JobRecord,
};

fn names(jobs: &[super::super::plan::Job]) -> Vec<String> {
    jobs.iter().map(|job| JobRecord::name(&job.arm, job.seed)).collect()
}

#[test]
fn a_plan_is_every_arm_with_every_seed() {
    let plan = jobs(&arms(&["frozen", "scratch"]), &[0, 1, 7]);
    let expected = "frozen-seed-0 frozen-seed-1 frozen-seed-7 scratch-seed-0 scratch-seed-1 scratch-seed-7";
    assert_eq!(names(&plan).join(" "), expected);
}

#[test]
fn shards_do_every_job_once() {
    let plan = jobs(&catalogue(SCOPE), &[0, 1, 2, 3, 4, 5]);
    for of in [1, 2, 3, 7, 1000] {
        let mut all: Vec<String> = Vec::new();
        for index in 1..=of {
            all.extend(names(&of_shard(plan.clone(), Some(Shard { index, of }))));
        }
        assert_eq!(all.len(), plan.len());
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), names(&plan).into_iter().collect());
    }
    let seeds: BTreeSet<u64> =
        of_shard(plan.clone(), Some(Shard { index: 2, of: 3 })).iter().map(|job| job.seed).collect();
    assert_eq!(seeds, [1, 4].into(), "with a divisor of the seeds' number, a shard keeps to a few seeds");
    assert_eq!("2/8".parse(), Ok(Shard { index: 2, of: 8 }));
    for wrong in ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", ""] {
        assert!(wrong.parse::<Shard>().unwrap_err().contains("expected I/N with I from 1 to N"), "{wrong}");
    }
}

#[test]
fn jobs_that_share_features_are_done_together() {
    let names_of =
        ["frozen", "frozen-warm", "scratch", "fine-tune", "linear", "depth-1-frozen", "frozen@10", "reversed"];
    let groups = groups(jobs(&arms(&names_of), &[0, 1]));
    let together: Vec<Vec<String>> = groups.iter().map(|group| names(group)).collect();
    let of_seed = |seed: u64| {
        let named = |names: &str| names.split(' ').map(|name| format!("{name}-seed-{seed}")).collect::<Vec<_>>();
        // Within a group, first the heads, by the depth of their frozen layers, then the arms that train all layers.
        [named("scratch"), named("depth-1-frozen frozen frozen-warm linear frozen@10 fine-tune"), named("reversed")]
    };
    let mut expected: Vec<Vec<String>> = of_seed(0).into_iter().chain(of_seed(1)).collect();
    let mut found = together.clone();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let seeds: Vec<u64> = groups.iter().map(|group| group[0].seed).collect();
    assert!(seeds.is_sorted(), "one seed after the other, so that an interrupted sweep has whole seeds");
}

#[test]
fn presets_need_few_pretrainings() {
    let data = data(2);
    let controls = Preset::Controls.arms(&settings(&data).classes(), SCOPE);
    let pretrainings: BTreeSet<_> = controls.iter().filter_map(|arm| arm.features.pretraining()).collect();
    assert_eq!((controls.len(), pretrainings.len()), (13, 4), "source, target, all, and the tutorial's own");
}
