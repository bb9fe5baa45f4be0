//! The plan: what a run is going to do, printed before it does it.

use std::path::Path;

use thawline_tensor::nn::thousands;

use crate::{
    config::Config, data::Data, estimate::Memory, progress::bytes, record::Environment, task::Task, transfer::Cache,
    transfer::CachePlan,
};

/// What a run works with.
pub struct Plan<'a> {
    /// The pictures.
    pub data: &'a Data,
    /// The settings.
    pub config: &'a Config,
    /// What model_1 learns.
    pub source: &'a Task<'a>,
    /// What model_2 learns.
    pub target: &'a Task<'a>,
    /// The machine.
    pub environment: &'a Environment,
}

impl Plan<'_> {
    /// The plan as text.
    pub fn text(&self, memory: &Memory, cache: &CachePlan, folder: &Path) -> String {
        let Plan { data, config, source, target, environment } = self;
        let mut lines = vec![format!("data      {}", data.describe()), format!("          {}", data.reason)];
        lines.extend(data.advice().map(|advice| format!("          {advice}")));
        let task = |task: &Task| {
            format!(
                "{}: {} pictures to learn from, {} to validate",
                task.names().join(", "),
                thousands(task.train.len() as u64),
                thousands(task.validation.len() as u64)
            )
        };
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        lines.extend([
            format!("source    {}", task(source)),
            format!("target    {}", task(target)),
            format!(
                "training  {} epoch{} in batches of {}, Adam at {}, seed {}",
                config.epochs,
                plural(config.epochs),
                config.batch_size,
                config.learning_rate,
                config.seed
            ),
            format!(
                "machine   {}, {} with {} thread{}",
                environment.cpu,
                environment.simd,
                environment.threads,
                plural(environment.threads)
            ),
            format!(
                "memory    up to {}: pictures {}, parameters and Adam {}, a batch {}, features {}",
                bytes(memory.total()),
                bytes(memory.data),
                bytes(memory.parameters),
                bytes(memory.activations),
                bytes(memory.features)
            ),
        ]);
        lines.extend(self.cache(cache).map(|sentence| format!("cache     {sentence}")));
        lines.push(format!("folder    {}", folder.display()));
        lines.join("\n")
    }

    /// What becomes of the frozen features, where it is not the usual.
    fn cache(&self, plan: &CachePlan) -> Option<String> {
        match self.config.cache {
            _ if plan.cached => None,
            _ if plan.bytes == 0 => {
                Some("none: no layer is frozen in front of the first that learns or drops".to_owned())
            }
            Cache::Auto => Some(format!(
                "off: the features would take {}, and half of the free memory is {}; they are computed for each batch",
                bytes(plan.bytes),
                bytes(plan.budget)
            )),
            _ => Some("off: the features are computed for each batch".to_owned()),
        }
    }
}
