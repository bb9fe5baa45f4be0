//! The training loop: batch sizes, reports, and refused options.

use std::sync::Mutex;

use thawline_tensor::kernels::reference;
use thawline_tensor::nn::fit::{shuffled, train_step};
use thawline_tensor::nn::trace::Trace;
use thawline_tensor::nn::{Augment, Examples, Fit, FitError, Inputs, Network, Optimizer, Rule, Schedule, Training};
use thawline_tensor::threads::with_threads;
use thawline_tensor::{Shape, Tensor};

use crate::chain::{self, STEP};
use crate::compare::{close, same_bits};
use crate::data::{reals, wide};
use crate::normalization;
use crate::small::{self, CLASSES, FIT, digest, examples, network};

#[test]
fn a_step_computes_the_gradients_of_the_layers() {
    // Compares the trace with layers that run one after the other: on a batch of groups of eight, on one that is cut
    // into groups of one, and on a single example.
    for (mut network, n) in [(network(), 21), (network(), 8), (network(), 1), (normalization::network(), 21)] {
        let examples = examples(n);
        let images = reals("images", n * network.input().size());
        let dlogits = |logits: &[f32]| chain::loss_and_dlogits(logits, examples.labels()).1;
        let pass = chain::pass_at(&network, &images, n, STEP, dlogits);

        let (_, nodes) = network.split();
        // A larger trace than the batch: the last batch of an epoch.
        let mut trace = Trace::new(nodes, images.len() / n, n + 3);
        let mut optimizer = Optimizer::new(Rule::ADAM, 1e-3);
        train_step(nodes, &mut trace, &mut optimizer, &examples, &(0..n as u32).collect::<Vec<_>>(), STEP);
        same_bits("logits", trace.logits(), &pass.logits);
        for (index, expected) in pass.gradients.iter().enumerate() {
            // The gradient of a bias before a normalization, which removes it, consists only of rounding errors.
            let is_normalized = nodes.get(index + 1).is_some_and(|next| next.layer().kind() == "BatchNormalization");
            let bias = nodes[index].layer().params().get(1).filter(|_| is_normalized);
            let biases = bias.map_or(0, |bias| bias.value.len());
            let len = expected.len() - biases;
            let what = format!("gradient of {} over {n}", nodes[index].name());
            // The order of summation differs, so the bits do, too.
            close(what, &trace.gradient(index)[..len], &wide(&expected[..len]), 2e-5);
        }
    }
}

/// Records which of its inputs are read, and in which order.
struct RecordedReads<'a> {
    shape: Shape,
    read: &'a Mutex<Vec<usize>>,
}

