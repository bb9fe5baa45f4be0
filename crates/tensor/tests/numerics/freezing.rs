//! Frozen means frozen: not a bit of a frozen weight changes, nothing is kept or computed for it, and features computed
//! once are the features computed for every batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thawline_tensor::nn::fit::train_step;
use thawline_tensor::nn::trace::Trace;
use thawline_tensor::nn::{
    Activation, Backward, Conv2D, Dense, Dropout, Examples, Fit, FitError, Flatten, Inputs, Layer, MaxPooling2D,
    Network, NoMemory, Optimizer, Param, Step, cache_bytes, fit,
};
use thawline_tensor::random::Purpose;
use thawline_tensor::{Buffer, Shape};

use crate::chain::STEP;
use crate::compare::same_bits;
use crate::small;

/// Every parameter's name and values.
fn values(network: &Network) -> Vec<(String, Vec<f32>)> {
    network.params().map(|(name, param)| (name, param.value.to_vec())).collect()
}

#[test]
fn training_changes_every_bit_that_it_may_and_no_other() {
    for through in ["conv_1", "relu_2", "pool", "conv_3", "flatten", "dense_1"] {
        for cached in [true, false] {
            let mut network = small::network();
            network.freeze_through(through).expect("there is such a layer");
            let before = values(&network);
            small::train(&mut network, &Fit { cached, ..small::FIT });
            let frozen: Vec<bool> = network.params().map(|(_, param)| !param.trainable).collect();
            for (((name, old), (_, new)), frozen) in before.iter().zip(values(&network)).zip(frozen) {
                if frozen {
                    same_bits(format!("{name}, frozen through {through}"), &new, old);
                } else {
                    let moved = old.iter().zip(&new).filter(|(old, new)| old != new).count();
                    assert!(moved * 10 > old.len() * 9, "{name}: {moved} of {} moved", old.len());
                }
            }
        }
    }
}

#[test]
fn a_layer_frozen_in_the_middle_lets_the_gradient_through() {
    let mut network = small::network();
    network.set_trainable("conv_2", false).expect("there is such a layer");
    network.set_trainable("dense_1", false).expect("there is such a layer");
    let before = values(&network);
    small::train(&mut network, &small::FIT);
    for ((name, old), (_, new)) in before.iter().zip(values(&network)) {
        let frozen = name.starts_with("conv_2") || name.starts_with("dense_1");
        assert_eq!(*old == new, frozen, "{name}");
    }
}

#[test]
fn a_single_parameter_can_be_frozen() {
    for frozen in ["conv_1/bias", "conv_2/kernel", "dense_1/kernel", "dense_2/bias"] {
        let mut network = small::network();
        network.update_params(|name, param| param.trainable = name != frozen);
        let before = values(&network);
        small::train(&mut network, &small::FIT);
        for ((name, old), (_, new)) in before.iter().zip(values(&network)) {
            assert_eq!(*old == new, name == frozen, "{name}, with {frozen} frozen");
        }
    }
}

#[test]
fn features_computed_once_train_the_same_bits() {
    for through in ["conv_1", "pool", "conv_3", "dense_1"] {
        let train = |cached| {
            let mut network = small::network();
            network.freeze_through(through).expect("there is such a layer");
            let log = small::train(&mut network, &Fit { cached, ..small::FIT });
            (small::digest(&network), log)
        };
        assert_eq!(train(true), train(false), "frozen through {through}");
    }
}

#[test]
fn features_are_as_many_as_the_prefix_gives() {
    let mut network = small::network();
    network.freeze_through("pool").expect("there is such a layer");
    assert_eq!(network.prefix().output().dims(), [5, 4, 20]);
    assert_eq!(cache_bytes(70, &network.prefix()), 70 * 5 * 4 * 20 * 4);
    let examples = small::examples(9);
    for cached in [true, false] {
        let features = examples.through(network.prefix(), cached).expect("there is memory");
        assert_eq!((features.len(), features.inputs().shape().dims()), (9, &[5, 4, 20][..]));
        assert_eq!(features.labels(), examples.labels());
    }
}

/// A million large pictures, which nobody gets to see.
struct Unseen(Shape);

impl Inputs for Unseen {
    fn shape(&self) -> &Shape {
        &self.0
    }

    fn len(&self) -> usize {
        1 << 20
    }

    fn read(&self, index: usize, _into: &mut [f32]) {
        panic!("picture {index} was read");
    }
}

