//! Links in documentation: each relative link names a file that exists, a heading of it, or lines that contain the item
//! in the link's text. And every page is in the summary, and compiled if it has a Rust example.

use std::{fs, path::Path};

use super::{ROOT, has_word, path::find, sources};

/// A page without its fenced blocks.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// Text and target of each link of a page.
fn links(page: &str) -> Vec<(String, String)> {
    let prose = prose(page);
    let link = |(at, _): (usize, &str)| {
        let text = &prose[prose[..at].rfind('[')? + 1..at];
        let target = prose[at + 2..].split(')').next()?;
        Some((text.replace('\n', " "), target.to_owned()))
    };
    prose.match_indices("](").filter_map(link).collect()
}

/// The anchors of a page's headings, as code hosts and mdBook make them.
fn anchors(page: &str) -> Vec<String> {
    let prose = prose(page);
    let headings = prose.lines().filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()));
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    headings.map(anchor).collect()
}

/// What is wrong with a link on a page of the repository.
fn complaint(page: &str, text: &str, target: &str) -> Option<String> {
    if target.contains("://") {
        return None;
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let from = Path::new(ROOT).join(page);
    let file = if path.is_empty() { from } else { from.parent()?.join(path) };
    if !file.exists() {
        return Some(format!("there is no {path}"));
    }
    if fragment.is_empty() {
        return None;
    }
    let content = fs::read_to_string(&file).ok()?;
    match fragment.strip_prefix('L').filter(|_| path.ends_with(".rs")) {
        Some(lines) => wrong_lines(&content, text, lines),
        None => (!anchors(&content).contains(&fragment.to_owned())).then(|| format!("{path} has no #{fragment}")),
    }
}

/// What is wrong with a link to lines such as `10-L20`; a text in backticks is the item that they contain.
fn wrong_lines(source: &str, text: &str, lines: &str) -> Option<String> {
    let (first, last) = lines.split_once("-L").unwrap_or((lines, lines));
    let all: Vec<&str> = source.lines().collect();
    let Some(shown) =
        first.parse::<usize>().ok().zip(last.parse().ok()).and_then(|(first, last)| all.get(first - 1..last))
    else {
        return Some(format!("there are no lines {lines}"));
    };
    let item = text.strip_prefix('`')?.strip_suffix('`')?;
    if let Some(at) = find(&all, item.trim_end_matches('!')) {
        let now = format!("{}-L{}", at.start + 1, at.end);
        return (lines != now).then(|| format!("`{item}` is at #L{now}"));
    }
    // Something inside an item, such as a field.
    let name = item.rsplit("::").next()?;
    (!shown.iter().any(|line| has_word(line, name))).then(|| format!("`{item}` is not in these lines"))
}

#[test]
fn every_link_in_the_documentation_leads_somewhere() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for (page, text) in sources(".md") {
        for (text, target) in links(&text) {
            seen += 1;
            wrong.extend(complaint(&page, &text, &target).map(|why| format!("{page}: [{text}]({target}): {why}")));
        }
    }
    assert!(wrong.is_empty(), "{} wrong links:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen > 100, "{seen} links: this test no longer sees them");
}

#[test]
fn a_planted_wrong_link_is_found() {
    let page = "docs/performance.md";
    for (text, target) in [
        ("x", "https://example.org/none#none"),
        ("x", "winograd.md#speed"),
        ("x", "#results"),
        ("`links`", "../tests/architecture/links.rs#L13-L22"),
    ] {
        assert_eq!(complaint(page, text, target), None, "{target}");
    }
    for (text, target) in [
        ("x", "none.md"),
        ("x", "winograd.md#none"),
        ("`links`", "../tests/architecture/links.rs#L13-L23"),
        ("x", "../tests/architecture/links.rs#L100-L999"),
    ] {
        assert!(complaint(page, text, target).is_some(), "{target}");
    }
    assert_eq!(links("a [b\nc](d#e) f\n```\n[no](link)\n```\n"), [("b c".to_owned(), "d#e".to_owned())]);
}

#[test]
fn every_page_with_a_rust_example_is_compiled_and_in_the_summary() {
    let library = fs::read_to_string(Path::new(ROOT).join("crates/experiment/src/lib.rs")).unwrap();
    let summary = fs::read_to_string(Path::new(ROOT).join("docs/SUMMARY.md")).unwrap();
    for (name, text) in sources(".md") {
        let Some(page) =
            name.strip_prefix("docs/").filter(|page| !page.starts_with("records/") && *page != "SUMMARY.md")
        else {
            continue;
        };
        assert!(!text.contains("```rust") || library.contains(&format!("\"{page}\"")), "{name} is not in lib.rs");
        assert!(summary.contains(&format!("({page})")), "{name} is not in docs/SUMMARY.md");
    }
}
