//! The tutorial's notebook, cell by cell, with the libraries: a network learns classes 0 to 4; its features are frozen,
//! and its head learns classes 5 to 9. docs/tutorial.md puts the original's cells beside these.
//!
//!     cargo run --release --example tutorial [CIFAR-10 archive or folder]

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    time::Duration,
};

use thawline::data::{open, selection};
use thawline_drawings::Size;
use thawline_tensor::nn::{
    Activation, Conv2D, Dense, Dropout, Examples, Fit, FitError, Flatten, MaxPooling2D, Network,
};

fn main() -> Result<(), Box<dyn Error>> {
    tutorial(env::args_os().nth(1).map(PathBuf::from).as_deref())
}

fn tutorial(path: Option<&Path>) -> Result<(), Box<dyn Error>> {
    // Filters, kernel size and pool size
    let (filters, kernel, pool) = (64, [3, 3], [2, 2]);

    // Load the data: the pictures at the path or, without a path, a few drawings from a seed, with fewer epochs and
    // smaller batches
    let (dataset, epochs, batch_size) = match path {
        Some(path) => (open::named(path)?.dataset, 20, 128),
        None => (open::draw(1, Size { train: 1500, test: 300 })?, 3, 32),
    };

    // Two data sets: classes below 5, and classes from 5 on, counted from 0 again
    let [below_5, from_5] = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]];
    let train = |classes| selection::examples(dataset.train(), classes);
    let test = |classes| selection::examples(dataset.test(), classes);

    // Feature layers and classification layers. Softmax is part of the loss.
    let mut model_1 = Network::builder([32, 32, 3])
        .layer("conv2d_1", Conv2D::new(filters, kernel))
        .layer("activation_1", Activation::Relu)
        .layer("conv2d_2", Conv2D::new(filters, kernel))
        .layer("activation_2", Activation::Relu)
        .layer("max_pooling2d_1", MaxPooling2D::new(pool))
        .layer("dropout_1", Dropout::new(0.25))
        .layer("flatten_1", Flatten)
        .layer("dense_1", Dense::new(128))
        .layer("activation_3", Activation::Relu)
        .layer("dropout_2", Dropout::new(0.25))
        .layer("dense_2", Dense::new(5))
        .build(1)?;
    println!("{}\n", model_1.summary());

    // Train the first model
    let options = Fit { epochs, batch_size, ..Fit::default() };
    let time_1 = train_model("model_1", &mut model_1, &train(&below_5), &test(&below_5), options)?;

    // Freeze the features. The notebook builds its second model from the same layer objects, so its head starts with
    // the weights that the first model learned.
    let mut model_2 = model_1.clone();
    model_2.freeze_through("flatten_1")?;
    println!("\n{}\n", model_2.summary());

    // Train the second model, and compare the times
    let time_2 = train_model("model_2", &mut model_2, &train(&from_5), &test(&from_5), options)?;
    println!("\nmodel_1 took {time_1:.2?}, model_2 {time_2:.2?}");

    // What the notebook's text describes: the same features, and a new head
    let mut fresh = model_2
        .replace_head("dense_1")?
        .layer("dense_1", Dense::new(128))
        .layer("activation_3", Activation::Relu)
        .layer("dropout_2", Dropout::new(0.25))
        .layer("dense_2", Dense::new(5))
        .build(2)?;
    println!();
    train_model("model_2 with a fresh head", &mut fresh, &train(&from_5), &test(&from_5), options)?;
    assert!(fresh.evaluate(&test(&from_5)).accuracy > 0.4, "chance is 20 %");
    Ok(())
}

/// Trains a network, then prints the validation accuracy of every epoch, and returns the training time.
fn train_model(
    name: &str,
    network: &mut Network,
    train: &Examples,
    test: &Examples,
    options: Fit,
) -> Result<Duration, FitError> {
    let history = network.fit(train, options.validate(test))?;
    for epoch in &history.epochs {
        let accuracy = epoch.validation.unwrap_or_default().accuracy;
        println!("{name}, epoch {}: validation accuracy {:.1} %", epoch.epoch, 100.0 * accuracy);
    }
    Ok(history.total)
}

#[test]
fn runs() -> Result<(), Box<dyn Error>> {
    tutorial(None)
}
