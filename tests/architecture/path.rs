//! The reading path in ARCHITECTURE.md: every stop exists, is about as long as it says, and all of them fit in one
//! sitting.

use std::{fs, ops::Range, path::Path};

use super::ROOT;

/// The maximum number of lines of the path.
const MAX: usize = 2500;

/// A stop: files, each with the items to read in it.
struct Stop {
    name: String,
    files: Vec<(String, Vec<String>)>,
    budget: usize,
}

/// The stops of the path, and of each side tour.
fn tours() -> Vec<(String, Vec<Stop>)> {
    let text = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("One run")).expect("a section \"One run\"");
    let tour = |part: &str| {
        let name = part.lines().next().unwrap_or_default().to_owned();
        (name, part.lines().filter_map(stop).collect())
    };
    section.split("\n### ").map(tour).collect()
}

/// A row of a table: topic, places to read, lines.
fn stop(line: &str) -> Option<Stop> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let [name, places, budget] = cells[..] else { panic!("a row without three cells: {line}") };
    if budget == "lines" {
        return None;
    }
    let budget = budget.trim().parse().unwrap_or_else(|_| panic!("a row without a budget: {line}"));
    // Each place is like [shown](file): `item`, `item`.
    let file = |place: &str| {
        let (file, items) = place.split_once(')').expect("a link");
        (file.to_owned(), items.split('`').skip(1).step_by(2).map(str::to_owned).collect())
    };
    Some(Stop { name: name.to_owned(), files: places.split("](").skip(1).map(file).collect(), budget })
}

/// How many lines of a source must be read: those of the items with their docs, or all but the tests.
fn length(source: &str, items: &[String]) -> Result<usize, String> {
    let lines: Vec<&str> = source.lines().collect();
    if items.is_empty() {
        return Ok(lines.iter().take_while(|line| **line != "#[cfg(test)]").count());
    }
    items.iter().map(|item| find(&lines, item).map(|range| range.len()).ok_or(format!("no `{item}`"))).sum()
}

/// The lines of an item: `//!`, `name`, `Type::name`, or `impl Trait for Type`.
pub fn find(lines: &[&str], item: &str) -> Option<Range<usize>> {
    if item == "//!" {
        return Some(0..lines.iter().take_while(|line| line.starts_with("//!")).count())
            .filter(|range| !range.is_empty());
    }
    let starts = |indent: &str, at: usize| lines[at].strip_prefix(indent).filter(|rest| !rest.starts_with(' '));
    if let Some(header) = item.strip_prefix("impl ") {
        let wanted = header.split(" for ").collect::<Vec<_>>();
        let at =
            (0..lines.len()).find(|&at| starts("", at).and_then(implements).is_some_and(|found| found == wanted))?;
        return Some(whole(lines, at, ""));
    }
    let Some((owner, name)) = item.split_once("::") else {
        let at = (0..lines.len()).find(|&at| starts("", at).and_then(declares) == Some(item))?;
        return Some(whole(lines, at, ""));
    };
    let is_owner = |line: &str| {
        declares(line) == Some(owner) || implements(line).is_some_and(|types| types.last() == Some(&owner))
    };
    let mut owners = (0..lines.len()).filter(|&at| starts("", at).is_some_and(is_owner));
    owners.find_map(|owner| {
        let mut members = owner + 1..=end(lines, owner, "");
        let at = members.find(|&at| starts("    ", at).and_then(declares) == Some(name))?;
        Some(whole(lines, at, "    "))
    })
}

/// The name that a line declares.
fn declares(line: &str) -> Option<&str> {
    let line =
        ["pub(super) ", "pub(crate) ", "pub "].iter().find_map(|prefix| line.strip_prefix(prefix)).unwrap_or(line);
    let line = line.strip_prefix("const fn ").map_or(Some(line), |_| line.strip_prefix("const "))?;
    let rest = ["fn ", "struct ", "enum ", "trait ", "type ", "const ", "macro_rules! "]
        .iter()
        .find_map(|word| line.strip_prefix(word))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// The names in the header of an `impl`: the trait's, if there is one, and the type's.
fn implements(line: &str) -> Option<Vec<&str>> {
    let header = line.strip_prefix("impl")?.trim_end_matches(" {");
    let mut depth = 0;
    let generics = header.find(|c| {
        depth += i32::from(c == '<') - i32::from(c == '>');
        depth == 0
    })?;
    let header = if header.starts_with('<') { &header[generics + 1..] } else { header };
    let name = |path: &str| path.split(['<', ' ']).next().map_or(0, |path| path.rfind("::").map_or(0, |at| at + 2));
    let parts = header.split(" for ").map(str::trim);
    Some(parts.map(|part| part[name(part)..].split(['<', ' ']).next().unwrap_or_default()).collect())
}

/// The last line of the item that starts in a line.
fn end(lines: &[&str], start: usize, indent: &str) -> usize {
    if lines[start].ends_with([';', '}']) {
        return start;
    }
    let closes = |line: &&str| {
        line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('}') || rest == ");" || rest == "];")
    };
    start + 1 + lines[start + 1..].iter().position(closes).expect("an item has an end")
}

/// The lines of an item with its docs and attributes.
fn whole(lines: &[&str], start: usize, indent: &str) -> Range<usize> {
    let is_part = |line: &&&str| line.trim_start().starts_with("///") || line.trim_start().starts_with("#[");
    let above = lines[..start].iter().rev().take_while(is_part).count();
    start - above..end(lines, start, indent) + 1
}

#[test]
fn the_reading_path_fits_in_one_sitting() {
    let tours = tours();
    let names: Vec<&str> = tours.iter().skip(1).map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["The strict reader", "Winograd's convolution", "The matrix product"]);
    for Stop { name, files, budget } in tours.iter().flat_map(|(_, stops)| stops) {
        let measured: usize = files
            .iter()
            .map(|(file, items)| {
                let source =
                    fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_else(|_| panic!("{name}: no {file}"));
                length(&source, items).unwrap_or_else(|fault| panic!("{name}: {file}: {fault}"))
            })
            .sum();
        assert!(measured <= *budget, "{name}: {measured} lines, {budget} in ARCHITECTURE.md");
        assert!(measured + measured / 4 + 8 >= *budget, "{name}: only {measured} lines, {budget} in ARCHITECTURE.md");
    }
    let path = &tours[0].1;
    assert!(path.len() > 20, "this test no longer sees the stops");
    let total: usize = path.iter().map(|stop| stop.budget).sum();
    assert!(total <= MAX, "the path has {total} lines");
}

#[test]
fn items_are_found_by_their_names() {
    let source = "//! Head.\n\n/// Doc.\npub struct A;\n\nimpl<S: Simd> Product<S> for A {\n    fn one(\n        &self,\n    ) {\n    }\n}\n\nfn one() {}\n\nconst C: [u8; 2] = [\n    1, 2,\n];\n";
    let length = |item: &str| length(source, &[item.to_owned()]);
    for (item, lines) in [("//!", 1), ("A", 2), ("impl Product for A", 6), ("A::one", 4), ("one", 1), ("C", 3)] {
        assert_eq!(length(item), Ok(lines), "{item}");
    }
    for item in ["B", "A::two", "impl A", "on"] {
        assert!(length(item).is_err(), "{item}");
    }
}
