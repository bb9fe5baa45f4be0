//! The record of a job, one small JSON file: one arm with one seed, its training and its test score.
//!
//! Its first field is a seal: the SHA-256 of the whole file with these 64 digits as zeros.
//!
//! Everything but the seal, `times`, `machine` and the pictures of mistakes, which `--no-pictures` leaves out, is a
//! function of the sweep's settings, the arm and the seed: it has the same bits in any order of the jobs, on AVX2 and
//! AVX-512 (NEON is untested).

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use thawline_tensor::nn::{EpochReport, Metrics};

use super::{
    arms::Arm,
    statistics::{CalibrationBin, calibration_error},
};
use crate::{
    record::{ranges::check_ranges, run::ConfusionMatrix},
    system::{console::shown, json, machine::Environment, wording},
    weights::tensor_file::{DIGITS, seal_of},
};

/// The version of the record and of the protocol; others are refused, as their results cannot be compared.
pub const FORMAT: u32 = 3;

/// The file's bytes before the seal's digits.
const BEFORE_SEAL: &[u8] = b"{\n  \"sha256\": \"";

/// One arm with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Version of the program.
    pub thawline: String,
    /// SHA-256 of the sweep's settings: records of different settings are never compared.
    pub settings: String,
    pub arm: Arm,
    pub seed: u64,
    /// Names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// Distinct training pictures.
    pub train_examples: usize,
    /// Pictures of an epoch, which repeats them if only few are distinct.
    pub epoch_examples: usize,
    pub validation_examples: usize,
    /// Parameters that the last phase trained.
    pub trainable: u64,
    /// The other parameters.
    pub frozen: u64,
    /// One entry an epoch.
    pub history: Vec<Epoch>,
    /// The scores on the test set, computed once, after the last epoch.
    pub test: Evaluation,
    /// The most confident mistakes on the test pictures.
    pub mistakes: Vec<Mistake>,
    /// SHA-256 of the weights file, if the job is a pretraining.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Wall-clock times; they differ from one execution to the next.
    pub times: Times,
    pub machine: Environment,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Mean cross-entropy over its batches, dropout on.
    pub loss: f64,
    /// Fraction of its examples classified correctly, dropout on.
    pub accuracy: f64,
    /// Mean cross-entropy over the validation pictures after it.
    pub val_loss: f64,
    /// Fraction of them classified correctly.
    pub val_accuracy: f64,
}

impl From<&EpochReport> for Epoch {
    fn from(report: &EpochReport) -> Self {
        let (Metrics { loss, accuracy }, validation) = (report.training, report.validation.unwrap_or_default());
        Epoch { loss, accuracy, val_loss: validation.loss, val_accuracy: validation.accuracy }
    }
}

/// A network's results on the test set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    pub examples: usize,
    pub accuracy: f64,
    /// Mean negative log-likelihood of the true class, in nats.
    pub nll: f64,
    /// Expected calibration error.
    pub ece: f64,
    /// Its bins.
    pub calibration: Vec<CalibrationBin>,
    /// By true and predicted class.
    pub confusion: ConfusionMatrix,
    /// A bit per picture, in the order of the data and the lowest bit of each byte first: whether it was classified
    /// correctly. Bytes in base64.
    pub right: String,
}

impl Evaluation {
    /// Packs whether each picture was classified correctly.
    pub fn pack(right: impl IntoIterator<Item = bool>) -> String {
        let mut bytes = Vec::new();
        for (at, right) in right.into_iter().enumerate() {
            if at % 8 == 0 {
                bytes.push(0);
            }
            *bytes.last_mut().expect("a byte was pushed") |= u8::from(right) << (at % 8);
        }
        BASE64_STANDARD.encode(bytes)
    }

    /// Whether each picture was classified correctly; `None` if the record is damaged.
    pub fn unpack(&self) -> Option<Vec<bool>> {
        let bytes = BASE64_STANDARD.decode(&self.right).ok()?;
        let bits: Vec<bool> = (0..8 * bytes.len()).map(|at| bytes[at / 8] >> (at % 8) & 1 == 1).collect();
        let (bits, padding) = bits.split_at_checked(self.examples)?;
        (padding.len() < 8 && !padding.contains(&true)).then(|| bits.to_vec())
    }
}

