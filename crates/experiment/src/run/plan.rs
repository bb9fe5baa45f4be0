//! The plan of a run, printed before it starts.

use std::path::Path;

use super::experiment::{Experiment, FeatureOrigin};
use crate::{
    data::task::Task,
    record::options::{Cache, Schedule},
    system::{
        console::{Text, listed, shown},
        machine::Environment,
        number,
    },
};

pub fn text(experiment: &Experiment, environment: &Environment, folder: &Path) -> Text {
    let Experiment { data, config, source, target, costs, .. } = experiment;
    let mut text = Text::wrapped("data      ", data.describe()).and(Text::wrapped("          ", &data.reason));
    if let Some(advice) = data.advice() {
        text.push(Text::wrapped("          ", advice));
    }
    text.push(match source {
        FeatureOrigin::Model1 { task, .. } => Text::wrapped("source    ", describe(task)),
        FeatureOrigin::File(model) => Text::wrapped(
            "features  ",
            format!(
                "from {}: {}, trained on {}, SHA-256 {}",
                config.from.as_deref().unwrap_or_default(),
                shown(&model.metadata.model),
                listed(&model.metadata.classes),
                model.sha256
            ),
        ),
    });
    let training = format!(
        "{} in batches of {}, Adam {}, seed {}{}",
        number::counted(config.epochs, "epoch"),
        config.batch_size,
        match config.schedule {
            Schedule::Constant => format!("at {}", config.learning_rate),
            Schedule::Cosine => format!("from {} down to 0", config.learning_rate),
            Schedule::OneCycle => format!("up to {} and down to 0", config.learning_rate),
        },
        config.seed,
        if config.augment.is_none() { String::new() } else { format!("; random augmentation: {}", config.augment) }
    );
    let machine =
        format!("{}, {} with {}", environment.cpu, environment.simd, number::counted(environment.threads, "thread"));
    text.push(Text::wrapped("target    ", describe(target)));
    text.push(Text::wrapped("training  ", training));
    text.push(Text::wrapped("machine   ", machine));
    text.push(Text::wrapped("memory    ", costs.memory.to_string()));
    if let Some(sentence) = cache(experiment) {
        text.push(Text::wrapped("cache     ", sentence));
    }
    text.and(Text::wrapped("folder    ", folder.display().to_string()))
}

fn describe(task: &Task) -> String {
    format!(
        "{}: {} training and {} validation pictures",
        listed(&task.names()),
        number::count(task.train.len() as u64),
        number::count(task.validation.len() as u64)
    )
}

/// Why the frozen features are not cached; `None` if they are.
fn cache(experiment: &Experiment) -> Option<String> {
    let plan = &experiment.costs.cache;
    match experiment.config.cache {
        _ if plan.cached => None,
        _ if !experiment.config.augment.is_none() => {
            Some("off: features of augmented pictures cannot be computed once".to_owned())
        }
        _ if plan.bytes == 0 => {
            Some("none: no frozen layer comes before the first trainable or dropout layer".to_owned())
        }
        Cache::Auto => Some(format!(
            "off: the features would take {}, and at most {} may be cached; they are computed for each batch",
            number::bytes(plan.bytes),
            number::bytes(plan.budget)
        )),
        _ => Some("off: the features are computed for each batch".to_owned()),
    }
}
