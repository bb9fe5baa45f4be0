//! Compares the statistics with SciPy and statsmodels, and with simulations.

use serde::Deserialize;
use thawline_tensor::random::{Address, Bits, Purpose};

use super::{sample::t_quantile, *};

/// Computed by `scripts/golden_statistics.py`.
#[derive(Deserialize)]
struct Golden {
    t_quantiles: Vec<Quantile>,
    intervals: Vec<Interval>,
    sign_flips: Vec<SignFlip>,
    calibrations: Vec<Calibration>,
    differences: Vec<Compared>,
    detectable: Vec<Detectable>,
    holm: Vec<Family>,
    mcnemar: Vec<Disagreement>,
    components: Vec<MeanSquares>,
    regressions: Vec<Regression>,
}

#[derive(Deserialize)]
struct Compared {
    one: Vec<f64>,
    other: Vec<f64>,
    paired: bool,
    mean: f64,
    low: f64,
    high: f64,
    p: f64,
    equivalence: f64,
}

#[derive(Deserialize)]
struct Detectable {
    pairs: usize,
    /// In standard deviations.
    difference: f64,
}

#[derive(Deserialize)]
struct Family {
    p: Vec<f64>,
    adjusted: Vec<f64>,
}

#[derive(Deserialize)]
struct Disagreement {
    one: u64,
    other: u64,
    p: f64,
}

#[derive(Deserialize)]
struct MeanSquares {
    table: Vec<Vec<f64>>,
    seed: f64,
    picture: f64,
    residual: f64,
}

#[derive(Deserialize)]
struct Regression {
    x: Vec<f64>,
    y: Vec<f64>,
    slope: f64,
    intercept: f64,
    r: f64,
    error: f64,
    p: f64,
}

#[derive(Deserialize)]
struct Quantile {
    freedom: usize,
    quantile: f64,
}

