//! The record of a run: what was trained, on what, how it went. `summary.json` is this, as JSON.
//!
//! The report is drawn from this record and from nothing else, so a saved record gives the same report again.
//! Fractions (accuracies) lie in 0..=1, times are wall-clock seconds, sizes are bytes. `docs/run-folder.md`
//! describes the same fields for readers of the JSON.

pub use super::{
    data::{ClassRecord, DataKind, DataRecord, TaskRecord},
    pictures::{ClassPictures, Pixels, ReportPictures},
};
use serde::{Deserialize, Serialize};

use crate::system::{
    failure::{Failure, Kind},
    machine::Environment,
};

/// The version of the record that this program writes and reads.
///
/// It grows when a field is renamed, removed or changes its meaning; a new optional field leaves it as it is.
pub const FORMAT: u32 = 1;

/// A whole run: two models, the data they saw, the machine they ran on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// Version of the program that wrote the record.
    pub thawline: String,
    /// The command line, program name first, one element per argument.
    pub command: Vec<String>,
    /// Every setting of the run after defaults were filled in.
    pub config: serde_json::Value,
    /// The seed from which initial weights, shuffles and dropout follow.
    pub seed: u64,
    /// The machine and the build.
    pub environment: Environment,
    /// The pictures.
    pub data: DataRecord,
    /// What model_1 learned to tell apart; absent where its features came from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<TaskRecord>,
    /// What model_2 learned to tell apart.
    pub target: TaskRecord,
    /// Whether model_2's head began anew or where model_1's ended.
    pub head: HeadStart,
    /// The network trained from its initialisation on the source classes; absent as `source` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_1: Option<ModelRecord>,
    /// The file from which model_2's features came, where that was no model_1 of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<FeaturesRecord>,
    /// The head trained on the target classes, behind the frozen features.
    pub model_2: ModelRecord,
    /// True if every frozen tensor has the same bits after model_2's training as before.
    pub frozen_unchanged: bool,
    /// The frozen tensors with their hashes, in the network's order.
    pub frozen: Vec<FrozenTensor>,
    /// Largest resident set of the process; absent where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
}

impl RunRecord {
    /// Reads a record back from the bytes of a `summary.json`.
    ///
    /// # Errors
    /// [`RecordError::Format`] for another version of the record, [`RecordError::Json`] for anything that is
    /// not a whole record.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        // The version comes first: another version's missing fields would hide the reason.
        let Version { format } = serde_json::from_slice(bytes)?;
        if format != FORMAT {
            return Err(RecordError::Format { found: format });
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The models that were trained, in order: name, task and record of each.
    pub fn models(&self) -> impl Iterator<Item = (&'static str, &TaskRecord, &ModelRecord)> {
        let first = self.source.as_ref().zip(self.model_1.as_ref()).map(|(task, model)| ("model_1", task, model));
        first.into_iter().chain([("model_2", &self.target, &self.model_2)])
    }

    /// The record as indented JSON that ends with a line feed; the same record gives the same bytes.
    ///
    /// # Errors
    /// [`RecordError::NotFinite`] if a loss, accuracy or time is NaN or infinite, which JSON cannot say.
    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        for (model, _, record) in self.models() {
            for row in &record.history {
                row.require_finite(model)?;
            }
        }
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Why a record cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file belongs to another version of the program.
    #[error(
        "the record has format {found}, this program reads format {FORMAT}; use the version named in its `thawline` field"
    )]
    Format {
        /// The `format` field of the file.
        found: u32,
    },
    /// Not JSON, or not a whole record.
    #[error("not a run record: {0}")]
    Json(#[from] serde_json::Error),
    /// A measurement that is NaN or infinite.
    #[error(
        "{model}, epoch {epoch}: {field} is {value}, which a record cannot hold; the training has diverged: \
         try a lower learning rate"
    )]
    NotFinite {
        /// `model_1` or `model_2`.
        model: String,
        /// The row's epoch.
        epoch: u32,
        /// The row's field.
        field: &'static str,
        /// What the field holds.
        value: f64,
    },
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        let kind = if matches!(error, RecordError::NotFinite { .. }) { Kind::Numeric } else { Kind::Other };
        Failure::new(kind, error.to_string())
    }
}

/// One epoch of one model: a row of `metrics.csv`, of `metrics.jsonl` and of a `history`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Counted from 1.
    pub epoch: u32,
    /// Wall-clock time of this epoch: its training steps and its validation.
    pub seconds: f64,
    /// Mean cross-entropy over the epoch's batches, while the weights move and dropout is on, as Keras shows it.
    pub loss: f64,
    /// Share of training examples that were right under the same conditions.
    pub accuracy: f64,
    /// Mean cross-entropy over the validation examples after the epoch, dropout off.
    pub val_loss: f64,
    /// Share of validation examples that are right after the epoch, dropout off.
    pub val_accuracy: f64,
}

impl EpochRow {
    /// Refuses NaN and infinity, naming model, epoch and field.
    pub(crate) fn require_finite(&self, model: &str) -> Result<(), RecordError> {
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
                Err(RecordError::NotFinite { model: model.to_owned(), epoch: self.epoch, field, value })
            }
        }
    }
}

