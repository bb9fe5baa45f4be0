//! From flags to the settings of a run.

use std::path::PathBuf;

use thawline_tensor::{simd::Level, threads};

use super::flags::{ModelArgs, NetworkArgs, RunSettings, TrainingArgs, TransferArgs};
use crate::{
    data::{
        classes,
        open::{BUILT_IN, Data},
    },
    models::{Architecture, Listed, TutorialNetwork, file},
    record::{config::Config, options::Cache, run::HeadStart},
    run::prepare,
    system::{failure::Result, path_text},
    weights::model::Model,
};

impl NetworkArgs {
    /// The tutorial's network with these numbers.
    pub fn network(&self) -> TutorialNetwork {
        let &NetworkArgs { filters, kernel, pool, dropout, dense, conv_method } = self;
        let default = TutorialNetwork::default();
        TutorialNetwork {
            filters: filters.unwrap_or(default.filters),
            kernel: kernel.unwrap_or(default.kernel),
            pool: pool.unwrap_or(default.pool),
            dropout: dropout.unwrap_or(default.dropout),
            dense: dense.unwrap_or(default.dense),
            conv_method: conv_method.unwrap_or(default.conv_method),
        }
    }
}

impl ModelArgs {
    /// The network that the flags or the file describe.
    pub fn architecture(&self) -> Result<Architecture> {
        let listed = match &self.model {
            Some(path) => Some(file::read(path).map_err(|failure| failure.within("--model"))?),
            None => self.layers.clone(),
        };
        let tutorial = self.tutorial.network();
        Ok(match listed {
            Some(listed) => Architecture::Listed(Listed { conv_method: tutorial.conv_method, ..listed }),
            None => tutorial.into(),
        })
    }

    /// Whether any setting describes the network, rather than how it is computed.
    fn is_given(&self) -> bool {
        self.model.is_some() || self.layers.is_some() || self.tutorial.has_numbers()
    }
}

impl RunSettings {
    /// The model of `--from`, if it is given, and the network: what is known before the pictures are read.
    pub fn files(&self) -> Result<(Option<Model>, Architecture)> {
        let TransferArgs { from, from_sha256, .. } = &self.transfer;
        let open = |path: &PathBuf| prepare::open_features(path, from_sha256.as_deref());
        let model = from.as_ref().map(open).transpose()?;
        let network = match &model {
            Some(model) if !self.network.is_given() => {
                let network = model.metadata.network.clone();
                match self.network.tutorial.conv_method {
                    Some(method) => network.with_conv_method(method),
                    None => network,
                }
            }
            _ => self.network.architecture()?,
        };
        network.require_data_set_size()?;
        Ok((model, network))
    }

    /// Every setting of a run, with defaults for what is not given. Classes are stored as labels.
    pub fn config(&self, data: &Data, model: Option<&Model>, network: Architecture) -> Result<Config> {
        let labels = |flag, list: &Option<String>, default: &str| -> Result<String> {
            let list = list.as_deref().unwrap_or(default);
            Ok(classes::list(&classes::parse(flag, list, data.dataset.classes())?))
        };
        let &TrainingArgs { epochs, batch_size, learning_rate, schedule, early_stopping, augment, seed } =
            &self.training;
        let TransferArgs { from, partial, head, freeze, cache, .. } = &self.transfer;
        let source = || labels("--source", &self.data.source, "0-4");
        Ok(Config {
            data: data.path.clone().unwrap_or_else(|| BUILT_IN.to_owned()),
            labels: self.data.labels.unwrap_or_default(),
            limit: self.data.limit,
            source: from.is_none().then(source).transpose()?,
            target: labels("--target", &self.data.target, "5-9")?,
            epochs: epochs.unwrap_or(20),
            batch_size: batch_size.unwrap_or(128),
            learning_rate: learning_rate.unwrap_or(0.001),
            schedule: schedule.unwrap_or_default(),
            early_stopping,
            augment: augment.unwrap_or_default(),
            freeze: freeze.clone().unwrap_or_else(|| network.features_end()),
            network,
            head: head.unwrap_or(HeadStart::Fresh),
            from: from.as_ref().map(|path| path_text::exact(path)),
            from_sha256: model.map(|model| model.sha256.clone()),
            partial: partial.unwrap_or_default(),
            cache: cache.unwrap_or(Cache::Auto),
            seed: seed.unwrap_or(1),
            threads: threads::count(),
            simd: Level::current().to_string(),
        })
    }
}
