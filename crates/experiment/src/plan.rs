//! The plan: what a run is going to do, printed before it does it.

use std::path::Path;

use thawline_tensor::nn::thousands;

use crate::{
    console::{listed, shown},
    experiment::{Experiment, Features},
    progress::bytes,
    record::Environment,
    regime::Schedule,
    task::Task,
    transfer::Cache,
};

/// The plan as text.
pub fn text(experiment: &Experiment, environment: &Environment, folder: &Path) -> Vec<String> {
    let Experiment { data, config, features, target, memory, .. } = experiment;
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let mut lines = vec![format!("data      {}", data.describe()), format!("          {}", data.reason)];
    lines.extend(data.advice().map(|advice| format!("          {advice}")));
    lines.push(match features {
        Features::Model1 { task, .. } => format!("source    {}", describe(task)),
        Features::File(model) => format!(
            "features  from {}: {}, for {}",
            config.from.as_deref().unwrap_or_default(),
            shown(&model.metadata.model),
            listed(&model.metadata.classes),
        ),
    });
    if let Features::File(model) = features {
        lines.push(format!("          SHA-256 {}", model.sha256));
    }
    lines.extend([
        format!("target    {}", describe(target)),
        format!(
            "training  {} epoch{} in batches of {}, Adam {}, seed {}{}",
            config.epochs,
            plural(config.epochs),
            config.batch_size,
            match config.schedule {
                Schedule::Constant => format!("at {}", config.learning_rate),
                Schedule::Cosine => format!("from {} down to 0", config.learning_rate),
                Schedule::OneCycle => format!("up to {} and down to 0", config.learning_rate),
            },
            config.seed,
            if config.augment.is_none() {
                String::new()
            } else {
                format!("; pictures are changed at random: {}", config.augment)
            }
        ),
        format!(
            "machine   {}, {} with {} thread{}",
            environment.cpu,
            environment.simd,
            environment.threads,
            plural(environment.threads)
        ),
        format!("memory    {memory}"),
    ]);
    lines.extend(cache(experiment).map(|sentence| format!("cache     {sentence}")));
    lines.push(format!("folder    {}", folder.display()));
    lines
}

fn describe(task: &Task) -> String {
    format!(
        "{}: {} pictures to learn from, {} to validate",
        listed(&task.names()),
        thousands(task.train.len() as u64),
        thousands(task.validation.len() as u64)
    )
}

/// What becomes of the frozen features, where it is not the usual.
fn cache(experiment: &Experiment) -> Option<String> {
    let plan = &experiment.cache;
    match experiment.config.cache {
        _ if plan.cached => None,
        _ if !experiment.config.augment.is_none() => {
            Some("off: pictures are changed at random, so their features cannot be computed once".to_owned())
        }
        _ if plan.bytes == 0 => Some("none: no layer is frozen in front of the first that learns or drops".to_owned()),
        Cache::Auto => Some(format!(
            "off: the features would take {}, and half of the free memory is {}; they are computed for each batch",
            bytes(plan.bytes),
            bytes(plan.budget)
        )),
        _ => Some("off: the features are computed for each batch".to_owned()),
    }
}
