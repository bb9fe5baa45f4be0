//! Adam and gradient descent, against the same formulas in `f64`, over many steps and at the limits of `f32`.

use thawline_tensor::kernels::reference;
use thawline_tensor::nn::{Optimizer, Rule};

use crate::compare::{close, same_bits};
use crate::data::bits;

const STEPS: usize = 1000;

/// Not a whole number of vectors.
const LEN: usize = 40;

const TOLERANCE: f64 = 1e-5;

/// Gradients of sizes from 1e-6 to 1, some of them zero.
fn gradients() -> impl Iterator<Item = Vec<f32>> {
    let mut random = bits("gradients");
    (0..STEPS).map(move |step| {
        let element = |i: usize| (random.normal() + 0.3) * 10f32.powi(-((i % 7) as i32));
        let all: Vec<f32> = (0..LEN).map(element).collect();
        all.into_iter().enumerate().map(|(i, g)| if (step + i) % 11 == 0 { 0.0 } else { g }).collect()
    })
}

fn start() -> Vec<f32> {
    (0..LEN).map(|i| i as f32 / 256.0 - 0.1).collect()
}

#[test]
fn adam_agrees_with_its_f64_reference_for_a_thousand_steps() {
    let mut optimizer = Optimizer::new(Rule::ADAM, 0.001);
    let mut value = start();
    let mut expected: Vec<[f64; 3]> = value.iter().map(|&v| [f64::from(v), 0.0, 0.0]).collect();
    // A mean may come close to zero, so its error is relative to its largest value so far.
    let mut largest_mean = [0.0f64; LEN];
    for (step, gradient) in (1..).zip(gradients()) {
        optimizer.begin_step();
        optimizer.update(&mut value, &gradient, 1.0);
        for (state, &g) in expected.iter_mut().zip(&gradient) {
            *state = reference::adam(*state, f64::from(g), step, [0.001, 0.9, 0.999, 1e-7]);
        }
        let values: Vec<f64> = expected.iter().map(|state| state[0]).collect();
        close(format!("values after step {step}"), &value, &values, TOLERANCE);
        let (steps, moments) = optimizer.state();
        assert_eq!((steps, moments.len()), (step as u64, 1));
        for (i, [_, mean, square]) in expected.iter().enumerate() {
            largest_mean[i] = largest_mean[i].max(mean.abs());
            let errors = [f64::from(moments[0][0][i]) - mean, f64::from(moments[0][1][i]) - square].map(f64::abs);
            let right = errors[0] <= TOLERANCE * largest_mean[i] && errors[1] <= TOLERANCE * square;
            assert!(right, "moments {i} after step {step}, {mean} and {square}, are off by {errors:?}");
        }
    }
}

#[test]
fn gradient_descent_agrees_with_its_f64_reference_for_a_thousand_steps() {
    let (rate, momentum) = (0.01, 0.9);
    let mut optimizer = Optimizer::new(Rule::Sgd { momentum }, rate);
    let mut value = start();
    let mut expected: Vec<[f64; 2]> = value.iter().map(|&v| [f64::from(v), 0.0]).collect();
    for (step, gradient) in gradients().enumerate() {
        optimizer.begin_step();
        optimizer.update(&mut value, &gradient, 1.0);
        for ([value, velocity], &g) in expected.iter_mut().zip(&gradient) {
            *velocity = momentum * *velocity - rate * f64::from(g);
            *value += *velocity;
        }
        let values: Vec<f64> = expected.iter().map(|state| state[0]).collect();
        close(format!("values after step {}", step + 1), &value, &values, TOLERANCE);
    }
}

#[test]
fn adams_first_step_is_the_learning_rate() {
    // With t = 1 both corrections cancel the decays: the step is rate * g / (|g| + epsilon / sqrt(1 - beta_2)).
    let mut optimizer = Optimizer::new(Rule::ADAM, 0.001);
    let mut value = [0.0f32; 3];
    optimizer.begin_step();
    optimizer.update(&mut value, &[1.0, -1.0, 1e-3], 1.0);
    let step = |g: f64| -0.001 * g / (g.abs() + 1e-7 / 0.001f64.sqrt());
    close("first step", &value, &[step(1.0), step(-1.0), step(1e-3)], 1e-6);
}

