//! A test for each exercise. All are called with the answers, and with the solutions.

use thawline::models::{Architecture, TutorialNetwork};
use thawline::sweep::arms::{ClassSet, FeatureSource, Head, Pretraining, Scope, TrainedLayers, assemble};
use thawline::sweep::statistics::{self, Difference};
use thawline_tensor::kernels::conv::{ConvShape, naive};
use thawline_tensor::kernels::window::{Padding, WindowShape};
use thawline_tensor::kernels::{reference, tile};
use thawline_tensor::nn::{self, Layer, Optimizer, Rule, cache_bytes, check_gradients};
use thawline_tensor::random::{Address, Purpose};
use thawline_tensor::{Shape, threads};

use crate::solved::*;

/// Numbers from -1 to 1.
fn numbers(len: usize) -> Vec<f32> {
    let mut bits = Address { seed: 1, purpose: Purpose::Other(0), step: 0, index: 0 }.bits();
    (0..len).map(|_| 2.0 * bits.uniform() - 1.0).collect()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "expected {expected}, found {found}");
}

#[test]
fn convolution() {
    for (image, k, filters) in [([30, 30, 64], 3, 64), ([32, 32, 3], 5, 8), ([7, 9, 2], 1, 3)] {
        let s = ConvShape::new(image, [k, k], filters, [1, 1], [1, 1], Padding::Valid).unwrap();
        assert_eq!(convolution::flops(image.map(|size| size as u64), k as u64, filters as u64), s.flops(), "{s:?}");
    }
    // 57.8 MFLOPs on 578,560 bytes
    assert_close(convolution::intensity([30, 30, 64], 3, 64), 99.907_9, 1e-3);
}

#[test]
fn cache() {
    for (kernel, filters, pool) in [(3, 64, 2), (5, 8, 2), (3, 10, 3)] {
        let tutorial = TutorialNetwork { filters: [filters; 2], kernel, pool, ..TutorialNetwork::default() };
        let mut network = tutorial.build(5, 1).unwrap();
        network.freeze_through("flatten_1").unwrap();
        let expected = cache_bytes(1000, &network.prefix());
        assert_eq!(cache::bytes(1000, kernel as u64, filters as u64, pool as u64), expected);
    }
}

#[test]
fn sum_order() {
    let numbers = sum_order::numbers();
    let forward = numbers.iter().fold(0.0, |sum, x| sum + x);
    let backward = numbers.iter().rev().fold(0.0, |sum, x| sum + x);
    assert!(numbers.iter().all(|x| x.is_finite()));
    assert_ne!(forward.to_bits(), backward.to_bits(), "both sums are {forward}");
}

#[test]
fn max_pooling() {
    let shape = [4, 6, 3];
    let s = WindowShape::new(shape, [2, 2], [2, 2], Padding::Valid).unwrap();
    // Rounded numbers: some windows have ties.
    let x: Vec<f32> = numbers(4 * 6 * 3).iter().map(|x| (2.0 * x).round()).collect();
    let dy = numbers(2 * 3 * 3);
    let winners = reference::max_pool_winners(&s, &x);
    assert_eq!(max_pooling::forward(&x, shape), winners.iter().map(|&winner| x[winner]).collect::<Vec<_>>());
    let mut dx = vec![0.0; x.len()];
    winners.iter().zip(&dy).for_each(|(&winner, dy)| dx[winner] += dy);
    assert_eq!(max_pooling::backward(&x, &dy, shape), dx);
}

#[test]
fn softmax() {
    for (logits, label) in [([1.0, 2.0, 0.5], 1), ([0.0; 3], 2), ([1000.0, 0.0, 999.0], 1), ([-1e4, -1e4, -2e4], 0)] {
        let (loss, gradient) = softmax::softmax_cross_entropy(&logits, label);
        let (expected_loss, expected_gradient) = reference::softmax_cross_entropy(&logits, label);
        assert_close(loss, expected_loss, 1e-9);
        gradient.iter().zip(expected_gradient).for_each(|(found, expected)| assert_close(*found, expected, 1e-12));
    }
}

