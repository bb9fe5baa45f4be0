//! When training stops: a loss that is not finite, an observer, early stopping; and how it resumes.

use thawline_tensor::nn::trace::Trace;
use thawline_tensor::nn::{
    EpochReport, Examples, Fit, FitError, Network, Observer, Rule, Snapshot, StepReport, StopEarly, StopReason,
    TrainingState,
};
use thawline_tensor::{Shape, Tensor};

use crate::chain::STEP;
use crate::data::reals;
use crate::small::{FIT, Log, digest, examples, metrics, network};

#[test]
fn a_nan_or_infinite_loss_stops_training_before_the_update() {
    // One parameter is broken from the start: the error names the first layer whose output shows it.
    for (param, broken, layer) in [
        ("conv_2/kernel", f32::NAN, "conv_2"),
        ("dense_1/bias", f32::NAN, "dense_1"),
        ("dense_2/kernel", f32::NAN, "dense_2"),
        ("dense_2/bias", f32::INFINITY, "dense_2"),
    ] {
        let mut network = network();
        network.update_params(|name, values| {
            if name == param {
                values.value.fill(broken);
            }
        });
        let before = digest(&network);
        let error = network.fit(&examples(70), FIT).expect_err("the loss is not a number");
        let FitError::NotFinite { epoch, step, loss, layer: named } = &error else { panic!("{error}") };
        assert_eq!((*epoch, *step, named.as_str()), (1, 1, layer));
        assert!(!loss.is_finite());
        let expected =
            format!("the loss is NaN in epoch 1, step 1; the first layer whose output is not finite is '{layer}'");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!(digest(&network), before);
    }
}

#[test]
fn a_layer_is_not_blamed_for_an_earlier_batch() {
    let network = network();
    let (x, nodes) = (network.input(), network.nodes());
    let len = x.size();
    let mut pixels = reals("images", 20 * len);
    pixels[3 * len] = f32::NAN;
    let examples = Examples::new(Tensor::from_slice(Shape::new([&[20], x.dims()].concat()), &pixels), vec![0; 20]);
    let mut trace = Trace::new(nodes, len, 20);
    let mut first_not_finite = |indices: Vec<u32>| {
        trace.forward(nodes, &examples, &indices, Some(STEP));
        trace.first_not_finite(nodes)
    };
    assert_eq!(first_not_finite((0..20).collect()), Some("conv_1"));
    assert_eq!(first_not_finite((4..9).collect()), None);
}

#[test]
fn a_diverging_training_run_stops_within_a_step() {
    let mut log = Log::default();
    // The rate is so high that the first update makes the next step's activations overflow.
    let options = Fit { rate: 1e30, epochs: 5, ..FIT };
    let error = network().fit(&examples(70), options.watch(&mut log)).expect_err("it diverges");
    let FitError::NotFinite { epoch, step, .. } = error else { panic!("{error}") };
    assert_eq!((epoch, step), (1, 2));
    assert_eq!(log.steps.len(), 1, "the broken step is not reported");
}

#[test]
fn a_validation_loss_that_is_not_finite_stops_training() {
    // The only step of the epoch is finite; the weights that it leaves are not usable.
    let (options, set) = (Fit { rate: 1e30, batch_size: 70, ..FIT }, examples(70));
    let error = network().fit(&set, options.validate(&set)).expect_err("it diverges");
    assert!(matches!(error, FitError::NotFinite { epoch: 1, step: 1, loss, .. } if !loss.is_finite()), "{error}");
    // Of three batches the first is bad, and its first layer is named.
    let mut images = reals("images", 70 * 12 * 11 * 3);
    images[0] = f32::NAN;
    let bad = Examples::new(Tensor::from_slice([70, 12, 11, 3], &images), set.labels().to_vec());
    let error = network().fit(&set, FIT.validate(&bad)).expect_err("its loss is NaN");
    let FitError::NotFinite { epoch, step, layer, .. } = error else { panic!("{error}") };
    assert_eq!((epoch, step, layer.as_str()), (1, 3, "conv_1"));
}

/// Stops training after some steps, after some epochs or in the first snapshot; keeps the content of the last snapshot.
#[derive(Default)]
struct StopAt {
    step: usize,
    epoch: usize,
    snapshot: bool,
    /// The error, unless it stops early.
    reason: Option<&'static str>,
    seen: [usize; 2],
    kept: Option<(TrainingState, Vec<Vec<f32>>, Option<String>)>,
}

impl StopAt {
    fn stop_if(&self, here: bool) -> Result<(), StopReason> {
        match self.reason {
            _ if !here => Ok(()),
            None => Err(StopEarly.into()),
            Some(reason) => Err(reason.into()),
        }
    }
}

impl Observer for StopAt {
    fn step(&mut self, _report: &StepReport) -> Result<(), StopReason> {
        self.seen[0] += 1;
        self.stop_if(self.seen[0] == self.step)
    }

