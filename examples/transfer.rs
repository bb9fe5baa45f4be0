//! The experiment with the libraries: train a network on five classes of pictures, freeze its features, and train a new head
//! on the other five.
//!
//!     cargo run --release --example transfer [CIFAR-10 archive or folder]

use std::{env, path::PathBuf};

use thawline::data::{open, selection};
use thawline_drawings::Size;
use thawline_tensor::nn::{Activation, Conv2D, Dense, Fit, Flatten, MaxPooling2D, Network};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The pictures at a path, or else drawings generated from a seed.
    let dataset = match env::args_os().nth(1).map(PathBuf::from).filter(|path| path.exists()) {
        Some(path) => open::named(&path)?.dataset,
        None => open::draw(1, Size { train: 2000, test: 500 })?,
    };
    let [source, target] = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]];
    let train = |classes| selection::examples(dataset.train(), classes);
    let test = |classes| selection::examples(dataset.test(), classes);

    let mut model_1 = Network::builder([32, 32, 3])
        .layer("conv2d_1", Conv2D::new(16, [3, 3]))
        .layer("activation_1", Activation::Relu)
        .layer("conv2d_2", Conv2D::new(16, [3, 3]))
        .layer("activation_2", Activation::Relu)
        .layer("max_pooling2d_1", MaxPooling2D::new([2, 2]))
        .layer("flatten_1", Flatten)
        .layer("dense_1", Dense::new(5))
        .build(1)?;
    let options = Fit { epochs: 5, batch_size: 32, ..Fit::default() };
    model_1.fit(&train(&source), options.validate(&test(&source)))?;
    println!("model_1: accuracy {:.1} % on the source classes", 100.0 * model_1.evaluate(&test(&source)).accuracy);

    let mut model_2 = model_1.clone().replace_head("dense_1")?.layer("dense_2", Dense::new(5)).build(2)?;
    model_2.freeze_through("flatten_1")?;
    let history = model_2.fit(&train(&target), options.validate(&test(&target)))?;
    let accuracy = model_2.evaluate(&test(&target)).accuracy;
    println!("model_2: accuracy {:.1} % on the target classes", 100.0 * accuracy);
    println!("its features took {:.2?}, its training {:.2?}", history.features, history.total - history.features);
    assert!(accuracy > 0.3, "chance is 20 %");
    Ok(())
}

#[test]
fn runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}
