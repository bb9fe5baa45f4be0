//! The record of a run, saved as `summary.json`: what was trained, on which pictures, with what results.
//!
//! The report is made from this record and the sample pictures alone. Accuracies are fractions in 0..=1, times are
//! wall-clock seconds, sizes are bytes. `docs/run-folder.md` describes the fields for readers of the JSON.

use serde::{Deserialize, Serialize};

use super::{
    data::{DataRecord, TaskRecord},
    ranges::check_ranges,
};
use crate::system::{
    failure::{Failure, Kind},
    json,
    machine::Environment,
};

/// The version of the record. It grows when a field is renamed, removed or changes its meaning, not when an optional
/// field is added.
pub const FORMAT: u32 = 1;

/// The model that shows what the head does without trained features.
pub const CONTROL: &str = "frozen-random";

/// A run: two models and a control, their data and the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Version of the program that wrote the record.
    pub thawline: String,
    /// The command line, program name first, one element per argument.
    pub command: Vec<String>,
    /// All settings, with defaults filled in.
    pub config: serde_json::Value,
    /// Decides initial weights, the order of pictures, dropout and augmentation.
    pub seed: u64,
    pub environment: Environment,
    pub data: DataRecord,
    /// model_1's task; absent if the features came from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<TaskRecord>,
    /// model_2's task.
    pub target: TaskRecord,
    pub head: HeadStart,
    /// The network trained from scratch on the source classes; absent if `source` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_1: Option<ModelRecord>,
    /// The file that model_2's features came from, if not from model_1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<FeaturesRecord>,
    /// The network with frozen features and a head trained on the target classes.
    pub model_2: ModelRecord,
    /// The control: the same head on untrained features; absent where nothing was frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_random: Option<ModelRecord>,
    /// Whether all frozen tensors have the same bits after model_2's training as before.
    pub frozen_unchanged: bool,
    /// Hashes of the frozen tensors, in the network's order.
    pub frozen: Vec<FrozenTensor>,
    /// Peak resident set size of the process, if known.
    pub peak_memory_bytes: Option<u64>,
    /// Set while the run is unfinished: the record then has the epochs so far and no results.
    #[serde(skip)]
    pub unfinished: bool,
}

impl RunRecord {
    /// Reads a record back from the bytes of a `summary.json`.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let unreadable = |error| format!("not a run record: {error}");
        let format = json::format_of(bytes).map_err(unreadable)?;
        if format != FORMAT {
            return Err(format!(
                "the record has format {format}, but this program reads format {FORMAT}; \
                 use the version named in its `thawline` field"
            ));
        }
        let record: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        for (name, _, model) in record.models() {
            model.check_ranges().map_err(|reason| format!("not a run record: {name}: {reason}"))?;
        }
        Ok(record)
    }

    /// The trained models in order: name, task and record.
    pub fn models(&self) -> impl Iterator<Item = (&'static str, &TaskRecord, &ModelRecord)> {
        let first = self.source.as_ref().zip(self.model_1.as_ref()).map(|(task, model)| ("model_1", task, model));
        let control = self.frozen_random.as_ref().map(|model| (CONTROL, &self.target, model));
        first.into_iter().chain([("model_2", &self.target, &self.model_2)]).chain(control)
    }

    /// Whether a model keeps the weights of its best epoch instead of the last.
    pub fn has_early_stopping(&self) -> bool {
        self.config.get("early-stopping").is_some_and(|epochs| !epochs.is_null())
    }

    /// The epoch after which a model had the weights that it keeps.
    pub fn kept_epoch<'a>(&self, model: &'a ModelRecord) -> Option<&'a EpochRow> {
        if self.has_early_stopping() { model.best() } else { model.last() }
    }

    /// The model with this name; the control is added if it is missing.
    pub(crate) fn model_mut(&mut self, name: &str) -> &mut ModelRecord {
        match (name, &mut self.model_1) {
            ("model_1", Some(model)) => model,
            (CONTROL, _) => self.frozen_random.get_or_insert_default(),
            _ => &mut self.model_2,
        }
    }

    /// The record as indented JSON; the same record gives the same bytes. Fails if a loss, accuracy or time is NaN or
    /// infinite, which JSON cannot represent.
    pub fn to_json(&self) -> Result<String, Failure> {
        for (model, _, record) in self.models() {
            record.history.iter().try_for_each(|row| row.require_finite(model))?;
        }
        Ok(json::pretty(self))
    }
}

