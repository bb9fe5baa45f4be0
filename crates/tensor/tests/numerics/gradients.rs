//! The gradients of the `f64` references against central differences of their forward passes, on random shapes.
//!
//! With random weights w, f(x) = sum w y(x) is a number, and the backward pass for dy = w must give its gradient. The
//! difference quotient (f(x + h e) - f(x - h e)) / 2h is taken along single elements and along a random direction, with
//! inputs kept away from the kinks of ReLU and from ties of the pool.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use thawline_tensor::kernels::conv::ConvShape;
use thawline_tensor::kernels::reference::{max_pool_winners, softmax_cross_entropy};
use thawline_tensor::kernels::window::{Padding, WindowShape};
use thawline_tensor::random::{Address, Bits, Purpose};

use crate::reference;

/// The largest permitted error, relative to the largest element of the gradient.
const TOLERANCE: f64 = 1e-6;

/// Half the distance over which differences are taken.
const H: f64 = 1e-4;

/// The maximum number of elements whose derivative is checked separately.
const ELEMENTS: usize = 48;

/// 256 random shapes per operation, the same in every run.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 256,
        rng_seed: RngSeed::Fixed(2026),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn conv_shapes() -> impl Strategy<Value = ConvShape> {
    let sizes =
        ([1..9usize, 1..9, 1..4], [1..4usize, 1..4], 1..4usize, [1..4usize, 1..4], [1..4usize, 1..4], paddings());
    sizes.prop_filter_map(
        "the kernel is larger than the input",
        |(input, kernel, filters, stride, dilation, padding)| {
            ConvShape::new(input, kernel, filters, stride, dilation, padding).ok()
        },
    )
}

fn pool_shapes() -> impl Strategy<Value = WindowShape> {
    let sizes = ([1..10usize, 1..10, 1..4], [1..4usize, 1..4], [1..4usize, 1..4], paddings());
    sizes.prop_filter_map("the window is larger than the input", |(input, window, stride, padding)| {
        WindowShape::new(input, window, stride, padding).ok()
    })
}

fn paddings() -> impl Strategy<Value = Padding> {
    prop_oneof![Just(Padding::Valid), Just(Padding::Same), [0..3usize, 0..3, 0..3, 0..3].prop_map(Padding::Explicit),]
}

fn numbers(seed: u64) -> Bits {
    Address { seed, purpose: Purpose::Other(1), step: 0, index: 0 }.bits()
}

