//! Building a network: shapes checked with names and numbers, layers frozen, a head replaced, and the summary.

use thawline_tensor::nn::fit::train_step;
use thawline_tensor::nn::trace::Trace;
use thawline_tensor::nn::{
    Activation, AveragePooling2D, BatchNormalization, Conv2D, Copied, Dense, DepthwiseConv2D, Dropout, Examples,
    Flatten, GlobalAveragePooling2D, Init, Layer, MaxPooling2D, Method, Network, NetworkError, Optimizer, Padding,
    Rescaling, Residual, Rule,
};
use thawline_tensor::{Shape, Tensor};

use crate::chain::STEP;

/// The tutorial's network, but for the rate of its second dropout: two convolutions, a hidden layer, and the given
/// number of classes.
pub fn tutorial(classes: usize) -> Network {
    Network::builder([32, 32, 3])
        .layer("conv2d_1", Conv2D::new(64, [3, 3]))
        .layer("activation_1", Activation::Relu)
        .layer("conv2d_2", Conv2D::new(64, [3, 3]))
        .layer("activation_2", Activation::Relu)
        .layer("max_pooling2d_1", MaxPooling2D::new([2, 2]))
        .layer("dropout_1", Dropout::new(0.25))
        .layer("flatten_1", Flatten)
        .layer("dense_1", Dense::new(128))
        .layer("activation_3", Activation::Relu)
        .layer("dropout_2", Dropout::new(0.5))
        .layer("dense_2", Dense::new(classes))
        .build(1)
        .expect("the network fits together")
}

/// Checks that the second layer is refused, after a valid first one, with its input and a reason.
#[track_caller]
fn refused<const D: usize>(input: [usize; D], layer: impl Into<Box<dyn Layer>>, reason: &str) {
    let result = Network::builder(input).layer("first", Activation::Relu).layer("second", layer).build(0);
    let message = result.err().map_or_else(|| "was accepted".into(), |error| error.to_string());
    let dims = input.map(|dim| dim.to_string()).join(" x ");
    assert!(message.starts_with("layer 2 'second' ("), "{message}");
    assert!(message.contains(&format!("cannot take an input of {dims}: ")), "{message}");
    assert!(message.contains(reason), "{message}");
}

#[test]
fn layers_that_do_not_fit_are_refused_with_shapes_and_reason() {
    let (conv, pool) = (|| Conv2D::new(3, [3, 3]), || MaxPooling2D::new([2, 2]));
    refused([5, 4, 2], Dense::new(3), "it takes a vector and was given 5 x 4 x 2: put a Flatten before it");
    refused([5], conv(), "it takes an image (H x W x C) and was given 5");
    refused([5, 4], pool(), "it takes an image (H x W x C) and was given 5 x 4");
    let image = [5, 4, 2];
    refused(image, Conv2D::new(3, [3, 5]), "its 3 x 5 kernel is larger than the 5 x 4 input");
    refused(image, conv().dilation([1, 2]), "its 3 x 3 kernel is larger than the 5 x 4 input");
    refused(image, MaxPooling2D::new([6, 1]), "its 6 x 1 window is larger than the 5 x 4 input");
    refused(image, pool().padding(Padding::Explicit([2, 0, 0, 0])), "leaves a 2 x 2 window without a pixel");
    refused(image, conv().stride([2, 1]).method(Method::Winograd), "Winograd's method needs");
    refused([5, 5, 2], Conv2D::new(3, [5, 5]).method(Method::Winograd), "Winograd's method needs");
    refused([9, 9, 2], conv().dilation([1, 2]).method(Method::Implicit), "the implicit method needs");
    let wide = Padding::Explicit([0, 3, 0, 0]);
    refused(image, conv().padding(wide).method(Method::Implicit), "the implicit method needs");

    // Sizes of zero.
    refused(image, Conv2D::new(0, [3, 3]), "at least 1");
    refused(image, Conv2D::new(3, [0, 3]), "at least 1");
    refused(image, conv().stride([0, 1]), "at least 1");
    refused(image, conv().dilation([1, 0]), "at least 1");
    refused(image, MaxPooling2D::new([0, 2]), "at least 1");
    refused(image, pool().stride([1, 0]), "at least 1");
    refused([5], Dense::new(0), "at least 1");
}

