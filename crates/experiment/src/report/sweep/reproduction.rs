//! How to get the report again: the commands, the data, the machines.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{super::number, analysis::Analysis};
use crate::{
    arms::{self, Arm, Stage},
    path_text,
    record::ClassRecord,
    sweep::record::JobRecord,
};

pub(super) fn section(analysis: &Analysis) -> Markup {
    let settings = &analysis.results.settings;
    let data = &settings.data;
    let mut facts = vec![
        ("source classes", names(&settings.source)),
        ("target classes", names(&settings.target)),
        ("data", format!("{}: {}", data.kind.name(), data.sentence)),
    ];
    facts.extend(data.sha256.as_ref().map(|hash| ("SHA-256 of the data", hash.clone())));
    facts.extend([
        ("batch size", settings.batch_size.to_string()),
        ("arithmetic", settings.arithmetic.clone()),
        ("SHA-256 of the settings", settings.hash()),
    ]);
    html! {
        h2 { "Reproduce it" }
        pre { code { (commands(analysis).join("\n")) } }
        p {
            "With the same data, seeds and version, every accuracy and loss comes out the same to the last bit, for any number of "
            "threads or processes, on AVX2 and AVX-512 alike."
        }
        div.scroll { table.facts { tbody { @for (name, value) in &facts { tr { th scope="row" { (name) } td { (value) } } } } } }
        @if analysis.times { (machines(analysis)) }
    }
}

/// The machines that did the jobs, each once.
fn machines(analysis: &Analysis) -> Markup {
    let machine = |record: &JobRecord| {
        let machine = &record.machine;
        let memory = machine.memory_bytes.map_or_else(String::new, |bytes| format!(", {}", number::bytes(bytes)));
        format!(
            "{}, {} of {} logical processors, {}{memory}, {}; {}, {}, {} profile",
            machine.cpu,
            machine.threads,
            machine.logical_cpus,
            machine.simd,
            machine.os,
            machine.rustc,
            machine.target,
            machine.profile
        )
    };
    let machines: BTreeSet<String> = analysis.results.records.iter().map(machine).collect();
    let dates =
        || analysis.results.records.iter().map(|record| record.machine.date.as_str()).filter(|date| !date.is_empty());
    html! {
        div.scroll { table.facts { tbody {
            @for machine in &machines { tr { th scope="row" { "machine" } td { (machine) } } }
            @if let Some((first, last)) = dates().min().zip(dates().max()) {
                tr { th scope="row" { "first and last job" } td { (first) " to " (last) } }
            }
        } } }
    }
}

/// The commands that give this report: one for each set of seeds that arms have in common.
fn commands(analysis: &Analysis) -> Vec<String> {
    let settings = &analysis.results.settings;
    let mut sets: Vec<(Vec<u64>, Vec<&str>)> = Vec::new();
    for figures in analysis.arms.iter().filter(|figures| figures.arm.stage == Stage::Transfer) {
        let seeds: Vec<u64> = figures.records.iter().map(|record| record.seed).collect();
        match sets.iter_mut().find(|set| set.0 == seeds) {
            Some(set) => set.1.push(&figures.arm.name),
            None => sets.push((seeds, vec![&figures.arm.name])),
        }
    }
    let data = settings.data.path.clone().unwrap_or_else(|| crate::data::BUILT_IN.to_owned());
    let network = serde_json::to_value(&settings.network).unwrap_or_default();
    let default = serde_json::to_value(crate::models::Tutorial::default()).unwrap_or_default();
    let command = |(seeds, arms): &(Vec<u64>, Vec<&str>)| {
        let mut words = vec!["thawline".to_owned(), "sweep".to_owned()];
        let mut flag = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        flag("arms", with_groups(analysis, seeds, arms).join(","));
        flag("seeds", ranges(seeds));
        flag("epochs", settings.epochs.to_string());
        flag("data", data.clone());
        if settings.batch_size != 128 {
            flag("batch-size", settings.batch_size.to_string());
        }
        if let Some(per_class) = settings.per_class {
            flag("per-class", per_class.to_string());
        }
        for (halves, name, usual) in
            [(&settings.source, "source", "0,1,2,3,4"), (&settings.target, "target", "5,6,7,8,9")]
        {
            let labels = halves.iter().map(|class| class.label.to_string()).collect::<Vec<_>>().join(",");
            if labels != usual {
                flag(name, labels);
            }
        }
        for (name, value) in
            network.as_object().into_iter().flatten().filter(|(name, value)| default[name.as_str()] != **value)
        {
            flag(name, value.to_string().replace(['[', ']', '"'], ""));
        }
        flag("out", "sweep".to_owned());
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    };
    sets.iter().map(command).collect()
}

/// The arms with the word `samples` for all that learn from few pictures, if they are all there, and if those that the group
/// has beside them were performed with these seeds too.
fn with_groups<'a>(analysis: &Analysis, seeds: &[u64], arms: &[&'a str]) -> Vec<&'a str> {
    let group = arms::select("samples").unwrap_or_default();
    let has_seeds = |arm: &Arm| {
        let records = analysis.arm(&arm.name).map_or(&[][..], |figures| &figures.records);
        seeds.iter().all(|seed| records.iter().any(|record| record.seed == *seed))
    };
    if !group.iter().all(|arm| has_seeds(arm) && (arm.per_class.is_none() || arms.contains(&arm.name.as_str()))) {
        return arms.to_vec();
    }
    arms.iter().copied().filter(|arm| !arm.contains('@')).chain(["samples"]).collect()
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,@=:+%".contains(c);
    if word.chars().all(is_plain) {
        return word.to_owned();
    }
    path_text::quoted(word)
}

/// `0..6`, or `1,2,5`.
fn ranges(seeds: &[u64]) -> String {
    match seeds {
        [first, .., last] if last - first + 1 == seeds.len() as u64 => format!("{first}..{}", last + 1),
        _ => seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
    }
}

fn names(classes: &[ClassRecord]) -> String {
    number::listed(classes.iter().map(|class| class.name.as_str()))
}
