//! Frozen weights keep every bit and have no gradients or moments, and cached features equal those computed for every
//! batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thawline_tensor::nn::fit::train_step;
use thawline_tensor::nn::trace::Trace;
use thawline_tensor::nn::{
    Activation, Backward, Conv2D, Dense, Dropout, Examples, Fit, FitError, Flatten, Inputs, Layer, MaxPooling2D,
    Network, NoMemory, Optimizer, Param, Step, cache_bytes,
};
use thawline_tensor::{Buffer, Shape};

use crate::chain::STEP;
use crate::compare::same_bits;
use crate::small;

/// Every parameter's name and values.
fn values(network: &Network) -> Vec<(String, Vec<f32>)> {
    network.params().map(|(name, param)| (name, param.value.to_vec())).collect()
}

/// Trains the small network after `freeze`, and checks that nearly all trainable weights change and no frozen ones.
#[track_caller]
fn frozen_stands_still(what: &str, options: Fit, freeze: impl Fn(&mut Network)) {
    let mut network = small::network();
    freeze(&mut network);
    let before = values(&network);
    small::train(&mut network, &options);
    for ((name, param), (_, old)) in network.params().zip(before) {
        let moved = old.iter().zip(&*param.value).filter(|(old, new)| old.to_bits() != new.to_bits()).count();
        let enough = if param.trainable { moved * 10 > old.len() * 9 } else { moved == 0 };
        assert!(enough, "{what}: {moved} of {} of {name} moved", old.len());
    }
}

#[test]
fn training_changes_all_trainable_weights_and_no_others() {
    for through in ["conv_1", "relu_2", "pool", "conv_3", "flatten", "dense_1"] {
        for cached in [true, false] {
            frozen_stands_still(through, Fit { cached, ..small::FIT }, |network| {
                network.freeze_through(through).expect("there is such a layer");
            });
        }
    }
    // Layers in the middle, which let the gradient through, and single parameters.
    frozen_stands_still("in the middle", small::FIT, |network| {
        for name in ["conv_2", "dense_1"] {
            network.set_trainable(name, false).expect("there is such a layer");
        }
    });
    for frozen in ["conv_1/bias", "conv_2/kernel", "dense_1/kernel", "dense_2/bias"] {
        frozen_stands_still(frozen, small::FIT, |network| {
            network.update_params(|name, param| param.trainable = name != frozen);
        });
    }
}

