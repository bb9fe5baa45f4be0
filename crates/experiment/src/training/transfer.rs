//! From a trained network to model_2: the same features, frozen, with a head for other classes.

use std::collections::{BTreeMap, BTreeSet};

use thawline_tensor::nn::{Network, Param, cache_bytes};

use crate::{
    data::task::Task,
    record::{
        config::Config,
        options::Cache,
        run::{HeadStart, LoadOutcome, LoadedTensor},
    },
    system::{
        console::{Text, fitted},
        failure::{Failure, Kind, Result},
        number,
        streams::Stream,
    },
    weights::{
        metadata,
        tensor_file::{dimensions, first_of},
    },
};

/// The bytes that [`Cache::Auto`] allows if the system does not say how much memory is free.
const UNKNOWN_BUDGET: u64 = 4 << 30;

/// The seed of model_2, whose head, shuffles and dropout share no random bits with model_1's.
pub fn seed(seed: u64) -> u64 {
    Stream::Model2Seed.seed(seed, 0)
}

/// A trained network, or only its features.
#[derive(Debug, Clone, Copy)]
pub struct Trained<'a> {
    pub network: &'a Network,
    /// The layers that have weights, if the file holds only features; `None` for a whole network.
    pub features_only: Option<&'a [String]>,
}

impl Trained<'_> {
    fn params(&self) -> impl Iterator<Item = (String, &Param)> {
        let is_of_features = self.features_only.map(metadata::of_layers);
        self.network.params().filter(move |(name, _)| is_of_features.as_ref().is_none_or(|is_of| is_of(name)))
    }
}

/// A network with the layers of a trained one, and what becomes of each tensor.
#[derive(Debug)]
pub struct Transfer {
    /// Frozen up to and including one layer, the cut. Its parameters have no values until [`Transfer::fill`].
    pub network: Network,
    /// Every tensor of both networks: in the new one's order, then those that only the trained one has.
    pub tensors: Vec<LoadedTensor>,
    /// The first layer up to the cut that differs in the trained network, in words.
    other_layer: Option<String>,
}

/// A network for other classes with the layers of a `trained` one, frozen up to and including `config.freeze`. The
/// layers after them start with new weights, or with those of `trained` if the head is warm. A frozen layer that does
/// not fit gets new weights and is trained; [`Transfer::require_whole`] refuses that without `--partial`. Neither
/// network needs values yet.
pub fn model_2(trained: Trained, classes: usize, config: &Config) -> Result<Transfer> {
    let mut network = config.network.outline(classes)?;
    network.freeze_through(&config.freeze).map_err(|error| Failure::from(error).within("--freeze"))?;
    if network.summary().trainable() == 0 {
        return Err(Failure::usage(format!(
            "--freeze {} leaves nothing to train; name an earlier layer, such as {}",
            config.freeze,
            config.network.features_end()
        )));
    }
    let warm = config.head == HeadStart::Warm;
    if warm && trained.features_only.is_some() {
        return Err(Failure::usage("--head warm: the file holds only features, no head; use --head fresh"));
    }
    if warm && !config.partial && trained.network.output() != network.output() {
        return Err(Failure::usage(format!(
            "--head warm needs as many target classes as source classes: there are {classes} and {}; \
             use --head fresh, or lists of equal length",
            trained.network.output()
        )));
    }
    let other_layer = other_layer(trained.network, &network, &config.freeze);
    let (tensors, misfits) = compare(trained, &mut network, warm);
    for layer in misfits {
        network.set_trainable(&layer, true)?;
    }
    Ok(Transfer { network, tensors, other_layer })
}

