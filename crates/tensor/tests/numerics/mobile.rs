//! The layers of mobile networks: depthwise convolutions are exact on whole numbers, and blocks with and without a
//! residual connection agree with PyTorch.

use thawline_tensor::dispatch;
use thawline_tensor::kernels::activation::Fused;
use thawline_tensor::kernels::depthwise::{depthwise, depthwise_input_gradient, depthwise_kernel_gradient};
use thawline_tensor::kernels::window::{Padding, WindowShape};
use thawline_tensor::nn::{
    Activation, AveragePooling2D, BatchNormalization, Builder, Conv2D, Dense, DepthwiseConv2D, Dropout, Flatten,
    Network, Rescaling, Residual,
};
use thawline_tensor::simd::Level;

use crate::bits::at_fma_levels;
use crate::cases::{DIMS, pick};
use crate::chain;
use crate::compare::{close, exact, same_bits};
use crate::data::{bits, integers, levels, reals, wide};
use crate::golden::{Golden, golden};
use crate::reference;
use crate::small::{CLASSES, FIT, IMAGE, examples};

/// 150 random shapes of depthwise convolutions, up to 31 x 31 x 31.
fn shapes() -> Vec<WindowShape> {
    let mut random = bits("depthwise");
    let mut shapes = Vec::new();
    while shapes.len() < 150 {
        let image = [0; 3].map(|_| pick(&mut random, &DIMS[1..14]));
        let window = [0; 2].map(|_| pick(&mut random, &[1, 2, 3, 3, 5]));
        let stride = [0; 2].map(|_| pick(&mut random, &[1, 1, 2, 3]));
        let padding =
            pick(&mut random, &[Padding::Valid, Padding::Same, Padding::Same, Padding::Explicit([1, 0, 0, 1])]);
        shapes.extend(WindowShape::new(image, window, stride, padding));
    }
    shapes
}

fn kernel_len(s: &WindowShape) -> usize {
    s.window[0] * s.window[1] * s.c
}

/// y, dx and dkernel at a level.
fn passes(level: Level, s: &WindowShape, x: &[f32], weights: [&[f32]; 2], fused: Fused, dy: &[f32]) -> [Vec<f32>; 3] {
    let mut y = vec![f32::NAN; s.output_len()];
    dispatch!(level, simd => depthwise(simd, s, x, weights, fused, &mut y));
    let mut dx = vec![f32::NAN; s.input_len()];
    dispatch!(level, simd => depthwise_input_gradient(simd, s, dy, weights[0], &mut dx));
    let mut dkernel = vec![0.0; kernel_len(s)];
    dispatch!(level, simd => depthwise_kernel_gradient(simd, s, x, dy, &mut dkernel));
    [y, dx, dkernel]
}

#[test]
fn depthwise_convolutions_are_exact_on_whole_numbers() {
    for s in shapes() {
        let [x, kernel] = [integers("x", s.input_len()), integers("kernel", kernel_len(&s))];
        let [bias, dy] = [integers("bias", s.c), integers("dy", s.output_len())];
        let y = reference::depthwise(&s, &wide(&x), &wide(&kernel), &wide(&bias));
        let [dx, dkernel, _] = reference::depthwise_gradients(&s, &wide(&x), &wide(&kernel), &wide(&dy));
        for level in levels() {
            for (fused, y) in
                [(Fused::None, y.clone()), (Fused::Relu, reference::relu(&y)), (Fused::Relu6, reference::relu6(&y))]
            {
                let found = passes(level, &s, &x, [&kernel, &bias], fused, &dy);
                for (what, found, expected) in
                    [("y", &found[0], &y), ("dx", &found[1], &dx), ("dkernel", &found[2], &dkernel)]
                {
                    exact(format!("{what} of {s:?}, {fused:?}, at {level}"), found, expected);
                }
            }
        }
    }
}

#[test]
fn depthwise_convolutions_have_the_same_bits_at_every_fused_level() {
    for s in shapes() {
        let [x, kernel] = [reals("x", s.input_len()), reals("kernel", kernel_len(&s))];
        let [bias, dy] = [reals("bias", s.c), reals("dy", s.output_len())];
        let compute = |level| passes(level, &s, &x, [&kernel, &bias], Fused::Relu6, &dy).concat();
        at_fma_levels(compute, |a, b| same_bits(format!("{s:?}"), a, b));
    }
}

