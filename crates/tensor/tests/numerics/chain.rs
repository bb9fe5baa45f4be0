//! A network's forward and backward pass, one layer after the other over the whole batch, with every activation and
//! every gradient in the open: the plain counterpart of the engine's `Trace`, which it is also compared with.

use thawline_tensor::nn::{Backward, Layer, Network, Step};

/// The step that tests take: a place in the training that is none of the usual zeros.
pub const STEP: Step = Step { seed: 3, step: 4, example: 0 };

/// What a pass over a batch gave.
pub struct Pass {
    /// The output of each node.
    pub outputs: Vec<Vec<f32>>,
    /// What each node noted.
    memories: Vec<Vec<u8>>,
    /// The gradient for the network's input, once backward has run.
    pub input_gradient: Vec<f32>,
    /// The gradients of each node's parameters, one after the other, once backward has run.
    pub gradients: Vec<Vec<f32>>,
}

impl Pass {
    /// The output of the last node.
    pub fn logits(&self) -> &[f32] {
        self.outputs.last().expect("a network has a layer")
    }
}

/// The floats of one example's output of each node.
pub fn output_lens(network: &Network) -> Vec<usize> {
    let rows = network.summary().rows;
    let starts =
        network.nodes().iter().map(|node| rows.iter().position(|row| row.name == node.name()).expect("a layer"));
    let ends = starts.skip(1).chain([rows.len()]);
    ends.map(|end| rows[end - 1].output.size()).collect()
}

/// A training pass forward over `n` examples.
pub fn forward(network: &Network, x: &[f32], n: usize, step: Step) -> Pass {
    let mut pass =
        Pass { outputs: Vec::new(), memories: Vec::new(), input_gradient: Vec::new(), gradients: Vec::new() };
    for (node, len) in network.nodes().iter().zip(output_lens(network)) {
        let (mut y, mut memory) = (vec![f32::NAN; n * len], vec![u8::MAX; n * node.layer().memory_len()]);
        node.layer().forward(pass.outputs.last().map_or(x, Vec::as_slice), &mut y, &mut memory, step);
        pass.outputs.push(y);
        pass.memories.push(memory);
    }
    pass
}

/// The backward pass from the gradient of the logits.
pub fn backward(network: &Network, pass: &mut Pass, x: &[f32], dlogits: &[f32], step: Step) {
    let mut dy = dlogits.to_vec();
    for (index, node) in network.nodes().iter().enumerate().rev() {
        let x = if index == 0 { x } else { &pass.outputs[index - 1] };
        let mut dx = vec![f32::NAN; x.len()];
        let mut gradient = vec![f32::NAN; node.layer().gradient_len()];
        node.layer().backward(Backward {
            x,
            y: &pass.outputs[index],
            memory: &pass.memories[index],
            dy: &mut dy,
            dx: Some(&mut dx),
            gradient: Some(&mut gradient),
            accumulate: false,
            step,
        });
        node.layer().finish_gradient(&mut gradient);
        gradient.truncate(parameters(node.layer()));
        pass.gradients.insert(0, gradient);
        dy = dx;
    }
    pass.input_gradient = dy;
}

/// How many numbers a layer can learn.
pub fn parameters(layer: &dyn Layer) -> usize {
    layer.params().iter().filter(|param| !param.statistic).map(|param| param.value.len()).sum()
}