/// How one model was built and trained, and where it errs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The layers, as they were during training.
    pub network: NetworkRecord,
    /// One row per epoch, in order.
    pub history: Vec<EpochRow>,
    /// Wall-clock time of the whole training: features, all epochs, all validations.
    pub total_seconds: f64,
    /// The part of `total_seconds` spent on computing the frozen features once; 0 where there are none.
    pub features_seconds: f64,
    /// Training examples per second of the epochs' time.
    pub images_per_second: f64,
    /// The validation examples after the last epoch, by true and predicted class.
    pub confusion: ConfusionMatrix,
}

impl ModelRecord {
    /// The first epoch.
    pub fn first(&self) -> Option<&EpochRow> {
        self.history.first()
    }

    /// The last epoch.
    pub fn last(&self) -> Option<&EpochRow> {
        self.history.last()
    }

    /// The epoch of the highest validation accuracy; of several, the earliest.
    pub fn best(&self) -> Option<&EpochRow> {
        self.history.iter().reduce(|best, row| if row.val_accuracy > best.val_accuracy { row } else { best })
    }
}

/// A network's summary, with Keras's columns and two more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkRecord {
    /// The layers from input to output.
    pub layers: Vec<LayerRecord>,
    /// Number of parameters that training changes.
    pub trainable: u64,
    /// Number of parameters that stay as they are.
    pub frozen: u64,
}

/// One line of a network's summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Unique within the network, e.g. `conv2d_1`.
    pub name: String,
    /// What the layer is, in Keras's word, e.g. `Conv2D`.
    pub kind: String,
    /// Shape of the output for one example: height, width, channels; or units.
    pub output: Vec<usize>,
    /// Number of parameters.
    pub parameters: u64,
    /// Whether training changes them; of no meaning where there are none.
    pub trainable: bool,
    /// Floating-point operations of the forward pass for one example, a multiply-add counted as two.
    pub flops: u64,
    /// Size of the output for one example.
    pub activation_bytes: u64,
}

/// Counts of examples by what they are and what the model took them for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Names of the classes, in the order of rows and columns.
    pub classes: Vec<String>,
    /// `counts[t][p]`: examples of class t that were predicted as class p.
    pub counts: Vec<Vec<u64>>,
}

/// A file of features, and what was taken over from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeaturesRecord {
    /// The file, as it was given.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The model that it says it holds, e.g. `model_1`.
    pub model: String,
    /// The names of the classes that it tells apart.
    pub classes: Vec<String>,
    /// Each tensor of the file and of model_2.
    pub tensors: Vec<TakenTensor>,
}

/// What became of a tensor when features were taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenTensor {
    /// Layer and parameter, e.g. `conv2d_1/kernel`.
    pub name: String,
    /// Its shape in the file; absent where the file has none of this name.
    pub file: Option<Vec<usize>>,
    /// Its shape in model_2; absent where model_2 has none of this name.
    pub here: Option<Vec<usize>>,
    /// What became of it.
    pub fate: Fate,
}

/// See [`TakenTensor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Loaded, and held fixed.
    Frozen,
    /// Loaded, to go on from there.
    Loaded,
    /// Part of the new head: not loaded, and not meant to be.
    New,
    /// In the file alone.
    Skipped,
    /// Not loaded, since its shape is another one.
    Mismatched,
    /// Not loaded, since the file has none.
    Missing,
}

impl Fate {
    /// As a table has it.
    pub fn words(self) -> &'static str {
        match self {
            Fate::Frozen => "loaded, frozen",
            Fate::Loaded => "loaded",
            Fate::New => "new",
            Fate::Skipped => "skipped",
            Fate::Mismatched => "MISMATCHED",
            Fate::Missing => "MISSING",
        }
    }
}

/// Where model_2's head starts.
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
    /// The same afterwards.
    pub after: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture;

    #[test]
    fn a_record_keeps_its_bits_on_the_way_to_json_and_back() {
        let mut record = fixture::record();
        // Values whose nearest neighbours a careless decimal would hit.
        let history = &mut record.model_1.as_mut().unwrap().history;
        history[0].loss = 0.1 + 0.2;
        history[1].loss = f64::from(0.3_f32);
        history[2].loss = f64::MIN_POSITIVE;
        let json = record.to_json().unwrap();
        let read_back = RunRecord::from_json(&json).unwrap();
        assert_eq!(read_back, record);
        assert_eq!(read_back.to_json().unwrap(), json);
    }

    #[test]
    fn the_best_epoch_is_the_earliest_of_equals() {
        let mut model = fixture::record().model_2;
        for row in &mut model.history {
            row.val_accuracy = if [4, 9].contains(&row.epoch) { 0.8 } else { 0.7 };
        }
        assert_eq!(model.best().map(|row| row.epoch), Some(4));
    }

    #[test]
    fn another_format_is_refused_by_its_number() {
        let json = String::from_utf8(fixture::record().to_json().unwrap()).unwrap();
        let newer = json.replacen("\"format\": 1", "\"format\": 7", 1);
        let error = RunRecord::from_json(newer.as_bytes()).unwrap_err();
        assert!(matches!(error, RecordError::Format { found: 7 }), "{error}");
        // The number decides, also where the rest has another shape.
        let error = RunRecord::from_json(br#"{ "format": 2, "arms": [] }"#).unwrap_err();
        assert!(matches!(error, RecordError::Format { found: 2 }), "{error}");
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let json = fixture::record().to_json().unwrap();
        for bytes in [&b""[..], b"{}", b"<html>", br#"{ "format": 1 }"#, &json[..json.len() / 2]] {
            assert!(matches!(RunRecord::from_json(bytes), Err(RecordError::Json(_))));
        }
    }
}
