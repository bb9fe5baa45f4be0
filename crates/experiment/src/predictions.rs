//! What a network takes pictures for, and how sure it is.

use thawline_tensor::{
    kernels::softmax::softmax,
    nn::{Examples, Network, predict},
};

/// A class and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// The number of the class.
    pub class: usize,
    /// Its probability, from the softmax of the network's outputs.
    pub probability: f32,
}

/// For each example the guesses, the likeliest first; of equals, in the order of the classes.
pub fn guesses(network: &Network, examples: &Examples) -> Vec<Vec<Guess>> {
    let classes = network.output().size();
    let mut probabilities = vec![0.0; classes];
    let logits = predict(network, examples);
    let ranked = logits.data().chunks_exact(classes).map(|logits| {
        softmax(logits, &mut probabilities);
        let mut guesses: Vec<Guess> =
            probabilities.iter().enumerate().map(|(class, &probability)| Guess { class, probability }).collect();
        guesses.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        guesses
    });
    ranked.collect()
}
