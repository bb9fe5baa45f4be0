//! One job: trains an arm's network on its pictures, and scores it.

use std::time::Instant;

use base64::{Engine, prelude::BASE64_STANDARD};
use thawline_tensor::{
    kernels::softmax::{argmax, softmax, softmax_cross_entropy},
    nn::{EpochReport, Examples, Fit, FitError, Network, Observer, Prefix, Rule, StepReport, StopReason},
};

use super::{
    arms::{Arm, Blocks, Recipe, Stage, TrainedLayers},
    cost,
    protocol::{self, Pictures},
    record::{Evaluation, Mistake},
    settings::SweepSettings,
    statistics::{CalibrationBin, calibration_error},
};
use crate::{
    data::{png, selection::Selection},
    record::run::ConfusionMatrix,
    system::{failure::Result, streams::Stream},
    training::transfer,
};

/// Mistakes that a record keeps.
const MISTAKES: usize = 8;

/// Trains and scores the network of a job.
pub struct Trainer<'a> {
    pub arm: &'a Arm,
    pub seed: u64,
    pub settings: &'a SweepSettings,
    pub pictures: &'a Pictures<'a>,
    pub epoch: &'a protocol::EpochPictures,
    /// The cached features of the arm's frozen layers.
    pub features: Option<&'a SharedFeatures<'a>>,
    /// Whether mistakes come with their pictures.
    pub keeps_pictures: bool,
}

/// The features of all pictures, for every head on the same frozen layers.
pub struct SharedFeatures<'a> {
    pub train: Examples<'a>,
    pub validation: Examples<'a>,
    pub test: Examples<'a>,
    /// Seconds that the features of the training and validation pictures took.
    pub seconds: f64,
}

impl<'a> SharedFeatures<'a> {
    /// The features of the training, validation and test pictures.
    pub fn of([train, validation, test]: &'a [Examples; 3], prefix: Prefix<'a>) -> Result<Self> {
        let start = Instant::now();
        let train = train.through(prefix, true).map_err(FitError::NoMemory)?;
        let validation = validation.through(prefix, true).map_err(FitError::NoMemory)?;
        let seconds = start.elapsed().as_secs_f64();
        let test = test.through(prefix, true).map_err(FitError::NoMemory)?;
        Ok(SharedFeatures { train, validation, test, seconds })
    }
}

/// Called with the work done, in the units of [`cost`]; an error stops training.
pub type WorkCallback<'a> = dyn FnMut(f64) -> Result<()> + 'a;

