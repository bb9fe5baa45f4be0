//! Parses lists of classes: `0-4`, `cat,dog`, `airplane,3,6-8`.

use crate::{
    record::data::ClassRecord,
    system::{
        console::{listed, shown},
        failure::{Failure, Result},
    },
};

/// Parses a list of labels, label ranges and names into at least two classes, in the order of the network's outputs. A
/// number is always a label, even if a class has that name.
pub fn parse(flag: &str, list: &str, names: &[String]) -> Result<Vec<ClassRecord>> {
    let classes = records(list, names).and_then(two_or_more);
    classes.map_err(|reason| Failure::usage(format!("{flag} {list}: {reason}")))
}

/// Like [`parse`], but one class is enough.
pub fn parse_one_or_more(flag: &str, list: &str, names: &[String]) -> Result<Vec<ClassRecord>> {
    records(list, names).map_err(|reason| Failure::usage(format!("{flag} {list}: {reason}")))
}

/// The classes of the data with the given names.
pub fn by_name(wanted: &[String], names: &[String]) -> std::result::Result<Vec<ClassRecord>, String> {
    let labels: std::result::Result<_, _> = wanted.iter().map(|name| label_of(name, names, "one")).collect();
    labelled(labels?, names).and_then(two_or_more)
}

fn records(list: &str, names: &[String]) -> std::result::Result<Vec<ClassRecord>, String> {
    let labels: std::result::Result<Vec<_>, _> = list.split(',').map(|part| labels(part.trim(), names)).collect();
    labelled(labels?.concat(), names)
}

fn labelled(labels: Vec<usize>, names: &[String]) -> std::result::Result<Vec<ClassRecord>, String> {
    if let Some((_, label)) = labels.iter().enumerate().find(|&(at, label)| labels[..at].contains(label)) {
        return Err(format!("class {label} ({}) is listed twice; expected each class once", names[*label]));
    }
    Ok(labels.into_iter().map(|label| ClassRecord { label: label as u16, name: names[label].clone() }).collect())
}

fn two_or_more(classes: Vec<ClassRecord>) -> std::result::Result<Vec<ClassRecord>, String> {
    if classes.len() < 2 { Err(format!("{} class; expected at least 2", classes.len())) } else { Ok(classes) }
}

/// All classes, by label.
pub fn all(names: &[String]) -> Vec<ClassRecord> {
    names.iter().zip(0..).map(|(name, label)| ClassRecord { label, name: name.clone() }).collect()
}

/// Refuses two lists that share a class.
pub fn require_disjoint(source: &[ClassRecord], target: &[ClassRecord]) -> Result<()> {
    let shared: Vec<_> = source.iter().filter(|class| target.contains(class)).map(describe).collect();
    if shared.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--source and --target share {}; expected two lists without a common class, such as 0-4 and 5-9",
        shared.join(", ")
    )))
}

/// The inverse of [`parse`]. It writes labels, because names may contain commas, be numbers or differ only in case.
pub fn list(classes: &[ClassRecord]) -> String {
    let part = |run: &[ClassRecord]| match run {
        [first, .., last] => format!("{}-{}", first.label, last.label),
        _ => run.iter().map(|class| class.label.to_string()).collect(),
    };
    classes.chunk_by(|a, b| a.label + 1 == b.label).map(part).collect::<Vec<_>>().join(",")
}

fn describe(class: &ClassRecord) -> String {
    format!("{} ({})", class.label, class.name)
}

