//! The values of `--schedule`, `--augment`, `--labels` and `--cache`. Shell completions show the variants' comments.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thawline_tensor::nn;

/// Learning-rate schedule; see [`nn::Schedule`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same rate throughout
    #[default]
    Constant,
    /// Down to zero along half a cosine
    Cosine,
    /// Up for three tenths of the steps, then down to nearly zero
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

/// Random augmentation of the training pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Augment {
    /// Mirror each with probability 1/2.
    pub flip: bool,
    /// Shift each by up to four pixels in each direction.
    pub crop: bool,
}

impl Augment {
    /// The largest shift, in pixels.
    const CROP: usize = 4;

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

/// Which of CIFAR-100's two labels is a picture's class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Labels {
    /// The hundred classes of CIFAR-100; the only labels of CIFAR-10
    #[default]
    Fine,
    /// The twenty superclasses of CIFAR-100
    Coarse,
}

impl Labels {
    pub fn is_fine(&self) -> bool {
        *self == Labels::Fine
    }
}

/// Whether the frozen features are computed once and cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// If they fit in half of the free memory
    Auto,
    /// Always; fail if they do not fit
    On,
    /// Never: compute them for each batch, with the same results
    Off,
}