#[test]
fn a_residual_connection_refuses_what_it_cannot_add_or_run() {
    let refused = |block: Residual, words: &str| {
        let error = Network::builder([6, 5, 5]).layer("block", block).build(0).expect_err(words).to_string();
        assert!(error.contains(words), "{words}: {error}");
    };
    refused(Residual::new(), "it has 0 layers inside");
    refused(Residual::new().layer("conv", Conv2D::new(4, [1, 1])), "its layers turn 6 x 5 x 5 into 6 x 5 x 4");
    refused(Residual::new().layer("conv", Conv2D::new(5, [7, 1])), "inside it, layer 1 'conv' (Conv2D) cannot take");
    refused(Residual::new().layer("norm", BatchNormalization::new()), "layer 'norm' (BatchNormalization) inside it");
    refused(Residual::new().layer("drop", Dropout::new(0.5)), "layer 'drop' (Dropout) inside it is random");
    let error = Network::builder([8]).layer("block", Residual::new()).build(0).expect_err("no image").to_string();
    assert!(error.contains("it takes an image (H x W x C) and was given 8"), "{error}");
    let error = Network::builder([4, 4, 3]).layer("scale", Rescaling::new([1.0; 2], [0.0])).build(0).unwrap_err();
    assert!(error.to_string().contains("its scale has 2 numbers; expected 1, or 3"), "{error}");
}

/// Rescaled pixels, a stem, a block without and one with a residual connection.
fn blocks(input: [usize; 3]) -> Builder {
    let same = Padding::Same;
    let conv = |filters: usize| Conv2D::new(filters, [1, 1]);
    let residual = Residual::new()
        .layer("expand", conv(20))
        .layer("expand_relu", Activation::Relu6)
        .layer("depthwise", DepthwiseConv2D::new([3, 3]).padding(same))
        .layer("depthwise_relu", Activation::Relu6)
        .layer("project", conv(5));
    Network::builder(input)
        .layer("rescaling", Rescaling::new([2.0, 4.0, 3.0], [-1.0]))
        .layer("stem", Conv2D::new(6, [3, 3]).stride([2, 2]).padding(same))
        .layer("stem_relu", Activation::Relu6)
        .layer("depthwise", DepthwiseConv2D::new([5, 5]).stride([2, 2]).padding(same))
        .layer("depthwise_relu", Activation::Relu6)
        .layer("project", conv(5))
        .layer("block", residual)
}

/// The blocks, and a head, after two epochs.
pub fn trained() -> Network {
    let network = blocks(IMAGE)
        .layer("pool", AveragePooling2D::new([2, 2]).stride([1, 1]))
        .layer("flatten", Flatten)
        .layer("dense", Dense::new(CLASSES));
    let mut network = network.build(11).expect("the layers fit");
    network.fit(&examples(70), FIT).expect("training succeeds");
    network
}

/// The output of every layer and all gradients agree with PyTorch's.
#[test]
fn mobile_blocks_agree() {
    let bytes = golden("mobile_blocks.safetensors");
    let golden = Golden::new(&bytes);
    let mut network = blocks([9, 8, 3]).build(0).expect("the layers fit");
    network.update_params(|name, param| param.value.copy_from_slice(&golden.f32s(name)));
    let x = golden.f32s("input");
    let mut y = x.clone();
    for node in network.nodes() {
        let mut output = vec![f32::NAN; 2 * node.output().size()];
        node.layer().forward(&y, &mut output);
        close(
            format!("output of {}", node.name()),
            &output,
            &wide(&golden.f32s(&format!("output/{}", node.name()))),
            1e-5,
        );
        y = output;
    }
    let pass = chain::pass(&network, &x, 2, &golden.f32s("gradient/output"));
    close("gradient of the input", &pass.dx, &wide(&golden.f32s("gradient/input")), 1e-5);
    for (name, gradient) in pass.named_gradients(&network) {
        close(format!("gradient of {name}"), &gradient, &wide(&golden.f32s(&format!("gradient/{name}"))), 1e-5);
    }
}
