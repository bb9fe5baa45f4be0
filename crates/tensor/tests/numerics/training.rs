//! The training loop: batches of any size, what it reports, what it refuses, and how it stops.

use std::ops::ControlFlow;
use std::sync::Mutex;

use thawline_tensor::kernels::reference;
use thawline_tensor::nn::fit::{shuffled, train_step};
use thawline_tensor::nn::trace::Trace;
use thawline_tensor::nn::{
    Activation, Augment, Dense, EpochReport, Examples, Fit, FitError, Inputs, Network, Observer, Optimizer, Rest, Rule,
    Schedule, State, StepReport, evaluate, fit, fit_from, predict,
};
use thawline_tensor::threads::with_threads;
use thawline_tensor::{Shape, Tensor};

use crate::chain::{self, STEP};
use crate::compare::{close, same_bits};
use crate::data::{reals, wide};
use crate::small::{self, CLASSES, FIT, Log, digest, examples, network};

#[test]
fn a_step_computes_the_gradients_of_the_layers() {
    // The trace against one layer after the other: batches of several groups, of one, and of one example.
    for n in [21, 8, 1] {
        let mut network = network();
        let examples = examples(n);
        let images = reals("images", n * network.input().size());
        let mut pass = chain::forward(&network, &images, n, STEP);
        let mut dlogits = vec![0.0; n * CLASSES];
        let rows = pass.logits().chunks(CLASSES).zip(dlogits.chunks_mut(CLASSES)).zip(examples.labels());
        for ((z, dz), &label) in rows {
            thawline_tensor::kernels::softmax::softmax_cross_entropy(z, label as usize, 1.0 / n as f32, dz);
        }
        chain::backward(&network, &mut pass, &images, &dlogits, STEP);

        let nodes = network.split().1.into_nodes();
        // A larger trace than the batch: the last batch of an epoch.
        let mut trace = Trace::new(nodes, images.len() / n, n + 3);
        let mut optimizer = Optimizer::new(Rule::ADAM, 1e-3);
        train_step(nodes, &mut trace, &mut optimizer, &examples, &(0..n as u32).collect::<Vec<_>>(), STEP);
        same_bits("logits", trace.logits(n), pass.logits());
        for (index, expected) in pass.gradients.iter().enumerate() {
            let actual = &trace.gradient(index)[..expected.len()];
            // In another order of summation, hence not the same bits.
            close(format!("gradient of {} over {n}", nodes[index].name()), actual, &wide(expected), 2e-5);
        }
    }
}

/// Notes which of its inputs are read, and in which order.
struct Noted<'a> {
    shape: Shape,
    read: &'a Mutex<Vec<usize>>,
}

impl Inputs for Noted<'_> {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn len(&self) -> usize {
        21
    }

    fn read(&self, index: usize, into: &mut [f32]) {
        into.fill(index as f32 / 21.0);
        self.read.lock().unwrap().push(index);
    }
}

#[test]
fn every_epoch_has_an_order_of_its_own() {
    let read = Mutex::new(Vec::new());
    let mut network = network();
    let inputs = Noted { shape: network.input().clone(), read: &read };
    let examples = Examples::new(inputs, (0..21).map(|i| i % CLASSES as u32).collect());
    // On one thread, where a batch is read from its first example to its last.
    let options = Fit { epochs: 3, batch_size: 4, ..FIT };
    with_threads(1, || fit(&mut network, &examples, None, &options, &mut Log::default())).unwrap().unwrap();
    let read = read.lock().unwrap();
    let epochs: Vec<&[usize]> = read.chunks(21).collect();
    assert_eq!(epochs.len(), 3, "each example is read once an epoch");
    for (epoch, order) in epochs.iter().enumerate() {
        let expected: Vec<usize> = shuffled(21, FIT.seed, epoch).into_iter().map(|index| index as usize).collect();
        assert_eq!(*order, expected, "epoch {}", epoch + 1);
    }
    assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2] && epochs[0] != epochs[2]);
}

#[test]
fn every_example_is_seen_once_an_epoch_whatever_the_batch_size() {
    for (batch_size, seen) in [
        (32, vec![32, 64, 70]),
        (70, vec![70]),
        (1000, vec![70]),
        (35, vec![35, 70]),
        (69, vec![69, 70]),
        (1, (1..=70).collect()),
    ] {
        let mut network = network();
        let log = small::train(&mut network, &Fit { batch_size, ..FIT });
        let counts: Vec<usize> = log.steps.iter().map(|step| step.0).collect();
        assert_eq!(counts, [seen.clone(), seen].concat(), "batches of {batch_size}");
        assert!(log.steps.iter().all(|step| step.1.is_finite()));
        // An epoch's loss is the mean over its examples, which is the last running mean.
        let last = log.steps[log.steps.len() - 1];
        assert_eq!((log.epochs[1][0], log.epochs[1][1]), (last.1, last.2));
    }
    for epoch in 0..3 {
        let mut order = shuffled(70, 5, epoch);
        assert_ne!(order, shuffled(70, 5, epoch + 1), "every epoch has an order of its own");
        order.sort_unstable();
        assert_eq!(order, (0..70).collect::<Vec<u32>>());
    }
}