#[test]
fn sizes_beyond_all_memory_are_refused_before_allocating() {
    let (image, conv) = ([5, 4, 2], || Conv2D::new(3, [3, 3]));
    let huge = usize::MAX / 2;
    refused(image, Conv2D::new(huge, [3, 3]), "overflows");
    refused(image, Conv2D::new(3, [huge, 3]), "is larger than");
    refused(image, conv().dilation([huge, huge]), "is larger than");
    refused(image, conv().dilation([huge, huge]).padding(Padding::Same), "overflows");
    refused(image, conv().padding(Padding::Explicit([usize::MAX; 4])), "overflows");
    refused(image, conv().padding(Padding::Explicit([huge / 4; 4])), "overflows");
    refused(image, MaxPooling2D::new([huge, 2]), "is larger than");
    refused([5], Dense::new(huge), "overflows");
    // More than any address space holds, but no overflow.
    refused([1 << 20], Dense::new(1 << 32), "there is no memory for its 4503599627370496 weights");
    refused([3, 3, 1 << 20], Conv2D::new(1 << 28, [3, 3]), "there is no memory for its");
    let of_memory = |units| Network::builder([1 << 20]).layer("x", Dense::new(units)).build(0).unwrap_err();
    assert!(of_memory(1 << 32).is_lack_of_memory() && !of_memory(huge).is_lack_of_memory());
    // Also as the first layer.
    for layer in [Flatten.into(), Dropout::new(0.5).into(), BatchNormalization::new().into()] as [Box<dyn Layer>; 3] {
        let error = Network::builder([usize::MAX, 2, 1]).layer("first", layer).build(0).unwrap_err();
        assert!(error.to_string().contains("the size of its input, "), "{error}");
    }
    refused([1 << 50], BatchNormalization::new(), "there is no memory for its 1125899906842624 weights");
    let same = DepthwiseConv2D::new([63_000_000; 2]).padding(Padding::Same);
    refused([32, 32, 3], same, "window takes too many operations");
    let inside = (0..600).fold(Residual::new(), |block, i| block.layer(format!("{i}"), Activation::Relu));
    refused([1 << 18, 1 << 18, 1 << 19], inside, "the number of floats inside it overflows");
    let deep = (0..75)
        .fold(Network::builder([250_000_000]), |builder, i| builder.layer(format!("{i}"), Dense::new(250_000_000)));
    assert_eq!(deep.outline().expect("each layer fits").weight_bytes(), u64::MAX);
    let rescaled = Network::builder([1 << 50]).layer("x", Rescaling::new([2.0], [0.0]));
    assert_eq!(rescaled.outline().expect("one number serves all channels").weight_bytes(), 0);
    let window = [1 << 40, 1 << 40];
    refused([1, 1, 1], AveragePooling2D::new(window).padding(Padding::Same), "window takes too many operations");
}

#[test]
fn empty_inputs_are_refused() {
    // By the layers themselves, and by a network of any layers or none.
    let refused = |input: &[usize], mut layer: Box<dyn Layer>, reason: &str| {
        let error = layer.build(&Shape::new(input), 1).expect_err("zero is refused");
        assert!(error.to_string().contains(reason), "{error}");
    };
    for input in [[0, 4, 2], [5, 0, 2], [5, 4, 0]] {
        for padding in [Padding::Valid, Padding::Same, Padding::Explicit([1; 4])] {
            for method in [Method::Auto, Method::Naive] {
                refused(&input, Conv2D::new(3, [3, 3]).padding(padding).method(method).into(), "at least 1");
            }
            refused(&input, MaxPooling2D::new([2, 2]).padding(padding).into(), "at least 1");
        }
    }
    refused(&[0], Dense::new(3).into(), "it has 0 inputs and 3 units; both must be at least 1");
    let empty = || Network::builder([0, 5, 3]);
    for builder in [empty(), empty().layer("mean", GlobalAveragePooling2D::new()), empty().layer("flat", Flatten)] {
        let error = builder.build(0).expect_err("zero is refused").to_string();
        let words =
            "layer 0 'input' (InputLayer) cannot take an input of 0 x 5 x 3: the size of its input, 0 x 5 x 3, is 0";
        assert!(error.starts_with(words), "{error}");
    }
}

#[test]
#[should_panic(expected = "the network takes inputs of 32 x 32 x 3, and the examples are of 32 x 3 x 32")]
fn examples_of_another_shape_cannot_be_predicted() {
    tutorial(5).predict(&Examples::new(Tensor::zeros([2, 32, 3, 32]), vec![0; 2]));
}

