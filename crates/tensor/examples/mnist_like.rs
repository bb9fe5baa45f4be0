//! A convolutional network on small grey pictures: rings, crosses and bars, drawn at random places under noise.

use thawline_tensor::Tensor;
use thawline_tensor::nn::{
    Activation, BatchNormalization, Conv2D, Dense, Dropout, EpochReport, Examples, Fit, Flatten, MaxPooling2D, Network,
    Observer, StopEarly, StopReason,
};
use thawline_tensor::random::{Address, Purpose};

/// Pictures of three kinds, in turn.
fn pictures(count: usize, seed: u64) -> Examples<'static> {
    let mut pixels = Vec::new();
    for index in 0..count {
        let mut bits = Address { seed, purpose: Purpose::Other(0), step: 0, index: index as u64 }.bits();
        let [row, column] = [0; 2].map(|_| 5 + bits.below(6) as i64);
        for place in 0..16 * 16 {
            let (down, right) = ((place / 16) as i64 - row, (place % 16) as i64 - column);
            let ring = (9..=17).contains(&(down * down + right * right));
            let [cross, bar] = [down.abs() == right.abs(), right == 0].map(|on| on && down.abs() < 5);
            let ink = [ring, cross, bar][index % 3];
            pixels.push(0.7 * bits.uniform() + if ink { 0.6 } else { 0.0 });
        }
    }
    let labels = (0..count as u32).map(|index| index % 3);
    Examples::new(Tensor::from_slice([count, 16, 16, 1], &pixels), labels.collect())
}

/// Prints each epoch, and stops training when the accuracy is high enough.
struct Print;

impl Observer for Print {
    fn epoch(&mut self, report: &EpochReport) -> Result<(), StopReason> {
        let validation = report.validation.unwrap_or_default();
        println!("epoch {}: loss {:.3}, right {:.1} %", report.epoch, validation.loss, 100.0 * validation.accuracy);
        if validation.accuracy > 0.99 { Err(StopEarly.into()) } else { Ok(()) }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = Network::builder([16, 16, 1])
        .layer("conv", Conv2D::new(8, [3, 3]))
        .layer("norm", BatchNormalization::new().momentum(0.9))
        .layer("relu", Activation::Relu)
        .layer("pool", MaxPooling2D::new([2, 2]))
        .layer("flatten", Flatten)
        .layer("dropout", Dropout::new(0.2))
        .layer("logits", Dense::new(3))
        .build(1)?;
    let validation = pictures(300, 2);
    let options = Fit { epochs: 12, batch_size: 32, rate: 0.01, ..Fit::default() };
    network.fit(&pictures(600, 1), options.validate(&validation).watch(&mut Print))?;
    assert!(network.evaluate(&validation).accuracy > 0.99);
    Ok(())
}

#[test]
fn runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}
