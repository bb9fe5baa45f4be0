//! Rules of the workspace that no compiler checks: for `unsafe`, build scripts, dependencies, printing, the tests that
//! docs/faults.md names, and functions whose bits depend on the system.

mod links;
mod modules;
mod path;
mod phrases;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Every file of this repository with this ending, by its path from the root.
fn sources(ending: &str) -> BTreeMap<String, String> {
    // `data` and `runs` belong to the user.
    let skipped = ["data", "runs"].map(|name| Path::new(ROOT).join(name));
    let is_build = |path: &Path| path.is_dir() && path.ends_with("target");
    let is_hidden = |path: &Path| path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from(ROOT)];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if is_hidden(&path) || is_build(&path) || skipped.contains(&path) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().is_some_and(|name| name.ends_with(ending)) {
                let name = path.strip_prefix(ROOT).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} below {ROOT}");
    found
}

/// The lines of a source without comments and string literals.
fn code(source: &str) -> impl Iterator<Item = String> {
    source.lines().map(|line| {
        let line = line.split("//").next().unwrap_or_default();
        line.split('"').step_by(2).collect::<Vec<_>>().join(" ")
    })
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

#[test]
fn unsafe_is_in_one_file_and_each_block_is_justified() {
    const HOME: &str = "crates/tensor/src/simd/x86.rs";
    let sources = sources(".rs");
    // The libraries that benches/rivals compares have unsafe interfaces.
    let is_exempt = |name: &str| name == HOME || name.starts_with("benches/rivals/");
    for (name, source) in sources.iter().filter(|(name, _)| !is_exempt(name)) {
        let line = code(source).position(|line| has_word(&line, "unsafe"));
        assert_eq!(line, None, "{name}: `unsafe` belongs into {HOME}");
        assert!(!source.contains(concat!("allow(", "unsafe_code)")), "{name}: only {HOME} may allow it");
    }
    let home = &sources[HOME];
    let lines: Vec<&str> = home.lines().collect();
    let mut blocks = 0;
    for (number, line) in code(home).enumerate().filter(|(_, line)| has_word(line, "unsafe")) {
        assert!(!line.contains("unsafe fn") && !line.contains("unsafe impl"), "{HOME}, line {}: {line}", number + 1);
        // The reason is directly above, in one or more lines.
        let reason = lines[..number].iter().rev().take_while(|line| line.trim_start().starts_with("//"));
        assert!(
            reason.last().is_some_and(|line| line.contains("// SAFETY: ")),
            "{HOME}, line {}: no reason",
            number + 1
        );
        blocks += 1;
    }
    assert!(blocks > 15, "{blocks} blocks: this test no longer sees them");
    for root in [
        "crates/cifar/src/lib.rs",
        "crates/drawings/src/lib.rs",
        "crates/experiment/src/lib.rs",
        "crates/experiment/src/main.rs",
    ] {
        assert!(sources[root].contains("#![forbid(unsafe_code)]"), "{root}");
    }
}

#[test]
fn there_are_no_build_scripts_or_procedural_macros() {
    for (name, manifest) in sources("Cargo.toml") {
        assert!(!manifest.contains("proc-macro = true"), "{name} has a procedural macro");
        assert!(!manifest.lines().any(|line| line.starts_with("build =")), "{name} names a build script");
    }
    let scripts: Vec<_> = sources(".rs").into_keys().filter(|name| format!("/{name}").ends_with("/build.rs")).collect();
    assert!(scripts.is_empty(), "build scripts: {scripts:?}");
}

/// Crates with fixed defects in the RustSec database, each with the first version without any.
const FIRST_SOUND_VERSIONS: [(&str, &str); 26] = [
    ("anstream", "0.6.8"),
    ("base64", "0.5.2"),
    ("bumpalo", "3.11.1"),
    ("chrono", "0.4.20"),
    ("crossbeam-channel", "0.5.15"),
    ("crossbeam-deque", "0.8.1"),
    ("crossbeam-utils", "0.8.7"),
    ("generic-array", "0.13.3"),
    ("hashbrown", "0.15.1"),
    ("idna", "1.0.0"),
    ("image", "0.23.12"),
    ("memoffset", "0.6.2"),
    ("nix", "0.23.0"),
    ("once_cell", "1.0.1"),
    ("openssl", "0.10.72"),
    ("rand_core", "0.6.2"),
    ("regex", "1.5.5"),
    ("remove_dir_all", "0.8.0"),
    ("rustix", "0.38.19"),
    ("sha2", "0.9.8"),
    ("shlex", "1.3.0"),
    ("slab", "0.4.11"),
    ("smallvec", "1.6.1"),
    ("tar", "0.4.46"),
    ("thread_local", "1.1.4"),
    ("time", "0.3.47"),
];

/// Crates that are unmaintained according to the same database.
const UNMAINTAINED: [&str; 14] = [
    "ansi_term",
    "atty",
    "bincode",
    "derivative",
    "fxhash",
    "instant",
    "mach",
    "memmap",
    "net2",
    "number_prefix",
    "paste",
    "proc-macro-error",
    "serde_cbor",
    "stdweb",
];

/// Name and version of every crate in a lock file.
fn locked(text: &str) -> Vec<(String, Vec<u64>)> {
    let lock: toml::Table = text.parse().unwrap();
    let package = |package: &toml::Value| {
        let field = |name| package.get(name).and_then(toml::Value::as_str).unwrap().to_owned();
        (field("name"), version(&field("version")))
    };
    lock["package"].as_array().unwrap().iter().map(package).collect()
}

fn version(text: &str) -> Vec<u64> {
    let release = text.split(['-', '+']).next().unwrap_or_default();
    release.split('.').map(|part| part.parse().unwrap_or_else(|_| panic!("no version: {text}"))).collect()
}

fn too_old(lock: &str) -> Vec<String> {
    let complaint = |(name, found): (String, Vec<u64>)| {
        let below = FIRST_SOUND_VERSIONS.iter().find(|(floor, least)| *floor == name && found < version(least));
        match below {
            Some((_, least)) => Some(format!("{name} {found:?}: expected {least} or later")),
            None if UNMAINTAINED.contains(&&*name) => Some(format!("{name}: it is unmaintained")),
            None => None,
        }
    };
    locked(lock).into_iter().filter_map(complaint).collect()
}

#[test]
fn no_dependency_has_a_known_defect() {
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap();
    assert!(locked(&lock).len() > 50);
    assert_eq!(too_old(&lock), Vec::<String>::new());
    // The test must fail for a planted defect.
    let planted =
        "[[package]]\nname = \"tar\"\nversion = \"0.4.45\"\n[[package]]\nname = \"atty\"\nversion = \"1.0.0-rc.1\"\n";
    assert_eq!(too_old(planted), ["tar [0, 4, 45]: expected 0.4.46 or later", "atty: it is unmaintained"]);
}

/// The packages that need a Rust newer than `oldest`, according to their manifests.
fn too_new(metadata: &serde_json::Value, oldest: &str) -> Vec<String> {
    let packages = metadata["packages"].as_array().unwrap().iter();
    // 1.89 and 1.89.0 are one version.
    let release = |text: &str| [version(text), vec![0, 0]].concat()[..3].to_vec();
    let too_new = |package: &&serde_json::Value| {
        package["rust_version"].as_str().is_some_and(|rust| release(rust) > release(oldest))
    };
    packages.filter(too_new).map(|package| package["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn no_dependency_needs_a_newer_rust_than_promised() {
    let manifest: toml::Table = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).unwrap().parse().unwrap();
    let oldest = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    let host = rustc_version_runtime::version_meta().host;
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let flags = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &host];
    let output = Command::new(cargo).args(flags).current_dir(ROOT).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(too_new(&metadata, oldest), Vec::<String>::new(), "a promise of Rust {oldest} cannot be kept");
    // The test must see what these crates promise: for Rust 1.88 they are too new.
    let ours = ["thawline", "thawline-cifar", "thawline-drawings", "thawline-tensor"];
    let before = too_new(&metadata, "1.88");
    assert!(ours.iter().all(|name| before.iter().any(|found| found == name)), "{before:?}");
    for file in ["README.md", "crates/tensor/README.md", "crates/cifar/README.md"] {
        let text = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
        assert!(text.contains(&format!("Rust {oldest} or later")), "{file} does not say it");
    }
}

#[test]
fn every_dependency_comes_from_the_registry_or_this_workspace() {
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        match package.get("source").and_then(toml::Value::as_str) {
            Some(source) => {
                assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index", "{name}");
                assert_eq!(package["checksum"].as_str().map(str::len), Some(64), "{name} has no checksum");
            }
            None => assert!(name.starts_with("thawline"), "{name}"),
        }
    }
}

