//! The linear head for few pictures: softmax regression on standardized features, with the penalty and the temperature
//! that suit held-out pictures best.
//!
//! Cross-validation cuts the pictures into folds and classifies each fold with a head that was trained on the others.
//! The final head is trained on all pictures.

use thawline_tensor::{
    kernels::softmax::{argmax, softmax_cross_entropy},
    nn::{Examples, FitError, Network, Step},
    threads,
};

use super::regression::Regression;
use crate::{
    record::adaptation::Candidate,
    system::failure::{Failure, Kind, Result},
};

/// The L2 penalties to choose from. Each solution is the start for the next, weaker penalty.
const PENALTIES: [f64; 8] = [10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003];

/// A feature's scale is at least this fraction of the root mean square of all scales. Otherwise a feature that is
/// almost never active in the training pictures would decide the class of any picture in which it is active.
const MIN_SCALE: f64 = 0.1;

/// Rows of features that are computed between two checks.
const BLOCK: usize = 256;

/// The training pictures, as features.
#[derive(Debug)]
pub struct TrainingSet {
    /// Views x pictures x width. The first view is the picture itself; others are augmented.
    pub values: Vec<f32>,
    pub views: usize,
    /// One label per picture.
    pub labels: Vec<u32>,
    /// How much each picture counts.
    pub weights: Vec<f32>,
    /// The fold in which each picture is held out.
    pub folds: Vec<usize>,
    pub classes: usize,
}

/// A fitted head, and what cross-validation says about it.
#[derive(Debug)]
pub struct LinearHead {
    /// Width x classes, for features that are not standardized: standardization and temperature are part of the
    /// weights.
    pub kernel: Vec<f32>,
    pub bias: Vec<f32>,
    pub penalty: f64,
    pub temperature: f64,
    /// The penalties that were tried, and how well each predicts held-out pictures.
    pub candidates: Vec<Candidate>,
    /// Pictures x classes: the logits of each picture from a head that did not learn from it. Penalty and temperature
    /// were chosen by the scores of the other folds.
    pub held_out: Vec<f32>,
}

/// How a training set is read and weighed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Augmented views of each picture, in addition to the picture itself.
    pub augmented_views: usize,
    /// Whether all classes count equally, however many pictures they have.
    pub balanced: bool,
    pub seed: u64,
}

impl TrainingSet {
    /// Runs pictures, augmented if there are views, through the frozen layers of a network. `check` is called now and
    /// then; its error ends the work.
    pub fn read(
        network: &Network,
        pictures: &Examples,
        folds: Vec<usize>,
        options: Options,
        check: impl Fn() -> Result<()>,
    ) -> Result<Self> {
        let Options { augmented_views, balanced, seed } = options;
        let views = augmented_views + 1;
        let features = pictures.through(network.prefix(), false).map_err(FitError::NoMemory)?;
        let (width, classes) = (features.inputs().shape().size(), network.output().size());
        let mut values = vec![0.0; views * pictures.len() * width];
        for (block, values) in values.chunks_mut(BLOCK * width).enumerate() {
            check()?;
            threads::for_chunks(values, width, |row, values| {
                let row = block * BLOCK + row;
                let (view, picture) = (row / pictures.len(), row % pictures.len());
                match view {
                    0 => features.inputs().read(picture, values),
                    _ => {
                        let step = Step { seed, step: view as u64, example: picture as u64 };
                        features.inputs().read_for_training(picture, step, values);
                    }
                }
            });
        }
        let labels = pictures.labels().to_vec();
        let of_class = |class: u32| labels.iter().filter(|&&label| label == class).count();
        let weight =
            |&class: &u32| if balanced { labels.len() as f32 / (classes * of_class(class)) as f32 } else { 1.0 };
        let weights = labels.iter().map(weight).collect();
        Ok(TrainingSet { values, views, labels, weights, folds, classes })
    }

    /// Chooses the penalty by cross-validation and fits the head. `check` is called now and then; its error ends the
    /// work.
    pub fn fit(mut self, check: impl Fn() -> Result<()>) -> Result<LinearHead> {
        let (mean, scale) = self.standardize()?;
        let labels = self.labels.repeat(self.views);
        let (candidates, held_out) = self.cross_validate(&labels, &check)?;
        // The penalty and the temperature for each fold come from the other folds, those of the final head from all.
        let calibrated = self.calibrated(&held_out);
        let (best, temperature) = self.choose(&held_out, |_| true);
        let (weights, penalty) = (self.weights_without(None), PENALTIES[best]);
        let problem = Regression { features: &self.values, labels: &labels, weights: &weights, classes: self.classes };
        let mut parameters = vec![0.0; problem.parameters()];
        problem.solve(&mut parameters, penalty, check)?;
        let (kernel, bias) = fold_in(&parameters, &mean, &scale, temperature, self.classes);
        Ok(LinearHead { kernel, bias, penalty, temperature, candidates, held_out: calibrated })
    }

