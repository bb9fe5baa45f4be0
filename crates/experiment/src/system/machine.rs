//! The machine and the build.

use std::{
    env::{self, consts},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use thawline_tensor::{simd::Level, threads};

use super::failure::{Failure, Result};

/// What is needed to judge a time, to see why two runs differ, or to report a bug.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Start of the run in UTC, e.g. `2026-11-24T10:15:02Z`; empty, and absent from files, if the clock is wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub date: String,
    /// The processor's model name.
    pub cpu: String,
    /// Logical CPUs that the process may use.
    pub logical_cpus: usize,
    /// The SIMD level in use, e.g. `avx512`.
    pub simd: String,
    /// Threads of the run.
    pub threads: usize,
    /// Physical memory, if known.
    pub memory_bytes: Option<u64>,
    pub os: String,
    /// The compiler, e.g. `rustc 1.95.0`.
    pub rustc: String,
    /// The target of the build, e.g. `x86_64-linux-gnu`.
    pub target: String,
    /// The cargo profile, e.g. `release`.
    pub profile: String,
}

pub const SIMD_VARIABLE: &str = "THAWLINE_SIMD";

/// Fixes the SIMD level of the process: that of the flag, else of the environment variable, else the best one. Fails if
/// the level is unknown or this CPU lacks it.
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

/// The number of threads: that of the flag, else one per logical CPU that the process may use.
pub fn choose_threads(flag: Option<usize>) -> usize {
    flag.unwrap_or_else(logical_cpus)
}

/// The machine as recorded in a run, with the thread count of the current pool.
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

/// The time in UTC, to the second: `2026-11-24T10:15:02Z`. `None` before 1970 and after 9999, where the clock must be
/// wrong.
pub fn utc_date(time: SystemTime) -> Option<String> {
    // The formatter panics before 1970 and fails after 9999.
    time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let mut date = String::new();
    write!(date, "{}", humantime::format_rfc3339_seconds(time)).ok()?;
    Some(date)
}

pub fn rustc() -> String {
    format!("rustc {}", rustc_version_runtime::version())
}

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

/// The cargo profile: `debug` or `release`.
pub fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// The processor's model name, or its architecture if the name is unknown.
pub fn cpu() -> String {
    let on_linux = || cpu_name(&fs::read_to_string("/proc/cpuinfo").ok()?);
    // Windows sets the variable for every process.
    let on_windows = || env::var("PROCESSOR_IDENTIFIER").ok();
    let name = on_linux().or_else(|| sysctl("machdep.cpu.brand_string")).or_else(on_windows);
    name.unwrap_or_else(|| consts::ARCH.to_owned())
}

/// Linux has no names for ARM processors, only these numbers: designer, part.
const ARM_NAMES: [(&str, &str, &str); 14] = [
    ("0x41", "0xd03", "ARM Cortex-A53"),
    ("0x41", "0xd05", "ARM Cortex-A55"),
    ("0x41", "0xd08", "ARM Cortex-A72"),
    ("0x41", "0xd0b", "ARM Cortex-A76"),
    ("0x41", "0xd0c", "ARM Neoverse-N1"),
    ("0x41", "0xd40", "ARM Neoverse-V1"),
    ("0x41", "0xd49", "ARM Neoverse-N2"),
    ("0x41", "0xd4f", "ARM Neoverse-V2"),
    ("0x51", "0x001", "Qualcomm Oryon"),
    ("0x61", "0x022", "Apple M1 (efficiency core)"),
    ("0x61", "0x023", "Apple M1"),
    ("0x61", "0x032", "Apple M2 (efficiency core)"),
    ("0x61", "0x033", "Apple M2"),
    ("0xc0", "0xac3", "AmpereOne"),
];

/// The model name in the text of `/proc/cpuinfo`; of several kinds of cores the last, usually the fastest.
fn cpu_name(cpuinfo: &str) -> Option<String> {
    field_of(cpuinfo, "model name\t: ").or_else(|| {
        let last = |name| cpuinfo.lines().rev().find_map(|line| line.strip_prefix(name));
        let (designer, part) = (last("CPU implementer\t: ")?, last("CPU part\t: ")?);
        let known = ARM_NAMES.iter().find(|(by, number, _)| (*by, *number) == (designer, part));
        Some(known.map_or_else(|| format!("ARM, designer {designer}, part {part}"), |(.., name)| (*name).to_owned()))
    })
}

