//! The worker: runs the jobs of a plan, except those that other processes are running, and shares work between them.
//!
//! One pretraining per seed serves all arms that take features from it. One cache of features serves all heads on top
//! of them, including those trained on few of the pictures.

use std::{
    thread,
    time::{Duration, Instant, SystemTime},
};

use thawline_tensor::nn::{Examples, Network, cache_bytes};

use super::{
    arms::{Arm, FeatureSource, Pretraining, Stage, assemble},
    cost::{ArmCosts, UnfinishedJobs},
    folder::SweepFolder,
    plan::{self, Job},
    progress::SweepProgress,
    protocol::Pictures,
    record::{self, JobRecord, Times},
    settings::SweepSettings,
    stage1,
    trainer::{SharedFeatures, Trainer},
};
use crate::{
    data::{open::Data, selection::Selection},
    system::{
        atomic_file,
        failure::{Failure, Kind, Result},
        hash::sha256,
        interrupt::Interrupts,
        machine,
    },
    training::transfer::cache_budget,
    weights::metadata::{self, Metadata},
};

/// How long a worker waits for another one before it checks again.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

pub struct Worker<'a> {
    pub data: &'a Data,
    /// The pictures of the source classes, if they are of another data set.
    pub source_data: Option<&'a Data>,
    pub settings: &'a SweepSettings,
    pub folder: &'a SweepFolder,
    /// The sweep's trials and jobs, and their costs, for the progress.
    pub plan: &'a [Job],
    pub costs: &'a ArmCosts<'a>,
    /// Whether records keep pictures of mistakes.
    pub keeps_pictures: bool,
    pub interrupts: &'a Interrupts,
    pub progress: &'a mut SweepProgress,
}

impl<'a> Worker<'a> {
    /// Runs the jobs of all groups, except those that other processes are running.
    ///
    /// # Errors
    /// If a job fails, or on a signal. Finished jobs keep their records.
    pub fn perform(&mut self, groups: Vec<Vec<Job>>) -> Result<()> {
        let mut open = groups;
        while !open.is_empty() {
            let before = open.len();
            let mut waiting = Vec::new();
            for group in open {
                if !self.perform_group(&group)? {
                    waiting.push(group);
                }
            }
            open = waiting;
            if open.len() == before {
                self.wait("waiting for features that another process is training")?;
            }
        }
        Ok(())
    }

    /// Runs jobs, waits for those that other processes are running, and reads the records of all.
    ///
    /// # Errors
    /// As [`Worker::perform`].
    pub fn complete(&mut self, jobs: &[Job]) -> Result<Vec<JobRecord>> {
        loop {
            self.perform(plan::groups(jobs.to_vec()))?;
            let records: Option<Vec<JobRecord>> =
                jobs.iter().map(|job| self.folder.record(&job.arm, job.seed)).collect::<Result<_>>()?;
            if let Some(records) = records {
                return Ok(records);
            }
            self.wait("waiting for trials that another process is running")?;
        }
    }

    /// Writes the records of jobs that are the same computation as a trial: those with its seed and recipe.
    pub fn adopt(&mut self, jobs: &[Job], trials: &[JobRecord]) -> Result<()> {
        for Job { arm, seed } in jobs {
            let is_same = |trial: &&JobRecord| trial.seed == *seed && trial.arm.is_same_training(arm);
            let Some(trial) = trials.iter().find(is_same) else { continue };
            if !self.folder.has_record(arm, *seed) {
                let record = JobRecord { arm: arm.clone(), ..trial.clone() };
                self.folder.finish(&record)?;
                self.begin(arm, *seed);
                self.progress.finished(&record, self.left())?;
            }
        }
        Ok(())
    }

    /// Shows the job that begins; returns its name.
    fn begin(&mut self, arm: &Arm, seed: u64) -> String {
        let name = format!("{}, seed {seed}", arm.name);
        self.progress.begin(&name, self.left());
        name
    }

    /// The jobs and the work that no process has finished.
    fn left(&self) -> (usize, f64) {
        self.costs.left(&UnfinishedJobs::find(self.folder, self.plan))
    }

