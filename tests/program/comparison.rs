//! `thawline report` on folders of runs: a comparison, or a refusal that says which folders it takes.

use std::fs;

use crate::invocation::{Place, files, small_run};

#[test]
fn the_curves_of_several_runs_are_compared() {
    let place = Place::new();
    for out in ["first", "second"] {
        let call = place.call(small_run(&format!("--out {out} --seed {}", out.len())));
        assert_eq!(call.code, Some(0), "{}", call.stderr);
    }
    let before = files(&place.path("first"));
    let call = place.call(["report", "first", "second", "--out", "new"]);
    assert_eq!((call.code, call.stdout.as_str()), (Some(0), "report: new/comparison.html\n"), "{}", call.stderr);
    assert_eq!(files(&place.path("first")), before);
    let page = fs::read_to_string(place.path("new/comparison.html")).unwrap();
    assert!(page.contains("<th scope=\"row\">seed</th><td>5</td><td>6</td>"), "the settings that differ");
    assert_eq!(page.matches("Curves</h2>").count(), 1);
    assert!(page.matches("<polyline").count() > 2 && !page.contains("cannot be compared"));
    let call = place.call(["report", "first", "second", "--out", "new"]);
    assert!(call.code == Some(2) && call.stderr.contains("new/comparison.html: exists"), "{}", call.stderr);
    let noted = ["report", "first", "second", "--out", "new", "--force", "--no-times", "--note", "A <busy> machine."];
    assert_eq!(place.call(noted).code, Some(0));
    let replaced = fs::read_to_string(place.path("new/comparison.html")).unwrap();
    let contains = |words: &str| [&page, &replaced].map(|page| page.contains(words));
    assert_eq!(contains("A &lt;busy&gt; machine."), [false, true]);
    assert_eq!(contains("training time of model_2"), [true, false]);
    // A folder that is missing, one of a sweep, one of an adaptation.
    fs::create_dir(place.path("swept")).unwrap();
    fs::write(place.path("swept/sweep.json"), "{}").unwrap();
    fs::create_dir(place.path("adapted")).unwrap();
    fs::write(place.path("adapted/summary.json"), "{\"format\": 1}").unwrap();
    for (folder, expected) in [
        ("missing", "missing: is neither a finished run (with summary.json) nor a sweep (with sweep.json)"),
        ("swept", "a run and a sweep cannot be compared"),
        ("adapted", "only folders of `thawline run` can be compared"),
    ] {
        let call = place.call(["report", "first", folder]);
        assert!(call.code == Some(2) && call.stderr.contains(expected), "{folder}: {}", call.stderr);
        assert!(!call.stderr.contains("remove it"), "{}", call.stderr);
    }
}