#[test]
#[should_panic(expected = "a backward pass needs an example")]
fn a_step_without_examples_panics() {
    let (mut network, none) = (tutorial(5), Examples::new(Tensor::zeros([0, 32, 32, 3]), Vec::new()));
    let (_, nodes) = network.split();
    let (mut trace, mut optimizer) = (Trace::new(nodes, 32 * 32 * 3, 1), Optimizer::new(Rule::ADAM, 1e-3));
    train_step(nodes, &mut trace, &mut optimizer, &none, &[], STEP);
}

#[test]
fn duplicate_and_unknown_layer_names_are_refused() {
    let twice =
        Network::builder([4]).layer("a", Dense::new(2)).layer("a", Activation::Relu).build(0).expect_err("refused");
    assert_eq!(twice, NetworkError::DuplicateName { position: 2, name: "a".into() });
    assert_eq!(twice.to_string(), "layer 2 has the same name as an earlier layer, 'a'; layer names must be unique");
    // Otherwise 'a/b/kernel' could be a parameter of 'a/b', or of 'b' inside a residual connection 'a'.
    let slash = Network::builder([4]).layer("a/b", Dense::new(2)).build(0).expect_err("refused").to_string();
    assert!(slash.contains("a layer's name cannot contain a slash"), "{slash}");
    let mut network =
        Network::builder([4]).layer("a", Dense::new(2)).layer("b", Activation::Relu).build(0).expect("it fits");
    let expected = "there is no layer 'c'; the layers are a, b";
    let before = format!("{network:?}");
    let results = [
        network.freeze_through("c"),
        network.set_trainable("c", false),
        network.set_rate_factor("c", 0.1),
        network.clone().replace_head("c").map(drop),
    ];
    for result in results {
        assert_eq!(result.expect_err("there is no such layer").to_string(), expected);
    }
    assert_eq!(format!("{network:?}"), before, "nothing changed");
}

/// The names of the parameters that training changes.
fn trainable(network: &Network) -> Vec<String> {
    network.params().filter(|(_, param)| param.trainable).map(|(name, _)| name).collect()
}

#[test]
fn freezing_is_by_layer_and_can_be_undone() {
    let mut network = tutorial(5);
    let [conv_1, conv_2, dense_1, dense_2] =
        ["conv2d_1", "conv2d_2", "dense_1", "dense_2"].map(|layer| ["kernel", "bias"].map(|p| format!("{layer}/{p}")));
    let all = [conv_1.clone(), conv_2.clone(), dense_1.clone(), dense_2.clone()].concat();
    assert_eq!(trainable(&network), all);
    // The named layer has parameters or not, and is fused or not.
    for (through, expected) in [
        ("conv2d_1", &all[2..]),
        ("activation_1", &all[2..]),
        ("max_pooling2d_1", &all[4..]),
        ("flatten_1", &all[4..]),
        ("dense_1", &all[6..]),
        ("dropout_2", &all[6..]),
        ("dense_2", &all[8..]),
        // It also unfreezes the layers after it.
        ("conv2d_2", &all[4..]),
    ] {
        network.freeze_through(through).expect("there is such a layer");
        assert_eq!(trainable(&network), expected, "frozen through {through}");
    }
    network.unfreeze();
    assert_eq!(trainable(&network), all);
    network.set_trainable("conv2d_2", false).expect("there is such a layer");
    assert_eq!(trainable(&network), [conv_1, dense_1, dense_2].concat());
    network.set_trainable("conv2d_2", true).expect("there is such a layer");
    // Layers without parameters have nothing to freeze, even if they are fused into layers that have some.
    for name in ["activation_1", "max_pooling2d_1", "flatten_1", "activation_3", "dropout_1"] {
        network.set_trainable(name, false).expect("there is such a layer");
        assert_eq!(trainable(&network), all, "{name}");
    }
}

#[test]
fn the_prefix_ends_before_the_first_random_or_trainable_layer() {
    let mut network = tutorial(5);
    assert!(network.prefix().is_empty());
    assert_eq!(network.prefix().output(), network.input());
    // The prefix ends at dropout, whatever is frozen after it.
    for through in ["conv2d_2", "max_pooling2d_1", "dropout_1", "flatten_1", "dense_1", "dense_2"] {
        network.freeze_through(through).expect("there is such a layer");
        assert_eq!(network.prefix().output().dims(), [14, 14, 64], "frozen through {through}");
    }
    network.freeze_through("conv2d_1").expect("there is such a layer");
    assert_eq!(network.prefix().output().dims(), [30, 30, 64]);
    network.freeze_through("dense_2").expect("there is such a layer");
    network.set_trainable("conv2d_1", true).expect("there is such a layer");
    assert!(network.prefix().is_empty(), "frozen layers after a trainable one do not belong to the prefix");
}