    fn wait(&self, reason: &str) -> Result<()> {
        self.progress.show_waiting(reason);
        self.interrupts.check()?;
        thread::sleep(POLL_INTERVAL);
        Ok(())
    }

    /// Does the jobs of a group; false if another process is training the stage 1 that they need.
    fn perform_group(&mut self, group: &[Job]) -> Result<bool> {
        let open = self.folder.unfinished(group)?;
        let Some(first) = open.first() else { return Ok(true) };
        let (arm, seed) = (&first.arm, first.seed);
        let stage1 = match arm.features.pretraining() {
            None => None,
            Some(pretraining) => match self.pretrained(pretraining, seed)? {
                None => return Ok(false),
                some => some,
            },
        };
        let pictures = self.pictures(arm)?;
        let (network, record) = stage1.unzip();
        let features = self.features(arm, seed, network)?;
        let pretraining_seconds = record.map_or(0.0, |record| record.times.training());
        // Consecutive jobs with the same frozen layers share a cache.
        let mut rest = &open[..];
        while let Some(&first) = rest.first() {
            let network = self.assemble(&first.arm, first.seed, &pictures, features.as_ref())?;
            let fingerprint = network.prefix().fingerprint();
            let mut same = 1;
            for job in &rest[1..] {
                let other = self.assemble(&job.arm, job.seed, &pictures, features.as_ref())?;
                if job.arm.is_head_only() != first.arm.is_head_only() || other.prefix().fingerprint() != fingerprint {
                    break;
                }
                same += 1;
            }
            let (sharing, rest_of_group) = rest.split_at(same);
            self.perform_sharing(sharing, &network, &pictures, features.as_ref(), pretraining_seconds)?;
            rest = rest_of_group;
        }
        Ok(true)
    }

    /// Does jobs that share the frozen layers of `network`.
    fn perform_sharing(
        &mut self,
        jobs: &[&Job],
        network: &Network,
        pictures: &Pictures,
        source: Option<&Network>,
        pretraining_seconds: f64,
    ) -> Result<()> {
        // Features of randomly augmented pictures cannot be cached.
        let keeps = self.settings.augment.is_none() && jobs.iter().all(|job| job.arm.is_head_only());
        let prefix = Some(network.prefix()).filter(|prefix| keeps && !prefix.is_empty());
        let images = [&pictures.train, &pictures.validation, &pictures.test].map(Selection::examples);
        let count = images.iter().map(Examples::len).sum();
        let mut features = None;
        for job in jobs {
            let Some(_claim) = self.folder.claim(&job.arm, job.seed)? else { continue };
            if self.folder.record(&job.arm, job.seed)?.is_some() {
                continue;
            }
            if let (Some(prefix), None) = (prefix, &features)
                && cache_bytes(count, &prefix) <= cache_budget(machine::free_memory())
            {
                self.progress.show_waiting(&format!("features for {}, seed {}", job.arm.name, job.seed));
                features = Some(SharedFeatures::of(&images, prefix)?);
                self.interrupts.check()?;
            }
            self.do_job(&job.arm, job.seed, pictures, source, features.as_ref(), pretraining_seconds)?;
        }
        Ok(())
    }

