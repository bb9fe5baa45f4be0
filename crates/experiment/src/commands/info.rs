//! `thawline info`: the machine and the build.

use std::time::SystemTime;

use thawline_tensor::{simd::Level, threads};

use crate::{cli::InfoArgs, console, failure::Result, machine, progress::bytes};

/// Prints what a bug report needs.
///
/// # Errors
/// A level or number of threads that the machine does not have.
pub fn info(args: &InfoArgs) -> Result<()> {
    machine::choose_level(args.machine.simd)?;
    let environment = threads::with_threads(machine::choose_threads(args.machine.threads), || {
        machine::environment(SystemTime::now())
    })?;
    let levels = Level::ALL.map(|level| match (level == Level::current(), level.is_supported()) {
        (true, _) => format!("{level} (in use)"),
        (false, true) => level.to_string(),
        (false, false) => format!("{level} (this CPU lacks it)"),
    });
    let memory = |bytes_: Option<u64>| bytes_.map_or_else(|| "unknown".to_owned(), bytes);
    console::print(&format!(
        "thawline   {}\nbuilt by   {}, {} profile, for {}\nsystem     {}\nCPU        {}\nSIMD       {}\n\
         threads    {} of {} logical CPUs\nmemory     {}, {} free\ndate       {}",
        env!("CARGO_PKG_VERSION"),
        environment.rustc,
        environment.profile,
        environment.target,
        environment.os,
        environment.cpu,
        levels.join(", "),
        environment.threads,
        environment.logical_cpus,
        memory(environment.memory_bytes),
        memory(machine::free_memory()),
        environment.date,
    ))
}
