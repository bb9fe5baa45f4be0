//! Lists of classes as a user writes them: `0-4`, `cat,dog`, `airplane,3,6-8`.

use crate::{
    failure::{Failure, Result},
    record::ClassRecord,
};

/// Reads a list of labels, ranges of labels and names; the order of the list is that of the network's outputs.
///
/// # Errors
/// Names the part that is no class of the data, or is there twice; fewer than two classes.
pub fn parse(flag: &str, list: &str, names: &[String]) -> Result<Vec<ClassRecord>> {
    let mut classes: Vec<ClassRecord> = Vec::new();
    let fail = |reason: String| Failure::usage(format!("{flag} {list}: {reason}"));
    for part in list.split(',').map(str::trim) {
        for label in labels(part, names).map_err(fail)? {
            let name = names[label].clone();
            if classes.iter().any(|class| usize::from(class.label) == label) {
                return Err(fail(format!("class {label} ({name}) is there twice; expected each class once")));
            }
            classes.push(ClassRecord { label: label as u16, name });
        }
    }
    if classes.len() < 2 {
        return Err(fail(format!("there is {} class; expected at least 2 to tell apart", classes.len())));
    }
    Ok(classes)
}

/// Refuses two lists that share a class.
///
/// # Errors
/// Names the classes in both.
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

/// The list that [`parse`] reads as these classes: by their names, where these have no comma.
pub fn list(classes: &[ClassRecord]) -> String {
    let part =
        |class: &ClassRecord| if class.name.contains(',') { class.label.to_string() } else { class.name.clone() };
    classes.iter().map(part).collect::<Vec<_>>().join(",")
}

fn describe(class: &ClassRecord) -> String {
    format!("{} ({})", class.label, class.name)
}

/// The labels of one part of a list. A name comes first: it might look like a number or a range.
fn labels(part: &str, names: &[String]) -> std::result::Result<Vec<usize>, String> {
    if let Some(label) = names.iter().position(|name| name.eq_ignore_ascii_case(part)) {
        return Ok(vec![label]);
    }
    let last = names.len() - 1;
    let label = |digits: &str| -> std::result::Result<usize, String> {
        match digits.parse() {
            Ok(label) if label <= last => Ok(label),
            _ => Err(format!("there is no class {digits}; expected 0 to {last}")),
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
        _ => Err(format!("there is no class '{part}'; expected labels, ranges or names of {}", known(names))),
    }
}

fn known(names: &[String]) -> String {
    let shown = names.len().min(20);
    let more = if shown < names.len() { format!(", ... ({} in all)", names.len()) } else { String::new() };
    format!("{}{more}", names[..shown].join(", "))
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
    fn labels_ranges_and_names_in_the_order_of_the_list() {
        assert_eq!(parsed("0-4"), [0, 1, 2, 3, 4]);
        assert_eq!(parsed("9, Cat ,5-6"), [9, 3, 5, 6]);
        assert_eq!(parsed("7-7,0"), [7, 0]);
    }

    #[test]
    fn what_was_parsed_can_be_parsed_again() {
        let mut names = names();
        "cats, small".clone_into(&mut names[3]);
        let classes = parse("--source", "8,2-3", &names).unwrap();
        assert_eq!(list(&classes), "ship,bird,3");
        assert_eq!(parse("--source", &list(&classes), &names).unwrap(), classes);
    }

    #[test]
    fn each_mistake_is_named() {
        for (list, part) in [
            ("0-12", "no class 12; expected 0 to 9"),
            ("4-0", "the range 4-0 is empty; write 0-4"),
            ("0,1,0", "class 0 (airplane) is there twice"),
            ("cat", "there is 1 class; expected at least 2"),
            ("", "a part of the list is empty"),
            ("1,,2", "a part of the list is empty"),
            ("cow,cat", "no class 'cow'; expected labels, ranges or names of airplane, "),
            ("1-", "no class '1-'"),
            ("-1,2", "no class '-1'"),
            ("99999999999999999999,1", "no class 99999999999999999999"),
        ] {
            assert!(refused(list).contains(part), "{list}: {}", refused(list));
        }
    }

    #[test]
    fn a_name_that_looks_like_a_range_is_a_name() {
        let names: Vec<String> = ["1-2", "7", "x"].map(str::to_owned).to_vec();
        let classes = parse("--source", "7,1-2", &names).unwrap();
        assert_eq!(classes.iter().map(|class| class.label).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn halves_may_not_overlap() {
        let list = |list| parse("--source", list, &names()).unwrap();
        assert!(require_disjoint(&list("0-4"), &list("5-9")).is_ok());
        let error = require_disjoint(&list("0-4"), &list("4,3,8")).unwrap_err().to_string();
        assert!(error.contains("share 3 (cat), 4 (deer)"), "{error}");
    }
}
