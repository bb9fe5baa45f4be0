//! Scoring and predicting. Both take examples, or [features](Examples::through) of them.

use crate::kernels::softmax::{argmax, softmax};
use crate::tensor::Tensor;

use super::examples::Examples;
use super::memory::evaluation_batch;
use super::network::{Network, Node};
use super::score::{Metrics, Score};
use super::trace::Trace;

/// What a network predicts for some examples.
#[derive(Clone, Debug)]
pub struct Predictions(Tensor);

impl Predictions {
    /// The outputs of the last layer, examples x classes.
    pub fn logits(&self) -> &Tensor {
        &self.0
    }

    /// Their softmax, examples x classes.
    pub fn probabilities(&self) -> Tensor {
        let mut probabilities = self.0.clone();
        let classes = self.0.example_shape().size();
        let rows = self.0.data().chunks_exact(classes).zip(probabilities.data_mut().chunks_exact_mut(classes));
        rows.for_each(|(logits, probabilities)| softmax(logits, probabilities));
        probabilities
    }

    /// The most likely class of each example; the first if several are equal.
    pub fn classes(&self) -> Vec<u32> {
        self.0.data().chunks_exact(self.0.example_shape().size()).map(|logits| argmax(logits) as u32).collect()
    }
}

impl Network {
    /// Loss and accuracy on some examples of the network's input shape. Those of another shape panic or give
    /// meaningless numbers; [`Network::fit`] refuses them.
    ///
    /// # Panics
    /// If the examples are features of another network's frozen prefix, or have a label that is not a class.
    pub fn evaluate(&self, examples: &Examples) -> Metrics {
        let nodes = self.nodes_for(examples);
        let batch = evaluation_batch(nodes).min(examples.len());
        let mut trace = Trace::for_inference(nodes, examples.inputs().shape().size(), batch);
        evaluate(nodes, &mut trace, examples)
    }

    /// The logits, probabilities and classes of some examples of the network's input shape. Those of another shape
    /// panic or give meaningless numbers.
    ///
    /// ```
    /// # use thawline_tensor::{Tensor, nn::{Dense, Examples, Network}};
    /// let network = Network::builder([4]).layer("logits", Dense::new(3)).build(1)?;
    /// let flowers = Examples::new(Tensor::from_slice([2, 4], &[5.1, 3.5, 1.4, 0.2, 6.2, 2.9, 4.3, 1.3]), vec![0, 1]);
    /// let predictions = network.predict(&flowers);
    /// assert_eq!(predictions.probabilities().shape().dims(), [2, 3]);
    /// assert_eq!(predictions.classes().len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the examples are features of another network's frozen prefix.
    pub fn predict(&self, examples: &Examples) -> Predictions {
        let nodes = self.nodes_for(examples);
        let (classes, batch) = (self.output().size(), evaluation_batch(nodes).min(examples.len()).max(1));
        let mut trace = Trace::for_inference(nodes, examples.inputs().shape().size(), batch);
        let mut logits = Tensor::zeros([examples.len(), classes]);
        let all: Vec<u32> = (0..examples.len() as u32).collect();
        for (batch, logits) in all.chunks(batch).zip(logits.data_mut().chunks_mut(batch * classes)) {
            trace.forward(nodes, examples, batch, None);
            logits.copy_from_slice(trace.logits());
        }
        Predictions(logits)
    }

    /// All nodes for inputs, the head's for features.
    fn nodes_for(&self, examples: &Examples) -> &[Node] {
        let fits = examples.features_of().is_none_or(|of| of == self.prefix().fingerprint());
        assert!(fits, "the examples are features of another frozen prefix than this network's");
        &self.nodes[if examples.features_of().is_some() { self.thawline() } else { 0 }..]
    }
}

/// Computes loss and accuracy with an existing trace of the nodes.
pub(super) fn evaluate(nodes: &[Node], trace: &mut Trace, examples: &Examples) -> Metrics {
    let all: Vec<u32> = (0..examples.len() as u32).collect();
    let mut sum = Score::default();
    for batch in all.chunks(trace.batch().max(1)) {
        trace.forward(nodes, examples, batch, None);
        sum = sum + trace.score(examples.labels_at(batch));
    }
    sum.mean(examples.len())
}