#[test]
fn extreme_gradients_leave_all_values_finite() {
    for rule in [Rule::ADAM, Rule::Sgd { momentum: 0.9 }] {
        for g in [0.0, 1e-45, 1e-38, 1.0, 1e19, 1e38, -1e38] {
            // With a usual rate, gradient descent cannot take steps along gradients this large; Adam divides the size
            // out.
            let rate = if matches!(rule, Rule::Sgd { .. }) { 1e-6 } else { 1e-3 };
            let mut optimizer = Optimizer::new(rule, rate);
            let mut value = vec![1.0f32; 20];
            for step in 0..1000 {
                optimizer.begin_step();
                let gradient = if step % 2 == 0 || step < 10 { g } else { 0.0 };
                optimizer.update(&mut value, &[gradient; 20], 1.0);
            }
            assert!(value.iter().all(|v| v.is_finite()), "{rule:?} with gradients of {g}: {}", value[0]);
            let (_, moments) = optimizer.state();
            assert!(moments[0].iter().all(|moment| moment.iter().all(|m| m.is_finite())), "{rule:?}, gradients of {g}");
            if g == 0.0 {
                assert!(value.iter().all(|&v| v == 1.0), "{rule:?} moved without a gradient");
            }
        }
    }
}

#[test]
fn a_nan_gradient_is_not_hidden() {
    for rule in [Rule::ADAM, Rule::Sgd { momentum: 0.9 }] {
        let mut optimizer = Optimizer::new(rule, 1e-3);
        let mut value = [1.0f32; 20];
        let mut gradient = [0.5f32; 20];
        gradient[17] = f32::NAN;
        optimizer.begin_step();
        optimizer.update(&mut value, &gradient, 1.0);
        let broken: Vec<usize> = (0..20).filter(|&i| value[i].is_nan()).collect();
        assert_eq!(broken, [17], "{rule:?}");
    }
}

#[test]
fn a_restored_optimizer_continues_with_the_same_bits() {
    let mut whole = Optimizer::new(Rule::ADAM, 0.001);
    let (mut expected, mut value) = (start(), start());
    let mut resumed = Optimizer::new(Rule::ADAM, 0.001);
    for (step, gradient) in gradients().take(20).enumerate() {
        if step == 10 {
            let (steps, moments) = resumed.state();
            let moments = moments.to_vec();
            let mut fresh = Optimizer::new(Rule::ADAM, 0.001);
            fresh.restore(steps, moments);
            resumed = fresh;
        }
        for (optimizer, value) in [(&mut whole, &mut expected), (&mut resumed, &mut value)] {
            optimizer.begin_step();
            optimizer.update(value, &gradient, 1.0);
        }
    }
    same_bits("value", &value, &expected);
}

#[test]
#[should_panic(expected = "the moments are those of another rule or parameter")]
fn restored_moments_of_another_rule_are_refused() {
    let [mut descent, mut adam] = [Rule::Sgd { momentum: 0.9 }, Rule::ADAM].map(|rule| Optimizer::new(rule, 0.1));
    let mut value = start();
    descent.begin_step();
    descent.update(&mut value, &[0.5; LEN], 1.0);
    let (steps, moments) = descent.state();
    adam.restore(steps, moments.to_vec());
    adam.begin_step();
    adam.update(&mut value, &[0.5; LEN], 1.0);
}

#[test]
fn every_chunk_of_a_long_parameter_is_updated() {
    // More elements than several tasks update.
    let len = 50_021;
    for rule in [Rule::ADAM, Rule::Sgd { momentum: 0.9 }] {
        let update = |len: usize| {
            let mut optimizer = Optimizer::new(rule, 0.001);
            let mut value = vec![1.0f32; len];
            optimizer.begin_step();
            optimizer.update(&mut value, &vec![0.25; len], 1.0);
            value
        };
        same_bits("value", &update(len), &vec![update(1)[0]; len]);
    }
}