/// A wrongly classified picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Its index among the data's test pictures, from 0.
    pub index: usize,
    pub class: String,
    pub predicted: String,
    /// The probability of the predicted class.
    pub confidence: f64,
    /// The picture: a PNG in base64; absent in a sweep without pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

/// Wall-clock times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Stage 1, if there was one: its features and epochs, without evaluation.
    pub pretraining: f64,
    /// Computing the frozen features of the training and validation pictures once; 0 if they were not cached.
    pub features: f64,
    /// Each epoch with its validation.
    pub epochs: Vec<f64>,
    /// Scoring on the test set.
    pub evaluation: f64,
}

impl Times {
    /// The training time without pretraining: features and epochs.
    pub fn training(&self) -> f64 {
        self.features + self.epochs.iter().sum::<f64>()
    }
}

impl JobRecord {
    /// The name of a job, and of its file without the ending.
    pub fn name(arm: &Arm, seed: u64) -> String {
        format!("{}-seed-{seed}", arm.name)
    }

    /// Reads a record, and checks its seal and its consistency: the file may come from someone else.
    ///
    /// # Errors
    /// If it is not a record, is damaged, or contradicts itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let format = json::format_of(bytes).map_err(|error| wording::json(&error))?;
        if format != FORMAT {
            return Err(format!("it has format {format}; this program reads format {FORMAT}"));
        }
        let seal = bytes.strip_prefix(BEFORE_SEAL).and_then(|rest| rest.get(..DIGITS));
        match seal.map(|seal| seal == seal_of(bytes, BEFORE_SEAL.len()).as_bytes()) {
            Some(true) => {}
            Some(false) => return Err("it is damaged or was changed: its sha256 does not match".to_owned()),
            None => return Err("it does not start with its sha256".to_owned()),
        }
        let record: JobRecord = serde_json::from_slice(bytes).map_err(|error| wording::json(&error))?;
        record.check()?;
        Ok(record)
    }

    /// Checks that the record's parts are consistent.
    ///
    /// # Errors
    /// If parts contradict each other, or a value is out of range.
    pub fn check(&self) -> Result<(), String> {
        // The name is part of a path.
        if !self.arm.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-@".contains(c)) {
            return Err(format!("'{}' is not the name of an arm; expected a-z, 0-9, - and @", shown(&self.arm.name)));
        }
        // As for `--seeds`.
        if self.seed > i64::MAX as u64 {
            return Err(format!("its seed is {}; expected at most {}", self.seed, i64::MAX));
        }
        self.check_numbers()?;
        self.check_sums()
    }

    /// Checks what follows from other fields: a changed number contradicts them even under a matching seal.
    fn check_sums(&self) -> Result<(), String> {
        let Self { classes, test, mistakes, history, times, .. } = self;
        let (matrix, side) = (&test.confusion, classes.len());
        if matrix.classes != *classes
            || matrix.counts.len() != side
            || matrix.counts.iter().any(|row| row.len() != side)
        {
            return Err(format!("its confusion matrix does not have its {side} classes"));
        }
        if self.train_examples < side {
            return Err(format!("it has {} training pictures of {side} classes", self.train_examples));
        }
        // Wide enough that nothing overflows.
        let sum = |counts: &mut dyn Iterator<Item = u64>| counts.map(u128::from).sum::<u128>();
        let (examples, bins) = (test.examples as u128, &test.calibration);
        if sum(&mut matrix.counts.iter().flatten().copied()) != examples {
            return Err(format!("its confusion matrix does not count {examples} test pictures"));
        }
        let right = sum(&mut matrix.counts.iter().enumerate().map(|(class, row)| row[class]));
        if test.accuracy != right as f64 / examples as f64 {
            let counted = format!("{right} of {examples} pictures right");
            return Err(format!("its accuracy is {}, but its confusion matrix has {counted}", test.accuracy));
        }
        let counted = [sum(&mut bins.iter().map(|bin| bin.predictions)), sum(&mut bins.iter().map(|bin| bin.right))];
        if counted != [examples, right] {
            return Err("its calibration does not count the pictures of its confusion matrix".to_owned());
        }
        let ece = calibration_error(bins);
        if (test.ece - ece).abs() > 1e-9 {
            return Err(format!("its calibration error is {}, but its bins give {ece}", test.ece));
        }
        let label = |name: &String| classes.iter().position(|class| class == name);
        let is_counted = |mistake: &Mistake| match (label(&mistake.class), label(&mistake.predicted)) {
            (Some(class), Some(predicted)) => class != predicted && matrix.counts[class][predicted] > 0,
            _ => false,
        };
        if !mistakes.iter().all(is_counted) {
            return Err("it shows a mistake that its confusion matrix does not count".to_owned());
        }
        let bits = test.unpack().map(|bits| bits.iter().filter(|&&is_right| is_right).count() as u128);
        if bits != Some(right) {
            return Err(format!("its test.right does not have {examples} bits with {right} of them set"));
        }
        if times.epochs.len() != history.len() {
            return Err(format!("it has times of {} epochs, and results of {}", times.epochs.len(), history.len()));
        }
        Ok(())
    }

    /// Checks that shares, losses and times are in range, so that they fit into plots.
    fn check_numbers(&self) -> Result<(), String> {
        let Self { history, test, mistakes, times, .. } = self;
        let shares = history.iter().flat_map(|epoch| [epoch.accuracy, epoch.val_accuracy]);
        let shares = shares.chain([test.accuracy, test.ece]).chain(mistakes.iter().map(|mistake| mistake.confidence));
        let losses = history.iter().flat_map(|epoch| [epoch.loss, epoch.val_loss]).chain([test.nll]);
        let seconds = times.epochs.iter().copied().chain([times.pretraining, times.features, times.evaluation]);
        check_ranges(shares, losses.chain(seconds))?;
        // `confidence` is a sum of rounded shares, so it may exceed their number slightly.
        let possible = |bin: &CalibrationBin| (0.0..=1.001 * bin.predictions as f64).contains(&bin.confidence);
        if let Some(bin) = test.calibration.iter().find(|bin| bin.right > bin.predictions || !possible(bin)) {
            let CalibrationBin { predictions, right, confidence } = bin;
            return Err(format!(
                "a calibration bin of {predictions} predictions has {right} right and a total confidence of {confidence}"
            ));
        }
        Ok(())
    }

    /// As indented JSON that ends with a line feed, under its seal.
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Sealed<'a> {
            sha256: String,
            #[serde(flatten)]
            record: &'a JobRecord,
        }
        let sealed = Sealed { sha256: "0".repeat(DIGITS), record: self };
        let mut bytes = json::pretty(&sealed).into_bytes();
        let seal = seal_of(&bytes, BEFORE_SEAL.len());
        bytes[BEFORE_SEAL.len()..][..DIGITS].copy_from_slice(seal.as_bytes());
        bytes
    }

    /// The record without the fields that may differ between two executions of the same job: times, machine and
    /// pictures.
    pub fn reproducible_part(&self) -> Self {
        let mistakes = self.mistakes.iter().map(|mistake| Mistake { picture: None, ..mistake.clone() }).collect();
        JobRecord { times: Times::default(), machine: Environment::default(), mistakes, ..self.clone() }
    }

    /// Validation accuracy after the first epoch; 0 without epochs.
    pub fn first_epoch(&self) -> f64 {
        self.history.first().map_or(0.0, |epoch| epoch.val_accuracy)
    }

    /// Validation accuracy after the last epoch; 0 without epochs.
    pub fn last_epoch(&self) -> f64 {
        self.history.last().map_or(0.0, |epoch| epoch.val_accuracy)
    }

    /// Whether the training accuracy of the last epoch is significantly above chance, at 5 % for this number of
    /// pictures. A control that has not learned says nothing about features.
    pub fn has_learned(&self) -> bool {
        let guessing = 1.0 / self.classes.len().max(1) as f64;
        let deviation = (guessing * (1.0 - guessing) / self.train_examples.max(1) as f64).sqrt();
        self.history.last().is_some_and(|epoch| epoch.accuracy > guessing + 1.645 * deviation)
    }
}
