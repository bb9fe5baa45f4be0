//! Other memory-bound operations to time, in the sizes of a training step: dropout, the loss, the optimizer.

use std::{fmt, hint::black_box};

use thawline_tensor::{
    Buffer, Shape,
    kernels::{reference, softmax::softmax_cross_entropy},
    nn::{Dropout, Layer, Optimizer, Rule, Step},
    threads,
};

use super::timing::{Work, Workload};
use crate::system::streams::Stream;

/// Batch size.
const BATCH: usize = 128;

/// Features after the pooling; classes; all parameters.
const FEATURES: usize = 14 * 14 * 64;
const CLASSES: usize = 5;
const PARAMETERS: usize = 1_645_125;

/// Dropout rate.
const RATE: f32 = 0.25;

/// The first step.
const STEP: Step = Step { seed: 0, step: 0, example: 0 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Dropout of a quarter of a batch of features.
    Dropout,
    /// The loss of a batch and its gradient.
    Softmax,
    /// One update of all parameters.
    Adam,
}

impl Operation {
    /// In the order of a training step.
    pub const ALL: [Operation; 3] = [Operation::Dropout, Operation::Softmax, Operation::Adam];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Operation::Dropout => "dropout forward",
            Operation::Softmax => "softmax cross-entropy",
            Operation::Adam => "adam",
        })
    }
}

/// An operation with its operands (features, logits or a gradient) and results.
pub struct Light {
    operation: Operation,
    read: Buffer,
    written: Buffer,
    dropout: Dropout,
    optimizer: Optimizer,
}

impl Light {
    /// Prepares an operation on random numbers.
    pub fn new(operation: Operation) -> Self {
        let len = match operation {
            Operation::Dropout => BATCH * FEATURES,
            Operation::Softmax => BATCH * CLASSES,
            Operation::Adam => PARAMETERS,
        };
        let mut dropout = Dropout::new(RATE);
        dropout.build(&Shape::from([FEATURES]), 0).expect("any shape fits");
        let [read, written] = [0, 1].map(|index| uniform(index, len));
        Self { operation, read, written, dropout, optimizer: Optimizer::new(Rule::ADAM, 1e-3) }
    }

    /// The result of simple loops in `f64`. `before` are the values before the operation.
    fn expected(&self, before: &[f32]) -> Vec<f64> {
        let wide = |floats: &[f32]| floats.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let read = wide(&self.read);
        match self.operation {
            // Dropout is random; the kept elements are scaled by 4/3.
            Operation::Dropout => {
                read.iter().zip(&*self.written).map(|(x, &y)| if y == 0.0 { 0.0 } else { x / 0.75 }).collect()
            }
            Operation::Softmax => {
                let gradients = read
                    .chunks_exact(CLASSES)
                    .enumerate()
                    .map(|(example, logits)| reference::softmax_cross_entropy(logits, label(example)).1);
                gradients.flatten().map(|g| g / BATCH as f64).collect()
            }
            Operation::Adam => {
                let update =
                    |(&value, &g): (&f64, &f64)| reference::adam([value, 0.0, 0.0], g, 1, [1e-3, 0.9, 0.999, 1e-7])[0];
                wide(before).iter().zip(&read).map(update).collect()
            }
        }
    }
}

impl Workload for Light {
    fn group(&self) -> String {
        "light operation".to_owned()
    }

    fn name(&self) -> String {
        self.operation.to_string()
    }

    fn work(&self) -> Work {
        let accesses = match self.operation {
            Operation::Dropout | Operation::Softmax => 2,
            // Reads the gradient; reads and writes the value and both moments.
            Operation::Adam => 7,
        };
        Work::traffic(accesses * 4 * self.read.len() as u64)
    }

    fn run(&mut self) {
        let Self { operation, read, written, dropout, optimizer } = self;
        match operation {
            Operation::Dropout => threads::for_chunks(written, FEATURES, |example, y| {
                let x = &read[example * FEATURES..][..FEATURES];
                dropout.forward_training(x, y, &mut [], Step { example: example as u64, ..STEP });
            }),
            Operation::Softmax => {
                let rows = written.chunks_exact_mut(CLASSES).zip(read.chunks_exact(CLASSES)).enumerate();
                for (example, (gradient, logits)) in rows {
                    black_box(softmax_cross_entropy(logits, label(example), 1.0 / BATCH as f32, gradient));
                }
            }
            Operation::Adam => {
                optimizer.begin_step();
                optimizer.update(written, read, 1.0);
            }
        }
    }

    fn check(&mut self) -> Result<f64, String> {
        let before = self.written.clone();
        self.run();
        let mut worst = 0.0f64;
        for (&found, expected) in self.written.iter().zip(self.expected(&before)) {
            let error = (f64::from(found) - expected).abs();
            if error.is_nan() || error > 1e-6 {
                return Err(format!("an element is {found} instead of {expected:.6}"));
            }
            worst = worst.max(error);
        }
        let dropped = self.written.iter().filter(|&&x| x == 0.0).count() as f64 / self.written.len() as f64;
        if self.operation == Operation::Dropout && (dropped - f64::from(RATE)).abs() > 0.01 {
            return Err(format!("{dropped:.3} of the elements were dropped instead of {RATE}"));
        }
        Ok(worst)
    }
}

fn label(example: usize) -> usize {
    example % CLASSES
}

/// Numbers between -1 and 1.
fn uniform(index: u64, len: usize) -> Buffer {
    let mut bits = Stream::BenchLight.bits(0, 0, index);
    let mut floats = Buffer::zeros(len);
    floats.iter_mut().for_each(|float| *float = 2.0 * bits.uniform() - 1.0);
    floats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_correct_and_errors_are_detected() {
        for operation in Operation::ALL {
            let mut light = Light::new(operation);
            let error = light.check().unwrap_or_else(|error| panic!("{operation}: {error}"));
            assert!(error <= 1e-6, "{operation}: {error:.1e}");
        }
        let mut wrong = Light::new(Operation::Dropout);
        wrong.dropout = Dropout::new(0.5);
        wrong.dropout.build(&Shape::from([FEATURES]), 0).unwrap();
        assert!(wrong.check().is_err());
        // The reference assumes the first step, with zero moments.
        let mut second = Light::new(Operation::Adam);
        second.run();
        assert!(second.check().is_err());
    }
}
