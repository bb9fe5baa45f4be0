//! From flags to settings.

use clap::{ArgMatches, Args, FromArgMatches};
use thawline_tensor::{simd::Level, threads};

use super::{ModelArgs, NetworkArgs, RunArgs, TrainingArgs, TransferArgs};
use crate::{
    classes,
    config::Config,
    data::{BUILT_IN, Data},
    failure::Result,
    model_file::Model,
    models::{Architecture, Listed, Tutorial, file},
};

/// Whether the command line has a flag of the network, rather than defaults alone. It has no flags itself.
#[derive(Debug, Clone, Copy)]
pub struct NetworkIsGiven(pub bool);

impl Args for NetworkIsGiven {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        command
    }
}

impl FromArgMatches for NetworkIsGiven {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        // A group is there if one of its flags is, and not by a default.
        Ok(NetworkIsGiven(["model", "NetworkArgs"].into_iter().any(|group| matches.contains_id(group))))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

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
    /// The settings, with what flags leave open: the data that were found, and the machine. Classes are kept as labels.
    ///
    /// # Errors
    /// Classes that are not there; a file of features that cannot be read.
    pub fn config(&self, data: &Data) -> Result<Config> {
        let labels = |flag, list: &str| -> Result<String> {
            Ok(classes::list(&classes::parse(flag, list, data.dataset.classes())?))
        };
        let &TrainingArgs { epochs, batch_size, learning_rate, schedule, early_stopping, augment, seed } =
            &self.training;
        let TransferArgs { from, from_sha256, partial, head, freeze, cache } = &self.transfer;
        let model =
            from.as_deref().map(Model::open_features).transpose().map_err(|failure| failure.within("--from"))?;
        let network = match &model {
            Some(model) if !self.network_is_given.0 => model.metadata.network.clone(),
            _ => self.network.architecture()?,
        };
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
            from: from.as_ref().map(|path| path.display().to_string()),
            from_sha256: from_sha256.clone().or(model.map(|model| model.sha256)),
            partial: *partial,
            cache: *cache,
            seed,
            threads: threads::count(),
            simd: Level::current().to_string(),
        })
    }
}
