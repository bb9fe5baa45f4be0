//! Every setting of a run after defaults were filled in: what `config.toml` holds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thawline_tensor::nn::{Fit, Rule};

use super::{
    options::{Augment, Cache, Labels, Schedule},
    run::HeadStart,
};
use crate::models::Architecture;
use crate::system::hash::sha256;

/// The settings, named as the flags are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    /// The path of the data, or `built-in`.
    pub data: String,
    /// Which labels of the pictures name their classes.
    #[serde(default, skip_serializing_if = "Labels::is_fine")]
    pub labels: Labels,
    /// The most pictures to learn from, and the most to validate with, in each half; absent for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The labels of model_1's classes; absent where the features come from a file. Older versions wrote names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The labels of model_2's classes.
    pub target: String,
    /// The network: the numbers of the tutorial's, or `layers`.
    #[serde(flatten)]
    pub network: Architecture,
    /// Passes over the pictures, for each model.
    pub epochs: usize,
    /// Pictures in a step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// The course of the learning rate.
    #[serde(default)]
    pub schedule: Schedule,
    /// Epochs without a higher validation accuracy that end a training, which then takes back its best weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<usize>,
    /// What is changed at random in the pictures that are learned from.
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
    /// The last layer of the features that model_2 takes over, frozen.
    pub freeze: String,
    /// Where model_2's head starts.
    pub head: HeadStart,
    /// The file that the features come from, instead of from model_1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// SHA-256 of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_sha256: Option<String>,
    /// Whether layers that do not fit the file's may begin anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Whether frozen features are computed once.
    pub cache: Cache,
    /// Decides initial weights, the order of pictures, and dropout.
    pub seed: u64,
    /// Threads; they change the time and nothing else.
    pub threads: usize,
    /// The SIMD level; `avx2` and `avx512` give the same results.
    pub simd: String,
}

impl Config {
    /// How a model is trained, with its own seed.
    pub fn fit(&self, seed: u64, cached: bool) -> Fit {
        let &Config { epochs, batch_size, learning_rate: rate, schedule, early_stopping: patience, .. } = self;
        Fit { epochs, batch_size, seed, rule: Rule::ADAM, rate, schedule: schedule.into(), cached, patience }
    }

    /// SHA-256 of the settings that decide the results: not of where the pictures lie, nor of the machine.
    pub fn sha256(&self) -> String {
        let decisive = Config { data: String::new(), threads: 0, simd: String::new(), ..self.clone() };
        let text = serde_json::to_string(&decisive).expect("settings are text and numbers");
        sha256([text])
    }

    /// The settings that decide the results in which these differ from others: name, value here, value there.
    pub fn differences(&self, other: &Config) -> Vec<[String; 3]> {
        const NOT_DECISIVE: [&str; 3] = ["data", "threads", "simd"];
        let mut differences = differences(self, other);
        differences.retain(|[name, ..]| !NOT_DECISIVE.contains(&&**name));
        differences
    }

    /// Settings to begin a test with.
    #[cfg(test)]
    pub(crate) fn small() -> Self {
        use crate::models::Tutorial;

        Config {
            data: "built-in".to_owned(),
            labels: Labels::Fine,
            limit: None,
            source: Some("0-4".to_owned()),
            target: "5-9".to_owned(),
            network: Tutorial { filters: [4, 4], dense: 8, ..Tutorial::default() }.into(),
            epochs: 1,
            batch_size: 16,
            learning_rate: 0.001,
            schedule: Schedule::Constant,
            early_stopping: None,
            augment: Augment::default(),
            freeze: crate::models::FEATURES_END.to_owned(),
            head: HeadStart::Fresh,
            from: None,
            from_sha256: None,
            partial: false,
            cache: Cache::Auto,
            seed: 1,
            threads: 1,
            simd: "portable".to_owned(),
        }
    }
}

/// What differs between two values of one type: name, value in the first, value in the second, as text of a line.
pub fn differences(one: &impl Serialize, other: &impl Serialize) -> Vec<[String; 3]> {
    let fields = |value: serde_json::Result<serde_json::Value>| match value {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (one, other) = (fields(serde_json::to_value(one)), fields(serde_json::to_value(other)));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let show = |value: Option<&serde_json::Value>| match value.map(ToString::to_string) {
        None => "absent".to_owned(),
        Some(text) if text.chars().count() > 60 => format!("{}...", text.chars().take(60).collect::<String>()),
        Some(text) => text,
    };
    let differ = names.into_iter().filter(|name| one.get(*name) != other.get(*name));
    differ.map(|name| [name.clone(), show(one.get(name)), show(other.get(name))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_the_way_through_their_file() {
        for limit in [None, Some(100)] {
            let augment = Augment { flip: limit.is_some(), crop: false };
            let schedule = Schedule::OneCycle;
            let labels = if limit.is_some() { Labels::Coarse } else { Labels::Fine };
            let config = Config {
                labels,
                limit,
                augment,
                schedule,
                learning_rate: 1e-7,
                seed: i64::MAX as u64,
                ..Config::small()
            };
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "{text}");
            assert!(text.contains("batch-size = 16") && text.contains("schedule = \"one-cycle\""), "{text}");
        }
    }
}
