//! The plan: every arm with every seed, as jobs, and the shard of one process among several.

use std::{fmt, str::FromStr};

use super::arms::Arm;

/// One arm with one seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub arm: Arm,
    pub seed: u64,
}

/// One process's part of a plan: every `of`th job, from number `index` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub index: usize,
    /// The number of shards.
    pub of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parsed {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Shard { index, of }),
            _ => Err("expected I/N with I from 1 to N, such as 2/8".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// All jobs: the arms in their order, and for each the seeds in theirs.
pub fn jobs(arms: &[Arm], seeds: &[u64]) -> Vec<Job> {
    arms.iter().flat_map(|arm| seeds.iter().map(|&seed| Job { arm: arm.clone(), seed })).collect()
}

/// The jobs of a shard. If the number of shards divides the number of seeds, each shard has the same seeds of every
/// arm, so no two shards need the same pretraining.
pub fn of_shard(jobs: Vec<Job>, shard: Option<Shard>) -> Vec<Job> {
    let Some(Shard { index, of }) = shard else { return jobs };
    jobs.into_iter().enumerate().filter(|(at, _)| at % of == index - 1).map(|(_, job)| job).collect()
}

/// Sorts jobs into groups that share seed, pictures and pretraining, the seeds one after the other. In a group, jobs
/// that train only the head come first: those with the same frozen layers share one cache of features.
pub fn groups(jobs: Vec<Job>) -> Vec<Vec<Job>> {
    let key = |job: &Job| {
        let arm = &job.arm;
        (job.seed, arm.features, arm.classes, arm.validation, arm.labels)
    };
    let mut sorted = jobs;
    // The sort is stable: within a group, jobs that share features stay in the plan's order.
    sorted.sort_by_key(|job| (key(job), !job.arm.is_head_only(), job.arm.blocks));
    sorted.chunk_by(|a, b| key(a) == key(b)).map(<[Job]>::to_vec).collect()
}
