//! A network's training pass, one layer after the other: a plain counterpart of the engine's
//! `Trace`, to compare it with.

use thawline_tensor::kernels::softmax::softmax_cross_entropy;
use thawline_tensor::nn::{Backward, Network, Node, Step};

/// The step that tests use; it is not the first.
pub const STEP: Step = Step { seed: 3, step: 4, example: 0 };

/// The results of a pass over a batch.
pub struct Pass {
    /// The output of the last node.
    pub logits: Vec<f32>,
    /// The gradient with respect to the network's input.
    pub dx: Vec<f32>,
    /// The gradients of each node's parameters, one after the other.
    pub gradients: Vec<Vec<f32>>,
}

impl Pass {
    /// The gradient of each learned parameter with its full name.
    pub fn named_gradients(&self, network: &Network) -> Vec<(String, Vec<f32>)> {
        let all = self.gradients.concat();
        let mut rest = all.iter().copied();
        let learned = network.params().filter(|(_, param)| !param.statistic);
        learned.map(|(name, param)| (name, rest.by_ref().take(param.value.len()).collect())).collect()
    }
}

/// Forward over `n` examples, and backward from dlogits.
pub fn pass(network: &Network, x: &[f32], n: usize, dlogits: &[f32]) -> Pass {
    pass_at(network, x, n, STEP, |_| dlogits.to_vec())
}

/// The same at a step, with dlogits as a function of the logits.
pub fn pass_at(network: &Network, x: &[f32], n: usize, step: Step, dlogits: impl Fn(&[f32]) -> Vec<f32>) -> Pass {
    let nodes = network.nodes();
    // As in the engine, a layer gets one example at a time unless it asks for the whole batch.
    let parts = |node: &Node| if node.layer().prefers_whole_batch() { 1 } else { n };
    let at = |part: usize| Step { example: step.example + part as u64, ..step };
    let (mut activations, mut saved_by_node) = (vec![x.to_vec()], Vec::new());
    for node in nodes {
        let (x, mut y) = (activations.last().expect("x"), nans(n * node.output().size()));
        let (x_len, y_len) = (x.len() / parts(node), y.len() / parts(node));
        let mut saved = vec![nans(node.layer().saved_len(n / parts(node))); parts(node)];
        for (part, saved) in saved.iter_mut().enumerate() {
            let (x, y) = (&x[part * x_len..][..x_len], &mut y[part * y_len..][..y_len]);
            node.layer().forward_training(x, y, saved, at(part));
        }
        activations.push(y);
        saved_by_node.push(saved);
    }
    let mut gradients = Vec::new();
    let mut dy = dlogits(activations.last().expect("x"));
    for (index, node) in nodes.iter().enumerate().rev() {
        let (layer, x, y) = (node.layer(), &activations[index], &activations[index + 1]);
        let mut dx = nans(x.len());
        let mut gradient = nans(layer.gradient_len());
        let (x_len, y_len) = (x.len() / parts(node), y.len() / parts(node));
        for (part, saved) in saved_by_node[index].iter().enumerate() {
            layer.backward(Backward {
                x: &x[part * x_len..][..x_len],
                y: &y[part * y_len..][..y_len],
                saved,
                dy: &mut dy[part * y_len..][..y_len],
                dx: Some(&mut dx[part * x_len..][..x_len]),
                gradient: Some(&mut gradient),
                accumulate: part > 0,
                step: at(part),
            });
        }
        layer.finish_gradient(&mut gradient);
        gradient.truncate(layer.params().iter().filter(|param| !param.statistic).map(|param| param.value.len()).sum());
        gradients.insert(0, gradient);
        dy = dx;
    }
    Pass { logits: activations.pop().expect("a network has a layer"), dx: dy, gradients }
}

/// The mean loss of logits, and its gradient.
pub fn loss_and_dlogits(logits: &[f32], labels: &[u32]) -> (f64, Vec<f32>) {
    let (classes, scale) = (logits.len() / labels.len(), 1.0 / labels.len() as f32);
    let mut dlogits = nans(logits.len());
    let rows = logits.chunks(classes).zip(dlogits.chunks_mut(classes)).zip(labels);
    let losses = rows.map(|((z, dz), &label)| softmax_cross_entropy(z, label as usize, scale, dz));
    (losses.sum::<f64>() / labels.len() as f64, dlogits)
}

fn nans(len: usize) -> Vec<f32> {
    vec![f32::NAN; len]
}