#[test]
fn a_smaller_batch_in_a_larger_trace_updates_by_its_own_examples() {
    let update = |trace_batch: usize, warm_up: bool| {
        let mut network = network();
        let examples = examples(40);
        let nodes = network.split().1.into_nodes();
        let mut trace = Trace::new(nodes, examples.inputs().shape().size(), trace_batch);
        if warm_up {
            // Leaves the activations and gradients of other examples behind, and the weights as they are.
            let mut still = Optimizer::new(Rule::Sgd { momentum: 0.0 }, 0.0);
            train_step(nodes, &mut trace, &mut still, &examples, &(0..40).collect::<Vec<u32>>(), STEP);
        }
        let mut optimizer = Optimizer::new(Rule::ADAM, 1e-3);
        train_step(nodes, &mut trace, &mut optimizer, &examples, &[3, 1, 4, 15, 9, 2, 6, 5, 35], STEP);
        digest(&network)
    };
    assert_eq!(update(40, true), update(9, false));
}

#[test]
fn a_loss_that_is_not_finite_stops_the_training_and_is_named() {
    // One weight is broken from the beginning: named is the first layer whose output shows it.
    for (param, layer) in [("conv_2/kernel", "conv_2"), ("dense_1/bias", "dense_1"), ("dense_2/kernel", "dense_2")] {
        let mut network = network();
        network.update_params(|name, values| {
            if name == param {
                values.value.fill(f32::NAN);
            }
        });
        let error = fit(&mut network, &examples(70), None, &FIT, &mut ()).expect_err("the loss is not a number");
        let FitError::NotFinite { epoch, step, loss, layer: named } = &error else { panic!("{error}") };
        assert_eq!((*epoch, *step, named.as_str()), (1, 1, layer));
        assert!(loss.is_nan());
        let expected =
            format!("the loss is NaN in epoch 1, step 1; the first layer whose output is not finite is '{layer}'");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn a_training_that_diverges_stops_within_a_step() {
    let mut network = network();
    let mut log = Log::default();
    // So high a rate that the first update overflows the next step's activations.
    let options = Fit { rate: 1e30, epochs: 5, ..FIT };
    let error = fit(&mut network, &examples(70), None, &options, &mut log).expect_err("it diverges");
    let FitError::NotFinite { epoch, step, .. } = error else { panic!("{error}") };
    assert_eq!((epoch, step), (1, 2));
    assert_eq!(log.steps.len(), 1, "the broken step is not reported");
}

#[test]
fn an_infinite_loss_stops_the_training_before_it_changes_a_weight() {
    let mut network = network();
    network.update_params(|name, param| {
        if name == "dense_2/bias" {
            param.value.fill(f32::INFINITY);
        }
    });
    let before = digest(&network);
    fit(&mut network, &examples(70), None, &FIT, &mut ()).expect_err("the loss is not a number");
    assert_eq!(digest(&network), before);
}

/// Asks to stop after some steps or epochs.
struct StopAfter {
    steps: usize,
    epochs: usize,
    seen: [usize; 2],
}

impl Observer for StopAfter {
    fn step(&mut self, _report: &StepReport) -> ControlFlow<()> {
        self.seen[0] += 1;
        if self.seen[0] == self.steps { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn epoch(&mut self, _report: &EpochReport) -> ControlFlow<()> {
        self.seen[1] += 1;
        if self.seen[1] == self.epochs { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn an_observer_ends_the_training() {
    for (steps, epochs, expected) in [(4, 9, [4, 1]), (1, 9, [1, 0]), (99, 1, [3, 1]), (99, 9, [6, 2])] {
        let mut stop = StopAfter { steps, epochs, seen: [0; 2] };
        fit(&mut network(), &examples(70), None, &FIT, &mut stop).expect("stopping is no failure");
        assert_eq!(stop.seen, expected);
    }
}

/// Ends the training after a number of steps, and keeps the state and the parameters; notes every report.
struct Interrupt {
    after: usize,
    seen: usize,
    kept: Option<(State, Vec<Vec<f32>>)>,
    reports: Vec<[f64; 4]>,
}

impl Observer for Interrupt {
    fn step(&mut self, _report: &StepReport) -> ControlFlow<()> {
        self.seen += 1;
        if self.seen == self.after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn epoch(&mut self, report: &EpochReport) -> ControlFlow<()> {
        let (training, validation) = (report.training, report.validation.unwrap_or_default());
        self.reports.push([training.loss, training.accuracy, validation.loss, validation.accuracy]);
        ControlFlow::Continue(())
    }

    fn rest(&mut self, rest: Rest<'_>) -> ControlFlow<()> {
        self.kept = Some((rest.state.clone(), rest.params().map(|(_, param)| param.value.to_vec()).collect()));
        ControlFlow::Continue(())
    }
}

#[test]
fn an_interrupted_training_goes_on_with_the_same_bits() {
    // Two epochs of three steps; with a frozen layer there are no moments for it, and the kept features are made again.
    for frozen in [None, Some("conv_2")] {
        let prepared = || {
            let mut network = network();
            frozen.map_or(Ok(()), |layer| network.freeze_through(layer)).expect("there is such a layer");
            network
        };
        let (training, validation) = (examples(70), examples(20));
        let run = |network: &mut Network, state: State, after: usize| {
            let mut observer = Interrupt { after, seen: 0, kept: None, reports: Vec::new() };
            fit_from(state, network, &training, Some(&validation), &FIT, &mut observer).expect("it trains");
            observer
        };
        let mut whole = prepared();
        let uninterrupted = run(&mut whole, State::start(&FIT), usize::MAX);
        for after in 1..=6 {
            let first = run(&mut prepared(), State::start(&FIT), after);
            let (state, values) = first.kept.expect("it rested");
            assert_eq!((state.epoch * 3 + state.step, state.optimizer.state().0), (after, after as u64));
            let mut network = prepared();
            let mut values = values.into_iter();
            network.update_params(|_, param| param.value.copy_from_slice(&values.next().expect("as many")));
            let second = run(&mut network, state, usize::MAX);
            assert_eq!(digest(&network), digest(&whole), "after step {after}");
            assert_eq!([first.reports, second.reports].concat(), uninterrupted.reports, "after step {after}");
        }
    }
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let message = |network: &mut Network, training: &Examples, validation: Option<&Examples>, options: &Fit| {
        let before = digest(network);
        let error = fit(network, training, validation, options, &mut ()).expect_err("it is refused");
        assert!(matches!(error, FitError::Invalid(_)), "{error}");
        assert_eq!(digest(network), before);
        error.to_string()
    };
    let good = examples(9);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let text = message(&mut network(), &good, None, &Fit { rate, ..FIT });
        assert_eq!(text, format!("the learning rate is {rate}; it must be a positive number"));
    }
    let text = message(&mut network(), &good, None, &Fit { batch_size: 0, ..FIT });
    assert_eq!(text, "the batch size is 0; it must be at least 1");
    let mut frozen = network();
    frozen.freeze_through("dense_2").expect("there is such a layer");
    assert_eq!(message(&mut frozen, &good, None, &FIT), "every layer is frozen: there is nothing to train");

    let of = |label: u32, dims: [usize; 4]| Examples::new(Tensor::zeros(dims), vec![label; dims[0]]);
    for (bad, expected) in [
        (of(5, [2, 12, 11, 3]), "a training example has label 5, but the network tells 5 classes apart"),
        (
            of(0, [2, 11, 12, 3]),
            "the network takes inputs of 12 x 11 x 3, and the training examples are of 11 x 12 x 3",
        ),
        (of(0, [0, 12, 11, 3]), "there are no training examples"),
    ] {
        assert_eq!(message(&mut network(), &bad, None, &FIT), expected);
        assert_eq!(message(&mut network(), &good, Some(&bad), &FIT), expected.replace("training", "validation"));
    }
}

#[test]
fn a_network_learns_what_can_be_learnt() {
    // Two moons of a kind: the sign of x * y, which no single layer can tell.
    let n = 200;
    let points = reals("points", 2 * n);
    let labels = points.chunks(2).map(|p| u32::from(p[0] * p[1] > 0.0)).collect();
    let examples = Examples::new(Tensor::from_slice([n, 2], &points), labels);
    let mut network = Network::builder([2])
        .layer("hidden", Dense::new(32))
        .layer("relu", Activation::Relu)
        .layer("logits", Dense::new(2))
        .build(1)
        .expect("the network fits together");
    let before = evaluate(&network, &examples);
    let options = Fit { epochs: 200, batch_size: 32, rate: 0.01, ..Fit::default() };
    fit(&mut network, &examples, None, &options, &mut ()).expect("training succeeds");
    let after = evaluate(&network, &examples);
    assert!(after.loss < before.loss / 4.0 && after.accuracy > 0.95, "{before:?}, then {after:?}");
}

#[test]
fn a_rate_factor_slows_one_layer_down() {
    let moved = |factor: f64| {
        let mut network = network();
        network.set_rate_factor("conv_3", factor).expect("there is such a layer");
        // A layer without parameters has no rate to scale, though it is folded into one that has.
        network.set_rate_factor("relu_2", 0.0).expect("there is such a layer");
        let before: Vec<Vec<f32>> = network.params().map(|(_, param)| param.value.to_vec()).collect();
        small::train(&mut network, &Fit { epochs: 1, ..FIT });
        let moves = network.params().zip(&before).map(|((_, param), before)| {
            param.value.iter().zip(before).map(|(new, old)| (new - old).abs()).fold(0.0, f32::max)
        });
        moves.collect::<Vec<f32>>()
    };
    let (one, tenth, none) = (moved(1.0), moved(0.1), moved(0.0));
    // Parameters 4 and 5 are the kernel and bias of conv_3; 2 and 3 those of conv_2.
    assert!(tenth[4] < one[4] / 5.0 && tenth[5] < one[5] / 5.0, "{one:?} {tenth:?}");
    assert_eq!(none[4..6], [0.0, 0.0]);
    assert!(none[2] > one[2] / 2.0 && none[2] > 0.0);
}

#[test]
fn metrics_are_the_means_over_all_predictions() {
    let (network, examples) = (network(), examples(150));
    let logits = predict(&network, &examples);
    let scored = logits.data().chunks(CLASSES).zip(examples.labels()).map(|(logits, &label)| {
        let (loss, _) = reference::softmax_cross_entropy(&wide(logits), label as usize);
        let right = logits.iter().all(|&logit| logit <= logits[label as usize]);
        (loss, usize::from(right))
    });
    let (losses, right): (Vec<f64>, Vec<usize>) = scored.unzip();
    let metrics = evaluate(&network, &examples);
    assert!((metrics.loss - losses.iter().sum::<f64>() / 150.0).abs() < 1e-12);
    assert_eq!(metrics.accuracy, right.iter().sum::<usize>() as f64 / 150.0);
    assert!((0.05..0.5).contains(&metrics.accuracy), "five classes, an untrained network: {metrics:?}");
}

#[test]
fn nothing_to_score_gives_nothing() {
    let network = network();
    let none = examples(0);
    assert_eq!(predict(&network, &none).shape().dims(), [0, CLASSES]);
    assert_eq!(evaluate(&network, &none).accuracy, 0.0);
}

#[test]
fn a_schedule_sets_the_rate_of_every_step() {
    // With plain descent, the weights move by rate times gradient.
    let moved = |schedule: Schedule, epochs: usize| {
        let mut network = network();
        let before: Vec<f32> = network.params().flat_map(|(_, param)| param.value.to_vec()).collect();
        let rule = Rule::Sgd { momentum: 0.0 };
        small::train(&mut network, &Fit { epochs, rule, rate: 0.01, schedule, batch_size: 70, ..FIT });
        let after = network.params().flat_map(|(_, param)| param.value.to_vec());
        after.zip(before).map(|(after, before)| f64::from(after - before).abs()).sum::<f64>()
    };
    assert_eq!(moved(Schedule::Cosine, 1), moved(Schedule::Constant, 1), "the first step has the whole rate");
    let courses = [Schedule::Constant, Schedule::Cosine, Schedule::OneCycle].map(|schedule| moved(schedule, 4));
    // Rates of 1, 1, 1, 1; of 1, 0.85, 0.5, 0.15; of 0.04, 0.96, 0.4, 0.
    assert!(courses[0] > courses[1] && courses[1] > courses[2] && courses[2] > 0.2 * courses[0], "{courses:?}");
}

#[test]
fn what_is_changed_at_random_is_never_kept_and_has_an_address() {
    let trained = |cached: bool, seed: u64, augment: Augment| {
        let mut network = network();
        network.freeze_through("pool").expect("there is such a layer");
        let examples = examples(40).augmented(augment);
        fit(&mut network, &examples, None, &Fit { cached, seed, ..FIT }, &mut ()).expect("training succeeds");
        digest(&network)
    };
    let both = Augment { flip: true, crop: 2 };
    assert_eq!(trained(true, 5, both), trained(false, 5, both), "a cache would have kept the first change");
    let results = [Augment::default(), both, Augment { flip: true, crop: 0 }, Augment { flip: false, crop: 2 }];
    let distinct: std::collections::BTreeSet<String> =
        results.into_iter().map(|augment| trained(true, 5, augment)).chain([trained(true, 6, both)]).collect();
    assert_eq!(distinct.len(), 5);
}
