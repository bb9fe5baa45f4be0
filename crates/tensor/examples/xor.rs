//! The smallest problem that needs a hidden layer: exclusive or.

use thawline_tensor::Tensor;
use thawline_tensor::nn::{Activation, Dense, Examples, Fit, Network};

const INPUTS: [f32; 8] = [0., 0., 0., 1., 1., 0., 1., 1.];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = Network::builder([2])
        .layer("hidden", Dense::new(16))
        .layer("relu", Activation::Relu)
        .layer("logits", Dense::new(2))
        .build(1)?;
    println!("{}\n", network.summary());

    let examples = Examples::new(Tensor::from_slice([4, 2], &INPUTS), vec![0, 1, 1, 0]);
    let before = network.evaluate(&examples);
    network.fit(&examples, Fit { epochs: 300, rate: 0.02, ..Fit::default() })?;
    let after = network.evaluate(&examples);
    println!("loss {:.3} before, {:.3} after 300 steps", before.loss, after.loss);

    for (input, class) in INPUTS.chunks(2).zip(network.predict(&examples).classes()) {
        println!("{} xor {} = {class}", input[0], input[1]);
    }
    assert_eq!(after.accuracy, 1.0);
    Ok(())
}

#[test]
fn runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}
