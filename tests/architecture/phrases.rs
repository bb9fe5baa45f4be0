//! Phrases that made earlier texts hard to read, and must not come back.

use std::collections::BTreeMap;

use super::sources;

/// Refused phrases in lower case, and what to write instead.
const REFUSED: [(&str, &str); 49] = [
    (" anew", "again, over, from fresh weights"),
    ("where it lies", "in place"),
    ("where they lie", "in place"),
    ("wherever it", "say which file, line or index"),
    ("wherever they", "say which file, line or index"),
    ("is none of", "is not one of"),
    ("that is none", "that is not one"),
    ("kept back", "held out"),
    ("keep back", "hold out"),
    ("keeps back", "holds out"),
    ("one's own", "your own"),
    ("one's choice", "the given"),
    ("taken for", "classified as, read as"),
    ("stands behind", "is on top of, comes after"),
    ("stand behind", "are on top of, come after"),
    ("head behind", "head on top of"),
    ("goes on with", "resumes, continues with"),
    ("goes on from", "resumes from"),
    ("go on with", "resume, continue with"),
    ("going on from", "resuming from"),
    ("went on from", "resumed from"),
    ("asked for early", "prefetched"),
    ("asked for before", "prefetched"),
    ("what learns", "the trainable layers"),
    ("does not learn", "is frozen"),
    ("to learn from", "for training"),
    ("learns from", "is trained on"),
    ("amiss", "wrong"),
    ("by heart", "overfits"),
    ("takes no more", "fails"),
    ("whoever", "name the person or the process"),
    ("so many", "this many, N"),
    ("how sure", "the confidence"),
    ("surer", "more confident"),
    ("is right on", "classified ... correctly"),
    ("mended", "fixed"),
    ("comes along", "is included"),
    ("asked afterwards", "branches after the loop"),
    ("behind the features", "after the features, on top of the features"),
    ("taken over", "copied, transferred"),
    ("file of settings", "settings file"),
    ("file of weights", "weights file"),
    ("file of features", "features file"),
    ("kept features", "cached features"),
    ("in alternation", "interleaved"),
    ("laid over", "compared, overlaid"),
    ("a name of its own", "a unique name"),
    ("pictures a class", "pictures per class"),
    ("two trainings", "two training runs"),
];

/// Where a refused phrase is correct: part of the line, and the phrase.
const EXCEPTIONS: [(&str, &str); 1] = [("whoever can write the file can seal it", "whoever")];

/// Words that may follow "is no".
const AFTER_NO: [&str; 6] = ["longer", "more", "less", "better", "worse", "such"];

/// The refused phrases of a line, each with what to write instead.
fn refused(line: &str) -> Vec<(&'static str, &'static str)> {
    let line = line.to_lowercase();
    let allowed = |phrase: &str| {
        EXCEPTIONS.iter().any(|&(part, other)| other == phrase && line.contains(part))
            || phrase == "taken for" && line.contains("mistaken for")
    };
    let mut found: Vec<_> =
        REFUSED.into_iter().filter(|&(phrase, _)| line.contains(phrase) && !allowed(phrase)).collect();
    // "is no folder", but not "there is no folder" or "is no longer".
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_no = words.windows(3).enumerate().any(|(at, three)| {
        let after_there = at > 0 && words[at - 1].ends_with("there");
        ["is", "are", "was", "were"].contains(&three[0])
            && three[1] == "no"
            && !after_there
            && !AFTER_NO.contains(&three[2])
    });
    if is_no {
        found.push(("is no", "is not a"));
    }
    found
}

/// All texts that people read: sources, documentation, scripts, settings. The changelog and dated records keep their
/// words.
fn texts() -> BTreeMap<String, String> {
    let endings = [".md", ".py", ".rs", ".sbatch", ".sh", ".toml"];
    let mut texts: BTreeMap<String, String> = endings.into_iter().flat_map(sources).collect();
    // The first lists the phrases.
    let exempt = ["tests/architecture/phrases.rs", "CHANGELOG.md", "benches/records/", "docs/records/"];
    texts.retain(|name, _| !exempt.iter().any(|exempt| name.starts_with(exempt)));
    texts
}

#[test]
fn refused_phrases_do_not_come_back() {
    let texts = texts();
    assert!(["README.md", "docs/program.md", "crates/tensor/src/lib.rs"].iter().all(|name| texts.contains_key(*name)));
    let mut found = Vec::new();
    for (name, text) in &texts {
        for (number, line) in (1..).zip(text.lines()) {
            for (phrase, instead) in refused(line) {
                found.push(format!("{name}:{number}: \"{}\": write {instead}", phrase.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{} refused phrases:\n{}", found.len(), found.join("\n"));
    for (part, phrase) in EXCEPTIONS {
        let is_needed = texts.values().any(|text| text.lines().any(|line| line.to_lowercase().contains(part)));
        assert!(is_needed, "the exception for \"{phrase}\" in \"{part}\" is not needed any more");
    }
}

#[test]
fn a_planted_phrase_is_found() {
    for (phrase, instead) in REFUSED {
        assert_eq!(refused(&format!("// Here{phrase} it is.")), [(phrase, instead)], "{phrase}");
    }
    for line in ["x is no folder", "these are no strings;"] {
        assert_eq!(refused(line).len(), 1, "{line}");
    }
    for line in ["there is no folder", "it is no longer there", "a new head", "cats are mistaken for dogs"] {
        assert!(refused(line).is_empty(), "{line}");
    }
}
