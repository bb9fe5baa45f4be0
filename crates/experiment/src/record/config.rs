//! All settings of a run with defaults filled in: the content of `config.toml`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thawline_tensor::nn::{Fit, Rule};

use super::{
    options::{Augment, Cache, Labels, Schedule},
    run::HeadStart,
};
use crate::{models::Architecture, system::hash::sha256};

/// The settings, named like the flags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    /// The path of the data, or `built-in`.
    pub data: String,
    /// Which labels are the pictures' classes.
    #[serde(default, skip_serializing_if = "Labels::is_fine")]
    pub labels: Labels,
    /// The maximum numbers of training and of validation pictures for each model; absent for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The labels of model_1's classes; absent if the features come from a file. Older versions wrote names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The labels of model_2's classes.
    pub target: String,
    /// The tutorial's numbers, or `layers`.
    #[serde(flatten)]
    pub network: Architecture,
    pub epochs: usize,
    pub batch_size: usize,
    pub learning_rate: f64,
    #[serde(default)]
    pub schedule: Schedule,
    /// Stop after this many epochs without a better validation accuracy, and restore the best weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<usize>,
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    pub augment: Augment,
    /// The last frozen layer of model_2.
    pub freeze: String,
    pub head: HeadStart,
    /// The file with the features, instead of model_1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// SHA-256 of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_sha256: Option<String>,
    /// Whether layers that do not match the file are reinitialized.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Whether frozen features are computed once.
    pub cache: Cache,
    /// Decides initial weights, the order of pictures, dropout and augmentation.
    pub seed: u64,
    /// Changes only the time.
    pub threads: usize,
    /// The SIMD level; all but `portable` give the same results.
    pub simd: String,
}

impl Config {
    /// The training options of a model with this seed.
    pub fn fit(&self, seed: u64, cached: bool) -> Fit {
        let &Config { epochs, batch_size, learning_rate: rate, schedule, early_stopping: patience, .. } = self;
        Fit { epochs, batch_size, seed, rule: Rule::ADAM, rate, schedule: schedule.into(), cached, patience }
    }

    /// SHA-256 of all settings except the data's path, threads and SIMD level.
    pub fn sha256(&self) -> String {
        sha256([serde_json::to_string(&self.decisive()).expect("settings are text and numbers")])
    }

    fn decisive(&self) -> Config {
        Config { data: String::new(), threads: 0, simd: String::new(), ..self.clone() }
    }

    /// The settings that differ, except those that [`sha256`](Self::sha256) leaves out: name, value in `self`, value in
    /// `other`.
    pub fn differences(&self, other: &Config) -> Vec<[String; 3]> {
        differences(&self.decisive(), &other.decisive())
    }

    /// Settings for tests.
    #[cfg(test)]
    pub(crate) fn small() -> Self {
        use crate::models::TutorialNetwork;

        Config {
            data: "built-in".to_owned(),
            labels: Labels::Fine,
            limit: None,
            source: Some("0-4".to_owned()),
            target: "5-9".to_owned(),
            network: TutorialNetwork { filters: [4, 4], dense: 8, ..TutorialNetwork::default() }.into(),
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

/// The fields in which two values differ: name, first value, second value, as short text. The name of a field of a
/// field has a dot, as in `data.sha256`.
pub fn differences(first: &impl Serialize, second: &impl Serialize) -> Vec<[String; 3]> {
    let [first, second] = [serde_json::to_value(first), serde_json::to_value(second)].map(Result::unwrap_or_default);
    let mut found = Vec::new();
    add_differences("", Some(&first), Some(&second), &mut found);
    found
}

fn add_differences(name: &str, first: Option<&Value>, second: Option<&Value>, found: &mut Vec<[String; 3]>) {
    match (first, second) {
        (Some(Value::Object(first)), Some(Value::Object(second))) => {
            let fields: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
            for field in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                add_differences(&name, first.get(field), second.get(field), found);
            }
        }
        _ if first == second => {}
        _ => found.push([name.to_owned(), short(first), short(second)]),
    }
}

fn short(value: Option<&Value>) -> String {
    match value.map(Value::to_string) {
        None => "absent".to_owned(),
        Some(text) if text.chars().count() > 60 => format!("{}...", text.chars().take(60).collect::<String>()),
        Some(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_toml() {
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
