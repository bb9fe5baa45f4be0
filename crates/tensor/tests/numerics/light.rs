//! The memory-bound kernels at every level and every length up to a little over four vectors: every element is correct,
//! and nothing is written beyond the last.

use thawline_tensor::dispatch;
use thawline_tensor::kernels::activation::{Fused, activate, activation_gradient};
use thawline_tensor::kernels::optimizer::{AdamStep, adam, sgd};
use thawline_tensor::kernels::pool::{average_pool, average_pool_gradient, max_pool, max_pool_gradient};
use thawline_tensor::kernels::sums::{add_rows, add_to};
use thawline_tensor::kernels::window::{Padding, WindowShape};
use thawline_tensor::simd::{LANES, Level};

use crate::compare::exact;
use crate::data::{integers, levels, wide};
use crate::reference;

/// Lengths from zero to a little over four vectors.
const LENGTHS: std::ops::RangeInclusive<usize> = 0..=67;

/// The value around every slice that a kernel is given, which must still be there afterwards.
const CANARY: f32 = 7777.0;

/// Floats with canaries on both sides.
struct Guarded(Vec<f32>);

impl Guarded {
    fn new(floats: &[f32]) -> Self {
        Self([&[CANARY; LANES], floats, &[CANARY; LANES]].concat())
    }

    fn inner(&mut self) -> &mut [f32] {
        let end = self.0.len() - LANES;
        &mut self.0[LANES..end]
    }

    #[track_caller]
    fn check(mut self, what: &str, expected: &[f64]) {
        exact(what, self.inner(), expected);
        let (before, after) = (&self.0[..LANES], &self.0[self.0.len() - LANES..]);
        assert!(before.iter().chain(after).all(|&x| x == CANARY), "{what}: written out of bounds");
    }
}

fn at_every_level_and_length(check: impl Fn(Level, usize)) {
    for level in levels() {
        LENGTHS.for_each(|len| check(level, len));
    }
}

#[test]
fn activations_and_their_gradients_are_exact() {
    at_every_level_and_length(|level, len| {
        let [x, dy]: [Vec<f32>; 2] = [integers("x", len).iter().map(|x| 4.0 * x).collect(), integers("dy", len)];
        let [wide_x, wide_dy] = [&x, &dy].map(|floats| wide(floats));
        for (fused, expected, expected_dx) in [
            (Fused::Relu, reference::relu(&wide_x), reference::relu_gradient(&wide_x, &wide_dy)),
            (Fused::Relu6, reference::relu6(&wide_x), reference::relu6_gradient(&wide_x, &wide_dy)),
        ] {
            let mut y = Guarded::new(&vec![f32::NAN; len]);
            dispatch!(level, simd => activate(simd, fused, &x, y.inner()));
            let mut dx = Guarded::new(&dy);
            dispatch!(level, simd => activation_gradient(simd, fused, y.inner(), dx.inner()));
            y.check(&format!("{fused:?} of {len} at {level}"), &expected);
            dx.check(&format!("gradient of {fused:?} of {len} at {level}"), &expected_dx);
        }
    });
}

#[test]
fn activations_keep_nan() {
    for (level, activation) in levels().flat_map(|level| [(level, Fused::Relu), (level, Fused::Relu6)]) {
        for position in 0..20 {
            let mut x = [-1.0f32; 20];
            x[position] = f32::NAN;
            let mut y = [0.0; 20];
            dispatch!(level, simd => activate(simd, activation, &x, &mut y));
            assert!(y[position].is_nan(), "at {level}");
        }
    }
}

#[test]
fn vectors_and_rows_are_added_exactly() {
    at_every_level_and_length(|level, len| {
        let [a, b] = [integers("a", len), integers("b", len)];
        let mut sum = Guarded::new(&b);
        dispatch!(level, simd => add_to(simd, &a, sum.inner()));
        let expected: Vec<f64> = wide(&a).iter().zip(wide(&b)).map(|(a, b)| a + b).collect();
        sum.check(&format!("sum of {len} at {level}"), &expected);
        if len == 0 {
            return;
        }
        let rows = integers("rows", 5 * len);
        let mut sums = vec![[0.0; LANES]; len.div_ceil(LANES)];
        dispatch!(level, simd => add_rows(simd, &rows, len, &mut sums));
        let column = |i| rows.iter().skip(i).step_by(len).map(|&x| f64::from(x)).sum::<f64>();
        let expected: Vec<f64> = (0..len).map(column).collect();
        exact(format!("sums of rows of {len} at {level}"), &sums.as_flattened()[..len], &expected);
    });
}

#[test]
fn sums_of_many_equal_rows_stay_accurate() {
    // The gradients that a global mean passes back are equal at all pixels, here of eight images.
    let columns: usize = 20;
    let image = vec![0.1f32; 224 * 224 * columns];
    for level in levels() {
        let mut sums = vec![[0.0; LANES]; columns.div_ceil(LANES)];
        for _ in 0..8 {
            dispatch!(level, simd => add_rows(simd, &image, columns, &mut sums));
        }
        let expected = 8.0 * 224.0 * 224.0 * f64::from(0.1f32);
        for &sum in &sums.as_flattened()[..columns] {
            let error = (f64::from(sum) / expected - 1.0).abs();
            assert!(error < 2e-5, "{level}: {error:.1e}");
        }
    }
}

