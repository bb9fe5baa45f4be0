//! Scores of a confusion matrix. Balanced accuracy and recall show what accuracy hides if one class is large.

use serde::{Deserialize, Serialize};

use super::run::ConfusionMatrix;

/// The quantile of the normal distribution for an interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    pub pictures: u64,
    pub accuracy: f64,
    /// The 95 % interval of the accuracy (Wilson 1927), if the pictures are a random sample.
    pub interval: [f64; 2],
    /// The mean recall of the classes that have pictures.
    pub balanced_accuracy: f64,
    /// The accuracy of always naming the largest class.
    pub largest_class: f64,
    /// The mean probability of the predicted classes.
    pub confidence: f64,
    pub classes: Vec<ClassScores>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    pub name: String,
    pub pictures: u64,
    /// The share of this class's pictures that are classified correctly; absent if it has none.
    pub recall: Option<f64>,
    /// The share of the pictures classified as this class that belong to it; absent if there are none.
    pub precision: Option<f64>,
}

impl Scores {
    /// The scores of a confusion matrix with at least one picture.
    pub fn of(confusion: &ConfusionMatrix, confidence: f64) -> Self {
        let ConfusionMatrix { classes, counts } = confusion;
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let scores = |(class, name): (usize, &String)| {
            let (right, pictures) = (counts[class][class], counts[class].iter().sum());
            let predicted = counts.iter().map(|row| row[class]).sum();
            ClassScores {
                name: name.clone(),
                pictures,
                recall: share(right, pictures),
                precision: share(right, predicted),
            }
        };
        let classes: Vec<ClassScores> = classes.iter().enumerate().map(scores).collect();
        let recalls: Vec<f64> = classes.iter().filter_map(|class| class.recall).collect();
        let pictures: u64 = classes.iter().map(|class| class.pictures).sum();
        let right: u64 = (0..classes.len()).map(|class| counts[class][class]).sum();
        let largest = classes.iter().map(|class| class.pictures).max().unwrap_or(0);
        let share = |part: u64| part as f64 / pictures as f64;
        Scores {
            pictures,
            accuracy: share(right),
            interval: wilson(right, pictures),
            balanced_accuracy: recalls.iter().sum::<f64>() / recalls.len() as f64,
            largest_class: share(largest),
            confidence,
            classes,
        }
    }
}

pub fn wilson(right: u64, pictures: u64) -> [f64; 2] {
    let (n, p) = (pictures as f64, right as f64 / pictures as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    // Rounding may take an end out of the range.
    [middle - half, middle + half].map(|end| (end / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_stay_within_0_and_1() {
        for pictures in 1..100 {
            let [none, all] = [wilson(0, pictures), wilson(pictures, pictures)];
            let ends = none.into_iter().chain(all);
            assert!(ends.into_iter().all(|end| (0.0..=1.0).contains(&end)) && none[0] < 1e-9, "{pictures}");
        }
    }

    #[test]
    fn always_predicting_the_largest_class_has_low_balanced_accuracy() {
        let classes = ["cat", "dog", "ox"].map(str::to_owned).to_vec();
        let scores =
            Scores::of(&ConfusionMatrix { classes, counts: vec![vec![60, 0, 0], vec![3, 0, 0], vec![0; 3]] }, 0.9);
        assert_eq!((scores.accuracy, scores.largest_class), (60.0 / 63.0, 60.0 / 63.0));
        assert_eq!(scores.balanced_accuracy, 0.5);
        let [cat, dog, ox] = &scores.classes[..] else { panic!() };
        assert_eq!((cat.recall, cat.precision), (Some(1.0), Some(60.0 / 63.0)));
        assert_eq!((dog.recall, dog.precision, ox.recall), (Some(0.0), None, None));
    }

    #[test]
    fn the_interval_is_that_of_statsmodels() {
        // proportion_confint(right, pictures, method="wilson")
        for (right, pictures, expected) in [
            (60, 63, [0.869_090_321, 0.983_673_831]),
            (0, 5, [0.0, 0.434_482_465]),
            (120, 200, [0.530_836_720, 0.665_394_214]),
        ] {
            let found = wilson(right, pictures);
            let difference = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
            assert!(difference.fold(0.0, f64::max) < 1e-8, "{right} of {pictures}: {found:?}");
        }
    }
}
