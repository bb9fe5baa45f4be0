//! How to reproduce the report: the commands, the data, the machines.

use std::collections::BTreeSet;

use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    analysis::{Analysis, ArmFigures},
    answer::names,
};
use crate::{
    data::open,
    models::{Architecture, Layer, TutorialNetwork},
    record::{
        data::{ClassRecord, DataRecord},
        options::{Augment, Labels, Schedule},
    },
    report::{page, table::facts},
    sweep::{
        arms::{self, Arm, DEFAULT_SPLITS, MAX_SPLITS},
        record::JobRecord,
    },
};

/// The name of the network's file in the command.
const NETWORK_FILE: &str = "network.toml";

pub(super) fn section(analysis: &Analysis) -> Markup {
    let settings = &analysis.results.settings;
    let (data, source_data) = (&settings.data, settings.source_data.as_ref());
    let has_halves = analysis.arms.iter().any(|figures| figures.arm.classes.split().is_none());
    let all = [
        ("source classes", has_halves.then(|| names(&settings.source))),
        ("target classes", has_halves.then(|| names(&settings.target))),
        ("data", Some(format!("{}. {}", data.subject(), data.sentence))),
        ("SHA-256 of the pictures", data.sha256.clone()),
        ("source data", source_data.map(|data| format!("{}. {}", data.subject(), data.sentence))),
        ("SHA-256 of the source pictures", source_data.and_then(|data| data.sha256.clone())),
        ("batch size", Some(settings.batch_size.to_string())),
        ("Adam's learning rate", Some(settings.learning_rate.to_string())),
        ("learning-rate schedule", json!(settings.schedule).as_str().map(str::to_owned)),
        ("arithmetic", Some(settings.arithmetic.clone())),
        ("SHA-256 of the settings", Some(settings.hash())),
    ];
    let same = format!(
        "With the same data, seeds and version, every accuracy and loss is the same to the last bit, for any number of threads or \
         processes, {}.",
        page::same_bits(&settings.arithmetic)
    );
    html! {
        (page::reproduction(&commands(analysis), &same))
        @if let Some(text) = network_file(&settings.network) {
            details { summary { (NETWORK_FILE) } pre { code { (text) } } }
        }
        (facts(all.into_iter().filter_map(|(name, fact)| Some((name, fact?)))))
        @if analysis.times { (facts(machines(&analysis.results.records))) }
    }
}

/// The text of the network's file, unless the network is the tutorial's.
fn network_file(network: &Architecture) -> Option<String> {
    #[derive(Serialize)]
    struct File<'a> {
        layers: &'a [Layer],
    }
    match network {
        Architecture::Tutorial(_) => None,
        Architecture::Listed(listed) => toml::to_string(&File { layers: &listed.layers }).ok(),
    }
}

/// The machines that ran the jobs, each once, with dates.
fn machines(records: &[JobRecord]) -> Vec<(&'static str, String)> {
    let machines: BTreeSet<String> = records.iter().map(|record| page::machine(&record.machine)).collect();
    let dates: BTreeSet<&str> =
        records.iter().map(|record| record.machine.date.as_str()).filter(|date| !date.is_empty()).collect();
    let mut facts: Vec<_> = machines.into_iter().map(|machine| ("machine", machine)).collect();
    if let (Some(first), Some(last)) = (dates.first(), dates.last()) {
        facts.push(("first and last job", format!("{first} to {last}")));
    }
    facts
}

/// The commands that reproduce this report: one for each set of seeds that arms share.
fn commands(analysis: &Analysis) -> Vec<String> {
    let mut sets: Vec<(&[u64], Vec<&str>)> = Vec::new();
    for figures in analysis.arms.iter().filter(|figures| !figures.is_stage_1()) {
        match sets.iter_mut().find(|set| set.0 == figures.seeds) {
            Some(set) => set.1.push(figures.name),
            None => sets.push((&figures.seeds, vec![figures.name])),
        }
    }
    sets.iter().map(|(seeds, arms)| command(analysis, seeds, arms)).collect()
}

