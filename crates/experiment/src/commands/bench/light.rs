//! Operations with little arithmetic to time, besides those of [`layers`](super::layers): dropout, the loss and the
//! optimizer, at the sizes of a training step.

use std::hint::black_box;

use thawline_tensor::{
    Buffer, Shape,
    kernels::{reference, softmax::softmax_cross_entropy},
    nn::{Dropout, Layer, Optimizer, Rule, Step},
    threads,
};

use super::{
    layers::{uniform, wide},
    steps::BATCH,
    timing::{Work, Workload},
};

/// Of the tutorial's network: features after the pooling, classes, parameters.
const FEATURES: usize = 14 * 14 * 64;
const CLASSES: usize = 5;
const PARAMETERS: usize = 1_645_125;

const RATE: f32 = 0.25;

/// An operation with its operands (features, logits or a gradient) and results.
pub struct Light {
    name: &'static str,
    /// How often each element is read or written.
    accesses: u64,
    read: Buffer,
    written: Buffer,
    run: Box<Run>,
    expected: Expected,
}

/// The operation: reads the first, writes the second.
type Run = dyn FnMut(&[f32], &mut [f32]) + Send;

/// The reference result in `f64`, computed from the operand, the result's earlier contents, and the result found.
type Expected = fn(&[f64], &[f64], &[f32]) -> Result<Vec<f64>, String>;

/// All operations, in the order of a training step.
pub fn operations() -> [Light; 3] {
    [dropout(RATE), softmax(), adam()]
}

fn dropout(rate: f32) -> Light {
    let mut layer = Dropout::new(rate);
    layer.build(&Shape::from([FEATURES]), 0).expect("any shape fits");
    let run = move |read: &[f32], written: &mut [f32]| {
        threads::for_chunks(written, FEATURES, |example, y| {
            let x = &read[example * FEATURES..][..FEATURES];
            layer.forward_training(x, y, &mut [], Step { seed: 0, step: 0, example: example as u64 });
        });
    };
    Light::new("dropout forward", 2, BATCH * FEATURES, run, |read, _, found| {
        let dropped = found.iter().filter(|&&x| x == 0.0).count() as f64 / found.len() as f64;
        if (dropped - f64::from(RATE)).abs() > 0.01 {
            return Err(format!("{dropped:.3} of the elements were dropped instead of {RATE}"));
        }
        // Which elements are kept is random; the kept ones grow by a third.
        Ok(read.iter().zip(found).map(|(x, &y)| if y == 0.0 { 0.0 } else { x / 0.75 }).collect())
    })
}

fn softmax() -> Light {
    let run = |read: &[f32], written: &mut [f32]| {
        let rows = written.chunks_exact_mut(CLASSES).zip(read.chunks_exact(CLASSES)).enumerate();
        for (example, (gradient, logits)) in rows {
            black_box(softmax_cross_entropy(logits, label(example), 1.0 / BATCH as f32, gradient));
        }
    };
    Light::new("softmax cross-entropy", 2, BATCH * CLASSES, run, |read, _, _| {
        let rows = read.chunks_exact(CLASSES).enumerate();
        let gradients = rows.map(|(example, logits)| reference::softmax_cross_entropy(logits, label(example)).1);
        Ok(gradients.flatten().map(|g| g / BATCH as f64).collect())
    })
}

fn adam() -> Light {
    let mut optimizer = Optimizer::new(Rule::ADAM, 1e-3);
    let run = move |read: &[f32], written: &mut [f32]| {
        optimizer.begin_step();
        optimizer.update(written, read, 1.0);
    };
    // The gradient is read; the value and both moments are read and written.
    Light::new("adam", 7, PARAMETERS, run, |read, before, _| {
        let update = |(&value, &g): (&f64, &f64)| reference::adam([value, 0.0, 0.0], g, 1, [1e-3, 0.9, 0.999, 1e-7])[0];
        Ok(before.iter().zip(read).map(update).collect())
    })
}

impl Light {
    fn new(
        name: &'static str,
        accesses: u64,
        len: usize,
        run: impl FnMut(&[f32], &mut [f32]) + Send + 'static,
        expected: Expected,
    ) -> Self {
        let [read, written] = [0, 1].map(|index| uniform(index, len, 1.0));
        Self { name, accesses, read, written, run: Box::new(run), expected }
    }
}

impl Workload for Light {
    fn labels(&self) -> [String; 2] {
        ["light operation", self.name].map(str::to_owned)
    }

    fn work(&self) -> Work {
        Work::traffic(self.accesses * 4 * self.read.len() as u64)
    }

    fn run(&mut self) {
        (self.run)(&self.read, &mut self.written);
    }

    fn check(&mut self) -> Result<f64, String> {
        let before = wide(&self.written);
        self.run();
        let mut worst = 0.0f64;
        for (&found, expected) in self.written.iter().zip((self.expected)(&wide(&self.read), &before, &self.written)?) {
            let error = (f64::from(found) - expected).abs();
            if error.is_nan() || error > 1e-6 {
                return Err(format!("an element is {found} instead of {expected:.6}"));
            }
            worst = worst.max(error);
        }
        Ok(worst)
    }
}

fn label(example: usize) -> usize {
    example % CLASSES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_correct_and_errors_are_detected() {
        for mut light in operations() {
            let error = light.check().unwrap_or_else(|error| panic!("{}: {error}", light.name));
            assert!(error <= 1e-6, "{}: {error:.1e}", light.name);
        }
        assert!(dropout(0.5).check().is_err());
        // The reference is for the first step, with moments of zero.
        let mut second = adam();
        second.run();
        assert!(second.check().is_err());
    }
}
