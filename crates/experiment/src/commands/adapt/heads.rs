//! Training the new head: the linear one by L-BFGS, its regularization chosen by cross-validation; the dense one by
//! Adam.

use std::time::Instant;

use thawline_tensor::nn::{Fit, Network};

use crate::{
    data::{
        own::{
            self,
            collection::{Collection, Set},
            split::MAX_FOLDS,
        },
        task::Task,
    },
    models::Architecture,
    record::{
        adaptation::{CrossValidation, DenseSettings, Settings},
        options::Cache,
        run::{FrozenTensor, ModelRecord},
        scores::Scores,
    },
    run::{folder::RunFolder, watch::Watch},
    system::{
        console::{Console, Text},
        failure::{Failure, Kind, Result},
        interrupt::Interrupts,
        machine,
        memory::{Memory, Training},
        number,
    },
    training::{
        linear_head::{Options, TrainingSet},
        predictions::{Guess, guesses, judge, ranked},
        progress::{self, Progress},
        train, transfer,
    },
    weights::{features::Features, metadata},
};

/// With `--augment`, the linear head is trained on each picture and this many augmented views of it.
const VIEWS: usize = 4;

/// A head that is about to be trained.
pub struct Adapting<'a> {
    console: Console,
    config: &'a Settings,
    features: &'a Features,
    pictures: &'a Collection,
    interrupts: &'a Interrupts,
    architecture: Architecture,
    network: Network,
}

/// A trained network, and predictions for held-out pictures.
pub struct Adapted {
    pub network: Network,
    pub architecture: Architecture,
    pub model: ModelRecord,
    pub cross_validation: Option<CrossValidation>,
    /// The set that the held-out pictures belong to, and the guesses for each.
    pub held_out_set: Set,
    pub held_out: Vec<Vec<Guess>>,
    pub scores: Scores,
}

impl<'a> Adapting<'a> {
    pub fn new(
        console: Console,
        config: &'a Settings,
        features: &'a Features,
        pictures: &'a Collection,
        interrupts: &'a Interrupts,
    ) -> Result<Self> {
        let classes = pictures.classes.len();
        let (architecture, network) = match config.dense {
            None => features.attach_linear_head(classes)?,
            Some(_) => features.attach_head(classes)?,
        };
        Ok(Adapting { console, config, features, pictures, interrupts, architecture, network })
    }

    /// The memory that training takes; fails if less is free.
    pub fn memory(&self) -> Result<Memory> {
        let (memory, advice) = match &self.config.dense {
            None => {
                let rows = self.pictures.of(Set::Training).count() * (1 + self.augmented_views());
                (
                    Memory::of_linear_head(&self.network, rows, MAX_FOLDS),
                    "use fewer pictures, or the features of a smaller network",
                )
            }
            Some(dense) => {
                let task = self.task();
                let training = Training {
                    network: &self.network,
                    batch: dense.batch_size.min(task.train.len()),
                    validation: task.validation.len(),
                    features: transfer::plan_cache(&self.network, &task, Cache::Auto, machine::free_memory())?
                        .kept_bytes(),
                    checkpoints: false,
                };
                let advice = "lower --batch-size, or use the features of a smaller network";
                (Memory::of_training_runs([training]), advice)
            }
        };
        memory.require("the training", advice)?;
        Ok(memory)
    }