/// The labels that one part of a list stands for.
fn labels(part: &str, names: &[String]) -> std::result::Result<Vec<usize>, String> {
    let last = names.len() - 1;
    let label = |digits: &str| -> std::result::Result<usize, String> {
        match digits.parse() {
            Ok(label) if label <= last => Ok(label),
            _ => Err(format!("unknown class {}; expected 0 to {last}", shown(digits))),
        }
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match part.split_once('-') {
        None if is_number(part) => Ok(vec![label(part)?]),
        Some((from, to)) if is_number(from) && is_number(to) => {
            let (from, to) = (label(from)?, label(to)?);
            if from > to {
                return Err(format!("the range {part} is empty; write {to}-{from}"));
            }
            Ok((from..=to).collect())
        }
        _ if part.is_empty() => Err("a part of the list is empty; expected a class between the commas".to_owned()),
        _ => Ok(vec![label_of(part, names, "labels, ranges or names")?]),
    }
}

/// The label of the class with this name, or with the only name that differs from it in case alone.
fn label_of(wanted: &str, names: &[String], expected: &str) -> std::result::Result<usize, String> {
    if let Some(label) = names.iter().position(|name| name == wanted) {
        return Ok(label);
    }
    let mut alike = (0..names.len()).filter(|&label| names[label].eq_ignore_ascii_case(wanted));
    match (alike.next(), alike.next()) {
        (Some(label), None) => Ok(label),
        (Some(a), Some(b)) => Err(format!(
            "'{wanted}' may be class {a} ({}) or {b} ({}); write the exact name or the label",
            names[a], names[b]
        )),
        _ => Err(format!("unknown class '{}'; expected {expected} of {}", shown(wanted), listed(names))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
            .map(str::to_owned)
            .to_vec()
    }

    fn parsed(list: &str) -> Vec<u16> {
        parse("--source", list, &names()).unwrap().iter().map(|class| class.label).collect()
    }

    fn refused(list: &str) -> String {
        parse("--source", list, &names()).unwrap_err().to_string()
    }

    #[test]
    fn a_list_holds_labels_ranges_and_names_in_order() {
        assert_eq!(parsed("0-4"), [0, 1, 2, 3, 4]);
        assert_eq!(parsed("9, Cat ,5-6"), [9, 3, 5, 6]);
        assert_eq!(parsed("7-7,0"), [7, 0]);
    }

    #[test]
    fn list_is_the_inverse_of_parse() {
        let mut names = names();
        for (label, name) in [(2, "cats, small"), (3, "Cat"), (4, "cat"), (5, "7"), (6, "1-2")] {
            name.clone_into(&mut names[label]);
        }
        for text in ["8,2-3", "4,3", "5-6,0", "0-9", "9,8,7"] {
            let classes = parse("--source", text, &names).unwrap();
            assert_eq!(list(&classes), text);
            assert_eq!(parse("--source", &list(&classes), &names).unwrap(), classes);
        }
    }

    #[test]
    fn numbers_are_labels_and_the_exact_name_wins() {
        let names: Vec<String> = ["1-2", "7", "Cat", "cat", "dog, small", "Owl", "x", "y"].map(str::to_owned).to_vec();
        let labels = |list| {
            let classes = parse("--source", list, &names).map_err(|failure| failure.to_string())?;
            Ok::<_, String>(classes.iter().map(|class| class.label).collect::<Vec<_>>())
        };
        assert_eq!(labels("7,1-2").unwrap(), [7, 1, 2]);
        assert_eq!(labels("cat,Cat,owl").unwrap(), [3, 2, 5]);
        assert!(labels("CAT,x").unwrap_err().contains("'CAT' may be class 2 (Cat) or 3 (cat)"));
        // A model's class names are names even if they look like labels.
        let of_a_model =
            |wanted: &[&str]| by_name(&wanted.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(), &names);
        let found = of_a_model(&["7", "dog, small", "cat", "OWL"]).unwrap();
        assert_eq!(found.iter().map(|class| class.label).collect::<Vec<_>>(), [1, 4, 3, 5]);
        assert!(of_a_model(&["Owl"]).unwrap_err().contains("1 class; expected at least 2"));
        assert!(of_a_model(&["7", "1"]).unwrap_err().contains("unknown class '1'"));
        assert!(of_a_model(&["Owl", "owl"]).unwrap_err().contains("class 5 (Owl) is listed twice"));
    }

    #[test]
    fn each_mistake_is_named() {
        for (list, part) in [
            ("0-12", "unknown class 12; expected 0 to 9"),
            ("4-0", "the range 4-0 is empty; write 0-4"),
            ("0,1,0", "class 0 (airplane) is listed twice"),
            ("cat", "1 class; expected at least 2"),
            ("", "a part of the list is empty"),
            ("1,,2", "a part of the list is empty"),
            ("cow,cat", "unknown class 'cow'; expected labels, ranges or names of airplane, "),
            ("1-", "unknown class '1-'"),
            ("-1,2", "unknown class '-1'"),
            ("99999999999999999999,1", "unknown class 99999999999999999999"),
        ] {
            assert!(refused(list).contains(part), "{list}: {}", refused(list));
        }
    }

    #[test]
    fn source_and_target_may_not_overlap() {
        let list = |list| parse("--source", list, &names()).unwrap();
        assert!(require_disjoint(&list("0-4"), &list("5-9")).is_ok());
        let error = require_disjoint(&list("0-4"), &list("4,3,8")).unwrap_err().to_string();
        assert!(error.contains("share 3 (cat), 4 (deer)"), "{error}");
    }
}