/// A `sysctl` value of macOS.
fn sysctl(name: &str) -> Option<String> {
    if !cfg!(target_os = "macos") {
        return None;
    }
    let output = Command::new("/usr/sbin/sysctl").args(["-n", name]).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The load average of the last minute.
pub fn load_average() -> Option<f64> {
    // macOS prints "{ 1.25 1.50 1.75 }".
    let text = fs::read_to_string("/proc/loadavg").ok().or_else(|| sysctl("vm.loadavg"))?;
    text.split_whitespace().find_map(|word| word.parse().ok())
}

pub fn logical_cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The operating system, with its release if known.
pub fn os() -> String {
    match field("/etc/os-release", "PRETTY_NAME=").or_else(|| sysctl("kern.osproductversion")) {
        Some(release) => format!("{} ({})", consts::OS, release.trim_matches('"')),
        None => consts::OS.to_owned(),
    }
}

pub fn memory_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemTotal:").or_else(|| sysctl("hw.memsize")?.parse().ok())
}

/// Memory the process can still allocate without swapping, within the limits of its container and its shell.
pub fn free_memory() -> Option<u64> {
    let free = kilobytes("/proc/meminfo", "MemAvailable:");
    let in_groups = free_in_cgroups(|path| fs::read_to_string(path).ok());
    // What `ulimit -v` leaves.
    let space = field("/proc/self/limits", "Max address space ").and_then(|limits| {
        let soft: u64 = limits.split_whitespace().next()?.parse().ok()?;
        Some(soft.saturating_sub(kilobytes("/proc/self/status", "VmSize:")?))
    });
    free.into_iter().chain(in_groups).chain(space).min()
}

/// The memory still free in the control groups of the process (a container's, a batch job's, and their parents): the
/// least of them. `read` reads a system file.
fn free_in_cgroups(read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let (groups, mounts) = (read(Path::new("/proc/self/cgroup"))?, read(Path::new("/proc/self/mountinfo"))?);
    let mut least: Option<u64> = None;
    for mount in mounts.lines() {
        // 42 32 0:39 ROOT MOUNTPOINT rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
        let Some((before, after)) = mount.split_once(" - ") else { continue };
        let (before, after): (Vec<_>, Vec<_>) = (before.split(' ').collect(), after.split(' ').collect());
        let ([_, _, _, root, top, ..], [kind, .., options]) = (&before[..], &after[..]) else { continue };
        let (controller, names) = match *kind {
            "cgroup2" => ("", ["memory.max", "memory.current", "inactive_file "]),
            "cgroup" if options.split(',').any(|option| option == "memory") => {
                ("memory", ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "])
            }
            _ => continue,
        };
        // 4:memory:/slurm/job_7, and with version 2 only 0::/system.slice/run-7.scope
        let group = groups.lines().find_map(|line| {
            let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|name| name == controller).then_some(group)
        });
        // In a container the root of the mount may be the group itself, or a group that is not visible.
        let below =
            group.and_then(|group| Path::new(group).strip_prefix(root).ok()).filter(|path| !path.starts_with(".."));
        let folder = below.map_or(PathBuf::from(top), |below| Path::new(top).join(below));
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(top)) {
            let [limit, used, cached] = names;
            let number = |name| read(&folder.join(name))?.trim().parse::<u64>().ok();
            // Without a limit version 2 says "max", and version 1 almost 2^63.
            let Some(limit) = number(limit).filter(|&limit| limit < 1 << 62) else { continue };
            // The kernel drops cached files when memory runs short.
            let cached = read(&folder.join("memory.stat")).and_then(|text| field_of(&text, cached)?.parse().ok());
            let left = limit.saturating_sub(number(used).unwrap_or(0)).saturating_add(cached.unwrap_or(0));
            least = Some(least.map_or(left, |least| least.min(left)));
        }
    }
    least
}

