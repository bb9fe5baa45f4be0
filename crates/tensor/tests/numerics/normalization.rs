//! Layers that average: batch normalization over the batch, global average pooling over the image.

use thawline_tensor::nn::{
    Activation, BatchNormalization, Conv2D, Dense, Dropout, Examples, Fit, Flatten, GlobalAveragePooling2D,
    MaxPooling2D, Network, Padding,
};

use crate::chain;
use crate::compare::{close, same_bits};
use crate::data::{reals, wide};
use crate::golden::{Golden, golden};
use crate::reference;
use crate::small::{CLASSES, digest, examples};

const TOLERANCE: f64 = 5e-6;

fn normalization(shape: &[usize], momentum: f64, epsilon: f64, relu: bool) -> Network {
    let layer = BatchNormalization::new().momentum(momentum).epsilon(epsilon);
    let builder = Network::builder(thawline_tensor::Shape::new(shape)).layer("norm", layer);
    let builder = if relu { builder.layer("relu", Activation::Relu) } else { builder };
    builder.build(0).expect("it fits any shape")
}

#[test]
fn agrees_with_its_f64_reference_at_every_size() {
    for shape in [vec![1], vec![5], vec![16], vec![40], vec![1, 1, 3], vec![9, 7, 1], vec![5, 3, 33], vec![20, 21, 17]]
    {
        for n in [2, 3, 9, 70] {
            for relu in [false, true] {
                let columns = *shape.last().expect("a dimension");
                let len = n * shape.iter().product::<usize>();
                let [x, mut dy] = [reals("x", len), reals("dy", len)];
                let [gamma, beta] = [reals("gamma", columns), reals("beta", columns)];
                let epsilon = 1e-2;
                let mut network = normalization(&shape, 0.9, epsilon, relu);
                network.update_params(|name, param| match name {
                    "norm/gamma" => param.value.copy_from_slice(&gamma),
                    "norm/beta" => param.value.copy_from_slice(&beta),
                    _ => {}
                });
                let [wide_x, gamma, beta] = [&x, &gamma, &beta].map(|floats| wide(floats));
                let normal = reference::batch_norm(&wide_x, [&gamma, &beta], epsilon);
                if relu {
                    // Where rounding could decide, the gradient is set to zero.
                    dy.iter_mut().zip(&normal).filter(|(_, y)| y.abs() < 1e-4).for_each(|(dy, _)| *dy = 0.0);
                }
                let pass = chain::pass(&network, &x, n, &dy);
                let dy = if relu { reference::relu_gradient(&normal, &wide(&dy)) } else { wide(&dy) };
                let [dx, dgamma, dbeta] = reference::batch_norm_gradients(&wide_x, &gamma, &dy, epsilon);
                let what = |result: &str| format!("{result} of {n} x {shape:?}, relu {relu}");
                let y = if relu { reference::relu(&normal) } else { normal };
                close(what("y"), &pass.logits, &y, TOLERANCE);
                close(what("dx"), &pass.dx, &dx, 4.0 * TOLERANCE);
                close(what("dgamma and dbeta"), &pass.gradients[0], &[dgamma, dbeta].concat(), 4.0 * TOLERANCE);
            }
        }
    }
}

#[test]
fn agrees_with_pytorch_and_keras() {
    let bytes = golden("normalization.safetensors");
    let golden = Golden::new(&bytes);
    for case in ["batch_norm_image", "batch_norm_vector"] {
        let values = |tensor: &str| golden.f32s(&format!("{case}/{tensor}"));
        let shape = golden.shape(&format!("{case}/input"));
        let [momentum, epsilon] = golden.f64s(&format!("{case}/momentum_epsilon"))[..] else { panic!("two numbers") };
        let mut network = normalization(&shape[1..], momentum, epsilon, false);
        network.update_params(|name, param| param.value.copy_from_slice(&values(&name["norm/".len()..])));
        let (x, dy) = (values("input"), values("gradient/output"));
        let agrees = |network: &Network, of: &str| {
            let pass = chain::pass(network, &x, shape[0], &dy);
            close(format!("{case}/{of}output"), &pass.logits, &wide(&values(&format!("{of}output"))), 1e-5);
            let dx = wide(&values(&format!("{of}gradient/input")));
            close(format!("{case}/{of}gradient/input"), &pass.dx, &dx, 1e-5);
            pass
        };
        let pass = agrees(&network, "");
        let gradients = [values("gradient/gamma"), values("gradient/beta")].concat();
        close(format!("{case}: gradients"), &pass.gradients[0], &wide(&gradients), 1e-5);

        network.set_trainable("norm", false).expect("there is such a layer");
        agrees(&network, "frozen/");
    }
    let values = |tensor: &str| golden.f32s(&format!("global_average_pool/{tensor}"));
    let network = Network::builder([5, 4, 18]).layer("mean", GlobalAveragePooling2D::new()).build(0).expect("it fits");
    let x = values("input");
    let pass = chain::pass(&network, &x, 3, &values("gradient/output"));
    close("means", &pass.logits, &wide(&values("output")), 1e-6);
    close("their gradient", &pass.dx, &wide(&values("gradient/input")), 1e-6);
}

