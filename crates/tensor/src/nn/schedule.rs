//! Learning-rate schedules: how the rate changes from the first step to the last.

use core::f64::consts::PI;

/// A learning-rate schedule.
///
/// ```
/// use thawline_tensor::nn::Schedule;
///
/// assert_eq!(Schedule::Constant.rate(0.001, 50, 100), 0.001);
/// assert!((Schedule::Cosine.rate(0.001, 50, 100) - 0.0005).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// The same rate in every step.
    #[default]
    Constant,
    /// From the rate down towards zero along half a cosine (Loshchilov and Hutter 2017).
    Cosine,
    /// In the first 30 % of the steps up from a 25th of the rate to the rate, then down to a 250,000th of it, both
    /// along half a cosine (Smith 2018, with PyTorch's defaults).
    OneCycle,
}

/// The share of a one-cycle schedule's steps in which the rate rises.
const RISE: f64 = 0.3;
/// A one-cycle schedule starts at the rate divided by this.
const START_DIVISOR: f64 = 25.0;
/// A one-cycle schedule ends at the starting rate divided by this.
const END_DIVISOR: f64 = 1e4;

impl Schedule {
    /// The rate of a step, counted from 0, in a run of `steps` steps.
    pub fn rate(self, rate: f64, step: u64, steps: u64) -> f64 {
        let half_cosine = |from: f64, to: f64, part: f64| to + (from - to) * (1.0 + libm::cos(PI * part)) / 2.0;
        match self {
            Schedule::Constant => rate,
            Schedule::Cosine => half_cosine(rate, 0.0, step as f64 / steps.max(1) as f64),
            Schedule::OneCycle => {
                let (step, last) = (step as f64, steps as f64 - 1.0);
                let top = (RISE * steps as f64 - 1.0).max(0.0);
                let start = rate / START_DIVISOR;
                if step > top {
                    half_cosine(rate, start / END_DIVISOR, (step - top) / (last - top))
                } else {
                    half_cosine(start, rate, if top > 0.0 { step / top } else { 1.0 })
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_stays_and_cosine_falls_to_zero() {
        assert_eq!(Schedule::Constant.rate(0.1, 7, 10), 0.1);
        let cosine: Vec<f64> = (0..4).map(|step| Schedule::Cosine.rate(2.0, step, 4)).collect();
        let expected = [2.0, 1.0 + core::f64::consts::FRAC_1_SQRT_2, 1.0, 1.0 - core::f64::consts::FRAC_1_SQRT_2];
        assert!(cosine.iter().zip(expected).all(|(rate, expected)| (rate - expected).abs() < 1e-12), "{cosine:?}");
    }

    #[test]
    fn one_cycle_agrees_with_pytorch() {
        // torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
        #[rustfmt::skip]
        const PYTORCH: [f64; 20] = [0.004, 0.013167184270002533, 0.037167184270002526, 0.06683281572999747, 0.09083281572999748, 0.1, 0.09874640062350874, 0.09504846320134738, 0.089091617757105, 0.0811745653949763, 0.07169430017913009, 0.06112620219362893, 0.0500002, 0.03887419780637107, 0.028306099820869922, 0.0188258346050237, 0.010908782242895003, 0.004951936798652629, 0.0012539993764912555, 4e-07];
        for (step, expected) in PYTORCH.into_iter().enumerate() {
            let rate = Schedule::OneCycle.rate(0.1, step as u64, 20);
            assert!((rate - expected).abs() < 1e-12, "step {step}: {rate}, not {expected}");
        }
    }

    #[test]
    fn every_length_has_finite_positive_rates() {
        for steps in 1..50 {
            for step in 0..steps {
                for schedule in [Schedule::Constant, Schedule::Cosine, Schedule::OneCycle] {
                    let rate = schedule.rate(0.1, step, steps);
                    assert!(rate > 0.0 && rate <= 0.1, "{schedule:?}, step {step} of {steps}: {rate}");
                }
            }
        }
    }
}