/// What becomes of each tensor, and the layers that get new weights because they do not fit.
fn compare(trained: Trained, network: &mut Network, warm: bool) -> (Vec<LoadedTensor>, BTreeSet<String>) {
    let mut tensors = Vec::new();
    let mut misfits = BTreeSet::new();
    let mut of_trained: BTreeMap<String, &Param> = trained.params().collect();
    network.update_params(|name, param| {
        let source = of_trained.remove(name);
        let outcome = match source {
            _ if param.trainable && !warm => LoadOutcome::New,
            None => LoadOutcome::Missing,
            Some(source) if source.shape != param.shape => LoadOutcome::Mismatched,
            Some(_) if param.trainable => LoadOutcome::Loaded,
            Some(_) => LoadOutcome::Frozen,
        };
        if outcome.is_misfit() {
            misfits.extend(name.split_once('/').map(|(layer, _)| layer.to_owned()));
        }
        let file = source.map(|source| source.shape.dims().to_vec());
        tensors.push(LoadedTensor { name: name.to_owned(), file, model: Some(param.shape.dims().to_vec()), outcome });
    });
    // A layer is loaded as a whole or not at all.
    for tensor in &mut tensors {
        let layer = tensor.name.split_once('/').map(|(layer, _)| layer);
        if tensor.outcome.is_loaded() && layer.is_some_and(|layer| misfits.contains(layer)) {
            tensor.outcome = LoadOutcome::New;
        }
    }
    for (name, param) in trained.params().filter(|(name, _)| of_trained.contains_key(name)) {
        tensors.push(LoadedTensor {
            name,
            file: Some(param.shape.dims().to_vec()),
            model: None,
            outcome: LoadOutcome::Skipped,
        });
    }
    (tensors, misfits)
}

/// The first layer up to the cut whose name, type or output differs from the trained network's at the same place.
fn other_layer(trained: &Network, network: &Network, cut: &str) -> Option<String> {
    let describe = |network: &Network| -> Vec<(String, String)> {
        let rows = network.summary().rows.into_iter();
        rows.map(|row| (row.name.clone(), format!("{} ({}, output {})", row.name, row.kind, row.output))).collect()
    };
    let of_file = describe(trained);
    for (index, (name, expected)) in describe(network).into_iter().enumerate() {
        match of_file.get(index) {
            Some((_, found)) if *found == expected => {}
            Some((_, found)) => return Some(format!("layer {expected} is {found} in the file")),
            None => return Some(format!("the file lacks layer {expected}")),
        }
        if name == cut {
            break;
        }
    }
    None
}

impl Transfer {
    /// Gives the network its weights: copies of the trained network's where they are used, initial ones elsewhere.
    pub fn fill(&mut self, trained: Trained, run_seed: u64) -> Result<()> {
        self.network.initialize(seed(run_seed))?;
        let taken = self.tensors.iter().filter(|tensor| tensor.outcome.is_loaded());
        let taken: BTreeSet<&str> = taken.map(|tensor| &*tensor.name).collect();
        self.network.copy_params(trained.params().filter(|(name, _)| taken.contains(&**name)));
        Ok(())
    }

    /// Refuses a transfer in which something does not fit, unless `partial` allows that. At least one layer must fit.
    pub fn require_whole(&self, partial: bool) -> Result<()> {
        if !self.tensors.iter().any(|tensor| tensor.outcome.is_loaded()) {
            return Err(Failure::usage(
                "nothing in the file matches the network: no layer has the same name and shape in both; omit the network \
                 flags to use the file's network, or repeat those that its features were trained with",
            ));
        }
        let misfits = self.tensors.iter().filter(|tensor| tensor.outcome.is_misfit()).map(|tensor| {
            let shape =
                |dims: &Option<Vec<usize>>| dims.as_ref().map_or_else(|| "nothing".to_owned(), |dims| dimensions(dims));
            format!("tensor {}: expected {}, found {}", tensor.name, shape(&tensor.model), shape(&tensor.file))
        });
        match first_of(&misfits.collect::<Vec<_>>()).or_else(|| self.other_layer.clone()) {
            Some(fault) if !partial => Err(Failure::usage(format!(
                "{fault}; omit the network flags to use the file's network, or use --partial to reinitialize the layers that do not match"
            ))),
            _ => Ok(()),
        }
    }