    /// The pictures of an epoch, and those held out.
    fn task(&self) -> Task<'a> {
        let mut task = self.pictures.task();
        if self.config.balanced {
            let pictures: Vec<_> = self.pictures.of(Set::Training).map(|(_, picture)| picture).collect();
            let labels = task.train.labels();
            let order = equally_often(labels, task.classes.len()).into_iter().map(|at| at as usize);
            let (pictures, labels) = order.map(|at| (pictures[at], labels[at])).unzip();
            task.train = own::examples(pictures, labels);
        }
        task.train = task.train.augmented(self.config.augment.into());
        task
    }

    fn augmented_views(&self) -> usize {
        if self.config.augment.is_none() { 0 } else { VIEWS }
    }

    /// The network and how it is trained.
    pub fn describe(&self) -> Text {
        let summary = self.network.summary();
        let [all, trained] = [summary.parameters(), summary.trainable()].map(|n| number::count(n as u64));
        let network = format!("{all} parameters, {trained} of them trained; the features are frozen");
        let training = match &self.config.dense {
            None => "linear head by cross-validation".to_owned(),
            Some(DenseSettings { epochs, batch_size, learning_rate, .. }) => format!(
                "dense head, {} in batches of {batch_size}, Adam at {learning_rate}",
                number::counted(*epochs, "epoch")
            ),
        };
        let training = format!("{training}, seed {}", self.config.seed);
        Text::wrapped("network   ", network).and(Text::wrapped("training  ", training))
    }

    /// Trains the head. Also returns the hashes of the frozen tensors, before and after.
    pub fn train(mut self, folder: &mut RunFolder) -> Result<(Adapted, Vec<FrozenTensor>)> {
        self.features.fill(&mut self.network, self.config.seed)?;
        let before = metadata::frozen_hashes(&self.network);
        let adapted = match self.config.dense.clone() {
            None => self.linear()?,
            Some(dense) => self.dense(folder, &dense)?,
        };
        let frozen = metadata::compare_frozen(before, &adapted.network);
        Ok((adapted, frozen))
    }

    fn linear(mut self) -> Result<Adapted> {
        let (seed, augmented_views) = (self.config.seed, self.augmented_views());
        let spinner = progress::spinner(self.console, "computing the frozen features");
        let started = Instant::now();
        let interrupts = self.interrupts;
        let check = || {
            let message = "interrupted while fitting the head: there is no model".to_owned();
            interrupts.check().map_err(|failure| Failure { message, ..failure })
        };
        let examples = self.pictures.examples(Set::Training).augmented(self.config.augment.into());
        let folds = self.pictures.folds(seed);
        let count = folds.iter().max().map_or(0, |last| last + 1);
        let options = Options { augmented_views, balanced: self.config.balanced, seed };
        let set = TrainingSet::read(&self.network, &examples, folds, options, check)?;
        let features_seconds = started.elapsed().as_secs_f64();
        spinner.set_message("fitting the head");
        let head = set.fit(check)?;
        drop(spinner);
        let classes = &self.pictures.classes;
        self.network.update_params(|_, param| {
            if param.trainable {
                let values = if param.name == "kernel" { &head.kernel } else { &head.bias };
                param.value.copy_from_slice(values);
            }
        });
        let held_out = ranked(&head.held_out, classes.len());
        let (confusion, scores) = judge(classes, examples.labels(), &held_out);
        let model = ModelRecord {
            network: train::describe(&self.network),
            total_seconds: started.elapsed().as_secs_f64(),
            features_seconds,
            confusion,
            ..ModelRecord::default()
        };
        let cross_validation = CrossValidation {
            folds: count,
            features: head.kernel.len() / classes.len(),
            penalty: head.penalty,
            temperature: head.temperature,
            candidates: head.candidates,
        };
        Ok(Adapted {
            network: self.network,
            architecture: self.architecture,
            model,
            cross_validation: Some(cross_validation),
            held_out_set: Set::Training,
            held_out,
            scores,
        })
    }

    fn dense(mut self, folder: &mut RunFolder, settings: &DenseSettings) -> Result<Adapted> {
        let &DenseSettings { epochs, batch_size, learning_rate: rate, .. } = settings;
        let seed = self.config.seed;
        let task = self.task();
        let cached = transfer::plan_cache(&self.network, &task, Cache::Auto, machine::free_memory())?.cached;
        let mut progress = Progress::new(self.console, epochs, task.train.len(), None);
        progress.wait("computing the frozen features");
        let options = Fit { epochs, batch_size, seed, rate, cached, ..Fit::default() };
        let mut watch = Watch {
            model: "adapted",
            progress,
            folder,
            draft: None,
            interrupts: self.interrupts,
            cached,
            checkpoints: None,
        };
        let history = self.network.fit(&task.train, options.validate(&task.validation).watch(&mut watch));
        watch.progress.finish();
        let history = history.map_err(Failure::from).map_err(|failure| match failure.kind {
            Kind::Signal(_) => {
                let folder = folder.path().display();
                Failure { message: format!("{failure}; {folder} holds the metrics so far, but no model"), ..failure }
            }
            _ => failure,
        })?;
        let name = |picture| format!("held-out picture {}", picture + 1);
        let held_out = guesses(&self.network, &task.validation, name)?;
        let (confusion, scores) = judge(&self.pictures.classes, task.validation.labels(), &held_out);
        let model = train::record(&self.network, &task, &history, cached, confusion);
        Ok(Adapted {
            network: self.network,
            architecture: self.architecture,
            model,
            cross_validation: None,
            held_out_set: Set::Validation,
            held_out,
            scores,
        })
    }
}

/// Indices of examples in which each class occurs as often as the largest; the examples of smaller classes repeat.
fn equally_often(labels: &[u32], classes: usize) -> Vec<u32> {
    let of_class = |class: u32| (0..labels.len() as u32).filter(move |&at| labels[at as usize] == class);
    let most = (0..classes as u32).map(|class| of_class(class).count()).max().unwrap_or(0);
    (0..classes as u32).flat_map(|class| of_class(class).collect::<Vec<_>>().into_iter().cycle().take(most)).collect()
}

#[cfg(test)]
mod tests {
    use super::equally_often;

    #[test]
    fn smaller_classes_repeat_until_all_occur_equally_often() {
        assert_eq!(equally_often(&[0, 0, 0, 1], 2), [0, 1, 2, 3, 3, 3]);
        assert_eq!(equally_often(&[1, 0, 1, 1, 0], 2), [1, 4, 1, 0, 2, 3]);
    }
}