#[test]
fn wrong_gradient() {
    check_gradients(wrong_gradient::Scale::default(), [4, 5, 3]).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn average_pooling() {
    let mut layer = average_pooling::AveragePooling::default();
    assert!(layer.build(&Shape::from([10]), 1).is_err(), "a vector is not an image");
    assert_eq!(layer.build(&Shape::from([2, 5, 1]), 1), Ok(Shape::from([1, 2, 1])));
    let mut y = [0.0; 2];
    layer.forward(&[1.0, 2.0, 3.0, 4.0, 9.0, 5.0, 6.0, 7.0, 8.0, 9.0], &mut y);
    assert_eq!(y, [3.5, 5.5]);
    check_gradients(layer, [5, 6, 3]).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn schedule() {
    let rates: Vec<f64> = (0..20).map(|step| schedule::rate(0.1, step, 20)).collect();
    assert_close(rates[0], 0.05, 1e-12);
    assert_close(rates[1], 0.1, 1e-12);
    assert!(rates[2..].windows(2).all(|pair| (pair[0] - pair[1] - 0.1 / 19.0).abs() < 1e-12), "{rates:?}");
    assert_close(rates[19], 0.1 / 19.0, 1e-12);
}

#[test]
fn adam() {
    let mut ours = adam::Adam { value: 1.0, ..adam::Adam::default() };
    let (mut value, mut optimizer) = ([1.0], Optimizer::new(Rule::ADAM, 0.01));
    for gradient in numbers(100) {
        ours.step(f64::from(gradient), 0.01);
        optimizer.begin_step();
        optimizer.update(&mut value, &[gradient], 1.0);
    }
    assert_close(ours.value, f64::from(value[0]), 1e-5);
    let mut tiny = adam::Adam::default();
    tiny.step(1e-7, 0.001);
    assert_close(tiny.value, -3.065_3e-5, 1e-8);
}

#[test]
fn im2col() {
    for (shape @ [h, w, c], k) in [([5, 6, 3], 3), ([4, 4, 1], 2), ([3, 7, 2], 1)] {
        let s = ConvShape::new(shape, [k, k], 4, [1, 1], [1, 1], Padding::Valid).unwrap();
        let (x, kernel) = (numbers(h * w * c), numbers(k * k * c * 4));
        let mut expected = vec![0.0; s.output_len()];
        naive::forward(&s, &x, &kernel, &[0.0; 4], &mut expected);
        let patches = im2col::patches(&x, shape, k);
        let y = reference::matmul(&patches, &kernel, [s.out_h * s.out_w, 4, k * k * c]);
        y.iter().zip(expected).for_each(|(y, expected)| assert_close((*y).into(), expected.into(), 1e-5));
    }
}

#[test]
fn winograd() {
    let (a, g, b) = (winograd::a().concat(), winograd::g().concat(), winograd::b().concat());
    let wide = |len: usize| numbers(len).into_iter().map(f64::from).collect::<Vec<f64>>();
    let both_sides = |m: &[f64], x: &[f64], rows: usize, inner: usize| {
        let left = reference::matmul(m, x, [rows, inner, inner]);
        reference::matmul(&left, &reference::transpose(m, rows, inner), [rows, rows, inner])
    };
    // In two dimensions: a tile of 6 x 6 and a kernel of 5 x 5 give 2 x 2 outputs by 36 products instead of 100.
    let (tile, kernel) = (wide(36), wide(25));
    let products: Vec<f64> =
        both_sides(&g, &kernel, 6, 5).iter().zip(both_sides(&b, &tile, 6, 6)).map(|(u, v)| u * v).collect();
    for (i, y) in both_sides(&a, &products, 2, 6).into_iter().enumerate() {
        let expected = (0..25).map(|k| tile[(i / 2 + k / 5) * 6 + i % 2 + k % 5] * kernel[k]).sum();
        assert_close(y, expected, 1e-9);
    }
}

#[test]
fn same_bits() {
    let terms = numbers(100_000);
    let sums = [1, 2, 3, 4, 8].map(|count| threads::with_threads(count, || same_bits::sum(&terms)).unwrap());
    assert_close(sums[0].into(), terms.iter().map(|&x| f64::from(x)).sum(), 1e-2);
    assert!(sums.iter().all(|sum| sum.to_bits() == sums[0].to_bits()), "1, 2, 3, 4, 8 threads give {sums:?}");
}

#[test]
fn new_arm() {
    let scope = Scope { blocks: 3, features: 2, splits: 0 };
    let arm = new_arm::first_block(scope);
    assert_eq!((&*arm.name, arm.classes, arm.head), ("first-block", ClassSet::Target, Head::Fresh));
    assert_eq!(arm.features, FeatureSource::Pretrained(Pretraining::SOURCE));
    assert_eq!((arm.blocks, arm.training, arm.per_class), (1, TrainedLayers::Everything(0.1), Some(50)));
    let architecture: Architecture = TutorialNetwork { filters: [3, 4], dense: 6, ..TutorialNetwork::default() }.into();
    let source = architecture.build(5, 99).unwrap();
    let network = assemble(&arm, &architecture, 5, 7, Some(&source)).unwrap();
    let kernel = |network: &nn::Network, name: &str| {
        network.params().find(|(param, _)| param == name).map(|(_, param)| (param.value.to_vec(), param.trainable))
    };
    assert_eq!(kernel(&network, "conv2d_1/kernel"), kernel(&source, "conv2d_1/kernel"), "copied, and trained");
    assert_ne!(kernel(&network, "conv2d_2/kernel"), kernel(&source, "conv2d_2/kernel"), "not copied");
}

#[test]
fn interval() {
    for differences in [[1.00, 3.22, 0.38, 0.46, 0.64, -0.64], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.5; 6]] {
        let expected = Difference::paired(&differences).unwrap().half_width();
        assert_close(interval::half_width(&differences), expected, 1e-5);
        let expected = statistics::sign_flip_p(&differences).unwrap();
        assert_close(interval::sign_flip_p(&differences), expected, 1e-9);
    }
}

#[test]
fn registers() {
    // AVX-512 has 32 registers of one vector, AVX2 has 16 of half a vector.
    assert_eq!(registers::most_rows(2, 32), tile::ROWS);
    assert_eq!(registers::most_rows(4, 32), tile::WIDE_ROWS);
    assert_eq!(registers::most_rows(1, 8), tile::WIDE_ROWS);
    assert_eq!(registers::most_rows(1, 4), 2);
}