#[test]
fn only_console_prints_and_only_spreadsheet_writes_csv() {
    let places = [
        (
            "crates/experiment/src/system/console.rs",
            &["print!", "println!", "eprint!", "eprintln!", "dbg!", "stdout", "stderr"][..],
        ),
        ("crates/experiment/src/system/spreadsheet.rs", &["csv::Writer", "csv::WriterBuilder"]),
    ];
    let ours = |name: &&String| name.starts_with("crates/") && name.contains("/src/");
    let sources = sources(".rs");
    for (place, calls) in places {
        for (name, source) in sources.iter().filter(|(name, _)| ours(name) && *name != place) {
            // A bar draws on standard error itself, and only if that is a terminal.
            let lines = code(source).map(|line| line.replace("ProgressDrawTarget::stderr", ""));
            for (number, line) in (1..).zip(lines) {
                let has = |call: &&&str| match call.trim_end_matches('!') {
                    word if word.contains("::") => line.contains(word),
                    word if call.ends_with('!') => line.contains(*call) && has_word(&line, word),
                    word => line.contains(&format!("{word}()")),
                };
                assert_eq!(calls.iter().find(has), None, "{name}, line {number}: that belongs into {place}");
            }
        }
        assert!(calls.iter().any(|call| sources[place].contains(call)), "{place}: this test no longer sees it");
    }
}

