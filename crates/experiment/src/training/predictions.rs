//! What a network predicts, with probabilities.

use thawline_tensor::{
    Tensor,
    nn::{Examples, Network},
};

use crate::system::failure::{Failure, Kind, Result};

/// Refuses logits that are not finite. `name` names an example.
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

/// The classes of each example, the most probable first; equal ones in the order of the classes. `name` names an example.
pub fn guesses(network: &Network, examples: &Examples, name: impl Fn(usize) -> String) -> Result<Vec<Vec<Guess>>> {
    let predictions = network.predict(examples);
    require_finite(predictions.logits(), name)?;
    let probabilities = predictions.probabilities();
    let ranked = probabilities.data().chunks_exact(network.output().size()).map(|probabilities| {
        let guess = |(class, &probability)| Guess { class, probability };
        let mut guesses: Vec<Guess> = probabilities.iter().enumerate().map(guess).collect();
        guesses.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        guesses
    });
    Ok(ranked.collect())
}
