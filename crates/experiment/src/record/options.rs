//! Settings that are words: the values of `--schedule`, `--augment`, `--labels` and `--cache`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thawline_tensor::nn;

/// The course of the learning rate; see [`nn::Schedule`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Always the same
    #[default]
    Constant,
    /// Down to zero along half a cosine
    Cosine,
    /// Up in three tenths of the steps, then down to nearly zero
    OneCycle,
}

impl From<Schedule> for nn::Schedule {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Constant => nn::Schedule::Constant,
            Schedule::Cosine => nn::Schedule::Cosine,
            Schedule::OneCycle => nn::Schedule::OneCycle,
        }
    }
}

/// Random changes of the pictures that are learned from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Augment {
    /// Half of them are mirrored.
    pub flip: bool,
    /// Each is moved by up to four pixels in each direction.
    pub crop: bool,
}

impl Augment {
    /// How far pictures are moved, in pixels.
    const CROP: usize = 4;

    /// Whether nothing is changed.
    pub fn is_none(&self) -> bool {
        *self == Augment::default()
    }
}

impl From<Augment> for nn::Augment {
    fn from(augment: Augment) -> Self {
        nn::Augment { flip: augment.flip, crop: if augment.crop { Augment::CROP } else { 0 } }
    }
}

impl FromStr for Augment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut augment = Augment::default();
        for change in text.split(',').map(str::trim) {
            match change {
                "flip" => augment.flip = true,
                "crop" => augment.crop = true,
                _ => return Err("expected flip, crop or flip,crop".to_owned()),
            }
        }
        Ok(augment)
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let changes = [(self.flip, "flip"), (self.crop, "crop")].into_iter().filter(|(is_made, _)| *is_made);
        f.write_str(&changes.map(|(_, name)| name).collect::<Vec<_>>().join(","))
    }
}

impl TryFrom<String> for Augment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Augment> for String {
    fn from(augment: Augment) -> Self {
        augment.to_string()
    }
}

/// Which of CIFAR-100's two labels of a picture names its class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Labels {
    /// One of a hundred; the only label of CIFAR-10
    #[default]
    Fine,
    /// One of twenty
    Coarse,
}

impl Labels {
    /// Whether nothing was asked for.
    pub fn is_fine(&self) -> bool {
        *self == Labels::Fine
    }
}

/// Whether the features of the frozen layers are computed once and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// Where they fit in half of the free memory
    Auto,
    /// Always; refuses where they do not fit
    On,
    /// Never: they are computed for each batch, with the same results
    Off,
}