#[test]
fn replacing_the_head_of_a_clone_leaves_the_original_unchanged() {
    let model_1 = tutorial(5);
    let values = |network: &Network| network.params().map(|(_, param)| param.value.to_vec()).collect::<Vec<_>>();
    let before = values(&model_1);
    let replaced = |from: &str| model_1.clone().replace_head(from).expect("there is such a layer");
    let model_2 = replaced("dense_1").layer("head", Dense::new(7)).layer("relu", Activation::Relu);
    let mut model_2 = model_2.build(2).expect("it fits");
    assert_eq!(model_2.output().dims(), [7]);
    let names: Vec<String> = model_2.params().map(|(name, _)| name).collect();
    assert_eq!(names[4..], ["head/kernel", "head/bias"]);
    assert_eq!(values(&model_2)[..4], before[..4], "the features are what they were");
    model_2.update_params(|_, param| param.value.fill(9.0));
    assert_eq!(values(&model_1), before);

    // Also before a Flatten, which does no work itself.
    let error = replaced("flatten_1").layer("head", Dense::new(7)).build(2).expect_err("an image").to_string();
    assert!(error.contains("layer 7 'head' (Dense) cannot take an input of 14 x 14 x 64"), "{error}");
    let cut = replaced("flatten_1").layer("flatten", Flatten).build(2).expect("it fits");
    assert_eq!(cut.output().dims(), [12_544]);
    let nothing = replaced("conv2d_1").build(2).expect("it fits");
    assert_eq!((nothing.nodes().len(), nothing.output().dims()), (0, &[32, 32, 3][..]));
    for name in ["activation_1", "activation_2", "max_pooling2d_1", "activation_3"] {
        let error = model_1.clone().replace_head(name).expect_err("it is fused").to_string();
        assert!(error.contains(&format!("'{name}' is fused with a layer before the head")), "{error}");
    }
    // The error names the fused layer, not the first one of the head.
    let conv = Network::builder([5, 4, 2]).layer("conv", Conv2D::new(3, [3, 3]));
    let fused = conv.layer("flatten", Flatten).layer("relu", Activation::Relu).build(1).expect("it fits");
    assert_eq!(fused.replace_head("flatten").expect_err("refused"), NetworkError::Fused { name: "relu".into() });
}

#[test]
fn parameters_are_copied_by_name_where_they_fit() {
    let small = |classes: usize, seed: u64| {
        let builder = Network::builder([6]).layer("a", Dense::new(4)).layer("b", Dense::new(classes));
        builder.build(seed).expect("it fits")
    };
    let (mut network, other) = (small(3, 1), small(2, 2));
    let report = network.copy_params(other.params().filter(|(name, _)| name != "a/bias"));
    let expected = [("a/kernel", Copied::Yes), ("a/bias", Copied::Missing), ("b/kernel", Copied::Mismatched)];
    assert_eq!(report[..3], expected.map(|(name, copied)| (name.to_owned(), copied)));
    let kernel = |network: &Network, index| network.params().nth(index).expect("a kernel").1.value.to_vec();
    assert_eq!(kernel(&network, 0), kernel(&other, 0));
    assert_eq!(kernel(&network, 2), kernel(&small(3, 1), 2));
}