/// One epoch of one model: a row of `metrics.csv`, of `metrics.jsonl` and of a `history`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Counted from 1.
    pub epoch: u32,
    /// Wall-clock time of this epoch: its training steps and its validation.
    pub seconds: f64,
    /// Mean cross-entropy over the epoch's batches while training, with dropout on, as Keras shows it.
    pub loss: f64,
    /// Accuracy on the training examples, measured like `loss`.
    pub accuracy: f64,
    /// Mean cross-entropy on the validation examples after the epoch, with dropout off.
    pub val_loss: f64,
    /// Accuracy on the validation examples, measured like `val_loss`.
    pub val_accuracy: f64,
}

impl EpochRow {
    /// Refuses NaN and infinity, naming model, epoch and field.
    pub(crate) fn require_finite(&self, model: &str) -> Result<(), Failure> {
        let fields = [
            ("seconds", self.seconds),
            ("loss", self.loss),
            ("accuracy", self.accuracy),
            ("val_loss", self.val_loss),
            ("val_accuracy", self.val_accuracy),
        ];
        match fields.into_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(()),
            Some((field, value)) => {
                let epoch = self.epoch;
                let what = format!("{model}, epoch {epoch}: {field} is {value}: training has diverged");
                Err(Failure::new(Kind::Numeric, format!("{what}; try a lower learning rate")))
            }
        }
    }
}

/// One model: its network, training history and confusion matrix.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The layers as they were during training.
    pub network: NetworkRecord,
    /// One row per epoch, in order.
    pub history: Vec<EpochRow>,
    /// Total training time: features, epochs and validations.
    pub total_seconds: f64,
    /// The part of `total_seconds` spent computing the frozen features; 0 if they are not cached.
    pub features_seconds: f64,
    /// Training examples per second of epoch time.
    pub images_per_second: f64,
    /// On the validation examples, after training.
    pub confusion: ConfusionMatrix,
}

impl ModelRecord {
    pub fn first(&self) -> Option<&EpochRow> {
        self.history.first()
    }

    pub fn last(&self) -> Option<&EpochRow> {
        self.history.last()
    }

    /// The earliest epoch with the highest validation accuracy.
    pub fn best(&self) -> Option<&EpochRow> {
        self.history.iter().reduce(|best, row| if row.val_accuracy > best.val_accuracy { row } else { best })
    }

    fn check_ranges(&self) -> Result<(), String> {
        let shares = self.history.iter().flat_map(|row| [row.accuracy, row.val_accuracy]);
        let losses_and_times = self.history.iter().flat_map(|row| [row.loss, row.val_loss, row.seconds]);
        check_ranges(shares, losses_and_times.chain([self.total_seconds, self.features_seconds]))
    }
}

/// A network's summary.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// The layers from input to output.
    pub layers: Vec<LayerRecord>,
    /// Number of trainable parameters.
    pub trainable: u64,
    /// Number of frozen parameters.
    pub frozen: u64,
}

/// One line of a network's summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Unique within the network, e.g. `conv2d_1`.
    pub name: String,
    /// The layer's type in Keras, e.g. `Conv2D`.
    pub kind: String,
    /// Shape of the output for one example: height, width, channels; or units.
    pub output: Vec<usize>,
    pub parameters: u64,
    /// Whether training changes them; meaningless without parameters.
    pub trainable: bool,
    /// FLOPs of the forward pass for one example; a multiply-add counts as two.
    pub flops: u64,
    /// Size of the output for one example.
    pub activation_bytes: u64,
}

/// Counts of examples by true and predicted class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Names of the classes, in the order of rows and columns.
    pub classes: Vec<String>,
    /// `counts[t][p]`: examples of class t that were predicted as class p.
    pub counts: Vec<Vec<u64>>,
}

impl ConfusionMatrix {
    /// Counts examples by their labels and predicted classes.
    pub fn of(classes: Vec<String>, labels: &[u32], predictions: impl IntoIterator<Item = usize>) -> Self {
        let mut counts = vec![vec![0; classes.len()]; classes.len()];
        labels.iter().zip(predictions).for_each(|(&label, class)| counts[label as usize][class] += 1);
        ConfusionMatrix { classes, counts }
    }
}

/// The file that features were loaded from, and what was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeaturesRecord {
    /// The file as given.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The model in the file, e.g. `model_1`.
    pub model: String,
    /// The names of its classes.
    pub classes: Vec<String>,
    /// All tensors of the file and of model_2.
    pub tensors: Vec<LoadedTensor>,
}