    fn fold_count(&self) -> usize {
        self.folds.iter().max().map_or(0, |last| last + 1)
    }

    /// What each row counts for the head that is trained without a fold, or with all.
    fn weights_without(&self, fold: Option<usize>) -> Vec<f32> {
        let weights = self.weights.iter().zip(&self.folds);
        let weights = weights.map(|(&weight, &of)| if Some(of) == fold { 0.0 } else { weight });
        weights.collect::<Vec<f32>>().repeat(self.views)
    }

    /// The penalties that were tried, and with each the logits of every picture from the head that is trained without
    /// its fold.
    fn cross_validate(
        &self,
        labels: &[u32],
        check: impl Fn() -> Result<()>,
    ) -> Result<(Vec<Candidate>, Vec<Vec<f32>>)> {
        let (classes, folds) = (self.classes, self.fold_count());
        let weights: Vec<f32> = (0..folds).flat_map(|fold| self.weights_without(Some(fold))).collect();
        let problem = Regression { features: &self.values, labels, weights: &weights, classes };
        let mut parameters = vec![0.0; problem.parameters()];
        let (mut candidates, mut held_out) = (Vec::<Candidate>::new(), Vec::new());
        for penalty in PENALTIES {
            problem.solve(&mut parameters, penalty, &check)?;
            let rows = problem.logits(&parameters);
            let of_fold = |(row, &fold): (&[f32], &usize)| row[fold * classes..][..classes].to_vec();
            let logits: Vec<f32> = rows.chunks_exact(folds * classes).zip(&self.folds).flat_map(of_fold).collect();
            let (loss, accuracy) = self.score(&logits, 1.0, |_| true);
            held_out.push(logits);
            candidates.push(Candidate { penalty, loss, accuracy });
            // Weaker penalties take more steps, so two that are worse than the one before them end the search.
            if let [.., best, second, third] = &candidates[..]
                && best.loss < second.loss.min(third.loss)
            {
                break;
            }
        }
        Ok((candidates, held_out))
    }

    /// The held-out logits of each fold, with the penalty and the temperature that are best for the other folds.
    fn calibrated(&self, held_out: &[Vec<f32>]) -> Vec<f32> {
        let mut calibrated = vec![0.0; self.labels.len() * self.classes];
        for fold in 0..self.fold_count() {
            let (best, temperature) = self.choose(held_out, |of| of != fold);
            let logits = held_out[best].chunks_exact(self.classes);
            let rows = calibrated.chunks_exact_mut(self.classes).zip(logits).zip(&self.folds);
            for ((calibrated, logits), _) in rows.filter(|(_, of)| **of == fold) {
                let scaled = logits.iter().map(|&logit| (f64::from(logit) / temperature) as f32);
                calibrated.iter_mut().zip(scaled).for_each(|(calibrated, scaled)| *calibrated = scaled);
            }
        }
        calibrated
    }

    /// Shifts and scales each feature to mean 0 and deviation 1, or less if it hardly varies (see `MIN_SCALE`). Returns
    /// the means and scales.
    fn standardize(&mut self) -> Result<(Vec<f64>, Vec<f64>)> {
        let rows = self.views * self.labels.len();
        let width = self.values.len() / rows;
        let (mut mean, mut squares) = (vec![0.0; width], vec![0.0; width]);
        for row in self.values.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(mean, &value)| *mean += f64::from(value) / rows as f64);
        }
        for row in self.values.chunks_exact(width) {
            let deviations = row.iter().zip(&mean).map(|(&value, mean)| f64::from(value) - mean);
            squares.iter_mut().zip(deviations).for_each(|(sum, deviation)| *sum += deviation * deviation / rows as f64);
        }
        let variance = squares.iter().sum::<f64>() / width as f64;
        if !variance.is_finite() {
            return Err(Failure::new(
                Kind::Numeric,
                "the features are not finite numbers: their weights are too large",
            ));
        }
        let least = if variance > 0.0 { MIN_SCALE * variance.sqrt() } else { 1.0 };
        let scale: Vec<f64> = squares.iter().map(|square| square.sqrt().max(least)).collect();
        for row in self.values.chunks_exact_mut(width) {
            for (value, (mean, scale)) in row.iter_mut().zip(mean.iter().zip(&scale)) {
                *value = ((f64::from(*value) - mean) / scale) as f32;
            }
        }
        Ok((mean, scale))
    }

    /// The index of the penalty with the lowest loss on the held-out pictures of some folds, and the best temperature.
    fn choose(&self, held_out: &[Vec<f32>], includes: impl Fn(usize) -> bool + Copy) -> (usize, f64) {
        let losses = held_out.iter().map(|logits| self.score(logits, 1.0, includes).0);
        let (best, _) = losses.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
        // Golden-section search over the logarithm of the temperature, from 1/8 to 8. The loss has one minimum.
        let loss = |logarithm: f64| self.score(&held_out[best], libm::exp(logarithm), includes).0;
        let ratio = (5_f64.sqrt() - 1.0) / 2.0;
        let (mut low, mut high) = (-libm::log(8.0), libm::log(8.0));
        for _ in 0..30 {
            let [left, right] = [high - ratio * (high - low), low + ratio * (high - low)];
            if loss(left) < loss(right) { high = right } else { low = left }
        }
        (best, libm::exp((low + high) / 2.0))
    }

    /// The weighted mean loss and the accuracy of the pictures of some folds, with the logits divided by a temperature.
    fn score(&self, logits: &[f32], temperature: f64, includes: impl Fn(usize) -> bool) -> (f64, f64) {
        let (mut loss, mut weights, mut right, mut pictures) = (0.0, 0.0, 0, 0);
        for (picture, logits) in
            logits.chunks_exact(self.classes).enumerate().filter(|(at, _)| includes(self.folds[*at]))
        {
            let logits: Vec<f32> = logits.iter().map(|&logit| (f64::from(logit) / temperature) as f32).collect();
            let (label, weight) = (self.labels[picture] as usize, f64::from(self.weights[picture]));
            loss += weight * softmax_cross_entropy(&logits, label, 1.0, &mut []);
            weights += weight;
            right += usize::from(argmax(&logits) == label);
            pictures += 1;
        }
        (loss / weights, right as f64 / pictures as f64)
    }
}