#[derive(Deserialize)]
struct Interval {
    values: Vec<f64>,
    mean: f64,
    deviation: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct SignFlip {
    differences: Vec<f64>,
    p: f64,
}

#[derive(Deserialize)]
struct Calibration {
    outcomes: Vec<(f64, bool)>,
    error: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../../../tests/golden/statistics.json")).unwrap()
}

#[track_caller]
fn assert_close(ours: f64, scipys: f64, tolerance: f64) {
    assert!((ours - scipys).abs() <= tolerance * scipys.abs().max(1e-3), "{ours} here, {scipys} in SciPy");
}

#[test]
fn quantiles_agree_with_scipy() {
    let golden = golden().t_quantiles;
    assert_eq!(golden.len(), 10);
    golden.iter().for_each(|t| assert_close(t_quantile(t.freedom), t.quantile, 1e-9));
}

#[test]
fn intervals_agree_with_scipy() {
    for Interval { values, mean, deviation, low, high } in golden().intervals {
        let sample = Sample::of(&values).unwrap();
        assert_close(sample.mean, mean, 1e-12);
        assert_close(sample.deviation.unwrap(), deviation, 1e-9);
        let ours = sample.interval().unwrap();
        assert_close(ours.0, low, 1e-9);
        assert_close(ours.1, high, 1e-9);
    }
}

#[test]
fn sign_flip_tests_agree_with_scipy() {
    let golden = golden().sign_flips;
    assert!(golden.iter().any(|case| case.p == 1.0) && golden.iter().any(|case| case.p < 0.05));
    for SignFlip { differences, p } in golden {
        assert_close(sign_flip_p(&differences).unwrap(), p, 1e-12);
    }
}

#[test]
fn differences_agree_with_scipy() {
    let golden = golden().differences;
    assert!(golden.iter().any(|case| case.paired) && golden.iter().any(|case| !case.paired));
    for Compared { one, other, paired, mean, low, high, p, equivalence } in golden {
        let pairs: Vec<f64> = one.iter().zip(&other).map(|(a, b)| a - b).collect();
        let ours = if paired { Difference::paired(&pairs) } else { Difference::unpaired(&one, &other) }.unwrap();
        assert_close(ours.mean, mean, 1e-9);
        assert_close(ours.mean - ours.half_width(), low, 1e-8);
        assert_close(ours.mean + ours.half_width(), high, 1e-8);
        assert_close(ours.p(), p, 1e-8);
        assert_close(ours.equivalence_p(0.01), equivalence, 1e-8);
    }
    assert_eq!(Difference::paired(&[0.1]), None);
    assert_eq!(Difference::unpaired(&[0.1, 0.2], &[0.1]), None);
    let constant = Difference::paired(&[0.25; 3]).unwrap();
    assert_eq!((constant.p(), constant.equivalence_p(0.5), constant.equivalence_p(0.1)), (0.0, 0.0, 1.0));
}

#[test]
fn detectable_differences_are_within_one_percent_of_statsmodels() {
    for Detectable { pairs, difference } in golden().detectable {
        let of_one_deviation =
            Difference { mean: 0.0, standard_error: 1.0 / (pairs as f64).sqrt(), freedom: pairs as f64 - 1.0 };
        assert_close(of_one_deviation.detectable(), difference, 0.01);
    }
}

#[test]
fn adjusted_p_values_agree_with_statsmodels() {
    for Family { p, adjusted } in golden().holm {
        holm(&p).into_iter().zip(adjusted).for_each(|(ours, theirs)| assert_close(ours, theirs, 1e-12));
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn mcnemar_tests_agree_with_statsmodels() {
    for Disagreement { one, other, p } in golden().mcnemar {
        assert_close(mcnemar_p(one, other), p, 1e-9);
    }
    assert_eq!(mcnemar_p(0, 0), 1.0);
}

#[test]
fn variance_components_agree_with_statsmodels() {
    for MeanSquares { table, seed, picture, residual } in golden().components {
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
fn fitted_lines_agree_with_scipy() {
    for Regression { x, y, slope, intercept, r, error, p } in golden().regressions {
        let line = Line::fit(&x, &y).unwrap();
        assert_close(line.slope.mean, slope, 1e-9);
        assert_close(line.intercept, intercept, 1e-9);
        assert_close(line.slope.standard_error, error, 1e-9);
        assert_close(line.slope.p(), p, 1e-8);
        assert_close(correlation(&x, &y).unwrap(), r, 1e-9);
    }
    assert_eq!(Line::fit(&[1.0; 4], &[1.0, 2.0, 3.0, 4.0]), None);
    assert_eq!(correlation(&[1.0, 2.0, 3.0], &[1.0; 3]), None);
}

fn error_of(predictions: &[(f64, bool)]) -> f64 {
    calibration_error(&CalibrationBin::sort(predictions))
}

#[test]
fn a_confidence_on_an_edge_belongs_to_the_lower_bin() {
    for (confidence, bin) in [(0.0, 0), (0.01, 0), (0.07, 1), (0.2, 2), (0.2001, 3), (0.5, 7), (0.94, 14), (1.0, 14)] {
        let bins = CalibrationBin::sort(&[(confidence, true)]);
        let found: Vec<usize> = (0..bins.len()).filter(|&bin| bins[bin].predictions > 0).collect();
        assert_eq!(found, [bin], "{confidence}");
        assert_eq!((bins[bin].right, bins[bin].confidence), (1, confidence));
    }
}

#[test]
fn calibration_errors_agree_with_scipy() {
    for Calibration { outcomes, error } in golden().calibrations {
        assert_close(error_of(&outcomes), error, 1e-9);
    }
}

#[test]
fn confidences_at_the_edges_of_bins_have_a_bin() {
    assert_eq!(error_of(&[]), 0.0);
    assert_eq!(error_of(&[(1.0, true), (0.0, false)]), 0.0);
    assert_eq!(error_of(&[(1.0, false)]), 1.0);
    // Bins are closed above: 0.2 is the end of the third, 0.21 lies in the fourth.
    assert_close(error_of(&[(0.2, false), (0.21, true)]), (0.2 + 0.79) / 2.0, 1e-12);
    assert_close(error_of(&[(0.2, false), (0.19, true)]), (1.0 - 0.39) / 2.0, 1e-12);
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

#[test]
fn learning_curves_have_an_area_and_thresholds() {
    assert_eq!(area_under_curve(&[]), None);
    assert_close(area_under_curve(&[0.5, 0.7, 0.9]).unwrap(), 0.7, 1e-12);
    assert_eq!(first_reaching(&[0.5, 0.7, 0.9, 0.6], 0.7), Some(2));
    assert_eq!(first_reaching(&[0.5, 0.7], 0.8), None);
}

/// The number of simulated experiments. A share of them that has probability q then lies within four standard
/// deviations of q, which is a false alarm of 1 in 16,000, if the bits were not the same each time anyway.
const EXPERIMENTS: usize = 20_000;

#[track_caller]
fn assert_share(share: f64, expected: f64) {
    let deviation = (expected * (1.0 - expected) / EXPERIMENTS as f64).sqrt();
    assert!((share - expected).abs() < 4.0 * deviation, "a share of {share}, expected {expected}");
}

/// The share of experiments with a property; each draws some numbers.
fn share(seeds: usize, draw: impl Fn(&mut Bits) -> f64, has: impl Fn(&[f64]) -> bool) -> f64 {
    let experiment = |index: usize| {
        let mut bits = Address { seed: 5, purpose: Purpose::Other(0), step: seeds as u64, index: index as u64 }.bits();
        let values: Vec<f64> = (0..seeds).map(|_| draw(&mut bits)).collect();
        has(&values)
    };
    (0..EXPERIMENTS).filter(|&index| experiment(index)).count() as f64 / EXPERIMENTS as f64
}

#[test]
fn the_interval_has_its_nominal_coverage() {
    let accuracy = |bits: &mut Bits| 0.84 + 0.005 * f64::from(bits.normal());
    for seeds in [2, 3, 6, 10] {
        let covers = |values: &[f64]| {
            let (low, high) = Sample::of(values).and_then(|sample| sample.interval()).unwrap();
            (low..=high).contains(&0.84)
        };
        assert_share(share(seeds, accuracy, covers), CONFIDENCE);
    }
}

#[test]
fn the_test_has_its_nominal_false_positive_rate() {
    // Differences are symmetric around zero if no arm is better; nothing else is assumed: here most are small, some
    // large.
    let difference = |bits: &mut Bits| {
        let normal = f64::from(bits.normal());
        0.003 * normal * normal * normal
    };
    for (seeds, level, attainable) in
        [(5, 0.05, 0.0), (6, 0.05, 2.0 / 64.0), (8, 0.05, 12.0 / 256.0), (8, 0.01, 2.0 / 256.0)]
    {
        let rejects = |values: &[f64]| sign_flip_p(values).unwrap() <= level;
        let share = share(seeds, difference, rejects);
        // With few seeds the test has few possible outcomes: it rejects as often as the largest of them allows.
        if attainable == 0.0 { assert_eq!(share, 0.0) } else { assert_share(share, attainable) }
    }
}

#[test]
fn the_test_detects_a_real_difference() {
    let difference = |bits: &mut Bits| 0.01 + 0.004 * f64::from(bits.normal());
    assert!(share(6, difference, |values| sign_flip_p(values).unwrap() <= 0.05) > 0.95);
}
