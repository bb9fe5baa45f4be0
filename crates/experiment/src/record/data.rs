//! Which pictures a run worked on.

use serde::{Deserialize, Serialize};

/// The classes of one half of the experiment, and how many pictures of them there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The classes in the order of the network's outputs.
    pub classes: Vec<ClassRecord>,
    /// Training examples.
    pub train_examples: u64,
    /// Validation examples. Here they are the data's test set, as in the tutorial.
    pub val_examples: u64,
}

/// A class of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassRecord {
    /// Its label in the data.
    pub label: u16,
    /// Its name.
    pub name: String,
}

/// The pictures of the run: which they are and where they came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Which data set.
    pub kind: DataKind,
    /// True if the bytes are those of the official release.
    pub official: bool,
    /// SHA-256 in hexadecimal: of the archive; of a folder's files one after the other; or of the drawn records.
    pub sha256: Option<String>,
    /// The archive or folder, as it was given; absent for built-in pictures.
    pub path: Option<String>,
    /// Training pictures of all classes.
    pub train_examples: u64,
    /// Test pictures of all classes.
    pub test_examples: u64,
    /// Names of all classes, by label.
    pub classes: Vec<String>,
    /// What a reader must know about these pictures, in one sentence.
    pub sentence: String,
}

/// The data sets that the program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataKind {
    /// Ten classes of photographs.
    #[serde(rename = "cifar-10")]
    Cifar10,
    /// A hundred classes of photographs.
    #[serde(rename = "cifar-100")]
    Cifar100,
    /// Ten classes of drawings, generated from a seed.
    #[serde(rename = "built-in pictures")]
    BuiltIn,
    /// Pictures of a user's own.
    #[serde(rename = "own pictures")]
    Own,
}

impl DataKind {
    /// The name as a sentence has it.
    pub fn name(self) -> &'static str {
        match self {
            DataKind::Cifar10 => "CIFAR-10",
            DataKind::Cifar100 => "CIFAR-100",
            DataKind::BuiltIn => "built-in pictures",
            DataKind::Own => "own pictures",
        }
    }
}
