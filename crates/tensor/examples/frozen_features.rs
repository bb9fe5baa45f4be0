//! Transfer: features learned on one task are frozen, and a new head on top of them learns another.

use thawline_tensor::Tensor;
use thawline_tensor::nn::{Activation, Conv2D, Dense, Examples, Fit, Flatten, MaxPooling2D, Network};
use thawline_tensor::random::{Address, Purpose};

/// Pictures of stripes; the label gives their direction, counted from `first`: down, across, or along one of the
/// diagonals.
fn stripes(count: usize, first: usize) -> Examples<'static> {
    let mut pixels = Vec::new();
    for index in 0..count {
        let mut bits = Address { seed: 1, purpose: Purpose::Other(first as u32), step: 0, index: index as u64 }.bits();
        let phase = bits.below(4) as usize;
        for place in 0..16 * 16 {
            let (row, column) = (place / 16, place % 16);
            let along = [column, row, row + column, row + 15 - column][first + index % 2];
            pixels.push(0.8 * bits.uniform() + if (along + phase) % 4 < 2 { 0.5 } else { 0.0 });
        }
    }
    let labels = (0..count).map(|index| (index % 2) as u32).collect();
    Examples::new(Tensor::from_slice([count, 16, 16, 1], &pixels), labels)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut model_1 = Network::builder([16, 16, 1])
        .layer("conv", Conv2D::new(16, [3, 3]))
        .layer("relu", Activation::Relu)
        .layer("pool", MaxPooling2D::new([2, 2]))
        .layer("flatten", Flatten)
        .layer("head", Dense::new(2))
        .build(1)?;
    let (source, target) = (stripes(400, 0), stripes(400, 2));
    let options = Fit { epochs: 4, batch_size: 20, ..Fit::default() };
    model_1.fit(&source, options)?;
    let down_or_across = model_1.evaluate(&source).accuracy;
    println!("down or across: {:.0} % right", 100.0 * down_or_across);

    let mut model_2 = model_1.clone().replace_head("head")?.layer("new_head", Dense::new(2)).build(2)?;
    model_2.freeze_through("flatten")?;
    println!("\n{}\n", model_2.summary());

    // The features are computed once; computed for each batch, they would have the same bits.
    let history = model_2.fit(&target, options)?;
    println!("the new head took {:.0} ms", 1e3 * history.total.as_secs_f64());
    let diagonals = model_2.evaluate(&target).accuracy;
    println!("one diagonal or the other: {:.0} % right", 100.0 * diagonals);
    assert!(diagonals > 0.9);
    assert_eq!(model_1.evaluate(&source).accuracy, down_or_across, "the first model is what it was");
    Ok(())
}

#[test]
fn runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}