    /// Does one job that this process has claimed.
    fn do_job(
        &mut self,
        arm: &Arm,
        seed: u64,
        pictures: &Pictures,
        source: Option<&Network>,
        features: Option<&SharedFeatures>,
        pretraining_seconds: f64,
    ) -> Result<()> {
        let epoch = pictures.epoch(arm.per_class, seed).map_err(|failure| failure.within(&arm.name))?;
        let mut network = self.assemble(arm, seed, pictures, source)?;
        let name = self.begin(arm, seed);
        let (settings, keeps_pictures) = (self.settings, self.keeps_pictures);
        let trainer = Trainer { arm, seed, settings, pictures, epoch: &epoch, features, keeps_pictures };
        let (interrupts, progress) = (self.interrupts, &mut *self.progress);
        let trained = trainer.train(&mut network, &mut |work| {
            progress.advance(work);
            interrupts.check()
        });
        let trained = trained.map_err(|failure| failure.within(&name))?;
        let start = Instant::now();
        let (test, mistakes) = trainer.score(&network);
        let evaluation = start.elapsed().as_secs_f64();
        let weights = match arm.stage {
            Stage::Pretraining => Some(self.save(arm, seed, pictures, &network)?),
            Stage::Transfer | Stage::Trial => None,
        };
        let summary = network.summary();
        let record = JobRecord {
            format: record::FORMAT,
            thawline: env!("CARGO_PKG_VERSION").to_owned(),
            settings: self.settings.hash(),
            arm: arm.clone(),
            seed,
            classes: pictures.names(),
            train_examples: epoch.distinct,
            epoch_examples: epoch.positions.len(),
            validation_examples: pictures.validation.labels.len(),
            trainable: summary.trainable() as u64,
            frozen: summary.frozen() as u64,
            history: trained.iter().map(record::Epoch::from).collect(),
            test,
            mistakes,
            weights,
            times: Times {
                pretraining: pretraining_seconds,
                features: features.map_or(0.0, |features| features.seconds),
                epochs: trained.iter().map(|epoch| epoch.duration.as_secs_f64()).collect(),
                evaluation,
            },
            machine: machine::environment(SystemTime::now()),
        };
        record
            .check()
            .map_err(|reason| Failure::new(Kind::Numeric, format!("{name}: {reason}; lower the learning rate")))?;
        // If only the weights of a pretraining were gone, its record stays, and says which weights are right.
        if !self.folder.has_record(arm, seed) {
            self.folder.finish(&record)?;
        }
        self.progress.finished(&record, self.left())
    }

    fn save(&self, arm: &Arm, seed: u64, pictures: &Pictures, network: &Network) -> Result<String> {
        let metadata = Metadata::new(&arm.name, seed, pictures.names(), &self.settings.network, network);
        let bytes = metadata::to_safetensors(network, &metadata)?;
        atomic_file::write(&self.folder.weights(arm, seed), &bytes)?;
        Ok(sha256([&bytes]))
    }

    /// The network of stage 1 and its record, trained if necessary; `None` while another process trains it.
    fn pretrained(&mut self, pretraining: Pretraining, seed: u64) -> Result<Option<(Network, JobRecord)>> {
        let arm = pretraining.arm();
        if !self.folder.has_weights(&arm, seed) {
            let Some(_claim) = self.folder.claim(&arm, seed)? else { return Ok(None) };
            // Another process may have finished it since.
            if !self.folder.has_weights(&arm, seed) {
                let pictures = self.pictures(&arm)?;
                self.do_job(&arm, seed, &pictures, None, None, 0.0)?;
            }
        }
        let Some(record) = self.folder.record(&arm, seed)? else { return Ok(None) };
        let expected = record.weights.as_deref().unwrap_or_default();
        let network = stage1::load(&self.folder.weights(&arm, seed), expected)?;
        Ok(Some((network, record)))
    }

    /// The network that an arm's features are taken from.
    fn features(&self, arm: &Arm, seed: u64, pretrained: Option<Network>) -> Result<Option<Network>> {
        match (arm.features, pretrained) {
            (FeatureSource::UntrainedMatched(pretraining), Some(pretrained)) => {
                let untrained = self.settings.network.build(pretrained.output().size(), seed)?;
                let pictures = self.pictures(&pretraining.arm())?;
                stage1::matched(&self.settings.network, untrained, &pretrained, &pictures).map(Some)
            }
            (_, pretrained) => Ok(pretrained),
        }
    }

    fn assemble(&self, arm: &Arm, seed: u64, pictures: &Pictures, source: Option<&Network>) -> Result<Network> {
        assemble(arm, &self.settings.network, pictures.classes.len(), seed, source)
    }

    fn pictures(&self, arm: &Arm) -> Result<Pictures<'a>> {
        Pictures::of(arm, self.settings, self.data, self.source_data)
    }
}