fn draw(bits: &mut Bits, len: usize) -> Vec<f64> {
    (0..len).map(|_| 2.0 * f64::from(bits.uniform()) - 1.0).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Compares a gradient with difference quotients of `f` at `x`.
fn check(what: &str, bits: &mut Bits, x: &[f64], gradient: &[f64], f: impl Fn(&[f64]) -> f64) {
    let largest = gradient.iter().fold(0.0f64, |largest, g| largest.max(g.abs()));
    let quotient = |direction: &dyn Fn(usize) -> f64| {
        let moved = |h: f64| x.iter().enumerate().map(|(i, x)| x + h * direction(i)).collect::<Vec<_>>();
        (f(&moved(H)) - f(&moved(-H))) / (2.0 * H)
    };
    for n in 0..ELEMENTS.min(x.len()) {
        let element = if x.len() <= ELEMENTS { n } else { bits.below(x.len() as u64) as usize };
        let slope = quotient(&|i| if i == element { 1.0 } else { 0.0 });
        let error = (slope - gradient[element]).abs();
        assert!(error <= TOLERANCE * largest, "{what}: d/dx[{element}] is {}, the slope {slope}", gradient[element]);
    }
    let direction = draw(bits, x.len());
    let (slope, along) = (quotient(&|i| direction[i]), dot(gradient, &direction));
    let scale: f64 = gradient.iter().zip(&direction).map(|(g, d)| (g * d).abs()).sum();
    assert!((slope - along).abs() <= TOLERANCE * scale, "{what}: along a direction {along}, the slope {slope}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn of_convolution(s in conv_shapes(), seed: u64) {
        let mut bits = numbers(seed);
        let [x, kernel] = [s.input_len(), s.kernel_len()].map(|len| draw(&mut bits, len));
        let [bias, dy] = [s.filters, s.output_len()].map(|len| draw(&mut bits, len));
        let [dx, dkernel, dbias] = reference::conv_gradients(&s, &x, &kernel, &dy);
        check("x", &mut bits, &x, &dx, |x| dot(&dy, &reference::conv(&s, x, &kernel, &bias)));
        check("kernel", &mut bits, &kernel, &dkernel, |kernel| dot(&dy, &reference::conv(&s, &x, kernel, &bias)));
        check("bias", &mut bits, &bias, &dbias, |bias| dot(&dy, &reference::conv(&s, &x, &kernel, bias)));
    }

    #[test]
    fn of_max_pooling(s in pool_shapes(), seed: u64) {
        let mut bits = numbers(seed);
        // A random order of numbers that are far apart: no two elements of a window are close to each other.
        let mut x: Vec<f64> = (0..s.input_len()).map(|i| i as f64 / 64.0).collect();
        bits.shuffle(&mut x);
        let dy = draw(&mut bits, s.output_len());
        let dx = reference::max_pool_gradient(&s, &x, &dy);
        check("x", &mut bits, &x, &dx, |x| dot(&dy, &reference::max_pool(&s, x)));
    }

    #[test]
    fn of_average_pooling(s in pool_shapes(), seed: u64) {
        let mut bits = numbers(seed);
        let [x, dy] = [s.input_len(), s.output_len()].map(|len| draw(&mut bits, len));
        let dx = reference::average_pool_gradient(&s, &dy);
        check("x", &mut bits, &x, &dx, |x| dot(&dy, &reference::average_pool(&s, x)));
    }

    #[test]
    fn of_depthwise_convolution(s in pool_shapes(), seed: u64) {
        let mut bits = numbers(seed);
        let [x, kernel] = [s.input_len(), s.window[0] * s.window[1] * s.c].map(|len| draw(&mut bits, len));
        let [bias, dy] = [s.c, s.output_len()].map(|len| draw(&mut bits, len));
        let [dx, dkernel, dbias] = reference::depthwise_gradients(&s, &x, &kernel, &dy);
        check("x", &mut bits, &x, &dx, |x| dot(&dy, &reference::depthwise(&s, x, &kernel, &bias)));
        check("kernel", &mut bits, &kernel, &dkernel, |kernel| dot(&dy, &reference::depthwise(&s, &x, kernel, &bias)));
        check("bias", &mut bits, &bias, &dbias, |bias| dot(&dy, &reference::depthwise(&s, &x, &kernel, bias)));
    }

    #[test]
    fn of_relu(len in 1..200usize, seed: u64) {
        let mut bits = numbers(seed);
        // From -9 to 9, at least 0.1 away from the kinks at 0 and 6.
        let away = |x: f64| x + 0.1f64.copysign(x - if x < 3.0 { 0.0 } else { 6.0 });
        let x: Vec<f64> = draw(&mut bits, len).into_iter().map(|x| away(9.0 * x)).collect();
        let dy = draw(&mut bits, len);
        check("ReLU", &mut bits, &x, &reference::relu_gradient(&x, &dy), |x| dot(&dy, &reference::relu(x)));
        check("ReLU6", &mut bits, &x, &reference::relu6_gradient(&x, &dy), |x| dot(&dy, &reference::relu6(x)));
    }

    #[test]
    fn of_dense(n in 1..6usize, k in 1..20usize, units in 1..12usize, seed: u64) {
        let mut bits = numbers(seed);
        let [x, w] = [n * k, k * units].map(|len| draw(&mut bits, len));
        let [bias, dy] = [units, n * units].map(|len| draw(&mut bits, len));
        let [dx, dw, db] = reference::dense_gradients(&x, &w, &dy, [n, k]);
        check("x", &mut bits, &x, &dx, |x| dot(&dy, &reference::dense(x, &w, &bias, [n, k])));
        check("w", &mut bits, &w, &dw, |w| dot(&dy, &reference::dense(&x, w, &bias, [n, k])));
        check("bias", &mut bits, &bias, &db, |bias| dot(&dy, &reference::dense(&x, &w, bias, [n, k])));
    }

    #[test]
    fn of_batch_normalization(rows in 2..20usize, columns in 1..6usize, seed: u64) {
        let mut bits = numbers(seed);
        // Numbers far apart, so that no variance is near zero, where the output is far from linear in x.
        let mut x: Vec<f64> = (0..rows * columns).map(|i| (i / columns) as f64 / rows as f64).collect();
        bits.shuffle(&mut x);
        let noise = draw(&mut bits, x.len());
        x.iter_mut().zip(noise).for_each(|(x, noise)| *x += noise);
        let [gamma, beta] = [0; 2].map(|_| draw(&mut bits, columns));
        let dy = draw(&mut bits, x.len());
        let epsilon = 0.1;
        let [dx, dgamma, dbeta] = reference::batch_norm_gradients(&x, &gamma, &dy, epsilon);
        check("x", &mut bits, &x, &dx, |x| dot(&dy, &reference::batch_norm(x, [&gamma, &beta], epsilon)));
        check("gamma", &mut bits, &gamma, &dgamma, |gamma| dot(&dy, &reference::batch_norm(&x, [gamma, &beta], epsilon)));
        check("beta", &mut bits, &beta, &dbeta, |beta| dot(&dy, &reference::batch_norm(&x, [&gamma, beta], epsilon)));
    }

    #[test]
    fn of_softmax_cross_entropy(classes in 1..40usize, label in 0..40usize, scale in 0.1..10.0f64, seed: u64) {
        let mut bits = numbers(seed);
        let label = label % classes;
        let logits: Vec<f64> = draw(&mut bits, classes).into_iter().map(|z| scale * z).collect();
        let (_, gradient) = softmax_cross_entropy(&logits, label);
        check("logits", &mut bits, &logits, &gradient, |logits| softmax_cross_entropy(logits, label).0);
    }
}

#[test]
fn the_first_of_equal_elements_wins_the_pool() {
    let s = WindowShape::new([2, 2, 1], [2, 2], [2, 2], Padding::Valid).expect("the window fits");
    assert_eq!(max_pool_winners(&s, &[1.0, 2.0, 2.0, 2.0]), [1]);
    assert_eq!(max_pool_winners(&s, &[0.0; 4]), [0]);
}