impl Trainer<'_> {
    /// Trains the network.
    ///
    /// # Errors
    /// If the loss is not finite, memory runs out, or `watch` fails.
    pub fn train(&self, network: &mut Network, watch: &mut WorkCallback) -> Result<Vec<EpochReport>> {
        let epochs = self.settings.epochs_of(self.arm);
        match self.arm.training {
            TrainedLayers::Head => self.train_head(network, epochs, watch),
            TrainedLayers::Everything(factor) => {
                let options = self.options(epochs, factor, 0);
                self.train_on_pictures(network, &options, cost::EVERYTHING, watch)
            }
            TrainedLayers::HeadThenEverything(factor) => {
                let first = epochs.div_ceil(2);
                let mut trained = self.train_head(network, first, watch)?;
                network.unfreeze();
                for layer in Blocks::of(&self.settings.network)?.feature_layers() {
                    network.set_rate_factor(layer.name(), factor)?;
                }
                if first < epochs {
                    let options = self.options(epochs - first, 1.0, 1);
                    trained.extend(self.train_on_pictures(network, &options, cost::EVERYTHING, watch)?);
                }
                Ok(trained)
            }
        }
    }

    fn train_head(&self, network: &mut Network, epochs: usize, watch: &mut WorkCallback) -> Result<Vec<EpochReport>> {
        let options = self.options(epochs, 1.0, 0);
        let cost = cost::head(self.arm, self.features.is_some());
        let Some(features) = self.features else {
            return self.train_on_pictures(network, &options, cost, watch);
        };
        let train = self.epoch.of(&features.train);
        let mut watch = WorkReporter { watch, cost, seen: 0 };
        Ok(network.fit(&train, options.validate(&features.validation).watch(&mut watch))?.epochs)
    }

    fn train_on_pictures(
        &self,
        network: &mut Network,
        options: &Fit,
        cost: f64,
        watch: &mut WorkCallback,
    ) -> Result<Vec<EpochReport>> {
        let [train, validation] = [&self.pictures.train, &self.pictures.validation].map(Selection::examples);
        let train = train.augmented(self.settings.augment.into());
        let mut watch = WorkReporter { watch, cost, seen: 0 };
        Ok(network.fit(&self.epoch.of(&train), options.validate(&validation).watch(&mut watch))?.epochs)
    }

    /// The training options of a phase. The engine does not cache features: those worth caching are shared between
    /// jobs.
    fn options(&self, epochs: usize, rate_factor: f64, phase: u64) -> Fit {
        let seed = if self.arm.stage == Stage::Pretraining { self.seed } else { transfer::seed(self.seed) };
        // A different seed for each later phase, so that the pictures come in another order.
        let seed = if phase == 0 { seed } else { Stream::PhaseSeed.seed(seed, phase) };
        let Recipe { learning_rate, schedule } = self.settings.recipe_of(self.arm);
        Fit {
            epochs,
            batch_size: self.settings.batch_size,
            seed,
            rule: Rule::ADAM,
            rate: learning_rate * rate_factor,
            schedule: schedule.into(),
            cached: false,
            ..Fit::default()
        }
    }

    /// Scores the trained network on the test set.
    pub fn score(&self, network: &Network) -> (Evaluation, Vec<Mistake>) {
        let test = &self.pictures.test;
        let predictions = match self.features {
            Some(features) => network.predict(&features.test),
            None => network.predict(&test.examples()),
        };
        let names = self.pictures.names();
        let mut nll = 0.0;
        let (mut predicted, mut outcomes) = (Vec::new(), Vec::new());
        let mut probabilities = vec![0.0; names.len()];
        for (logits, &label) in predictions.logits().data().chunks_exact(names.len()).zip(&test.labels) {
            nll += softmax_cross_entropy(logits, label as usize, 1.0, &mut []);
            softmax(logits, &mut probabilities);
            let class = argmax(logits);
            predicted.push(class);
            outcomes.push((f64::from(probabilities[class]), class == label as usize));
        }
        let examples = test.labels.len();
        let correct = outcomes.iter().filter(|outcome| outcome.1).count();
        let calibration = CalibrationBin::sort(&outcomes);
        let evaluation = Evaluation {
            examples,
            accuracy: correct as f64 / examples as f64,
            nll: nll / examples as f64,
            ece: calibration_error(&calibration),
            calibration,
            confusion: ConfusionMatrix::of(names.clone(), &test.labels, predicted.iter().copied()),
            right: Evaluation::pack(outcomes.iter().map(|outcome| outcome.1)),
        };
        let mut wrong: Vec<usize> = (0..examples).filter(|&at| !outcomes[at].1).collect();
        wrong.sort_by(|&a, &b| outcomes[b].0.total_cmp(&outcomes[a].0).then(a.cmp(&b)));
        let mistake = |&at: &usize| Mistake {
            index: test.indices[at],
            class: names[test.labels[at] as usize].clone(),
            predicted: names[predicted[at]].clone(),
            confidence: outcomes[at].0,
            picture: self.keeps_pictures.then(|| BASE64_STANDARD.encode(png::picture(test.pixels(at)))),
        };
        (evaluation, wrong.iter().take(MISTAKES).map(mistake).collect())
    }
}

/// Reports the work of each step.
struct WorkReporter<'a, 'b> {
    watch: &'a mut WorkCallback<'b>,
    /// Work of an example.
    cost: f64,
    /// Examples of the epoch so far.
    seen: usize,
}

impl Observer for WorkReporter<'_, '_> {
    fn step(&mut self, report: &StepReport) -> Result<(), StopReason> {
        let examples = report.examples - std::mem::replace(&mut self.seen, report.examples);
        Ok((self.watch)(examples as f64 * self.cost)?)
    }

    fn epoch(&mut self, _: &EpochReport) -> Result<(), StopReason> {
        self.seen = 0;
        Ok(())
    }
}
