//! What a network predicts, with probabilities.

use thawline_tensor::{
    Tensor,
    kernels::softmax::softmax,
    nn::{Examples, Network},
};

use crate::{
    record::{run::ConfusionMatrix, scores::Scores},
    system::failure::{Failure, Kind, Result},
};

/// Refuses logits that are not finite. `name` gives an example's name for the error.
pub fn require_finite(logits: &Tensor, name: impl Fn(usize) -> String) -> Result<()> {
    let mut rows = logits.data().chunks(logits.example_shape().size());
    let Some(example) = rows.position(|row| row.iter().any(|logit| !logit.is_finite())) else { return Ok(()) };
    Err(Failure::new(
        Kind::Numeric,
        format!("{}: the model's outputs are not finite numbers: its weights are too large or damaged", name(example)),
    ))
}

/// A class and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    pub class: usize,
    pub probability: f32,
}

/// The classes of each example, the most probable first; equal ones in the order of the classes. `name` gives an
/// example's name for the error.
pub fn guesses(network: &Network, examples: &Examples, name: impl Fn(usize) -> String) -> Result<Vec<Vec<Guess>>> {
    let predictions = network.predict(examples);
    require_finite(predictions.logits(), name)?;
    Ok(ranked(predictions.logits().data(), network.output().size()))
}

/// The classes of each row of logits, the most probable first.
pub fn ranked(logits: &[f32], classes: usize) -> Vec<Vec<Guess>> {
    let mut probabilities = vec![0.0; classes];
    let ranked = logits.chunks_exact(classes).map(|logits| {
        softmax(logits, &mut probabilities);
        let guess = |(class, &probability)| Guess { class, probability };
        let mut guesses: Vec<Guess> = probabilities.iter().enumerate().map(guess).collect();
        // By logit: probabilities of different logits may be equal. Adding 0 makes -0 equal to 0.
        guesses.sort_by(|a, b| (logits[b.class] + 0.0).total_cmp(&(logits[a.class] + 0.0)));
        guesses
    });
    ranked.collect()
}

/// The confusion matrix and the scores of some predictions.
pub fn judge(classes: &[String], labels: &[u32], guesses: &[Vec<Guess>]) -> (ConfusionMatrix, Scores) {
    let confusion = ConfusionMatrix::of(classes.to_vec(), labels, guesses.iter().map(|guesses| guesses[0].class));
    let confidence = guesses.iter().map(|guesses| f64::from(guesses[0].probability) / labels.len() as f64).sum();
    let scores = Scores::of(&confusion, confidence);
    (confusion, scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ranked_by_logit_and_equal_ones_stay_in_order() {
        let order = |logits: &[f32]| ranked(logits, 3)[0].iter().map(|guess| guess.class).collect::<Vec<_>>();
        assert_eq!(order(&[0.0, -300.0, -200.0]), [0, 2, 1], "both probabilities underflow");
        assert_eq!(order(&[0.0, 1e-9, -1.0]), [1, 0, 2], "the probabilities are equal");
        assert_eq!(order(&[-0.0, 0.0, 1.0]), [2, 0, 1]);
    }
}
