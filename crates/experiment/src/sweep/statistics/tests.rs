//! Compares the statistics with SciPy and statsmodels.

use serde_json::Value;
use thawline_tensor::random::{Address, Purpose};

use super::*;

/// The cases of one kind, computed by `scripts/golden_statistics.py`.
fn golden(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../../../../tests/golden/statistics.json")).unwrap();
    all[kind].as_array().filter(|cases| !cases.is_empty()).unwrap().clone()
}

fn number(case: &Value, name: &str) -> f64 {
    case[name].as_f64().unwrap()
}

fn numbers(case: &Value, name: &str) -> Vec<f64> {
    serde_json::from_value(case[name].clone()).unwrap()
}

#[track_caller]
fn assert_close(ours: f64, scipys: f64, tolerance: f64) {
    assert!((ours - scipys).abs() <= tolerance * scipys.abs().max(1e-3), "{ours} here, {scipys} in SciPy");
}

#[test]
fn quantiles_agree_with_scipy() {
    for case in golden("t_quantiles") {
        let degrees_of_freedom = number(&case, "freedom");
        let unit = Difference { mean: 0.0, standard_error: 1.0, degrees_of_freedom };
        assert_close(unit.half_width(), number(&case, "quantile"), 1e-9);
    }
}

#[test]
fn intervals_agree_with_scipy() {
    for case in golden("intervals") {
        let sample = Sample::of(&numbers(&case, "values")).unwrap();
        assert_close(sample.mean, number(&case, "mean"), 1e-12);
        assert_close(sample.deviation.unwrap(), number(&case, "deviation"), 1e-9);
        let ours = sample.interval().unwrap();
        assert_close(ours.0, number(&case, "low"), 1e-9);
        assert_close(ours.1, number(&case, "high"), 1e-9);
    }
}

#[test]
fn sign_flip_tests_agree_with_scipy() {
    for case in golden("sign_flips") {
        assert_close(sign_flip_p(&numbers(&case, "differences")).unwrap(), number(&case, "p"), 1e-12);
    }
}

#[test]
fn differences_agree_with_scipy() {
    for case in golden("differences") {
        let [one, other] = ["one", "other"].map(|name| numbers(&case, name));
        let pairs: Vec<f64> = one.iter().zip(&other).map(|(a, b)| a - b).collect();
        let ours = match case["paired"].as_bool().unwrap() {
            true => Difference::paired(&pairs).unwrap(),
            false => Difference::unpaired(&one, &other).unwrap(),
        };
        assert_close(ours.mean, number(&case, "mean"), 1e-9);
        assert_close(ours.mean - ours.half_width(), number(&case, "low"), 1e-8);
        assert_close(ours.mean + ours.half_width(), number(&case, "high"), 1e-8);
        assert_close(ours.p(), number(&case, "p"), 1e-8);
        assert_close(ours.equivalence_p(0.01), number(&case, "equivalence"), 1e-8);
    }
    assert_eq!(Difference::paired(&[0.1]), None);
    assert_eq!(Difference::unpaired(&[0.1, 0.2], &[0.1]), None);
    let constant = Difference::paired(&[0.25; 3]).unwrap();
    assert_eq!((constant.p(), constant.equivalence_p(0.5), constant.equivalence_p(0.1)), (0.0, 0.0, 1.0));
}

#[test]
fn detectable_differences_are_within_one_percent_of_statsmodels() {
    for case in golden("detectable") {
        let pairs = number(&case, "pairs");
        let of_one_deviation =
            Difference { mean: 0.0, standard_error: 1.0 / pairs.sqrt(), degrees_of_freedom: pairs - 1.0 };
        assert_close(of_one_deviation.detectable(), number(&case, "difference"), 0.01);
    }
}

