//! `thawline info`: the machine and the build.

use std::time::SystemTime;

use serde::Serialize;
use thawline_tensor::{simd::Level, threads};

use super::flags::InfoArgs;
use crate::system::{
    console,
    failure::Result,
    machine::{self, Environment},
    number,
};

pub fn info(args: &InfoArgs) -> Result<()> {
    machine::choose_level(args.machine.simd)?;
    let environment = threads::with_threads(machine::choose_threads(args.machine.threads), || {
        machine::environment(SystemTime::now())
    })?;
    if args.json {
        #[derive(Serialize)]
        struct Info {
            thawline: &'static str,
            #[serde(flatten)]
            environment: Environment,
            simd_levels: Vec<String>,
            free_memory_bytes: Option<u64>,
        }
        let supported = Level::ALL.iter().filter(|level| level.is_supported()).map(Level::to_string).collect();
        return console::print_json(&Info {
            thawline: env!("CARGO_PKG_VERSION"),
            environment,
            simd_levels: supported,
            free_memory_bytes: machine::free_memory(),
        });
    }
    let levels = Level::ALL.into_iter().filter(|level| level.is_supported());
    let levels: Vec<_> =
        levels.map(|level| format!("{level}{}", if level == Level::current() { " (in use)" } else { "" })).collect();
    let memory = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), number::bytes);
    let Environment { rustc, profile, target, os, cpu, threads, logical_cpus, date, .. } = &environment;
    let mut lines = vec![
        format!("thawline   {}", env!("CARGO_PKG_VERSION")),
        format!("built by   {rustc}, {profile} profile, for {target}"),
        format!("system     {os}"),
        format!("CPU        {cpu}"),
        format!("SIMD       {}", levels.join(", ")),
        format!("threads    {threads} of {logical_cpus} logical CPUs"),
        format!("memory     {}, {} free", memory(environment.memory_bytes), memory(machine::free_memory())),
    ];
    lines.extend((!date.is_empty()).then(|| format!("date       {date}")));
    console::print(lines)
}