    pub fn table(&self) -> Text {
        let shape = |dims: &Option<Vec<usize>>| dims.as_ref().map_or_else(|| "-".to_owned(), |dims| dimensions(dims));
        let width = self.tensors.iter().map(|tensor| tensor.name.chars().count()).max().unwrap_or(0).clamp(6, 28);
        let row = |name: &str, file: &str, model: &str, outcome: &str| {
            format!("{:<width$}  {file:<16}  {model:<16}  {outcome}", fitted(name, width))
        };
        let mut text = Text::heading(row("tensor", "in the file", "in model_2", "").trim_end());
        for tensor in &self.tensors {
            text.push(row(&tensor.name, &shape(&tensor.file), &shape(&tensor.model), tensor.outcome.words()));
        }
        text
    }
}

/// Whether the features of a task are cached in memory, and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePlan {
    pub cached: bool,
    /// The bytes they take, or would take; 0 if there is nothing to cache.
    pub bytes: u64,
    pub budget: u64,
}

impl CachePlan {
    pub fn kept_bytes(&self) -> u64 {
        if self.cached { self.bytes } else { 0 }
    }
}

/// The bytes that cached features may take: half of the free memory, so that the other half remains for all else.
pub fn cache_budget(free_memory: Option<u64>) -> u64 {
    free_memory.map_or(UNKNOWN_BUDGET, |free| free / 2)
}

