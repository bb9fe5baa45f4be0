//! Dropout: which elements are kept, how they are scaled, and that only the address decides.

use thawline_tensor::dispatch;
use thawline_tensor::kernels::dropout::dropout;
use thawline_tensor::nn::{Dropout, Network, Step};
use thawline_tensor::random::{Address, Purpose};
use thawline_tensor::simd::Level;

use crate::chain::{self, STEP};
use crate::compare::same_bits;
use crate::data::{levels, reals};

const MASK: Address = Address { seed: 1, purpose: Purpose::Dropout(2), step: 3, index: 4 };

/// A network of one dropout layer, for inputs of this length.
fn layer(rate: f32, len: usize) -> Network {
    Network::builder([len]).layer("dropout", Dropout::new(rate)).build(0).expect("a dropout fits anything")
}

#[test]
fn rate_zero_is_the_identity_and_rate_one_gives_zeros() {
    let x = reals("x", 1000);
    let network = layer(0.0, 1000);
    same_bits("y", &chain::pass(&network, &x, 1, &x).logits, &x);
    for rate in [0.0, 1e-6] {
        assert_eq!(layer(rate, 10).thawline(), 1, "a dropout that drops nothing is not random");
    }
    let pass = chain::pass(&layer(1.0, 1000), &x, 1, &x);
    same_bits("y", &pass.logits, &[0.0; 1000]);
    same_bits("dx", &pass.dx, &[0.0; 1000]);
}

#[test]
fn inference_drops_nothing() {
    let x = reals("x", 1000);
    let mut y = vec![f32::NAN; 1000];
    layer(0.5, 1000).nodes()[0].layer().forward(&x, &mut y);
    same_bits("y", &y, &x);
}

#[test]
fn the_gradient_has_the_mask_of_the_forward_pass() {
    let len = 1500;
    let ones = vec![1.0; 3 * len];
    for rate in [0.1, 0.25, 0.5, 0.9] {
        let network = layer(rate, len);
        let masks = |step: u64| chain::pass_at(&network, &ones, 3, Step { step, ..STEP }, |_| ones.clone());
        let pass = masks(1);
        // For inputs of ones, the output and the gradient are both the mask.
        same_bits(format!("rate {rate}"), &pass.dx, &pass.logits);
        assert_ne!(pass.logits[..len], pass.logits[len..2 * len], "examples have masks of their own");
        assert_ne!(masks(2).logits, pass.logits, "steps have masks of their own");
        let scale = 65_536.0 / (65_536.0 - (f64::from(rate) * 65_536.0).round());
        assert!(pass.logits.iter().all(|&x| x == 0.0 || x == scale as f32), "what stays is scaled by 1 / (1 - rate)");
    }
}

#[test]
fn a_mask_does_not_depend_on_how_the_batch_is_grouped() {
    let len = 700;
    let network = layer(0.3, len);
    let x = reals("x", 10 * len);
    let masked = |x: &[f32], step: Step| chain::pass_at(&network, x, x.len() / len, step, <[f32]>::to_vec).logits;
    let whole = masked(&x, STEP);
    for group in [1, 3, 8] {
        for (first, x) in (0..10).step_by(group).zip(x.chunks(group * len)) {
            same_bits("y", &masked(x, STEP.later(first)), &whole[first * len..][..x.len()]);
        }
    }
}

#[test]
fn a_mask_does_not_depend_on_level_or_length() {
    // A rate that is a multiple of 1/256, and one that is not.
    for rate in [0.25, 0.3] {
        let x = reals("x", 3000);
        let apply = |level: Level, len: usize| {
            let mut y = x[..len].to_vec();
            dispatch!(level, simd => dropout(simd, rate, MASK, &mut y));
            y
        };
        let expected = apply(Level::Portable, 3000);
        for level in levels() {
            for len in (0..=67).chain([255, 256, 257, 511, 512, 513, 1500, 3000]) {
                same_bits(format!("rate {rate}, {len} at {level}"), &apply(level, len), &expected[..len]);
            }
        }
    }
}

#[test]
fn the_expected_share_of_elements_is_kept() {
    let mut x = vec![1.0f32; 10_000_000];
    for rate in [0.1, 0.25, 0.5] {
        x.fill(1.0);
        dispatch!(simd => dropout(simd, rate, MASK, &mut x));
        let stay = x.iter().filter(|&&x| x != 0.0).count() as f64;
        let [n, p] = [x.len() as f64, 1.0 - (f64::from(rate) * 65_536.0).round() / 65_536.0];
        let sigma = (n * p * (1.0 - p)).sqrt();
        assert!((stay - n * p).abs() < 4.0 * sigma, "rate {rate}: {stay} of {n} stayed");
        // Neighbours are independent: pairs are kept as often as expected.
        let pairs = x.chunks_exact(2).filter(|pair| pair[0] != 0.0 && pair[1] != 0.0).count() as f64;
        let [n, p] = [n / 2.0, p * p];
        assert!((pairs - n * p).abs() < 4.0 * (n * p * (1.0 - p)).sqrt(), "rate {rate}: {pairs} pairs of {n} stayed");
    }
}

#[test]
fn a_rate_outside_zero_to_one_is_refused() {
    for rate in [-0.1, 1.5, f32::NAN, f32::INFINITY] {
        let error =
            Network::builder([5]).layer("dropout", Dropout::new(rate)).build(0).expect_err("refused").to_string();
        assert!(error.contains(&format!("its rate is {rate}; it must be between 0 and 1")), "{error}");
    }
}