    fn epoch(&mut self, _report: &EpochReport) -> Result<(), StopReason> {
        self.seen[1] += 1;
        self.stop_if(self.seen[1] == self.epoch)
    }

    fn snapshot(&mut self, snapshot: Snapshot<'_>) -> Result<(), StopReason> {
        let values = snapshot.params().map(|(_, param)| param.value.to_vec()).collect();
        self.kept = Some((snapshot.state.clone(), values, snapshot.stop.map(ToString::to_string)));
        self.stop_if(self.snapshot)
    }
}

#[test]
fn an_observer_can_stop_training_early_or_with_an_error() {
    for reason in [None, Some("the disk is full")] {
        for (mut stop, seen) in [
            (StopAt { step: 4, reason, ..StopAt::default() }, [4, 1]),
            (StopAt { step: 1, snapshot: true, reason, ..StopAt::default() }, [1, 0]),
            (StopAt { epoch: 1, reason, ..StopAt::default() }, [3, 1]),
            (StopAt { snapshot: true, reason, ..StopAt::default() }, [3, 1]),
        ] {
            let ends_in_snapshot = stop.step + stop.epoch == 0;
            let result = network().fit(&examples(70), FIT.watch(&mut stop));
            assert_eq!(stop.seen, seen);
            let told = stop.kept.and_then(|(_, _, told)| told);
            let expected = reason.unwrap_or("training was stopped early");
            assert_eq!(told.as_deref(), (!ends_in_snapshot).then_some(expected));
            match (result, reason) {
                (Ok(history), None) => assert_eq!(history.epochs.len(), seen[1]),
                (Err(FitError::Stopped(cause)), Some(reason)) => assert_eq!(cause.to_string(), reason),
                (result, _) => panic!("{result:?}"),
            }
        }
    }
}

#[test]
fn interrupted_training_resumes_with_the_same_bits() {
    // Two epochs of three steps; a frozen layer has no moments, and the cached features are computed again.
    for frozen in [None, Some("conv_2")] {
        let prepared = || {
            let mut network = network();
            frozen.map_or(Ok(()), |layer| network.freeze_through(layer)).expect("there is such a layer");
            network
        };
        let (training, validation) = (examples(70), examples(20));
        let run = |network: &mut Network, state: TrainingState, step: usize| {
            let mut observer = StopAt { step, ..StopAt::default() };
            let plan = FIT.validate(&validation).watch(&mut observer).resume(state);
            let history = network.fit(&training, plan).expect("it trains");
            (metrics(&history), observer.kept.expect("it paused"))
        };
        let mut whole = prepared();
        let (uninterrupted, _) = run(&mut whole, TrainingState::start(&FIT), usize::MAX);
        for after in 1..=6 {
            let (_, (state, values, _)) = run(&mut prepared(), TrainingState::start(&FIT), after);
            assert_eq!((state.epoch() * 3 + state.step, state.optimizer.state().0), (after, after as u64));
            let mut network = prepared();
            let mut values = values.into_iter();
            network.update_params(|_, param| param.value.copy_from_slice(&values.next().expect("as many")));
            let (resumed, _) = run(&mut network, state, usize::MAX);
            assert_eq!(digest(&network), digest(&whole), "after step {after}");
            assert_eq!(resumed, uninterrupted, "after step {after}");
        }
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused() {
    let mut stop = StopAt { step: 1, ..StopAt::default() };
    network().fit(&examples(70), FIT.watch(&mut stop)).expect("it stops early");
    let (state, ..) = stop.kept.expect("it paused");
    let mut frozen = network();
    frozen.freeze_through("conv_2").expect("there is such a layer");
    let descent = Fit { rule: Rule::Sgd { momentum: 0.9 }, ..FIT };
    for (mut network, options, words) in [
        (network(), descent, "has the optimizer Adam {"),
        (frozen, FIT, "has the moments of other parameters than the network's trainable ones"),
    ] {
        let error = network.fit(&examples(70), options.resume(state.clone())).expect_err("it is refused");
        assert!(matches!(&error, FitError::Invalid(fault) if fault.contains(words)), "{error}");
    }
}

#[test]
fn early_stopping_ends_when_the_accuracy_stops_rising() {
    // The rate is too low to change anything, so the first epoch stays the best.
    let (validation, options) = (examples(41), Fit { rate: 1e-30, epochs: 9, patience: Some(2), ..FIT });
    let history = network().fit(&examples(70), options.validate(&validation)).expect("it trains");
    assert_eq!((history.epochs.len(), history.best_epoch()), (3, 1));
    let state = TrainingState { history: history.clone(), ..TrainingState::start(&options) };
    // The same after the last epoch: nothing is computed again, and the times stay as they are.
    for options in [options, Fit { epochs: 3, patience: None, cached: true, ..options }] {
        let plan = options.resume(state.clone()).validate(&validation);
        assert_eq!(network().fit(&examples(70), plan).expect("it is done"), history);
    }
}