/// Decides whether to cache the features. Refuses `--cache on` if they do not fit or the pictures are augmented.
pub fn plan_cache(network: &Network, task: &Task, cache: Cache, free_memory: Option<u64>) -> Result<CachePlan> {
    let prefix = network.prefix();
    if task.train.inputs().is_random() {
        if cache == Cache::On {
            return Err(Failure::usage(
                "--cache on: features of augmented pictures cannot be computed once; use --cache auto, or omit --augment",
            ));
        }
        return Ok(CachePlan { cached: false, bytes: 0, budget: 0 });
    }
    let examples = task.train.len() + task.validation.len();
    let bytes = if prefix.is_empty() { 0 } else { cache_bytes(examples, &prefix) };
    let budget = match cache {
        Cache::Auto => cache_budget(free_memory),
        _ => free_memory.unwrap_or(u64::MAX),
    };
    if cache == Cache::On && bytes > budget {
        return Err(Failure::new(
            Kind::Environment,
            format!(
                "--cache on: the features of {} take {}, and {} of memory is free; use --cache off (slower, the same \
                 results), or --limit",
                number::counted(examples, "picture"),
                number::bytes(bytes),
                number::bytes(budget)
            ),
        ));
    }
    Ok(CachePlan { cached: bytes > 0 && cache != Cache::Off && bytes <= budget, bytes, budget })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{models::TutorialNetwork, training::train::tests::two_classes};

    fn config(head: HeadStart, freeze: &str) -> Config {
        Config {
            network: TutorialNetwork { filters: [4, 4], dense: 6, ..TutorialNetwork::default() }.into(),
            head,
            freeze: freeze.to_owned(),
            ..Config::small()
        }
    }

    fn whole(network: &Network) -> Trained<'_> {
        Trained { network, features_only: None }
    }

    /// The kernels of the second network that are copied from the first.
    fn copied(head: HeadStart, freeze: &str) -> Vec<String> {
        let config = config(head, freeze);
        let model_1 = config.network.build(3, config.seed).unwrap();
        let mut transfer = model_2(whole(&model_1), 3, &config).unwrap();
        transfer.fill(whole(&model_1), config.seed).unwrap();
        let same =
            model_1.params().zip(transfer.network.params()).filter(|((_, a), (_, b))| a.value[..] == b.value[..]);
        // Biases begin at zero in every network.
        same.map(|((name, _), _)| name).filter(|name| name.ends_with("kernel")).collect()
    }

    #[test]
    fn a_fresh_head_copies_only_the_frozen_layers_and_a_warm_one_all_layers() {
        let features = ["conv2d_1/kernel", "conv2d_2/kernel"];
        assert_eq!(copied(HeadStart::Fresh, "flatten_1"), features);
        assert_eq!(copied(HeadStart::Fresh, "conv2d_1"), features[..1]);
        assert_eq!(copied(HeadStart::Warm, "flatten_1").len(), 4);
    }

    #[test]
    fn mismatched_layers_are_refused_or_reinitialized() {
        let config = config(HeadStart::Fresh, "flatten_1");
        let numbers = || TutorialNetwork { filters: [4, 4], dense: 6, ..TutorialNetwork::default() };
        let from = |other: TutorialNetwork| {
            let trained = other.build(2, 9).unwrap();
            model_2(whole(&trained), 2, &config).unwrap()
        };
        let transfer = from(TutorialNetwork { filters: [4, 5], ..numbers() });
        let outcomes: Vec<LoadOutcome> = transfer.tensors.iter().map(|tensor| tensor.outcome).collect();
        use LoadOutcome::{Frozen, Mismatched, New};
        assert_eq!(outcomes, [Frozen, Frozen, Mismatched, Mismatched, New, New, New, New]);
        let failure = transfer.require_whole(false).unwrap_err();
        let words = "tensor conv2d_2/kernel: expected 3 x 3 x 4 x 4, found 3 x 3 x 4 x 5; 1 more tensor does not match";
        assert!(failure.message.contains(words) && failure.message.contains("--partial"), "{failure}");
        assert!(transfer.require_whole(true).is_ok());
        let is_trainable = |name: &str| transfer.network.params().find(|(other, _)| other == name).unwrap().1.trainable;
        assert_eq!(["conv2d_1/kernel", "conv2d_2/kernel"].map(is_trainable), [false, true]);
        assert!(transfer.table().to_string().contains("MISMATCHED\n"));
        // A layer of which only the bias matches is not loaded.
        let transfer = from(TutorialNetwork { kernel: 5, ..numbers() });
        let outcomes: Vec<LoadOutcome> = transfer.tensors.iter().map(|tensor| tensor.outcome).collect();
        assert_eq!(outcomes, [Mismatched, New, Mismatched, New, New, New, New, New]);
        let failure = transfer.require_whole(true).unwrap_err();
        assert!(failure.message.starts_with("nothing in the file matches"), "{failure}");
        // Even then, at least one layer must match.
        let failure = from(TutorialNetwork { filters: [6, 6], ..numbers() }).require_whole(true).unwrap_err();
        assert!(failure.message.starts_with("nothing in the file matches"), "{failure}");
        // Weights of the right shapes are not enough if another layer differs.
        let failure = from(TutorialNetwork { pool: 3, ..numbers() }).require_whole(false).unwrap_err();
        assert!(failure.message.contains("layer max_pooling2d_1 (MaxPooling2D, output 14 x 14 x 4) is"), "{failure}");
    }

    #[test]
    fn second_seeds_are_distinct() {
        let seeds: BTreeSet<u64> = (0..100).flat_map(|n| [n, seed(n)]).collect();
        assert_eq!(seeds.len(), 200);
    }

    #[test]
    fn features_are_cached_if_they_fit_in_memory() {
        let config = config(HeadStart::Fresh, "flatten_1");
        let model_1 = config.network.build(2, 1).unwrap();
        let network = model_2(whole(&model_1), 2, &config).unwrap().network;
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
        assert!(failure.message.contains("16 pictures take 50.2\u{a0}kB, and 50.2\u{a0}kB of"), "{failure}");
        // Without frozen layers there is nothing to cache.
        let plan = plan_cache(&model_1, &task, Cache::On, Some(0)).unwrap();
        assert_eq!((plan.cached, plan.bytes), (false, 0));
    }
}
