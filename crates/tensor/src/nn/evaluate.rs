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
    /// Loss and accuracy on some examples. Evaluation stops at the first batch whose loss is not finite; the loss of
    /// all is then not finite either, and the examples of later batches count as wrong. Without examples, both are 0.
    ///
    /// # Panics
    /// If the examples have another shape than the network's input, are features of another network's frozen prefix, or
    /// have a label that is not a class, or if memory runs out.
    pub fn evaluate(&self, examples: &Examples) -> Metrics {
        let nodes = self.nodes_for(examples);
        let batch = evaluation_batch(nodes).min(examples.len());
        let mut trace = Trace::for_inference(nodes, examples.inputs().shape().size(), batch);
        evaluate(nodes, &mut trace, examples)
    }

    /// The logits, probabilities and classes of some examples.
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
    /// If the examples have another shape than the network's input or are features of another network's frozen prefix,
    /// or if memory runs out.
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
        let Some(prefix) = examples.features_of() else {
            let (input, given) = (&self.input, examples.inputs().shape());
            assert_eq!(input, given, "the network takes inputs of {input}, and the examples are of {given}");
            return &self.nodes;
        };
        let fits = prefix == self.prefix().fingerprint();
        assert!(fits, "the examples are features of another frozen prefix than this network's");
        &self.nodes[self.thawline()..]
    }
}

/// Computes loss and accuracy with an existing trace of the nodes. Stops at the first batch whose loss is not finite:
/// the loss of all is not finite either, and the trace still holds the outputs of that batch.
pub(super) fn evaluate(nodes: &[Node], trace: &mut Trace, examples: &Examples) -> Metrics {
    let all: Vec<u32> = (0..examples.len() as u32).collect();
    let mut sum = Score::default();
    for batch in all.chunks(trace.batch().max(1)) {
        trace.forward(nodes, examples, batch, None);
        sum = sum + trace.score(examples.labels_at(batch));
        if !sum.loss.is_finite() {
            break;
        }
    }
    sum.mean(examples.len())
}
