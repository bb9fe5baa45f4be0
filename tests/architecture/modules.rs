//! The program's modules: imports between them run one way, and no files import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::{code, sources};

const SRC: &str = "crates/experiment/src/";

/// Each top-level module of the program, and the modules that it may import.
const MODULES: [(&str, &[&str]); 10] = [
    ("commands", &["run", "report", "sweep", "training", "weights", "data", "models", "record", "system"]),
    ("run", &["report", "sweep", "training", "weights", "data", "models", "record", "system"]),
    ("report", &["sweep", "training", "weights", "data", "models", "record", "system"]),
    ("sweep", &["training", "weights", "data", "models", "record", "system"]),
    ("training", &["weights", "data", "models", "record", "system"]),
    ("weights", &["data", "models", "record", "system"]),
    ("data", &["record", "models", "system"]),
    ("record", &["models", "system"]),
    ("models", &["system"]),
    ("system", &[]),
];

/// A module, as the path from the crate's root.
type ModulePath = Vec<String>;

/// The module that a file is, or nothing for tests and `main.rs`.
fn module(file: &str) -> Option<ModulePath> {
    let path = file.strip_prefix(SRC)?.strip_suffix(".rs")?;
    let mut parts: ModulePath = path.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    let is_test = parts.iter().any(|part| part == "tests" || part == "fixture");
    (!is_test && path != "main").then_some(parts)
}

/// The paths of a `use` tree: `a::{b, c::{self, d}}` are `a::b`, `a::c` and `a::c::d`.
fn leaves(tree: &str, prefix: &[String], found: &mut Vec<ModulePath>) {
    let (head, group) = match tree.split_once('{') {
        Some((head, rest)) => (head, Some(&rest[..rest.rfind('}').unwrap_or(rest.len())])),
        None => (tree, None),
    };
    let names = head.split("::").map(|name| name.split(" as ").next().unwrap_or_default().trim());
    let names = names.filter(|name| !name.is_empty() && *name != "self").map(str::to_owned);
    let path: ModulePath = prefix.iter().cloned().chain(names).collect();
    let Some(group) = group else { return found.push(path) };
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    leaves(&group[start..at], &path, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The paths that a file names, from the crate's root: in `use` items, and after `crate::` in code.
fn named(source: &str, here: &ModulePath, is_folder: bool) -> Vec<ModulePath> {
    let text = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let text = code(text).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for item in text.split(';') {
        let Some(at) = item.find("use ").filter(|&at| {
            item[..at].lines().last().is_none_or(|line| line.trim().is_empty() || line.trim().starts_with("pub"))
        }) else {
            continue;
        };
        leaves(&item[at + 4..], &[], &mut found);
    }
    for rest in text.split("crate::").skip(1) {
        let path = rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next().unwrap_or_default();
        let names = path.split("::").filter(|name| !name.is_empty()).map(str::to_owned);
        found.push(["crate".to_owned()].into_iter().chain(names).collect());
    }
    found.into_iter().filter_map(|path| absolute(path, here, is_folder)).collect()
}

/// A path from the crate's root, or nothing for another crate's.
fn absolute(path: ModulePath, here: &ModulePath, is_folder: bool) -> Option<ModulePath> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    if ups > 0 {
        return Some([&here[..here.len() - ups], &path[ups..]].concat());
    }
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        // `mod.rs` names its files without a prefix.
        _ if is_folder => Some([here, &path[..]].concat()),
        _ => None,
    }
}

/// Each file with the files that it imports.
fn imports() -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
    let files: BTreeMap<ModulePath, (String, String)> =
        sources(".rs").into_iter().filter_map(|(file, source)| Some((module(&file)?, (file, source)))).collect();
    let import = |(here, (file, source)): (&ModulePath, &(String, String))| {
        let paths = named(source, here, file.ends_with("mod.rs"));
        // The longest prefix that is a file; the rest of the path is an item in it.
        let target =
            |path: &ModulePath| (1..=path.len()).rev().map(|n| path[..n].to_vec()).find(|m| files.contains_key(m));
        let targets = paths.iter().filter_map(target).filter(|other| other != here).collect();
        (here.clone(), targets)
    };
    files.iter().map(import).collect()
}

#[test]
fn the_program_has_ten_modules() {
    let entries: BTreeSet<String> = sources(".rs")
        .into_keys()
        .filter_map(|file| Some(file.strip_prefix(SRC)?.split('/').next()?.to_owned()))
        .collect();
    let modules = MODULES.iter().map(|(module, _)| (*module).to_owned());
    assert_eq!(entries, modules.chain(["lib.rs".to_owned(), "main.rs".to_owned()]).collect());
}

#[test]
fn modules_import_only_modules_below_them() {
    let mut checked = 0;
    for (file, targets) in imports() {
        let Some((module, allowed)) =
            MODULES.iter().find(|(module, _)| file.first().is_some_and(|first| first == module))
        else {
            continue;
        };
        for target in targets {
            let other = target[0].as_str();
            assert!(
                other == *module || allowed.contains(&other),
                "{} imports {}: {module} may import {allowed:?}",
                file.join("/"),
                target.join("/")
            );
            checked += 1;
        }
    }
    assert!(checked > 200, "{checked} imports: this test no longer sees them");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut graph = imports();
    // A folder's `mod.rs` names its files, and they name its items; that is not a circle.
    for (file, targets) in &mut graph {
        targets.retain(|other| !other.starts_with(file) && !file.starts_with(other));
    }
    // Repeatedly remove files that import nothing; the remaining ones import in circles.
    loop {
        let done: Vec<ModulePath> =
            graph.iter().filter(|(_, targets)| targets.is_empty()).map(|(file, _)| file.clone()).collect();
        if done.is_empty() {
            break;
        }
        graph.retain(|file, _| !done.contains(file));
        for targets in graph.values_mut() {
            targets.retain(|target| !done.contains(target));
        }
    }
    assert_eq!(graph, BTreeMap::new());
}