/// The cells of all table rows in a text, without the heads.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(str::trim).collect::<Vec<_>>()).filter(|row| !row[0].starts_with('|')).collect()
}

/// What is wrong with a test's name: `module::function`, of a file or folder `module`, or the path of a script.
fn complaint(name: &str, sources: &BTreeMap<String, String>) -> Option<String> {
    let Some((module, function)) = name.split_once("::") else {
        return (!Path::new(ROOT).join(name).is_file()).then(|| format!("{name}: no such file"));
    };
    let is_of = |path: &str| path.ends_with(&format!("/{module}.rs")) || path.contains(&format!("/{module}/"));
    let start = format!("fn {function}(");
    let is_test = |source: &str| {
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let found = lines.iter().position(|line| line.starts_with(&start));
        found.is_some_and(|at| lines[..at].iter().rev().take(3).any(|line| *line == "#[test]"))
    };
    let found = sources.iter().any(|(path, source)| is_of(path) && is_test(source));
    (!found).then(|| format!("{name}: no such test"))
}

#[test]
fn every_fault_and_every_promise_has_tests_that_exist() {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/faults.md")).unwrap();
    let sources = sources(".rs");
    let rows = rows(&text);
    let numbers = (1..=45).map(|n| n.to_string()).chain((1..=18).map(|n| format!("P{n}")));
    assert!(rows.iter().map(|row| row[0].to_owned()).eq(numbers), "45 faults and 18 promises, in their order");
    for row in &rows {
        let names: Vec<&str> = row.last().unwrap().split(", ").map(|name| name.trim_matches('`')).collect();
        let complaints: Vec<String> = names.iter().filter_map(|name| complaint(name, &sources)).collect();
        assert_eq!(complaints, Vec::<String>::new(), "{}: {}", row[0], row[1]);
    }
    // The test must fail for wrong names.
    for wrong in
        ["mistakes::no_such_test", "ends::wrong_data_are_refused", "mistakes::assert_refused", "scripts/no_such_script"]
    {
        assert!(complaint(wrong, &sources).is_some(), "{wrong}");
    }
}

#[test]
fn no_math_function_of_the_system_is_used() {
    // The system's functions give different bits on different systems; libm's are the same everywhere.
    const METHODS: [&str; 26] = [
        "exp", "exp2", "exp_m1", "ln", "ln_1p", "log", "log2", "log10", "sin", "cos", "tan", "sin_cos", "asin", "acos",
        "atan", "atan2", "sinh", "cosh", "tanh", "powf", "cbrt", "hypot", "gamma", "asinh", "acosh", "atanh",
    ];
    let calls = |line: &str| {
        let forms = |name| [format!(".{name}("), format!("f32::{name}"), format!("f64::{name}")];
        METHODS.into_iter().find(|name| forms(*name).iter().any(|form| line.contains(form)))
    };
    for (name, source) in
        sources(".rs").iter().filter(|(name, _)| name.starts_with("crates/") && name.contains("/src/"))
    {
        for (number, line) in (1..).zip(code(source)) {
            assert_eq!(calls(&line), None, "{name}, line {number}: use libm's");
        }
    }
    assert_eq!(calls("let y = x.exp();"), Some("exp"));
    assert_eq!(calls("xs.map(f64::sin)"), Some("sin"));
}