#[test]
fn seeds_and_positions_decide_the_initial_weights() {
    let build = |seed: u64| Network::builder([4]).layer("a", Dense::new(4)).layer("b", Dense::new(4)).build(seed);
    let weights = |seed| {
        let network = build(seed).expect("it fits");
        network.params().map(|(_, param)| param.value.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(weights(1), weights(1));
    assert_ne!(weights(1), weights(2));
    assert_ne!(weights(1)[0], weights(1)[2], "layers of one shape differ");
    assert_eq!(weights(1)[1], [0.0; 4], "biases begin at zero");
}

#[test]
fn an_outline_has_the_networks_shapes_and_costs() {
    // More memory than any machine has, for the weights of one layer.
    let layers = |units| {
        Network::builder([32, 32, 3])
            .layer("conv", Conv2D::new(64, [3, 3]))
            .layer("relu", Activation::Relu)
            .layer("norm", BatchNormalization::new())
            .layer("flat", Flatten)
            .layer("dense", Dense::new(units))
    };
    assert_eq!(layers(1 << 40).outline().expect("it fits").summary().parameters(), 63_332_969_271_527_424);
    let (outline, built) = (layers(3).outline().expect("it fits"), layers(3).build(7).expect("it fits"));
    assert_eq!(outline.summary(), built.summary());
    assert!(outline.params().all(|(_, param)| param.value.is_empty()));
    let [mut initialized, mut copied] = [outline.clone(), outline];
    initialized.initialize(7).expect("there is memory");
    copied.copy_params(built.params());
    let weights = |network: &Network| network.params().map(|(_, param)| param.value.to_vec()).collect::<Vec<_>>();
    assert_eq!([weights(&initialized), weights(&copied)], [weights(&built), weights(&built)]);
}

#[test]
fn initial_weights_have_the_spread_of_their_method() {
    // 9 taps, 20 channels, 30 filters.
    let kernel = |init: Init| {
        let conv = Conv2D::new(30, [3, 3]).init(init);
        let network = Network::builder([3, 3, 20]).layer("conv", conv).build(1).expect("it fits");
        network.params().next().expect("a kernel").1.value.to_vec()
    };
    let mean_square = |w: &[f32]| w.iter().map(|w| f64::from(w * w)).sum::<f64>() / w.len() as f64;

    let glorot = kernel(Init::GlorotUniform);
    let limit = (6.0f64 / (9 * (20 + 30)) as f64).sqrt();
    let largest = glorot.iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
    assert!((0.999 * limit..=limit).contains(&f64::from(largest)), "{largest}, not {limit}");
    // A uniform distribution's variance is a third of its limit's square.
    assert!((mean_square(&glorot) / (limit * limit / 3.0) - 1.0).abs() < 0.05);

    let he = kernel(Init::HeNormal);
    assert!((mean_square(&he) / (2.0 / 180.0) - 1.0).abs() < 0.08);
    assert!(he.iter().any(|w| f64::from(w.abs()) > 3.0 * (2.0f64 / 180.0).sqrt()), "a normal distribution has tails");
    assert!(kernel(Init::Zeros).iter().all(|&w| w == 0.0));

    // The fan-in of the other layers with kernels is 180 as well.
    let dense = Network::builder([180]).layer("dense", Dense::new(30).init(Init::HeNormal)).build(1);
    let depthwise = DepthwiseConv2D::new([3, 3]).init(Init::HeNormal);
    let depthwise = Network::builder([3, 3, 20]).layer("depthwise", depthwise).build(1);
    for (network, tolerance) in [(dense, 0.08), (depthwise, 0.3)] {
        let network = network.expect("it fits");
        let (name, kernel) = network.params().next().expect("a kernel");
        let spread = mean_square(&kernel.value) / (2.0 / 180.0);
        assert!((spread - 1.0).abs() < tolerance, "{name}: {spread} times the variance");
    }
}

#[test]
fn the_summary_of_the_tutorial_has_its_published_numbers() {
    let mut network = tutorial(5);
    let summary = network.summary();
    let parameters: Vec<usize> = summary.rows.iter().map(|row| row.parameters).filter(|&n| n > 0).collect();
    assert_eq!(parameters, [1_792, 36_928, 1_605_760, 645]);
    assert_eq!((summary.parameters(), summary.trainable(), summary.frozen()), (1_645_125, 1_645_125, 0));
    network.freeze_through("flatten_1").expect("there is such a layer");
    let summary = network.summary();
    assert_eq!((summary.parameters(), summary.trainable(), summary.frozen()), (1_645_125, 1_606_405, 38_720));

    let shapes: Vec<String> = summary.rows.iter().map(|row| row.output.to_string()).collect();
    let [conv_1, conv_2, pooled] = ["30 x 30 x 64", "28 x 28 x 64", "14 x 14 x 64"];
    assert_eq!(shapes, [conv_1, conv_1, conv_2, conv_2, pooled, pooled, "12544", "128", "128", "128", "5"]);
    let flops: Vec<u64> = summary.rows.iter().map(|row| row.flops).filter(|&n| n > 0).collect();
    assert_eq!(flops, [2 * 900 * 27 * 64, 2 * 784 * 576 * 64, 2 * 12_544 * 128, 2 * 128 * 5]);
    assert_eq!(summary.rows[0].activation_bytes, 4 * 900 * 64);
    let table = summary.to_string();
    for part in ["conv2d_1 (Conv2D)", "1,645,125: trainable 1,606,405, frozen 38,720", "max_pooling2d_1 (MaxPooling2D)"]
    {
        assert!(table.contains(part), "{table}");
    }
}