#[test]
fn adjusted_p_values_agree_with_statsmodels() {
    for case in golden("holm") {
        holm(&numbers(&case, "p"))
            .into_iter()
            .zip(numbers(&case, "adjusted"))
            .for_each(|(ours, theirs)| assert_close(ours, theirs, 1e-12));
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn mcnemar_tests_agree_with_statsmodels() {
    for case in golden("mcnemar") {
        let [one, other] = ["one", "other"].map(|name| case[name].as_u64().unwrap());
        assert_close(mcnemar_p(one, other), number(&case, "p"), 1e-9);
    }
    assert_eq!(mcnemar_p(0, 0), 1.0);
}

#[test]
fn variance_components_agree_with_statsmodels() {
    for case in golden("components") {
        let table: Vec<Vec<f64>> = serde_json::from_value(case["table"].clone()).unwrap();
        let [seed, picture, residual] = ["seed", "picture", "residual"].map(|name| number(&case, name));
        let ours = Components::of(&table).unwrap();
        let (s, p) = (table.len() as f64, table[0].len() as f64);
        let [of_seed, of_picture] =
            [(seed - residual) / p, (picture - residual) / s].map(|component| component.max(0.0));
        assert_close(ours.seed, of_seed, 1e-9);
        assert_close(ours.picture, of_picture, 1e-9);
        assert_close(ours.residual, residual, 1e-9);
        assert_close(ours.standard_error, (of_seed / s + of_picture / p + residual / (s * p)).sqrt(), 1e-9);
    }
    assert_eq!(Components::of(&[vec![1.0, 0.0]]), None);
}

#[test]
fn the_error_over_pictures_agrees_with_a_bootstrap() {
    let mut bits = Address { seed: 5, purpose: Purpose::Other(1), step: 0, index: 0 }.bits();
    let table: Vec<Vec<f64>> = (0..3).map(|_| (0..50).map(|_| f64::from(bits.normal()).round()).collect()).collect();
    let means: Vec<f64> = (0..50).map(|at| table.iter().map(|row| row[at]).sum::<f64>() / 3.0).collect();
    let resampled: Vec<f64> = (0..20_000)
        .map(|_| (0..50).map(|_| means[(f64::from(bits.uniform()) * 50.0) as usize]).sum::<f64>() / 50.0)
        .collect();
    let deviation = Sample::of(&resampled).unwrap().deviation.unwrap();
    assert_close(Components::of(&table).unwrap().picture_error, deviation, 0.03);
}

#[test]
fn intervals_cover_the_true_difference_as_often_as_they_claim() {
    let mut bits = Address { seed: 6, purpose: Purpose::Other(1), step: 0, index: 0 }.bits();
    let mut normal = || f64::from(bits.normal());
    // Accuracies of six seeds of two arms. The second scatters three times as much, and both share some chance.
    let mut draw = |shared: f64| -> [Vec<f64>; 2] {
        let mut pair = |_| {
            let both = normal() * shared;
            [both + normal(), both + 3.0 * normal()]
        };
        let pairs: Vec<[f64; 2]> = (0..6).map(&mut pair).collect();
        [0, 1].map(|arm| pairs.iter().map(|pair| pair[arm]).collect())
    };
    let draws = 4_000;
    let mut covered = |shared: f64, estimate: fn(&[f64], &[f64]) -> Option<Difference>| {
        let within = |difference: Difference| difference.mean.abs() <= difference.half_width();
        let hits = (0..draws).map(|_| draw(shared)).filter(|[a, b]| within(estimate(a, b).unwrap())).count();
        hits as f64 / f64::from(draws)
    };
    let paired = |a: &[f64], b: &[f64]| Difference::paired(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>());
    let coverages = [covered(0.0, paired), covered(2.0, paired), covered(0.0, Difference::unpaired)];
    // 4,000 draws have a standard error of 0.0034.
    assert!(coverages.iter().all(|coverage| (coverage - 0.95).abs() < 0.012), "{coverages:?}");
}

#[test]
fn fitted_lines_agree_with_scipy() {
    for case in golden("regressions") {
        let [x, y] = ["x", "y"].map(|name| numbers(&case, name));
        let line = Line::fit(&x, &y).unwrap();
        assert_close(line.slope.mean, number(&case, "slope"), 1e-9);
        assert_close(line.intercept, number(&case, "intercept"), 1e-9);
        assert_close(line.slope.standard_error, number(&case, "error"), 1e-9);
        assert_close(line.slope.p(), number(&case, "p"), 1e-8);
        assert_close(line.r.unwrap(), number(&case, "r"), 1e-9);
    }
    assert_eq!(Line::fit(&[1.0; 4], &[1.0, 2.0, 3.0, 4.0]), None);
    assert_eq!(Line::fit(&[1.0, 2.0, 3.0], &[1.0; 3]).unwrap().r, None);
    // The computed variance of five times 0.44 is 4e-33.
    let numbers = [1.0, 2.0, 3.0, 4.0, 5.0];
    assert_eq!(Line::fit(&[0.44; 5], &numbers), None);
    assert_eq!(Line::fit(&numbers, &[0.44; 5]).unwrap().r, None);
}

fn error_of(predictions: &[(f64, bool)]) -> f64 {
    calibration_error(&CalibrationBin::sort(predictions))
}

#[test]
fn a_confidence_on_an_edge_belongs_to_the_lower_bin() {
    for (confidence, bin) in
        [(0.0, 0), (0.01, 0), (0.07, 1), (0.19, 2), (0.2, 2), (0.2001, 3), (0.21, 3), (0.5, 7), (0.94, 14), (1.0, 14)]
    {
        let bins = CalibrationBin::sort(&[(confidence, true)]);
        let found: Vec<usize> = (0..bins.len()).filter(|&bin| bins[bin].predictions > 0).collect();
        assert_eq!(found, [bin], "{confidence}");
        assert_eq!((bins[bin].right, bins[bin].confidence), (1, confidence));
    }
}

#[test]
fn calibration_errors_agree_with_scipy() {
    for case in golden("calibrations") {
        let outcomes: Vec<(f64, bool)> = serde_json::from_value(case["outcomes"].clone()).unwrap();
        assert_close(error_of(&outcomes), number(&case, "error"), 1e-9);
    }
    assert_eq!(error_of(&[]), 0.0);
}

#[test]
fn too_few_numbers_claim_nothing() {
    assert_eq!(Sample::of(&[]), None);
    let one = Sample::of(&[0.8]).unwrap();
    assert_eq!((one.mean, one.deviation, one.interval()), (0.8, None, None));
    assert_eq!(sign_flip_p(&[]), None);
    assert_eq!(sign_flip_p(&[0.1; 25]), None);
    assert_eq!(sign_flip_p(&[0.1; FEWEST_FOR_A_CLAIM - 1]), Some(0.0625));
    assert_eq!(sign_flip_p(&[0.1; FEWEST_FOR_A_CLAIM]), Some(0.03125));
}
