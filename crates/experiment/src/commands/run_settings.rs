//! From flags to settings.

use std::path::PathBuf;

use thawline_tensor::{simd::Level, threads};

use super::flags::{ModelArgs, NetworkArgs, RunArgs, TrainingArgs, TransferArgs};
use crate::{
    data::{
        classes,
        open::{BUILT_IN, Data},
    },
    models::{Architecture, Listed, Tutorial, file},
    record::config::Config,
    run::prepare,
    system::{failure::Result, path_text},
    weights::model::Model,
};

impl NetworkArgs {
    /// The network that the flags describe.
    pub fn tutorial(&self) -> Tutorial {
        let &NetworkArgs { filters, kernel, pool, dropout, dense, conv_method } = self;
        Tutorial { filters, kernel, pool, dropout, dense, conv_method }
    }
}

impl ModelArgs {
    /// The network that the flags or the file describe.
    ///
    /// # Errors
    /// A file that does not list layers.
    pub fn architecture(&self) -> Result<Architecture> {
        let listed = match &self.model {
            Some(path) => Some(file::read(path).map_err(|failure| failure.within("--model"))?),
            None => self.layers.clone(),
        };
        Ok(match listed {
            Some(listed) => Architecture::Listed(Listed { conv_method: self.tutorial.conv_method, ..listed }),
            None => self.tutorial.tutorial().into(),
        })
    }
}

impl RunArgs {
    /// The model that the features come from, if it is a file's, and the network: what flags and files say before there are
    /// any pictures.
    ///
    /// # Errors
    /// A file that cannot be read, or does not list layers.
    pub fn files(&self) -> Result<(Option<Model>, Architecture)> {
        let TransferArgs { from, from_sha256, .. } = &self.transfer;
        let open = |path: &PathBuf| prepare::open_features(path, from_sha256.as_deref());
        let model = from.as_ref().map(open).transpose()?;
        let network = match &model {
            Some(model) if !self.network_is_given.0 => model.metadata.network.clone(),
            _ => self.network.architecture()?,
        };
        Ok((model, network))
    }

    /// The settings, with what flags leave open: the data that were found, and the machine; for a network, and the model that
    /// its features come from. Classes are kept as labels.
    ///
    /// # Errors
    /// Classes that are not there.
    pub fn config(&self, data: &Data, model: Option<&Model>, network: Architecture) -> Result<Config> {
        let labels = |flag, list: &str| -> Result<String> {
            Ok(classes::list(&classes::parse(flag, list, data.dataset.classes())?))
        };
        let &TrainingArgs { epochs, batch_size, learning_rate, schedule, early_stopping, augment, seed } =
            &self.training;
        let TransferArgs { from, partial, head, freeze, cache, .. } = &self.transfer;
        Ok(Config {
            data: data.path.clone().unwrap_or_else(|| BUILT_IN.to_owned()),
            labels: self.data.labels,
            limit: self.data.limit,
            source: if from.is_none() { Some(labels("--source", &self.data.source)?) } else { None },
            target: labels("--target", &self.data.target)?,
            epochs,
            batch_size,
            learning_rate,
            schedule,
            early_stopping,
            augment: augment.unwrap_or_default(),
            freeze: freeze.clone().unwrap_or_else(|| network.features_end()),
            network,
            head: *head,
            from: from.as_ref().map(|path| path_text::exact(path)),
            from_sha256: model.map(|model| model.sha256.clone()),
            partial: *partial,
            cache: *cache,
            seed,
            threads: threads::count(),
            simd: Level::current().to_string(),
        })
    }
}
