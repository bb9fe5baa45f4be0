//! From model_1 to model_2: the same features, frozen, and a head for other classes.

use serde::{Deserialize, Serialize};
use thawline_tensor::{
    nn::{Network, cache_bytes},
    random::{Address, Purpose},
};

use crate::{
    config::Config,
    failure::{Failure, Kind, Result},
    record::HeadStart,
    task::Task,
};

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

/// The bytes that [`Cache::Auto`] allows where the system does not tell how much memory is free.
const UNKNOWN_BUDGET: u64 = 4 << 30;

/// The second model's own seed: its head, shuffles and dropout have nothing in common with the first model's.
pub fn seed(seed: u64) -> u64 {
    let mut bytes = [0; 8];
    Address { seed, purpose: Purpose::Other(2), step: 0, index: 0 }.bits().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// A network for other classes with the trained layers of `model_1` up to and including `config.freeze`, frozen. What is
/// behind them begins anew, or where `model_1` ended.
///
/// # Errors
/// If there is no such layer, or nothing behind it that learns; if a head is to go on with another number of classes.
pub fn model_2(model_1: &Network, classes: usize, config: &Config) -> Result<Network> {
    let mut network = config.network.build(classes, seed(config.seed))?;
    network.freeze_through(&config.freeze).map_err(|error| Failure::from(error).within("--freeze"))?;
    if network.summary().trainable() == 0 {
        return Err(Failure::usage(format!(
            "--freeze {} leaves model_2 nothing to learn; name an earlier layer, such as {}",
            config.freeze,
            config.network.features_end()
        )));
    }
    if config.head == HeadStart::Warm && model_1.output() != network.output() {
        return Err(Failure::usage(format!(
            "--head warm needs as many target classes as source classes: there are {classes} and {}; \
             use --head fresh, or lists of one length",
            model_1.output()
        )));
    }
    network.update_params(|name, param| {
        if config.head == HeadStart::Warm || !param.trainable {
            let (_, trained) = model_1.params().find(|(other, _)| other == name).expect("both are of one architecture");
            param.value.copy_from_slice(&trained.value);
        }
    });
    Ok(network)
}

/// Whether a network's features of a task are to be kept, and how large they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePlan {
    /// Whether they are kept.
    pub cached: bool,
    /// The bytes that they take, or would take; 0 where no layer is frozen.
    pub bytes: u64,
    /// The bytes that were allowed.
    pub budget: u64,
}

impl CachePlan {
    /// The bytes that are kept.
    pub fn kept_bytes(&self) -> u64 {
        if self.cached { self.bytes } else { 0 }
    }
}

/// Decides on the feature cache, before there is any.
///
/// # Errors
/// If it is demanded and there is not enough free memory.
pub fn plan_cache(network: &Network, task: &Task, cache: Cache, free_memory: Option<u64>) -> Result<CachePlan> {
    let prefix = network.prefix();
    let examples = task.train.len() + task.validation.len();
    let bytes = if prefix.is_empty() { 0 } else { cache_bytes(examples, &prefix) };
    let budget = match cache {
        Cache::Auto => free_memory.map_or(UNKNOWN_BUDGET, |free| free / 2),
        _ => free_memory.unwrap_or(u64::MAX),
    };
    if cache == Cache::On && bytes > budget {
        return Err(Failure::new(
            Kind::Environment,
            format!(
                "--cache on: the features of {examples} pictures take {bytes} bytes, and {budget} bytes of memory are free; \
                 use --cache off (slower, the same results), or --limit"
            ),
        ));
    }
    Ok(CachePlan { cached: bytes > 0 && cache != Cache::Off && bytes <= budget, bytes, budget })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{models::Tutorial, training::tests::two_classes};

    fn config(head: HeadStart, freeze: &str) -> Config {
        Config {
            network: Tutorial { filters: [4, 4], dense: 6, ..Tutorial::default() }.into(),
            head,
            freeze: freeze.to_owned(),
            ..Config::small()
        }
    }

    /// The parameters of the second network that are the first one's.
    fn taken_over(head: HeadStart, freeze: &str) -> Vec<String> {
        let config = config(head, freeze);
        let model_1 = config.network.build(3, config.seed).unwrap();
        let model_2 = model_2(&model_1, 3, &config).unwrap();
        let same = model_1.params().zip(model_2.params()).filter(|((_, a), (_, b))| a.value[..] == b.value[..]);
        // Biases begin at zero in every network.
        same.map(|((name, _), _)| name).filter(|name| name.ends_with("kernel")).collect()
    }

    #[test]
    fn a_fresh_head_takes_the_frozen_layers_over_and_a_warm_one_all() {
        let features = ["conv2d_1/kernel", "conv2d_2/kernel"];
        assert_eq!(taken_over(HeadStart::Fresh, "flatten_1"), features);
        assert_eq!(taken_over(HeadStart::Fresh, "conv2d_1"), features[..1]);
        assert_eq!(taken_over(HeadStart::Warm, "flatten_1").len(), 4);
    }

    #[test]
    fn what_is_frozen_is_what_comes_up_to_the_cut() {
        let config = config(HeadStart::Fresh, "conv2d_1");
        let model_1 = config.network.build(2, 1).unwrap();
        let network = model_2(&model_1, 5, &config).unwrap();
        let frozen: Vec<_> = network.params().filter(|(_, param)| !param.trainable).map(|(name, _)| name).collect();
        assert_eq!(frozen, ["conv2d_1/kernel", "conv2d_1/bias"]);
        assert_eq!(network.output().as_vector(), Some(5));
    }

    #[test]
    fn the_second_seed_is_another_one_each_time() {
        let seeds: std::collections::BTreeSet<u64> = (0..100).flat_map(|n| [n, seed(n)]).collect();
        assert_eq!(seeds.len(), 200);
    }

    #[test]
    fn features_are_kept_where_they_fit() {
        let config = config(HeadStart::Fresh, "flatten_1");
        let model_1 = config.network.build(2, 1).unwrap();
        let network = model_2(&model_1, 2, &config).unwrap();
        let task = two_classes(10, 6);
        // Sixteen pictures of 14 x 14 x 4 floats.
        let bytes = 16 * 14 * 14 * 4 * 4;
        let plan = |cache, free| plan_cache(&network, &task, cache, free);
        assert_eq!(plan(Cache::Auto, Some(2 * bytes)).unwrap(), CachePlan { cached: true, bytes, budget: bytes });
        assert!(!plan(Cache::Auto, Some(2 * bytes - 2)).unwrap().cached);
        assert!(plan(Cache::Auto, None).unwrap().cached);
        assert!(plan(Cache::On, Some(bytes)).unwrap().cached);
        assert!(!plan(Cache::Off, None).unwrap().cached);
        let failure = plan(Cache::On, Some(bytes - 1)).unwrap_err();
        assert_eq!(failure.kind, Kind::Environment);
        assert!(failure.message.contains("16 pictures take 50176 bytes, and 50175 bytes"), "{failure}");
        // With nothing frozen there is nothing to keep.
        let plan = plan_cache(&model_1, &task, Cache::On, Some(0)).unwrap();
        assert_eq!((plan.cached, plan.bytes), (false, 0));
    }
}
