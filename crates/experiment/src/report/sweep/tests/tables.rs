//! The CSV files have the numbers of the records and of the analysis, in columns that the manual names.

use std::collections::BTreeMap;

use super::{
    super::{Analysis, numbers::p_value},
    *,
};

/// The rows of a CSV file, as cells by the names of their columns.
fn rows(name: &str) -> Vec<BTreeMap<String, String>> {
    rows_of(&results(&SIX), name)
}

fn rows_of(results: &Results, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = file(results, name, &Options::default());
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let header: Vec<String> = lines.next().unwrap().collect();
    lines.map(|cells| header.iter().cloned().zip(cells).collect()).collect()
}

fn assert_cells(row: &BTreeMap<String, String>, expected: &[(&str, String)]) {
    for (column, value) in expected {
        assert_eq!(&row[*column], value, "{column}");
    }
}

#[test]
fn rows_of_arms_have_their_means_and_times() {
    let arms = rows("arms.csv");
    assert_eq!((arms.len(), &*arms[0]["arm"]), (3, "frozen"));
    assert_cells(&arms[0], &[("epochs_to_80", 2.to_string()), ("seconds_stage_1", 30.to_string())]);
    assert!(arms[0]["test_accuracy_mean"].starts_with("0.83933"));
}

#[test]
fn rows_of_pairs_have_the_numbers_of_the_comparison() {
    let results = results(&SIX);
    let analysis = Analysis::of(&results, true);
    // The other declared pair has the higher p-value, so the adjusted one is the double.
    let pair = analysis.pair("frozen", "frozen-random").unwrap();
    let (comparison, components) = (&pair.comparison, pair.comparison.components.unwrap());
    let text = |value: Option<f64>| value.unwrap().to_string();
    let expected = [
        ("test_accuracy_difference_mean", pair.difference.mean.to_string()),
        ("test_accuracy_difference_half_width", text(pair.difference.half_width)),
        ("paired", comparison.paired.to_string()),
        ("agreeing_seeds", comparison.agreeing_seeds.to_string()),
        ("correlation", text(comparison.correlation)),
        ("t_p", text(comparison.p)),
        ("adjusted_p", text(comparison.adjusted_p)),
        ("sign_flip_p", text(comparison.sign_flip_p)),
        ("within_one_point_p", text(comparison.equivalence_p)),
        ("detectable", text(comparison.detectable)),
        ("error_over_pictures", components.picture_error.to_string()),
        ("error_over_seeds_and_pictures", components.standard_error.to_string()),
    ];
    let distinct: BTreeMap<&String, &str> = expected.iter().map(|(column, value)| (value, *column)).collect();
    assert_eq!(distinct.len(), expected.len(), "no two columns could be exchanged: {distinct:?}");
    let pairs = rows("pairs.csv");
    assert_eq!((&*pairs[1]["arm"], &*pairs[1]["baseline"]), ("frozen", "frozen-random"));
    assert_cells(&pairs[1], &expected);
    assert_cells(&pairs[1], &["seeds", "arm_seeds", "baseline_seeds"].map(|column| (column, 6.to_string())));
}

#[test]
fn a_p_value_tells_on_which_side_of_the_limit_it_is() {
    let texts = [0.000_4, 0.031_2, 0.049_6, 0.049_97, 0.050_03, 0.051, 0.05].map(p_value);
    assert_eq!(texts, ["<\u{a0}0.001", "0.031", "0.0496", "0.04997", "0.05003", "0.051", "0.050"]);
}

#[test]
fn a_declared_pair_is_in_its_declared_order() {
    let fine_tune: &[u64] = &[868, 871, 873, 866, 869, 873];
    let results = results(&[SIX[1], ("fine-tune", fine_tune)]);
    assert_eq!(SIX[1].0, "scratch");
    let pairs = rows_of(&results, "pairs.csv");
    let [pair] = &pairs[..] else { panic!("one pair") };
    assert_eq!([&*pair["arm"], &*pair["baseline"]], ["fine-tune", "scratch"]);
    assert_eq!(pair["t_p"], pair["adjusted_p"], "it is the only one");
}

#[test]
fn rows_of_jobs_and_epochs_have_the_numbers_of_the_records() {
    let results = results(&SIX);
    let record = &results.records[0];
    let [first, .., last] = &record.history[..] else { panic!("three epochs") };
    let jobs = rows("jobs.csv");
    assert_eq!(jobs.len(), results.records.len());
    let expected = [
        ("arm", record.arm.name.clone()),
        ("seed", record.seed.to_string()),
        ("test_accuracy", record.test.accuracy.to_string()),
        ("nll", record.test.nll.to_string()),
        ("ece", record.test.ece.to_string()),
        ("first_epoch", first.val_accuracy.to_string()),
        ("last_validation_accuracy", last.val_accuracy.to_string()),
        ("seconds_stage_1", 30.to_string()),
        ("seconds_features", 4.to_string()),
        ("seconds_epochs", 6.to_string()),
    ];
    assert_cells(&jobs[0], &expected);
    assert_eq!(jobs[0].len(), expected.len());
    let epochs = rows("epochs.csv");
    assert_eq!(epochs.len(), 3 * jobs.len());
    let expected = [
        ("arm", record.arm.name.clone()),
        ("seed", record.seed.to_string()),
        ("epoch", 1.to_string()),
        ("loss", first.loss.to_string()),
        ("accuracy", first.accuracy.to_string()),
        ("val_loss", first.val_loss.to_string()),
        ("val_accuracy", first.val_accuracy.to_string()),
        ("seconds", 2.to_string()),
    ];
    assert_cells(&epochs[0], &expected);
    assert_eq!(epochs[0].len(), expected.len());
}

#[test]
fn every_column_is_in_the_manual() {
    let manual = include_str!("../../../../../../docs/sweep-folder.md");
    let (_, manual) = manual.split_once("## The tables").unwrap();
    for name in ["arms.csv", "pairs.csv", "jobs.csv", "epochs.csv"] {
        // From the sentence that introduces the file to the next one.
        let (_, section) = manual.split_once(&format!("`{name}` has")).unwrap_or_else(|| panic!("{name}"));
        let section = section.split_once(".csv` has").map_or(section, |(section, _)| section);
        for column in rows(name)[0].keys() {
            let sample = ["_mean", "_deviation", "_half_width"].iter().find_map(|end| column.strip_suffix(end));
            let threshold = ["_80", "_85"].iter().find_map(|end| column.strip_suffix(end));
            let documented = match (sample, threshold) {
                (Some(sample), _) => format!("`{sample}_*`"),
                (_, Some(threshold)) => format!("`{threshold}_70`"),
                _ => format!("`{column}`"),
            };
            assert!(section.contains(&documented), "{name}: {column}");
        }
    }
}
