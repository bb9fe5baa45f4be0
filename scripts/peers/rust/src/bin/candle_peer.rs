//! The tutorial's network in candle.

use std::{error::Error, io};

use candle_core::{Device, Result, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, loss::cross_entropy, ops::dropout};
use serde_json::json;
use thawline_peers::{batch, serve};

/// Kernels and biases of two convolutions and two dense layers.
struct Network(Vec<Var>);

impl Network {
    /// Glorot-uniform kernels, zero biases.
    fn new(device: &Device) -> Result<Self> {
        let mut parameters = Vec::new();
        for (shape, fan_in, fan_out) in [
            (vec![64, 3, 3, 3], 27, 576),
            (vec![64, 64, 3, 3], 576, 576),
            (vec![128, 64 * 14 * 14], 64 * 14 * 14, 128),
            (vec![5, 128], 128, 5),
        ] {
            let limit = (6.0 / (fan_in + fan_out) as f32).sqrt();
            let outputs = shape[0];
            parameters.push(Var::from_tensor(&Tensor::rand(-limit, limit, shape, device)?)?);
            parameters.push(Var::from_tensor(&Tensor::zeros(outputs, candle_core::DType::F32, device)?)?);
        }
        Ok(Self(parameters))
    }

    fn parameter(&self, index: usize, frozen: bool) -> Tensor {
        if frozen { self.0[index].as_tensor().detach() } else { self.0[index].as_tensor().clone() }
    }

    fn features(&self, images: &Tensor, frozen: bool) -> Result<Tensor> {
        let mut x = images.clone();
        for layer in [0, 2] {
            let bias = self.parameter(layer + 1, frozen).reshape((1, 64, 1, 1))?;
            x = x.conv2d(&self.parameter(layer, frozen), 0, 1, 1, 1)?.broadcast_add(&bias)?.relu()?;
        }
        x.max_pool2d(2)
    }

    fn forward(&self, images: &Tensor, frozen: bool) -> Result<Tensor> {
        let dense = |x: &Tensor, index: usize| {
            x.matmul(&self.parameter(index, false).t()?)?.broadcast_add(&self.parameter(index + 1, false))
        };
        let features = dropout(&self.features(images, frozen)?, 0.25)?.flatten_from(1)?;
        dense(&dropout(&dense(&features, 4)?.relu()?, 0.25)?, 6)
    }
}

/// A training step of a new network.
fn step(images: &Tensor, labels: &Tensor, frozen: bool) -> Result<impl FnMut()> {
    let (images, labels, network) = (images.clone(), labels.clone(), Network::new(images.device())?);
    let adam = ParamsAdamW { lr: 1e-3, weight_decay: 0.0, eps: 1e-7, ..Default::default() };
    let mut optimizer = AdamW::new(network.0[if frozen { 4 } else { 0 }..].to_vec(), adam)?;
    Ok(move || {
        let logits = network.forward(&images, frozen).expect("the shapes fit");
        let loss = cross_entropy(&logits, &labels).expect("the shapes fit");
        optimizer.backward_step(&loss).expect("the gradients fit");
    })
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let (batch, device) = (batch(), Device::Cpu);
    let images = Tensor::rand(0f32, 1.0, (batch, 3, 32, 32), &device)?;
    let labels: Vec<u32> = (0..batch as u32).map(|i| i % 5).collect();
    let labels = Tensor::from_vec(labels, batch, &device)?;
    let inference = Network::new(&device)?;
    let features = || drop(inference.features(&images, true).expect("the shapes fit"));
    serve(
        json!({ "peer": "candle", "variant": "cpu", "version": "0.11.1" }),
        vec![
            ("model_1", Box::new(step(&images, &labels, false)?)),
            ("model_2", Box::new(step(&images, &labels, true)?)),
            ("features", Box::new(features)),
        ],
    )
    .map_err(|error: io::Error| error.into())
}