/// The weights and biases for features that are not standardized: those of ((x - mean) / scale W + b) / temperature.
fn fold_in(parameters: &[f64], mean: &[f64], scale: &[f64], temperature: f64, classes: usize) -> (Vec<f32>, Vec<f32>) {
    let (w, b) = parameters.split_at(mean.len() * classes);
    let mut bias = b.to_vec();
    let mut kernel = Vec::with_capacity(w.len());
    for (w, (mean, scale)) in w.chunks_exact(classes).zip(mean.iter().zip(scale)) {
        for (w, bias) in w.iter().zip(&mut bias) {
            *bias -= mean * w / scale;
            kernel.push((w / scale / temperature) as f32);
        }
    }
    (kernel, bias.iter().map(|bias| (bias / temperature) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes that overlap in one of three features; the others are constant and nearly constant.
    fn overlapping(pictures: usize) -> TrainingSet {
        let noise = |at: usize| ((at * 7919 + at * at * 31) % 97) as f32 / 48.0 - 1.0;
        let label = |at: usize| (at % 2) as u32;
        let row = |at: usize| [label(at) as f32 + 0.7 * noise(at), 5.0, if at == 3 { 1e-3 } else { 0.0 }];
        TrainingSet {
            values: (0..pictures).flat_map(row).collect(),
            views: 1,
            labels: (0..pictures).map(label).collect(),
            weights: vec![1.0; pictures],
            folds: (0..pictures).map(|at| at / 2 % 5).collect(),
            classes: 2,
        }
    }

    #[test]
    fn confidence_agrees_with_accuracy_on_held_out_pictures() {
        let set = overlapping(200);
        let (features, labels) = (set.values.clone(), set.labels.clone());
        let head = set.fit(|| Ok(())).unwrap();
        let guesses = crate::training::predictions::ranked(&head.held_out, 2);
        let right = guesses.iter().zip(&labels).filter(|(guesses, label)| guesses[0].class == **label as usize).count();
        let accuracy = right as f32 / 200.0;
        let confidence = guesses.iter().map(|guesses| guesses[0].probability).sum::<f32>() / 200.0;
        assert!((0.7..0.9).contains(&accuracy) && (accuracy - confidence).abs() < 0.05, "{accuracy}, {confidence}");
        // The head takes features as they come, and a feature that is nearly constant decides nothing.
        let logits = |row: &[f32]| -> Vec<f32> {
            let logit = |class| {
                head.bias[class] + row.iter().zip(head.kernel.chunks(2)).map(|(x, w)| x * w[class]).sum::<f32>()
            };
            vec![logit(0), logit(1)]
        };
        let fits =
            features.chunks(3).zip(&labels).filter(|(row, label)| argmax(&logits(row)) == **label as usize).count();
        assert!(fits.abs_diff(right) <= 6, "{fits} of 200, held out {right}");
        let [seen, unseen] = [&[0.5, 5.0, 0.0], &[0.5, 5.0, 0.01]].map(|row| logits(row));
        assert!(seen.iter().zip(&unseen).all(|(a, b)| (a - b).abs() < 0.1), "{seen:?}, {unseen:?}");
    }

    #[test]
    fn a_failed_check_ends_the_fit() {
        assert_eq!(overlapping(20).fit(|| Err(Failure::usage("stop"))).unwrap_err().message, "stop");
    }
}