#[test]
fn one_of_its_two_parameters_can_be_frozen() {
    let builder = Network::builder([5]).layer("norm", BatchNormalization::new()).layer("dense", Dense::new(3));
    let mut network = builder.build(2).expect("it fits");
    network.update_params(|name, param| param.trainable &= name != "norm/gamma");
    let values = |network: &Network| {
        let of =
            |wanted: &str| network.params().find(|(name, _)| name == wanted).map(|(_, param)| param.value.to_vec());
        ["norm/gamma", "norm/beta"].map(of)
    };
    let before = values(&network);
    let examples =
        Examples::new(thawline_tensor::Tensor::from_slice([4, 5], &reals("frozen gamma", 20)), vec![0, 1, 2, 0]);
    network.fit(&examples, Fit { epochs: 1, batch_size: 4, ..Fit::default() }).expect("training succeeds");
    let after = values(&network);
    assert!(before[0] == after[0] && before[1] != after[1]);
}

#[test]
fn a_training_step_updates_the_statistics_like_keras() {
    let bytes = golden("normalization.safetensors");
    let golden = Golden::new(&bytes);
    let case = |tensor: &str| golden.f32s(&format!("batch_norm_vector/{tensor}"));
    let mut network = Network::builder([5])
        .layer("norm", BatchNormalization::new().epsilon(1e-2))
        .layer("dense", Dense::new(3))
        .build(0)
        .expect("it fits");
    network.update_params(|name, param| {
        if let Some(name) = name.strip_prefix("norm/") {
            param.value.copy_from_slice(&case(name));
        }
    });
    let batch = thawline_tensor::Tensor::from_slice([7, 5], &case("input"));
    let batch = Examples::new(batch, vec![0; 7]);
    network.fit(&batch, Fit { batch_size: 7, ..Fit::default() }).expect("training succeeds");
    for name in ["moving_mean", "moving_variance"] {
        let (_, param) = network.params().find(|(other, _)| other == &format!("norm/{name}")).expect("a statistic");
        close(name, &param.value, &wide(&case(&format!("after/{name}"))), 1e-6);
    }
}

/// Every kind of stage: depth first, whole batch, depth first again, with a layer fused into the normalization.
pub fn network() -> Network {
    Network::builder([12, 11, 3])
        .layer("conv_1", Conv2D::new(16, [3, 3]).padding(Padding::Same))
        .layer("norm_1", BatchNormalization::new())
        .layer("relu_1", Activation::Relu)
        .layer("conv_2", Conv2D::new(20, [3, 3]))
        .layer("relu_2", Activation::Relu)
        .layer("pool", MaxPooling2D::new([2, 2]))
        .layer("dropout", Dropout::new(0.25))
        .layer("norm_2", BatchNormalization::new().momentum(0.8))
        .layer("conv_3", Conv2D::new(9, [2, 3]).stride([1, 2]))
        .layer("mean", GlobalAveragePooling2D::new())
        .layer("dense", Dense::new(CLASSES))
        .build(11)
        .expect("the network fits together")
}

const FIT: Fit = Fit { epochs: 2, ..crate::small::FIT };

/// The network after two epochs.
pub fn trained() -> Network {
    let mut network = network();
    network.fit(&examples(70), FIT).expect("training succeeds");
    network
}

#[test]
fn a_frozen_normalization_is_constant_and_part_of_the_prefix() {
    let mut network = trained();
    network.freeze_through("pool").expect("there is such a layer");
    let kept = |network: &Network| -> Vec<f32> {
        let frozen = network.params().filter(|(_, param)| !param.trainable);
        frozen.flat_map(|(_, param)| param.value.to_vec()).collect()
    };
    let before = kept(&network);
    assert_eq!(before.len(), 3 * 3 * 3 * 16 + 16 + 4 * 16 + 3 * 3 * 16 * 20 + 20);
    assert_eq!(network.prefix().output().dims(), [5, 4, 20]);
    let [cached, computed] = [true, false].map(|cached| {
        let mut copy = network.clone();
        copy.fit(&examples(70), Fit { cached, ..FIT }).expect("training succeeds");
        copy
    });
    assert_eq!(digest(&cached), digest(&computed));
    same_bits("frozen parameters and statistics", &kept(&cached), &before);
    assert_ne!(digest(&cached), digest(&network), "the head's own normalization moves");
}

#[test]
fn statistics_are_not_counted_as_trainable() {
    let mut network = network();
    let summary = network.summary();
    let row = summary.rows.iter().find(|row| row.name == "norm_1").expect("a row");
    assert_eq!((row.parameters, row.trainable, row.statistics), (64, 32, 32));
    assert_eq!(summary.frozen(), 0);
    assert!(summary.to_string().contains("frozen 0, statistics 72"), "{summary}");
    network.freeze_through("norm_1").expect("there is such a layer");
    let summary = network.summary();
    assert_eq!(summary.frozen(), 448 + 64);
    assert_eq!(summary.statistics(), 40);
    network.unfreeze();
    assert_eq!(network.summary().statistics(), 72);
}

#[test]
fn an_invalid_momentum_or_epsilon_is_refused() {
    for (layer, words) in [
        (BatchNormalization::new().momentum(1.5), "its momentum is 1.5; it must be between 0 and 1"),
        (BatchNormalization::new().epsilon(0.0), "its epsilon is 0; it must be a positive number"),
        (BatchNormalization::new().epsilon(f64::NAN), "its epsilon is NaN"),
    ] {
        let error = Network::builder([4]).layer("norm", layer).build(0).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = Network::builder([4]).layer("mean", GlobalAveragePooling2D::new()).build(0).unwrap_err().to_string();
    assert!(error.contains("takes an image (H x W x C) and was given 4"), "{error}");
    let flat = Network::builder([2, 2, 3]).layer("flatten", Flatten).layer("norm", BatchNormalization::new());
    assert_eq!(flat.build(0).expect("vectors are fine").output().dims(), [12]);
}