/// The command: every flag whose value is not the default.
fn command(analysis: &Analysis, seeds: &[u64], arms: &[&str]) -> String {
    let settings = &analysis.results.settings;
    let json = |value: Value| value.to_string().replace(['[', ']', '"'], "");
    let path = |data: &DataRecord| data.path.clone().unwrap_or_else(|| open::BUILT_IN.to_owned());
    let labels = |half: &[ClassRecord]| half.iter().map(|class| class.label.to_string()).collect::<Vec<_>>().join(",");
    let splits = arms.iter().filter_map(|arm| split_number(arm)).max().unwrap_or(DEFAULT_SPLITS);
    // `--tune` tunes with the first seed.
    let seeds: Vec<u64> = match settings.tuning_seed {
        Some(first) => std::iter::once(first).chain(seeds.iter().copied().filter(|&seed| seed != first)).collect(),
        None => seeds.to_vec(),
    };
    let is_listed = matches!(settings.network, Architecture::Listed(_));
    // With another data set, the default is all of its classes.
    let default_source = match &settings.source_data {
        Some(data) => (0..data.classes.len()).map(|label| label.to_string()).collect::<Vec<_>>().join(","),
        None => "0,1,2,3,4".to_owned(),
    };
    // Flag, value, default.
    let mut flags = vec![
        ("arms", with_groups(analysis, &seeds, arms).join(","), String::new()),
        ("seeds", ranges(&seeds), String::new()),
        ("epochs", settings.epochs.to_string(), String::new()),
        ("source-epochs", settings.source_epochs.to_string(), settings.epochs.to_string()),
        ("learning-rate", settings.learning_rate.to_string(), "0.001".to_owned()),
        ("schedule", json(json!(settings.schedule)), json(json!(Schedule::Cosine))),
        ("augment", settings.augment.to_string(), Augment::default().to_string()),
        ("splits", splits.to_string(), DEFAULT_SPLITS.to_string()),
        ("source-data", settings.source_data.as_ref().map_or_else(String::new, path), String::new()),
        ("labels", json(json!(settings.labels)), json(json!(Labels::Fine))),
        ("data", path(&settings.data), String::new()),
        ("batch-size", settings.batch_size.to_string(), "128".to_owned()),
        ("per-class", settings.per_class.map_or_else(String::new, |n| n.to_string()), String::new()),
        ("source", labels(&settings.source), default_source),
        ("target", labels(&settings.target), "5,6,7,8,9".to_owned()),
        ("model", if is_listed { NETWORK_FILE.to_owned() } else { String::new() }, String::new()),
        ("simd", if settings.arithmetic == "portable" { "portable".to_owned() } else { String::new() }, String::new()),
    ];
    // The network's file does not have the convolution's method.
    let network =
        if is_listed { json!({ "conv-method": settings.network.conv_method() }) } else { json!(settings.network) };
    let default = json!(TutorialNetwork::default());
    let of_network = network.as_object().into_iter().flatten();
    flags.extend(of_network.map(|(name, value)| (name.as_str(), json(value.clone()), json(default[name].clone()))));
    flags.push(("out", "sweep".to_owned(), String::new()));
    let changed = flags.into_iter().filter(|(_, value, default)| value != default);
    let words = changed.flat_map(|(name, value, _)| [format!("--{name}"), value]);
    let tune = settings.tuning_seed.map(|_| "--tune".to_owned());
    page::command_line(
        &["thawline".to_owned(), "sweep".to_owned()].into_iter().chain(words).chain(tune).collect::<Vec<_>>(),
    )
}

/// `12` of `split-12-reversed`. A foreign record may have any number.
fn split_number(arm: &str) -> Option<u32> {
    let number: u32 = arm.strip_prefix("split-")?.split('-').next()?.parse().ok()?;
    Some(number.min(MAX_SPLITS))
}

/// The names of arms, with a group's name in place of its arms if the group is complete: `arms` has all that only this
/// group has, and those that it shares with others were trained with these seeds too.
fn with_groups<'a>(analysis: &Analysis, seeds: &[u64], arms: &[&'a str]) -> Vec<&'a str> {
    let splits = arms.iter().filter_map(|arm| split_number(arm)).max().unwrap_or(0);
    let Ok(scope) = analysis.results.settings.scope(splits) else { return arms.to_vec() };
    let has_seeds = |figures: &ArmFigures| seeds.iter().all(|seed| figures.seeds.contains(seed));
    let mut names = arms.to_vec();
    for (group, part) in arms::GROUPS {
        let members = arms::select(group, scope).unwrap_or_default();
        let is_covered = |arm: &Arm| {
            let name = arm.name.as_str();
            arms.contains(&name) || (!name.contains(part) && analysis.arm(name).is_some_and(has_seeds))
        };
        if members.iter().any(|arm| arms.contains(&arm.name.as_str())) && members.iter().all(is_covered) {
            names.retain(|name| members.iter().all(|arm| arm.name != *name));
            names.push(group);
        }
    }
    names
}

/// `0..6`, or `1,2,5`.
fn ranges(seeds: &[u64]) -> String {
    match seeds {
        [first, .., last] if seeds.is_sorted() && last - first + 1 == seeds.len() as u64 => {
            format!("{first}..{}", last + 1)
        }
        _ => seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
    }
}
