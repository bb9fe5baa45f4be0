//! The machine and the build: what is needed to judge a time, to see why two runs differ, or to report a bug.

use std::{
    env::{self, consts},
    fs, thread,
    time::SystemTime,
};

use thawline_tensor::{simd::Level, threads};

use crate::{
    failure::{Failure, Result},
    record::Environment,
    run_folder::utc_date,
};

/// The environment variable that names the SIMD level.
pub const SIMD_VARIABLE: &str = "THAWLINE_SIMD";

/// Fixes the SIMD level of the process: the flag, else the environment variable, else the best.
///
/// # Errors
/// A level that is unknown, or that this CPU lacks.
pub fn choose_level(flag: Option<Level>) -> Result<()> {
    let variable = env::var_os(SIMD_VARIABLE).filter(|name| !name.is_empty());
    let (level, by) = match (flag, variable) {
        (Some(level), _) => (level, "--simd"),
        (None, None) => (Level::best(), "SIMD"),
        (None, Some(name)) => match name.to_string_lossy().parse() {
            Ok(level) => (level, SIMD_VARIABLE),
            Err(error) => return Err(Failure::usage(format!("{SIMD_VARIABLE}: {error}"))),
        },
    };
    level.force().map_err(|error| Failure::from(error).within(by))
}

/// The number of threads: the flag, else one per core that the process may use.
pub fn choose_threads(flag: Option<usize>) -> usize {
    flag.unwrap_or_else(logical_cpus)
}

/// The machine as a run's record describes it, for the threads of the current pool.
pub fn environment(now: SystemTime) -> Environment {
    Environment {
        date: utc_date(now).unwrap_or_default(),
        cpu: cpu(),
        logical_cpus: logical_cpus(),
        simd: Level::current().to_string(),
        threads: threads::count(),
        memory_bytes: memory_bytes(),
        os: os(),
        rustc: rustc(),
        target: target(),
        profile: profile().to_owned(),
    }
}

/// The compiler that built the program, e.g. `rustc 1.95.0`.
pub fn rustc() -> String {
    format!("rustc {}", rustc_version_runtime::version())
}

/// What the program was built for, e.g. `x86_64-linux-gnu`.
pub fn target() -> String {
    let environment = if cfg!(target_env = "gnu") {
        "-gnu"
    } else if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "msvc") {
        "-msvc"
    } else {
        ""
    };
    format!("{}-{}{environment}", consts::ARCH, consts::OS)
}

/// How the program was built: `debug` or `release`.
pub fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// The processor's own name; where the system does not tell, its architecture.
pub fn cpu() -> String {
    field("/proc/cpuinfo", "model name\t: ").unwrap_or_else(|| consts::ARCH.to_owned())
}

/// Logical processors that the process may use.
pub fn logical_cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The operating system, with its release where there is a file that tells.
pub fn os() -> String {
    match field("/etc/os-release", "PRETTY_NAME=") {
        Some(release) => format!("{} ({})", consts::OS, release.trim_matches('"')),
        None => consts::OS.to_owned(),
    }
}

/// Physical memory.
pub fn memory_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemTotal:")
}

/// Memory that the process may still take without anything being swapped out, with the limits of its container and its shell.
pub fn free_memory() -> Option<u64> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let free = kilobytes("/proc/meminfo", "MemAvailable:");
    // cgroup v2, as a container sees its own; without a limit the file says "max". Cached files give way.
    let within = number("/sys/fs/cgroup/memory.max").map(|limit| {
        let used = number("/sys/fs/cgroup/memory.current").unwrap_or(0);
        let files = field("/sys/fs/cgroup/memory.stat", "inactive_file ").unwrap_or_default();
        limit.saturating_sub(used).saturating_add(files.parse().unwrap_or(0))
    });
    // What `ulimit -v` leaves.
    let space = field("/proc/self/limits", "Max address space ").and_then(|limits| {
        let soft: u64 = limits.split_whitespace().next()?.parse().ok()?;
        Some(soft.saturating_sub(kilobytes("/proc/self/status", "VmSize:")?))
    });
    free.into_iter().chain(within).chain(space).min()
}

/// The largest resident set of the process so far.
pub fn peak_memory_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// The resident set of the process.
pub fn resident_memory_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS:")
}

fn kilobytes(file: &str, name: &str) -> Option<u64> {
    Some(field(file, name)?.strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// What follows a name at the beginning of a line.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_its_memory() {
        let (total, peak) = (memory_bytes().unwrap(), peak_memory_bytes().unwrap());
        assert!(total > 1 << 26 && free_memory().unwrap() <= total);
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        // Other tests of this process may have needed more before.
        assert!(peak_memory_bytes().unwrap() >= peak.max(block.len() as u64));
    }

    #[test]
    fn the_build_is_known() {
        assert!(rustc().starts_with("rustc 1."), "{}", rustc());
        assert!(target().starts_with(&format!("{}-{}", consts::ARCH, consts::OS)), "{}", target());
    }
}