#[test]
fn a_cache_that_no_memory_holds_is_an_error_with_its_size() {
    let side = 1 << 14;
    let mut network = Network::builder([side, side, 1])
        .layer("conv", Conv2D::new(1, [1, 1]))
        .layer("dropout", Dropout::new(0.5))
        .layer("pool", MaxPooling2D::new([side, side]))
        .layer("flatten", Flatten)
        .layer("dense", Dense::new(2))
        .build(1)
        .expect("the network fits together");
    network.freeze_through("conv").expect("there is such a layer");
    let examples = Examples::new(Unseen([side, side, 1].into()), vec![0; 1 << 20]);
    let error = fit(&mut network, &examples, None, &Fit { cached: true, ..small::FIT }, &mut ());
    // A float a pixel.
    assert_eq!(error, Err(FitError::NoMemory(NoMemory { bytes: 1 << 50 })));
}

#[test]
fn nothing_is_kept_for_what_is_frozen() {
    let mut network = small::network();
    network.freeze_through("pool").expect("there is such a layer");
    network.set_trainable("dense_1", false).expect("there is such a layer");
    let learns: Vec<usize> =
        network.params().filter(|(_, param)| param.trainable).map(|(_, param)| param.value.len()).collect();
    assert_eq!(learns.len(), 4, "kernel and bias of conv_3 and dense_2");
    let examples = small::examples(20);
    let (prefix, head) = network.split();
    let input_len = prefix.output().size();
    let features = examples.through(prefix, true).expect("there is memory");
    let nodes = head.into_nodes();
    let mut trace = Trace::new(nodes, input_len, 20);
    let mut optimizer = Optimizer::new(small::FIT.rule, 1e-3);
    train_step(nodes, &mut trace, &mut optimizer, &features, &(0..20).collect::<Vec<u32>>(), STEP);
    let moments: Vec<[usize; 2]> =
        optimizer.state().1.iter().map(|moments| moments.each_ref().map(|moment| moment.len())).collect();
    assert_eq!(moments, learns.iter().map(|&len| [len; 2]).collect::<Vec<_>>());
    for (index, node) in nodes.iter().enumerate() {
        assert_eq!(trace.gradient(index).is_empty(), !node.is_trainable(), "the gradient of {}", node.name());
    }
}

/// What a [`Probe`] was asked for.
#[derive(Debug, Default)]
struct Calls {
    infer: AtomicUsize,
    forward: AtomicUsize,
    backward: AtomicUsize,
    input_gradient: AtomicUsize,
    parameter_gradient: AtomicUsize,
}

impl Calls {
    fn counts(&self) -> [usize; 5] {
        [&self.infer, &self.forward, &self.backward, &self.input_gradient, &self.parameter_gradient]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

/// A layer that adds a constant it can learn, and counts what it is asked for.
#[derive(Debug)]
struct Probe {
    params: Vec<Param>,
    calls: Arc<Calls>,
}

fn probe() -> (Probe, Arc<Calls>) {
    let calls = Arc::new(Calls::default());
    (Probe { params: Vec::new(), calls: Arc::clone(&calls) }, calls)
}

impl Layer for Probe {
    fn kind(&self) -> &'static str {
        "Probe"
    }

    fn build(&mut self, input: &Shape, _position: usize) -> Result<Shape, String> {
        self.params = vec![Param::new("constant", [1])];
        Ok(input.clone())
    }

    fn initialize(&mut self, _seed: u64, _position: usize) -> Result<(), String> {
        self.params[0].value = Buffer::zeros(1);
        Ok(())
    }

    fn infer(&self, x: &[f32], y: &mut [f32]) {
        self.calls.infer.fetch_add(1, Ordering::Relaxed);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x + self.params[0].value[0]);
    }

    fn forward(&self, x: &[f32], y: &mut [f32], _memory: &mut [u8], _step: Step) {
        self.calls.forward.fetch_add(1, Ordering::Relaxed);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x + self.params[0].value[0]);
    }

    fn backward(&self, pass: Backward<'_>) {
        self.calls.backward.fetch_add(1, Ordering::Relaxed);
        if let Some(gradient) = pass.gradient {
            self.calls.parameter_gradient.fetch_add(1, Ordering::Relaxed);
            let before = if pass.accumulate { gradient[0] } else { 0.0 };
            gradient[0] = before + pass.dy.iter().sum::<f32>();
        }
        if let Some(dx) = pass.dx {
            self.calls.input_gradient.fetch_add(1, Ordering::Relaxed);
            dx.copy_from_slice(pass.dy);
        }
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }

    fn gradient_len(&self) -> usize {
        1
    }
}

