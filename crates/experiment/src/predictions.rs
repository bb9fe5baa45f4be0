//! What a network takes pictures for, and how sure it is.

use thawline_tensor::{
    Tensor,
    kernels::softmax::softmax,
    nn::{Examples, Network, predict},
};

use crate::failure::{Failure, Kind, Result};

/// Refuses logits of which one is not a finite number.
///
/// # Errors
/// The first example with one; `name` names it.
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
    /// The number of the class.
    pub class: usize,
    /// Its probability, from the softmax of the network's outputs.
    pub probability: f32,
}

/// For each example the guesses, the likeliest first; of equals, in the order of the classes.
///
/// # Errors
/// The first example for which the network gives what is not a number; `name` names it.
pub fn guesses(network: &Network, examples: &Examples, name: impl Fn(usize) -> String) -> Result<Vec<Vec<Guess>>> {
    let classes = network.output().size();
    let mut probabilities = vec![0.0; classes];
    let logits = predict(network, examples);
    require_finite(&logits, name)?;
    let ranked = logits.data().chunks_exact(classes).map(|logits| {
        softmax(logits, &mut probabilities);
        let mut guesses: Vec<Guess> =
            probabilities.iter().enumerate().map(|(class, &probability)| Guess { class, probability }).collect();
        guesses.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        guesses
    });
    Ok(ranked.collect())
}