impl Inputs for RecordedReads<'_> {
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
fn every_epoch_is_shuffled_differently() {
    let read = Mutex::new(Vec::new());
    let mut network = network();
    let inputs = RecordedReads { shape: network.input().clone(), read: &read };
    let examples = Examples::new(inputs, (0..21).map(|i| i % CLASSES as u32).collect());
    // On one thread, where a batch is read from its first example to its last.
    let options = Fit { epochs: 3, batch_size: 4, ..FIT };
    with_threads(1, || network.fit(&examples, options)).unwrap().unwrap();
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
fn every_example_is_seen_once_per_epoch_for_any_batch_size() {
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
    let mut order = shuffled(70, 5, 1);
    order.sort_unstable();
    assert_eq!(order, (0..70).collect::<Vec<u32>>());
}

#[test]
fn a_smaller_batch_uses_only_its_own_examples() {
    let update = |trace_batch: usize, warm_up: bool| {
        let mut network = network();
        let examples = examples(40);
        let (_, nodes) = network.split();
        let mut trace = Trace::new(nodes, examples.inputs().shape().size(), trace_batch);
        if warm_up {
            // Leaves the activations and gradients of other examples in the trace, and the weights unchanged.
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
fn invalid_training_options_are_refused() {
    let message = |network: &mut Network, training: &Examples, validation: Option<&Examples>, options: &Fit| {
        let before = digest(network);
        let plan = Training::from(*options);
        let plan = validation.map_or(plan, |validation| options.validate(validation));
        let error = network.fit(training, plan).expect_err("it is refused");
        assert!(matches!(error, FitError::Invalid(_)), "{error}");
        assert_eq!(digest(network), before);
        error.to_string()
    };
    let good = examples(9);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let text = message(&mut network(), &good, None, &Fit { rate, ..FIT });
        assert_eq!(text, format!("the learning rate is {rate}; it must be a positive number"));
    }
    let adam = |beta_1, beta_2, epsilon| Rule::Adam { beta_1, beta_2, epsilon };
    let invalid = [adam(1.0, 0.9, 1e-7), adam(0.9, 1.1, 1e-7), adam(0.9, 0.9, 0.0), adam(0.9, 0.9, 1e-46)];
    for rule in invalid.into_iter().chain([Rule::Sgd { momentum: 1.0 }, Rule::Sgd { momentum: f64::NAN }]) {
        let text = message(&mut network(), &good, None, &Fit { rule, ..FIT });
        assert!(text.starts_with("the optimizer is ") && text.contains("decays must be from 0 to below 1"), "{text}");
    }
    let text = message(&mut network(), &good, None, &Fit { batch_size: 0, ..FIT });
    assert_eq!(text, "the batch size is 0; it must be at least 1");
    let text = message(&mut network(), &good, None, &Fit { patience: Some(1), ..FIT });
    assert_eq!(text, "early stopping needs validation examples");
    let mut frozen = network();
    frozen.freeze_through("dense_2").expect("there is such a layer");
    assert_eq!(message(&mut frozen, &good, None, &FIT), "every layer is frozen: there is nothing to train");

    let of = |label: u32, dims: [usize; 4]| Examples::new(Tensor::zeros(dims), vec![label; dims[0]]);
    for (bad, expected) in [
        (of(5, [2, 12, 11, 3]), "a training example has label 5, but the network has 5 classes"),
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
fn a_rate_factor_scales_the_steps_of_one_layer() {
    // How far the kernel and bias of conv_2 move, and those of conv_3, which has the factor.
    let moved = |factor: f64| {
        let [before, mut network] = [network(), network()];
        network.set_rate_factor("conv_3", factor).expect("there is such a layer");
        // A layer without parameters has no rate to scale, even if it is fused into one that has.
        network.set_rate_factor("relu_2", 0.0).expect("there is such a layer");
        small::train(&mut network, &Fit { epochs: 1, ..FIT });
        let moves = network.params().zip(before.params()).map(|((_, new), (_, old))| {
            new.value.iter().zip(&*old.value).map(|(new, old)| (new - old).abs()).fold(0.0, f32::max)
        });
        <[f32; 4]>::try_from(moves.skip(2).take(4).collect::<Vec<_>>()).expect("four parameters")
    };
    let (one, tenth, none) = (moved(1.0), moved(0.1), moved(0.0));
    assert!(tenth[2] < one[2] / 5.0 && tenth[3] < one[3] / 5.0, "{one:?} {tenth:?}");
    assert_eq!(none[2..], [0.0, 0.0]);
    assert!(none[0] > one[0] / 2.0 && none[0] > 0.0);
}

#[test]
fn metrics_are_the_means_over_all_predictions() {
    let (network, examples) = (network(), examples(150));
    let predictions = network.predict(&examples);
    let scored = predictions.logits().data().chunks(CLASSES).zip(examples.labels()).map(|(logits, &label)| {
        let (loss, _) = reference::softmax_cross_entropy(&wide(logits), label as usize);
        let right = logits.iter().all(|&logit| logit <= logits[label as usize]);
        (loss, usize::from(right))
    });
    let (losses, right): (Vec<f64>, Vec<usize>) = scored.unzip();
    let metrics = network.evaluate(&examples);
    assert!((metrics.loss - losses.iter().sum::<f64>() / 150.0).abs() < 1e-12);
    assert_eq!(metrics.accuracy, right.iter().sum::<usize>() as f64 / 150.0);
    assert!((0.05..0.5).contains(&metrics.accuracy), "five classes, an untrained network: {metrics:?}");

    let hits = predictions.classes().iter().zip(examples.labels()).filter(|(class, label)| class == label).count();
    assert_eq!(metrics.accuracy, hits as f64 / 150.0);
    let probabilities = predictions.probabilities();
    for (row, &class) in probabilities.data().chunks(CLASSES).zip(&predictions.classes()) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{row:?}");
        assert!(row.iter().all(|&p| p <= row[class as usize]), "{row:?}");
    }
}

#[test]
fn a_data_set_without_examples_can_be_evaluated() {
    let network = network();
    let none = examples(0);
    assert_eq!(network.predict(&none).logits().shape().dims(), [0, CLASSES]);
    assert_eq!(network.evaluate(&none).accuracy, 0.0);
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
    // Rates of 1, 1, 1, 1; of 1, 0.85, 0.5, 0.15; of 0.04, 0.81, 0.28, 0.
    assert!(courses[0] > courses[1] && courses[1] > courses[2] && courses[2] > 0.2 * courses[0], "{courses:?}");
}

#[test]
fn augmented_examples_are_never_cached_and_depend_on_the_seed() {
    let trained = |cached: bool, seed: u64, augment: Augment| {
        let mut network = network();
        network.freeze_through("pool").expect("there is such a layer");
        let examples = examples(40).augmented(augment);
        network.fit(&examples, Fit { cached, seed, ..FIT }).expect("training succeeds");
        digest(&network)
    };
    let both = Augment { flip: true, crop: 2 };
    assert_eq!(trained(true, 5, both), trained(false, 5, both), "a cache would have kept the first change");
    let results = [Augment::default(), both, Augment { flip: true, crop: 0 }, Augment { flip: false, crop: 2 }];
    let distinct: std::collections::BTreeSet<String> =
        results.into_iter().map(|augment| trained(true, 5, augment)).chain([trained(true, 6, both)]).collect();
    assert_eq!(distinct.len(), 5);
}
