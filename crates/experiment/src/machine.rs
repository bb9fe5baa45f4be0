//! The machine and the build: what is needed to judge a time, to see why two runs differ, or to report a bug.

use std::{env::consts, fs, thread, time::SystemTime};

use thawline_tensor::{simd::Level, threads};

use crate::{record::Environment, run_folder::utc_date};

/// The machine as a run's record describes it, for the threads of the current pool.
pub fn environment(now: SystemTime) -> Environment {
    Environment {
        date: utc_date(now),
        cpu: cpu(),
        logical_cpus: logical_cpus(),
        simd: Level::current().to_string(),
        threads: threads::count(),
        memory_bytes: memory_bytes(),
        os: os(),
        rustc: RUSTC.to_owned(),
        target: TARGET.to_owned(),
        profile: PROFILE.to_owned(),
    }
}

/// The compiler that built the program, e.g. `rustc 1.95.0`.
pub const RUSTC: &str = env!("THAWLINE_RUSTC");

/// The target triple of the build.
pub const TARGET: &str = env!("THAWLINE_TARGET");

/// The cargo profile of the build.
pub const PROFILE: &str = env!("THAWLINE_PROFILE");

/// The processor's own name; where the system does not tell, its architecture.
pub fn cpu() -> String {
    fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'))?.1.trim();
            Some(name.to_owned())
        })
        .unwrap_or_else(|| consts::ARCH.to_owned())
}

/// Logical processors that the process may use.
pub fn logical_cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The operating system, with its release where there is a file that tells.
pub fn os() -> String {
    let release = fs::read_to_string("/etc/os-release").ok().and_then(|text| {
        let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(name.trim_matches('"').to_owned())
    });
    release.map_or_else(|| consts::OS.to_owned(), |release| format!("{} ({release})", consts::OS))
}

/// Physical memory.
pub fn memory_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemTotal:")
}

/// Memory that the process may still take without anything being swapped out, with the limit of its container.
pub fn free_memory() -> Option<u64> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let free = kilobytes("/proc/meminfo", "MemAvailable:");
    // cgroup v2, as a container sees its own; without a limit the file says "max".
    let limit = number("/sys/fs/cgroup/memory.max");
    let used = number("/sys/fs/cgroup/memory.current").unwrap_or(0);
    let within = limit.map(|limit| limit.saturating_sub(used));
    free.into_iter().chain(within).min()
}

/// The largest resident set of the process so far.
pub fn peak_memory_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

fn kilobytes(file: &str, field: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(value.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
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
        assert!(peak_memory_bytes().unwrap() >= peak + block.len() as u64 / 2);
    }

    #[test]
    fn the_build_is_known() {
        assert!(RUSTC.starts_with("rustc 1."), "{RUSTC}");
        assert!(TARGET.contains(consts::ARCH), "{TARGET}");
        assert!(["debug", "release"].contains(&PROFILE), "{PROFILE}");
    }
}
