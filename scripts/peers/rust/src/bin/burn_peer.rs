//! The tutorial's network in burn, with its `flex` back end.

use std::{cell::RefCell, io};

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn::tensor::{Distribution, Int, TensorData};
use serde_json::json;
use thawline_peers::{batch, serve};

#[derive(Module, Debug)]
struct Network {
    conv_1: Conv2d,
    conv_2: Conv2d,
    pool: MaxPool2d,
    dropout: Dropout,
    dense_1: Linear,
    dense_2: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        Self {
            conv_1: Conv2dConfig::new([3, 64], [3, 3]).init(device),
            conv_2: Conv2dConfig::new([64, 64], [3, 3]).init(device),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            dropout: DropoutConfig::new(0.25).init(),
            dense_1: LinearConfig::new(64 * 14 * 14, 128).init(device),
            dense_2: LinearConfig::new(128, 5).init(device),
        }
    }

    fn frozen(mut self) -> Self {
        self.conv_1 = self.conv_1.freeze();
        self.conv_2 = self.conv_2.freeze();
        self
    }

    fn features(&self, images: Tensor<4>) -> Tensor<4> {
        self.pool.forward(relu(self.conv_2.forward(relu(self.conv_1.forward(images)))))
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let features = self.dropout.forward(self.features(images)).flatten(1, 3);
        self.dense_2.forward(self.dropout.forward(relu(self.dense_1.forward(features))))
    }
}

fn main() -> io::Result<()> {
    let (batch, device) = (batch(), Device::flex());
    let training = device.clone().autodiff();
    let images = Tensor::<4>::random([batch, 3, 32, 32], Distribution::Uniform(0.0, 1.0), &training);
    let labels: Vec<i64> = (0..batch as i64).map(|i| i % 5).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::from(&labels[..]), &training);
    let loss = CrossEntropyLossConfig::new().init(&training);

    let step = |network: Network| {
        let (images, labels, loss, device) = (images.clone(), labels.clone(), loss.clone(), device.clone());
        let (network, mut optimizer) = (RefCell::new(Some(network)), AdamConfig::new().with_epsilon(1e-7).init());
        move || {
            let before = network.take().expect("a network");
            let loss = loss.forward(before.forward(images.clone()), labels.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &before);
            network.replace(Some(optimizer.step(1e-3, before, gradients)));
            device.sync().expect("the step ends");
        }
    };
    let network = Network::new(&training);
    let (inference, pixels) = (network.valid(), images.clone().inner());
    let features = || {
        inference.features(pixels.clone());
        device.sync().expect("the features are computed");
    };
    serve(
        json!({ "peer": "burn", "variant": "flex", "version": "0.22.1" }),
        vec![
            ("model_1", Box::new(step(network.clone()))),
            ("model_2", Box::new(step(network.clone().frozen()))),
            ("features", Box::new(features)),
        ],
    )
}
