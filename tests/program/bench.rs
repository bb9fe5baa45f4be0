//! `thawline bench`: what it prints as JSON can be saved and compared with.

use std::fs;

use serde_json::Value;

use crate::invocation::Place;

#[test]
fn a_saved_benchmark_is_compared_with_and_one_of_another_format_is_refused() {
    let place = Place::new();
    let bench = |more: &[&str]| place.call(["bench", "--only", "peak", "--threads", "1", "--json"].iter().chain(more));
    let call = bench(&[]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    let mut record: Value = serde_json::from_str(&call.stdout).unwrap();
    assert!(record["peak_gflops"].as_f64().unwrap() > 0.0, "{record}");

    fs::write(place.path("saved.json"), &call.stdout).unwrap();
    let call = bench(&["--against", "saved.json"]);
    assert_eq!(call.code, Some(0), "{}", call.stderr);

    let format = record["format"].as_u64().unwrap();
    record["format"] = (format + 1).into();
    fs::write(place.path("other.json"), record.to_string()).unwrap();
    let refusal = format!("its format is {}, and this program writes {format}", format + 1);
    bench(&["--against", "other.json"]).assert_refused(&refusal);

    // A record of another version may have other fields.
    fs::write(place.path("other.json"), format!(r#"{{"format": {}}}"#, format + 1)).unwrap();
    bench(&["--against", "other.json"]).assert_refused(&refusal);

    // A record of another command.
    record["format"] = format.into();
    record.as_object_mut().unwrap().remove("peak_gflops");
    fs::write(place.path("other.json"), record.to_string()).unwrap();
    bench(&["--against", "other.json"]).assert_refused("expected the output of `thawline bench --json`");
}
