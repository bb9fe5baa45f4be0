//! A layer of your own: LeakyReLU, its gradient checked against finite differences, in a network that learns.

use thawline_tensor::Tensor;
use thawline_tensor::nn::{Backward, Dense, Examples, Fit, Layer, Network, check_gradients};

/// y = x where x > 0, else slope x.
#[derive(Clone, Debug)]
struct LeakyReLU {
    slope: f32,
}

impl Layer for LeakyReLU {
    /// y = x where x > 0, else slope x
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = if x > 0.0 { x } else { self.slope * x };
        }
    }

    /// dx = dy where x > 0, else slope dy
    fn backward(&self, pass: Backward<'_>) {
        let Some(dx) = pass.dx else { return };
        for ((dx, &dy), &x) in dx.iter_mut().zip(&*pass.dy).zip(pass.x) {
            *dx = if x > 0.0 { dy } else { self.slope * dy };
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    check_gradients(LeakyReLU { slope: 0.1 }, [5, 4, 3])?;

    let mut network = Network::builder([2])
        .layer("hidden", Dense::new(16))
        .layer("leaky", LeakyReLU { slope: 0.1 })
        .layer("logits", Dense::new(2))
        .build(1)?;
    println!("{}", network.summary());
    let xor = Tensor::from_slice([4, 2], &[0., 0., 0., 1., 1., 0., 1., 1.]);
    let xor = Examples::new(xor, vec![0, 1, 1, 0]);
    network.fit(&xor, Fit { epochs: 300, rate: 0.02, ..Fit::default() })?;
    assert_eq!(network.predict(&xor).classes(), xor.labels());
    Ok(())
}

#[test]
fn runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}