#[test]
fn pools_are_exact_for_any_number_of_channels() {
    at_every_level_and_length(|level, channels| {
        if channels == 0 {
            return;
        }
        let image = [5, 4, channels];
        let s = WindowShape::new(image, [3, 2], [1, 2], Padding::Same).expect("the window fits");
        let [x, dy] = [integers("x", s.input_len()), integers("dy", s.output_len())];
        let mut y = Guarded::new(&vec![f32::NAN; s.output_len()]);
        dispatch!(level, simd => max_pool(simd, &s, &x, y.inner()));
        let mut dx = Guarded::new(&vec![f32::NAN; s.input_len()]);
        dispatch!(level, simd => max_pool_gradient(simd, &s, &x, y.inner(), &dy, dx.inner()));
        y.check(&format!("pool of {channels} channels at {level}"), &reference::max_pool(&s, &wide(&x)));
        let expected = reference::max_pool_gradient(&s, &wide(&x), &wide(&dy));
        dx.check(&format!("gradient of {channels} channels at {level}"), &expected);

        // Windows of 2 x 2 pixels, so that the means of whole numbers are exact.
        let s = WindowShape::new(image, [2, 2], [1, 2], Padding::Valid).expect("the window fits");
        let dy = integers("dy", s.output_len());
        let mut y = Guarded::new(&vec![f32::NAN; s.output_len()]);
        dispatch!(level, simd => average_pool(simd, &s, &x, y.inner()));
        let mut dx = Guarded::new(&vec![f32::NAN; s.input_len()]);
        dispatch!(level, simd => average_pool_gradient(simd, &s, &dy, dx.inner()));
        y.check(&format!("means of {channels} channels at {level}"), &reference::average_pool(&s, &wide(&x)));
        let expected = reference::average_pool_gradient(&s, &wide(&dy));
        dx.check(&format!("gradient of means of {channels} channels at {level}"), &expected);
    });
}

#[test]
fn a_pool_does_not_hide_nan() {
    // One window of two rows and three columns, with a NaN at every pixel and in every channel in turn.
    let s = WindowShape::new([2, 3, 20], [2, 3], [2, 3], Padding::Valid).expect("the window fits");
    for level in levels() {
        for broken in 0..s.input_len() {
            let mut x = integers("x", s.input_len());
            let mut expected: Vec<f32> =
                (0..s.c).map(|c| x.iter().skip(c).step_by(s.c).copied().fold(f32::NEG_INFINITY, f32::max)).collect();
            x[broken] = f32::NAN;
            expected[broken % s.c] = f32::NAN;
            let (mut y, mut dx) = (vec![0.0; s.output_len()], vec![1.0; s.input_len()]);
            dispatch!(level, simd => max_pool(simd, &s, &x, &mut y));
            for (c, (&found, expected)) in y.iter().zip(expected).enumerate() {
                assert!(
                    found == expected || found.is_nan() && expected.is_nan(),
                    "{level}, NaN at {broken}: {c}: {found}"
                );
            }
            let dy = vec![1.0; s.output_len()];
            dispatch!(level, simd => max_pool_gradient(simd, &s, &x, &y, &dy, &mut dx));
            assert_eq!(dx.iter().sum::<f32>(), s.c as f32 - 1.0, "{level}: every other window has a winner");
        }
    }
}

#[test]
fn optimizers_write_their_elements_and_no_others() {
    at_every_level_and_length(|level, len| {
        let [value, gradient] = [integers("value", len), integers("gradient", len)];
        // Without momentum and with a rate of one half, the step is half the gradient.
        let [mut new, mut velocity] = [Guarded::new(&value), Guarded::new(&vec![0.0; len])];
        let state = [new.inner(), velocity.inner()];
        dispatch!(level, simd => sgd(simd, 0.5, 0.0, state, &gradient));
        let stepped =
            |rate: f64| wide(&value).iter().zip(wide(&gradient)).map(|(v, g)| v - rate * g).collect::<Vec<_>>();
        new.check(&format!("sgd of {len} at {level}"), &stepped(0.5));
        velocity.check("velocity", &wide(&gradient).iter().map(|g| -0.5 * g).collect::<Vec<_>>());

        // With both decays zero, and rate and epsilon equal and huge, Adam's step is the gradient: the root does not
        // count, since 3 + 2^30 is 2^30 in `f32`.
        let big = (1u64 << 30) as f32;
        let step = AdamStep { rate: big, mean_share: 1.0, square_share: 1.0, epsilon: big };
        let mut state = [&value, &vec![0.0; len], &vec![0.0; len]].map(|floats| Guarded::new(floats));
        let inner = state.each_mut().map(Guarded::inner);
        dispatch!(level, simd => adam(simd, step, inner, &gradient));
        let [new, mean, square] = state;
        new.check(&format!("adam of {len} at {level}"), &stepped(1.0));
        mean.check("mean", &wide(&gradient));
        square.check("square", &wide(&gradient).iter().map(|g| g * g).collect::<Vec<_>>());
    });
}
