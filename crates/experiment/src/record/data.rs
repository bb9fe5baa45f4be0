//! Records of a run's pictures.

use serde::{Deserialize, Serialize};

/// The classes of a model, and the number of their pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// The classes in the order of the network's outputs.
    pub classes: Vec<ClassRecord>,
    pub train_examples: u64,
    /// Validation examples. They are the data's test set, as in the tutorial.
    pub val_examples: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassRecord {
    pub label: u16,
    pub name: String,
}

/// A run's data set and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    pub kind: DataKind,
    /// Whether the bytes are those of the official release.
    pub official: bool,
    /// SHA-256, in hexadecimal, of all labels and pixels, training files first; absent for own pictures.
    pub sha256: Option<String>,
    /// The archive or folder as given; absent for built-in pictures.
    pub path: Option<String>,
    /// Training pictures of all classes.
    pub train_examples: u64,
    /// Test pictures of all classes.
    pub test_examples: u64,
    /// Names of all classes, by label.
    pub classes: Vec<String>,
    /// A sentence about the pictures' origin.
    pub sentence: String,
}

/// CIFAR-10's classes, by label.
const CIFAR10: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

impl DataRecord {
    /// Whether the pictures have the classes of CIFAR-10, not only its format.
    pub fn is_cifar10(&self) -> bool {
        self.kind == DataKind::Cifar10 && self.classes == CIFAR10
    }

    /// What the pictures are called in a title.
    pub fn subject(&self) -> &'static str {
        self.kind.subject(&self.classes)
    }
}

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
    /// The user's own pictures.
    #[serde(rename = "own pictures")]
    Own,
}

impl DataKind {
    /// What pictures of these classes are called in a title.
    pub fn subject(self, classes: &[String]) -> &'static str {
        match self {
            DataKind::Cifar10 if classes != CIFAR10 => "pictures in CIFAR-10's format",
            kind => kind.name(),
        }
    }

    /// The name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            DataKind::Cifar10 => "CIFAR-10",
            DataKind::Cifar100 => "CIFAR-100",
            DataKind::BuiltIn => "built-in pictures",
            DataKind::Own => "own pictures",
        }
    }
}