/// A network with probes in front, behind a dropout, before and behind the first dense layer, and one step of it.
fn step_with_probes(frozen: &[&str]) -> [[usize; 5]; 4] {
    let probes = [probe(), probe(), probe(), probe()];
    let calls = probes.each_ref().map(|(_, calls)| Arc::clone(calls));
    let [first, second, third, fourth] = probes.map(|(probe, _)| probe);
    let mut network = Network::builder([12, 11, 3])
        .layer("probe_1", first)
        .layer("conv", Conv2D::new(4, [3, 3]))
        .layer("dropout", Dropout::new(0.5))
        .layer("probe_2", second)
        .layer("flatten", Flatten)
        .layer("probe_3", third)
        .layer("dense_1", Dense::new(6))
        .layer("probe_4", fourth)
        .layer("dense_2", Dense::new(small::CLASSES))
        .build(1)
        .expect("the network fits together");
    for name in frozen {
        network.set_trainable(name, false).expect("there is such a layer");
    }
    let options = Fit { epochs: 1, batch_size: 10, ..small::FIT };
    fit(&mut network, &small::examples(10), None, &options, &mut ()).expect("training succeeds");
    calls.map(|calls| calls.counts())
}

#[test]
fn backward_ends_at_the_first_layer_that_learns() {
    // infer, forward, backward, and of these with input gradient, with parameter gradient: an example a call, in
    // front of the first dense layer and behind it.
    let nothing = [0; 5];
    let all = step_with_probes(&[]);
    assert_eq!(all, [[0, 10, 10, 0, 10], [0, 10, 10, 10, 10], [0, 10, 10, 10, 10], [0, 10, 10, 10, 10]]);

    // In a frozen prefix each example passes once, in inference.
    let head = step_with_probes(&["probe_1", "conv", "probe_2", "probe_3", "dense_1", "probe_4"]);
    assert_eq!(head, [[10, 0, 0, 0, 0], [0, 10, 0, 0, 0], [0, 10, 0, 0, 0], [0, 10, 0, 0, 0]]);

    // The first that learns is asked for no input gradient, and nothing before it is asked for anything.
    let middle = step_with_probes(&["probe_1", "conv", "probe_2"]);
    assert_eq!(middle[1..], [[0, 10, 0, 0, 0], [0, 10, 10, 0, 10], [0, 10, 10, 10, 10]]);
    let behind = step_with_probes(&["probe_1", "conv", "probe_2", "probe_3", "dense_1"]);
    assert_eq!(behind[1..], [[0, 10, 0, 0, 0], [0, 10, 0, 0, 0], [0, 10, 10, 0, 10]]);

    // What is frozen between layers that learn passes the gradient on.
    let between = step_with_probes(&["probe_2", "probe_4"]);
    assert_eq!(between, [[0, 10, 10, 0, 10], [0, 10, 10, 10, 0], [0, 10, 10, 10, 10], [0, 10, 10, 10, 0]]);
    assert_ne!(between[0], nothing);
}

#[test]
fn gradients_of_one_step_do_not_leak_into_the_next() {
    let (probe, _) = probe();
    let mut network = Network::builder([12, 11, 3])
        .layer("flatten", Flatten)
        .layer("dense_1", Dense::new(6))
        .layer("probe", probe)
        .layer("relu", Activation::Relu)
        .layer("dense_2", Dense::new(small::CLASSES))
        .build(1)
        .expect("the network fits together");
    let examples = small::examples(10);
    let nodes = network.split().1.into_nodes();
    let input_len = examples.inputs().shape().size();
    let mut trace = Trace::new(nodes, input_len, 10);
    let batch: Vec<u32> = (0..10).collect();
    // The same batch twice, without an update between: the same gradient.
    let mut gradients = (0..2).map(|_| {
        let mut optimizer = Optimizer::new(thawline_tensor::nn::Rule::Sgd { momentum: 0.0 }, 0.0);
        train_step(nodes, &mut trace, &mut optimizer, &examples, &batch, STEP);
        (0..nodes.len()).flat_map(|node| trace.gradient(node).to_vec()).collect::<Vec<f32>>()
    });
    let (first, second) = (gradients.next().expect("two"), gradients.next().expect("two"));
    same_bits("gradients", &second, &first);
}

#[test]
fn streams_of_random_bits_are_told_apart_by_position() {
    let draw = |purpose| STEP.address(purpose, 0).bits().below(1 << 40);
    assert_ne!(draw(Purpose::Dropout(1)), draw(Purpose::Dropout(2)));
    assert_ne!(draw(Purpose::Dropout(1)), draw(Purpose::Weights(1)));
}