/// How a tensor of the file or of model_2 was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedTensor {
    /// Layer and parameter, e.g. `conv2d_1/kernel`.
    pub name: String,
    /// Its shape in the file; absent if the file lacks it.
    pub file: Option<Vec<usize>>,
    /// Its shape in model_2; absent if model_2 lacks it.
    #[serde(rename = "here")]
    pub model: Option<Vec<usize>>,
    #[serde(rename = "fate")]
    pub outcome: LoadOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadOutcome {
    /// Loaded and frozen.
    Frozen,
    /// Loaded and trained further.
    Loaded,
    /// Not loaded: part of the new head, or of a layer of which another tensor does not match.
    New,
    /// Only in the file.
    Skipped,
    /// Not loaded: the shapes differ.
    Mismatched,
    /// Not loaded: missing from the file.
    Missing,
}

impl LoadOutcome {
    /// Whether the tensor has the file's values.
    pub fn is_loaded(self) -> bool {
        matches!(self, LoadOutcome::Frozen | LoadOutcome::Loaded)
    }

    /// Whether the file's tensor is missing or has another shape.
    pub fn is_misfit(self) -> bool {
        matches!(self, LoadOutcome::Mismatched | LoadOutcome::Missing)
    }

    /// The words in a table.
    pub fn words(self) -> &'static str {
        match self {
            LoadOutcome::Frozen => "loaded, frozen",
            LoadOutcome::Loaded => "loaded",
            LoadOutcome::New => "new",
            LoadOutcome::Skipped => "skipped",
            LoadOutcome::Mismatched => "MISMATCHED",
            LoadOutcome::Missing => "MISSING",
        }
    }
}

/// Where model_2's head starts. Shell completions show the variants' comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum HeadStart {
    /// New initial weights
    Fresh,
    /// model_1's trained head, as in the tutorial's code
    Warm,
}

/// One frozen tensor before and after model_2's training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenTensor {
    /// Layer and parameter, e.g. `conv2d_1/kernel`.
    pub name: String,
    /// SHA-256 of its little-endian f32 bytes before, in hexadecimal.
    pub before: String,
    /// The same after training.
    pub after: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture;

    #[test]
    fn a_record_survives_json_bit_for_bit() {
        let mut record = fixture::record();
        // Values that imprecise decimals would change.
        let history = &mut record.model_1.as_mut().unwrap().history;
        history[0].loss = 0.1 + 0.2;
        history[1].loss = f64::from(0.3_f32);
        history[2].loss = f64::MIN_POSITIVE;
        let json = record.to_json().unwrap();
        let read_back = RunRecord::from_json(json.as_bytes()).unwrap();
        assert_eq!(read_back, record);
        assert_eq!(read_back.to_json().unwrap(), json);
    }

    #[test]
    fn the_first_of_equally_good_epochs_is_best() {
        let mut model = fixture::record().model_2;
        for row in &mut model.history {
            row.val_accuracy = if [4, 9].contains(&row.epoch) { 0.8 } else { 0.7 };
        }
        assert_eq!(model.best().map(|row| row.epoch), Some(4));
    }

    #[test]
    fn another_format_is_refused() {
        let json = fixture::record().to_json().unwrap();
        let newer = json.replacen("\"format\": 1", "\"format\": 7", 1);
        let error = RunRecord::from_json(newer.as_bytes()).unwrap_err();
        assert!(error.starts_with("the record has format 7, but"), "{error}");
        // The version decides even if the rest has other fields.
        let error = RunRecord::from_json(br#"{ "format": 2, "arms": [] }"#).unwrap_err();
        assert!(error.starts_with("the record has format 2, but"), "{error}");
    }

    #[test]
    fn numbers_that_do_not_fit_into_a_plot_are_refused() {
        for (change, words) in [
            ((|row| row.val_loss = 1.7e308) as fn(&mut EpochRow), "model_2: 1.7e308 is not a loss or a time"),
            (|row| row.seconds = -1.0, "model_2: -1.0 is not a loss or a time"),
            (|row| row.val_accuracy = 1.01, "model_2: 1.01 is not a fraction from 0 to 1"),
        ] {
            let mut record = fixture::record();
            change(&mut record.model_2.history[0]);
            let error = RunRecord::from_json(record.to_json().unwrap().as_bytes()).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn anything_but_a_record_is_refused() {
        let json = fixture::record().to_json().unwrap();
        for bytes in [&b""[..], b"{}", b"<html>", br#"{ "format": 1 }"#, &json.as_bytes()[..json.len() / 2]] {
            assert!(RunRecord::from_json(bytes).unwrap_err().starts_with("not a run record: "));
        }
    }
}