#[test]
fn cached_features_train_the_same_bits() {
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
fn several_heads_share_features_of_one_prefix() {
    let frozen = |through: &str| {
        let mut network = small::network();
        network.freeze_through(through).expect("there is such a layer");
        network
    };
    let (examples, validation) = (small::examples(70), small::examples(41));
    let base = frozen("pool");
    for cached in [true, false] {
        let features = examples.through(base.prefix(), cached).expect("there is memory");
        assert_eq!((features.len(), features.inputs().shape().dims()), (70, &[5, 4, 20][..]));
        assert_eq!(cache_bytes(70, &base.prefix()), 70 * 5 * 4 * 20 * 4);
        let [mut from_examples, mut from_features] = [frozen("pool"), frozen("pool")];
        from_examples.fit(&examples, small::FIT.validate(&validation)).expect("it trains");
        from_features.fit(&features, small::FIT.validate(&validation)).expect("it trains");
        assert_eq!(small::digest(&from_features), small::digest(&from_examples));
        assert_eq!(from_features.evaluate(&features), from_examples.evaluate(&examples));
        let some = features.select([7, 0, 7]);
        let [a, b] = [&some, &examples.select([7, 0, 7])].map(|some| from_features.predict(some));
        same_bits("logits", a.logits().data(), b.logits().data());

        // Other weights, and other layers.
        let mut other = frozen("pool");
        other.update_params(|name, param| {
            if name == "conv_1/bias" {
                param.value[0] += 1.0;
            }
        });
        for mut network in [other, frozen("conv_1"), small::network()] {
            let error = network.fit(&features, small::FIT).expect_err("they are another prefix's").to_string();
            assert_eq!(error, "the training examples are features of another frozen prefix than the network's");
        }
    }
}

/// A million large pictures, which are never read.
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
fn a_prefix_without_relu_is_another_prefix() {
    let fingerprint = |has_relu: bool| {
        let mut builder = Network::builder([6, 5, 2]).layer("conv", Conv2D::new(3, [3, 3]));
        if has_relu {
            builder = builder.layer("relu", Activation::Relu);
        }
        let mut network = builder.layer("flatten", Flatten).layer("head", Dense::new(2)).build(1).expect("it fits");
        network.freeze_through("flatten").expect("there is such a layer");
        network.prefix().fingerprint()
    };
    assert_eq!(fingerprint(true), fingerprint(true));
    assert_ne!(fingerprint(true), fingerprint(false));
}

#[test]
fn a_cache_larger_than_memory_is_an_error_with_its_size() {
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
    let error = network.fit(&examples, Fit { cached: true, ..small::FIT });
    // One float per pixel.
    assert!(matches!(error, Err(FitError::NoMemory(NoMemory { bytes: 0x4_0000_0000_0000 }))), "{error:?}");
}

#[test]
fn frozen_parameters_have_no_gradients_and_no_moments() {
    let mut network = small::network();
    network.freeze_through("pool").expect("there is such a layer");
    network.set_trainable("dense_1", false).expect("there is such a layer");
    let trainable_lens: Vec<usize> =
        network.params().filter(|(_, param)| param.trainable).map(|(_, param)| param.value.len()).collect();
    assert_eq!(trainable_lens.len(), 4, "kernel and bias of conv_3 and dense_2");
    let examples = small::examples(20);
    let (prefix, nodes) = network.split();
    let features = examples.through(prefix, true).expect("there is memory");
    let mut trace = Trace::new(nodes, prefix.output().size(), 20);
    let mut optimizer = Optimizer::new(small::FIT.rule, 1e-3);
    train_step(nodes, &mut trace, &mut optimizer, &features, &(0..20).collect::<Vec<u32>>(), STEP);
    let moments: Vec<[usize; 2]> =
        optimizer.state().1.iter().map(|moments| moments.each_ref().map(|moment| moment.len())).collect();
    assert_eq!(moments, trainable_lens.iter().map(|&len| [len; 2]).collect::<Vec<_>>());
    for (index, node) in nodes.iter().enumerate() {
        assert_eq!(trace.gradient(index).is_empty(), !node.is_trainable(), "the gradient of {}", node.name());
    }
}

/// A layer that adds a trainable constant and counts calls: inference, forward, backward, backward with an input
/// gradient, and backward with a parameter gradient.
#[derive(Clone, Debug)]
struct Probe {
    params: Vec<Param>,
    calls: Arc<[AtomicUsize; 5]>,
}

impl Probe {
    fn new() -> Self {
        let value = Buffer::zeros(1);
        Probe { params: vec![Param { value, ..Param::new("constant", [1]) }], calls: Arc::default() }
    }

    fn count(&self, call: usize) {
        self.calls[call].fetch_add(1, Ordering::Relaxed);
    }
}

impl Layer for Probe {
    fn forward(&self, x: &[f32], y: &mut [f32]) {
        self.count(0);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x + self.params[0].value[0]);
    }

    fn forward_training(&self, x: &[f32], y: &mut [f32], _saved: &mut [f32], _step: Step) {
        self.count(1);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = x + self.params[0].value[0]);
    }

    fn backward(&self, pass: Backward<'_>) {
        self.count(2);
        if pass.dx.is_some() {
            self.count(3);
        }
        if pass.gradient.is_some() {
            self.count(4);
        }
        small::add_constant_backward(pass);
    }

    fn params(&self) -> &[Param] {
        &self.params
    }

    fn params_mut(&mut self) -> &mut [Param] {
        &mut self.params
    }
}

/// Trains a network for one step, with probes at the start, after a dropout layer, and before and after the first dense
/// layer; returns their counts.
fn step_with_probes(frozen: &[&str]) -> [[usize; 5]; 4] {
    let [first, second, third, fourth] = [(); 4].map(|()| Probe::new());
    let calls = [&first, &second, &third, &fourth].map(|probe| Arc::clone(&probe.calls));
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
    network.fit(&small::examples(10), Fit { epochs: 1, batch_size: 10, ..small::FIT }).expect("training succeeds");
    calls.map(|calls| calls.each_ref().map(|count| count.load(Ordering::Relaxed)))
}

#[test]
fn backward_stops_at_the_first_trainable_layer() {
    // One example per call, before the first dense layer and after it.
    let all = step_with_probes(&[]);
    assert_eq!(all, [[0, 10, 10, 0, 10], [0, 10, 10, 10, 10], [0, 10, 10, 10, 10], [0, 10, 10, 10, 10]]);

    // Each example goes through a frozen prefix once, in inference.
    let head = step_with_probes(&["probe_1", "conv", "probe_2", "probe_3", "dense_1", "probe_4"]);
    assert_eq!(head, [[10, 0, 0, 0, 0], [0, 10, 0, 0, 0], [0, 10, 0, 0, 0], [0, 10, 0, 0, 0]]);

    // The first trainable layer computes no input gradient, and no earlier layer has a backward pass.
    let middle = step_with_probes(&["probe_1", "conv", "probe_2"]);
    assert_eq!(middle[1..], [[0, 10, 0, 0, 0], [0, 10, 10, 0, 10], [0, 10, 10, 10, 10]]);
    let after = step_with_probes(&["probe_1", "conv", "probe_2", "probe_3", "dense_1"]);
    assert_eq!(after[1..], [[0, 10, 0, 0, 0], [0, 10, 0, 0, 0], [0, 10, 10, 0, 10]]);

    // A frozen layer between trainable ones passes the gradient on.
    let between = step_with_probes(&["probe_2", "probe_4"]);
    assert_eq!(between, [[0, 10, 10, 0, 10], [0, 10, 10, 10, 0], [0, 10, 10, 10, 10], [0, 10, 10, 10, 0]]);
}