/// The peak resident set size of the process.
pub fn peak_memory_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// The resident set size of the process.
pub fn resident_memory_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS:")
}

fn kilobytes(file: &str, name: &str) -> Option<u64> {
    Some(field(file, name)?.strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// The rest of the first line that starts with `name`.
fn field(file: &str, name: &str) -> Option<String> {
    field_of(&fs::read_to_string(file).ok()?, name)
}

fn field_of(text: &str, name: &str) -> Option<String> {
    Some(text.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_known_on_linux() {
        let (total, peak) = (memory_bytes().unwrap(), peak_memory_bytes().unwrap());
        assert!(total > 1 << 26 && free_memory().unwrap() <= total);
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        // Other tests of this process may have raised the peak before.
        assert!(peak_memory_bytes().unwrap() >= peak.max(block.len() as u64));
    }

    #[test]
    fn processors_have_names() {
        for (cpuinfo, name) in [
            ("processor\t: 0\nmodel name\t: AMD EPYC\nflags\t: avx2\n", "AMD EPYC"),
            ("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "ARM Neoverse-N1"),
            ("CPU implementer\t: 0x61\nCPU part\t: 0x022\n\nCPU implementer\t: 0x61\nCPU part\t: 0x023\n", "Apple M1"),
            ("CPU implementer\t: 0x99\nCPU part\t: 0x001\n", "ARM, designer 0x99, part 0x001"),
        ] {
            assert_eq!(cpu_name(cpuinfo).as_deref(), Some(name));
        }
        assert_eq!(cpu_name("processor\t: 0\n"), None);
    }

    #[test]
    fn the_tightest_cgroup_limit_counts_in_both_versions() {
        const V1: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                          41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        const INSIDE: &str = "30 23 0:26 /docker/7 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let v1 = [
            ("memory.limit_in_bytes", "1000\n"),
            ("memory.usage_in_bytes", "300"),
            ("memory.stat", "cache 9\ntotal_inactive_file 50\n"),
        ];
        let v2 = [("memory.max", "1000\n"), ("memory.current", "300"), ("memory.stat", "anon 9\ninactive_file 50\n")];
        for (groups, mounts, folder, files, left) in [
            ("4:cpu,memory:/slurm/job\n0::/\n", V1, "/sys/fs/cgroup/memory/slurm/job", v1, Some(750)),
            ("4:memory:/slurm/job/step\n", V1, "/sys/fs/cgroup/memory/slurm", v1, Some(750)),
            ("4:memory:/docker/7\n", INSIDE, "/sys/fs/cgroup/memory", v1, Some(750)),
            ("4:memory:/../elsewhere\n", V1, "/sys/fs/cgroup/memory", v1, Some(750)),
            ("4:memory:/\n", V1, "/sys/fs/cgroup/memory/other", v1, None),
            ("0::/system.slice/run-7.scope\n", V2, "/sys/fs/cgroup/system.slice/run-7.scope", v2, Some(750)),
            ("0::/\n", V2, "/sys/fs/cgroup", v2, Some(750)),
            ("0::/a/b\n", V2, "/sys/fs/cgroup/a", [("memory.max", "max"), v2[1], v2[2]], None),
            ("0::/a\n", V2, "/sys/fs/cgroup/a", [("memory.max", "200"), v2[1], v2[2]], Some(50)),
        ] {
            let read = |path: &Path| match path.to_str()? {
                "/proc/self/cgroup" => Some(groups.to_owned()),
                "/proc/self/mountinfo" => Some(mounts.to_owned()),
                _ if path.parent()? != Path::new(folder) => None,
                _ => files.iter().find(|(name, _)| path.ends_with(name)).map(|(_, text)| (*text).to_owned()),
            };
            assert_eq!(free_in_cgroups(read), left, "{groups} at {folder}");
        }
        let unlimited = |path: &Path| match path.to_str()? {
            "/proc/self/cgroup" => Some("4:memory:/".to_owned()),
            "/proc/self/mountinfo" => Some(V1.to_owned()),
            _ => Some("9223372036854771712".to_owned()),
        };
        assert_eq!(free_in_cgroups(unlimited), None);
    }
}
