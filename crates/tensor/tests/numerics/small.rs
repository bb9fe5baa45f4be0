//! A small training run that covers most of the engine: convolutions with and without a stride, fused layers, dropout
//! on both sides of the first dense layer, and a last batch that is smaller than the others.

use sha2::{Digest, Sha256};
use thawline_tensor::Tensor;
use thawline_tensor::nn::{
    Activation, Backward, Conv2D, Dense, Dropout, EpochReport, Examples, Fit, Flatten, History, MaxPooling2D, Network,
    Observer, Padding, Rule, Schedule, StepReport, StopReason,
};

use crate::data::{bits, reals};

pub const CLASSES: usize = 5;

pub const IMAGE: [usize; 3] = [12, 11, 3];

/// A convolution of few channels, one of many, one with a stride; a pool, dropout and two dense layers.
pub fn network() -> Network {
    Network::builder(IMAGE)
        .layer("conv_1", Conv2D::new(16, [3, 3]))
        .layer("relu_1", Activation::Relu)
        .layer("conv_2", Conv2D::new(20, [3, 3]).padding(Padding::Same))
        .layer("relu_2", Activation::Relu)
        .layer("pool", MaxPooling2D::new([2, 2]))
        .layer("conv_3", Conv2D::new(18, [2, 3]).stride([1, 2]))
        .layer("dropout_1", Dropout::new(0.25))
        .layer("flatten", Flatten)
        .layer("dense_1", Dense::new(24))
        .layer("relu_3", Activation::Relu)
        .layer("dropout_2", Dropout::new(0.5))
        .layer("dense_2", Dense::new(CLASSES))
        .build(11)
        .expect("the network fits together")
}

/// Random images with random labels.
pub fn examples(n: usize) -> Examples<'static> {
    let mut random = bits("labels");
    let labels = (0..n).map(|_| random.below(CLASSES as u64) as u32).collect();
    let [h, w, c] = IMAGE;
    Examples::new(Tensor::from_slice([n, h, w, c], &reals("images", n * h * w * c)), labels)
}

/// 70 examples make batches of 32, 32 and 6.
pub const FIT: Fit = Fit {
    epochs: 2,
    batch_size: 32,
    seed: 5,
    rule: Rule::ADAM,
    rate: 1e-3,
    schedule: Schedule::Constant,
    cached: true,
    patience: None,
};

/// All numbers that training reports, except times.
#[derive(Debug, Default, PartialEq)]
pub struct Log {
    /// Examples seen in the epoch, and the running loss and accuracy, of every step.
    pub steps: Vec<(usize, f64, f64)>,
    /// Training and validation loss and accuracy of every epoch.
    pub epochs: Vec<[f64; 4]>,
}

impl Observer for Log {
    fn step(&mut self, report: &StepReport) -> Result<(), StopReason> {
        self.steps.push((report.examples, report.running.loss, report.running.accuracy));
        Ok(())
    }
}

/// The losses and accuracies of every epoch.
pub fn metrics(history: &History) -> Vec<[f64; 4]> {
    let of = |report: &EpochReport| {
        let (training, validation) = (report.training, report.validation.unwrap_or_default());
        [training.loss, training.accuracy, validation.loss, validation.accuracy]
    };
    history.epochs.iter().map(of).collect()
}

/// Trains a network, and returns what it reported.
pub fn train(network: &mut Network, options: &Fit) -> Log {
    let (mut log, validation) = (Log::default(), examples(41));
    let history = network.fit(&examples(70), options.validate(&validation).watch(&mut log)).expect("it trains");
    log.epochs = metrics(&history);
    log
}

/// The backward pass of y = x + a trainable constant: dx = dy, and the constant's gradient is the sum of dy.
pub fn add_constant_backward(pass: Backward<'_>) {
    if let Some(dx) = pass.dx {
        dx.copy_from_slice(pass.dy);
    }
    if let Some(gradient) = pass.gradient {
        let before = if pass.accumulate { gradient[0] } else { 0.0 };
        gradient[0] = before + pass.dy.iter().sum::<f32>();
    }
}

/// SHA-256 of the names and values of all parameters, in hexadecimal.
pub fn digest(network: &Network) -> String {
    let mut hash = Sha256::new();
    for (name, param) in network.params() {
        hash.update(name);
        param.value.iter().for_each(|x| hash.update(x.to_le_bytes()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
