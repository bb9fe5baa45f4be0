//! The layers of a network, with the layers fused into them, against the same layers in `f64`: outputs, input
//! gradients and parameter gradients over a batch.

use thawline_tensor::kernels::conv::ConvShape;
use thawline_tensor::kernels::window::{Padding, WindowShape};
use thawline_tensor::nn::{Activation, AveragePooling2D, Backward, Conv2D, Dense, MaxPooling2D, Method, Network};

use crate::cases::{DIMS, dense_convolutions, general_convolutions, pick};
use crate::chain::{self, STEP};
use crate::compare::{close, exact, same_bits};
use crate::data::{bits, integers, reals, wide};
use crate::reference;

/// Images in a batch.
const N: usize = 3;

/// Permitted errors of sums of products and of Winograd's method, relative to the largest element.
const DIRECT: f64 = 5e-6;
const WINOGRAD: f64 = 2e-5;

/// Margin within which rounding may send a gradient elsewhere: between a ReLU's input and zero, or between the two
/// largest elements of a pool's window; relative to the largest element.
const MARGIN: f64 = 5e-5;

/// Convolutions that are cheap enough to compute five times in `f64`.
fn quick(mut cases: Vec<ConvShape>) -> Vec<ConvShape> {
    cases.retain(|s| s.flops() < 1_500_000);
    cases
}

/// A convolution and the layers after it.
#[derive(Clone, Copy, Debug)]
struct Stack {
    conv: ConvShape,
    relu: bool,
    pool: Option<WindowShape>,
}

/// The results of a stack for a batch, or those of its `f64` reference.
struct Results<T> {
    y: Vec<T>,
    dx: Vec<T>,
    dkernel_and_bias: Vec<T>,
}

impl Stack {
    /// A convolution alone, with a ReLU, with a pool, and with both.
    fn all(conv: ConvShape) -> impl Iterator<Item = Stack> {
        let image = [conv.out_h, conv.out_w, conv.filters];
        let squares = WindowShape::new(image, [2, 2], [2, 2], Padding::Valid).ok();
        let overlapping = WindowShape::new(image, [3, 2], [2, 1], Padding::Same).ok();
        let stacks = [(false, None), (true, None), (true, squares), (false, squares), (true, overlapping)];
        let all = stacks.map(move |(relu, pool)| Stack { conv, relu, pool });
        all.into_iter().enumerate().filter(|(i, stack)| *i < 2 || stack.pool.is_some()).map(|(_, stack)| stack)
    }

    /// The network of these layers, if the method applies.
    fn network(&self, method: Method) -> Option<Network> {
        let s = &self.conv;
        let bottom = ((s.out_h - 1) * s.stride[0] + (s.kh - 1) * s.dilation[0] + 1).saturating_sub(s.h + s.pad_top);
        let right = ((s.out_w - 1) * s.stride[1] + (s.kw - 1) * s.dilation[1] + 1).saturating_sub(s.w + s.pad_left);
        let conv = Conv2D::new(s.filters, [s.kh, s.kw])
            .stride(s.stride)
            .dilation(s.dilation)
            .padding(Padding::Explicit([s.pad_top, bottom, s.pad_left, right]))
            .method(method);
        let mut builder = Network::builder([s.h, s.w, s.c]).layer("conv", conv);
        if self.relu {
            builder = builder.layer("relu", Activation::Relu);
        }
        if let Some(pool) = self.pool {
            let padding = if pool.window == [2, 2] { Padding::Valid } else { Padding::Same };
            builder = builder.layer("pool", MaxPooling2D::new(pool.window).stride(pool.stride).padding(padding));
        }
        let network = builder.build(0).ok()?;
        assert_eq!(network.output().size(), self.output_len(), "{self:?}");
        Some(network)
    }

    fn output_len(&self) -> usize {
        self.pool.map_or(self.conv.output_len(), |pool| pool.output_len())
    }

    /// By the engine.
    fn compute(&self, network: &mut Network, x: &[f32], params: [&[f32]; 2], dy: &[f32]) -> Results<f32> {
        network.update_params(|name, param| {
            param.value.copy_from_slice(params[usize::from(name == "conv/bias")]);
        });
        let mut pass = chain::pass(network, x, N, dy);
        Results { y: pass.logits, dx: pass.dx, dkernel_and_bias: pass.gradients.swap_remove(0) }
    }

    /// By the `f64` reference. Where rounding could send the gradient elsewhere, `dy` is set to zero.
    fn expected(&self, x: &[f32], params: [&[f32]; 2], dy: &mut [f32], margin: f64) -> Results<f64> {
        let s = &self.conv;
        let [kernel, bias] = params.map(wide);
        let (mut y, mut all_dx) = (Vec::new(), Vec::new());
        let mut sums = [vec![0.0; s.kernel_len()], vec![0.0; s.filters]];
        for (x, dy) in x.chunks_exact(s.input_len()).zip(dy.chunks_exact_mut(self.output_len())) {
            let x = wide(x);
            let before = reference::conv(s, &x, &kernel, &bias);
            let rectified = if self.relu { reference::relu(&before) } else { before.clone() };
            y.extend(self.pool.map_or_else(|| rectified.clone(), |pool| reference::max_pool(&pool, &rectified)));

            self.clear_ambiguous(&before, dy, margin);
            let dy = wide(dy);
            let dy = self.pool.map_or_else(|| dy.clone(), |pool| reference::max_pool_gradient(&pool, &rectified, &dy));
            let dy = if self.relu { reference::relu_gradient(&before, &dy) } else { dy };
            let [dx, dkernel, dbias] = reference::conv_gradients(s, &x, &kernel, &dy);
            all_dx.extend(dx);
            for (sum, gradient) in sums.iter_mut().zip([dkernel, dbias]) {
                sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
            }
        }
        Results { y, dx: all_dx, dkernel_and_bias: sums.concat() }
    }

    fn clear_ambiguous(&self, before: &[f64], dy: &mut [f32], margin: f64) {
        let margin = margin * before.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        for (out, dy) in dy.iter_mut().enumerate() {
            let window: Vec<f64> = match self.pool {
                Some(s) => {
                    let (pixel, c) = (out / s.c, out % s.c);
                    let [rows, cols] = [s.rows(pixel / s.out_w), s.cols(pixel % s.out_w)];
                    rows.flat_map(|row| cols.clone().map(move |col| before[(row * s.w + col) * s.c + c])).collect()
                }
                None => vec![before[out]],
            };
            let best = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let near = window.iter().filter(|&&x| best - x < margin).count();
            if (self.relu && best.abs() < margin) || (near > 1 && (best > 0.0 || !self.relu)) {
                *dy = 0.0;
            }
        }
    }
}

#[test]
fn fused_convolutions_are_exact_on_whole_numbers() {
    for conv in quick([dense_convolutions(), general_convolutions()].concat()).into_iter().step_by(2) {
        for stack in Stack::all(conv) {
            let [x, kernel] = [integers("x", N * conv.input_len()), integers("kernel", conv.kernel_len())];
            let [bias, mut dy] = [integers("bias", conv.filters), integers("dy", N * stack.output_len())];
            // No margin: equal elements are equal in both, so the rule for ties is tested too.
            let expected = stack.expected(&x, [&kernel, &bias], &mut dy, 0.0);
            for method in [Method::Naive, Method::Im2col, Method::Implicit] {
                let Some(mut network) = stack.network(method) else { continue };
                let actual = stack.compute(&mut network, &x, [&kernel, &bias], &dy);
                let what = |result: &str| format!("{result} by {method:?} of {stack:?}");
                exact(what("y"), &actual.y, &expected.y);
                exact(what("dx"), &actual.dx, &expected.dx);
                exact(what("dkernel and dbias"), &actual.dkernel_and_bias, &expected.dkernel_and_bias);
            }
        }
    }
}

#[test]
fn fused_convolutions_agree_on_real_numbers() {
    let mut winograd = 0;
    for conv in quick([dense_convolutions(), general_convolutions()].concat()) {
        for stack in Stack::all(conv) {
            let [x, kernel] = [reals("x", N * conv.input_len()), reals("kernel", conv.kernel_len())];
            let [bias, mut dy] = [reals("bias", conv.filters), reals("dy", N * stack.output_len())];
            let expected = stack.expected(&x, [&kernel, &bias], &mut dy, MARGIN);
            for method in [Method::Auto, Method::Im2col, Method::Implicit, Method::Winograd] {
                let Some(mut network) = stack.network(method) else { continue };
                winograd += usize::from(method == Method::Winograd);
                let tolerance = if matches!(method, Method::Winograd | Method::Auto) { WINOGRAD } else { DIRECT };
                let actual = stack.compute(&mut network, &x, [&kernel, &bias], &dy);
                let what = |result: &str| format!("{result} by {method:?} of {stack:?}");
                close(what("y"), &actual.y, &expected.y, tolerance);
                close(what("dx"), &actual.dx, &expected.dx, tolerance);
                close(what("dkernel and dbias"), &actual.dkernel_and_bias, &expected.dkernel_and_bias, tolerance);
            }
        }
    }
    assert!(winograd > 200, "Winograd's method was legal in {winograd} cases only");
}

#[test]
fn gradients_of_single_examples_add_up_to_the_batchs() {
    let image = [9, 8, 5];
    for method in [Method::Naive, Method::Im2col, Method::Implicit, Method::Winograd] {
        for pooled in [false, true] {
            let mut builder = Network::builder(image).layer("conv", Conv2D::new(18, [3, 3]).method(method));
            if pooled {
                builder = builder.layer("relu", Activation::Relu).layer("pool", MaxPooling2D::new([2, 2]));
            }
            let network = builder.build(3).expect("the layers fit");
            let node = &network.nodes()[0];
            let (layer, inputs, outputs) = (node.layer(), image.iter().product::<usize>(), node.output().size());
            // Im2col's one product for all examples adds in another order; sums of whole numbers are exact in any.
            let floats = if matches!(method, Method::Im2col) { integers } else { reals };
            let (x, dy, saved_len) = (floats("x", N * inputs), floats("dy", N * outputs), layer.saved_len(1));
            let (mut y, mut saved) = (vec![f32::NAN; N * outputs], vec![0.0; N * saved_len]);
            layer.forward_training(&x, &mut y, &mut saved, STEP);
            // The gradient of a batch, with this many examples at a time.
            let gradient = |at_once: usize| {
                let mut gradient = vec![f32::NAN; layer.gradient_len()];
                for first in (0..N).step_by(at_once) {
                    layer.backward(Backward {
                        x: &x[first * inputs..][..at_once * inputs],
                        y: &y[first * outputs..][..at_once * outputs],
                        saved: &saved[first * saved_len..][..at_once * saved_len],
                        dy: &mut dy[first * outputs..][..at_once * outputs].to_vec(),
                        dx: None,
                        gradient: Some(&mut gradient),
                        accumulate: first > 0,
                        step: STEP,
                    });
                }
                gradient
            };
            same_bits(format!("{method:?}, relu and pool {pooled}"), &gradient(1), &gradient(N));
        }
    }
}

#[test]
fn dense_layers_are_exact_on_whole_numbers() {
    for inputs in [1, 3, 17, 300, 4100] {
        for units in [1, 5, 16, 65] {
            for relu in [false, true] {
                let builder = Network::builder([inputs]).layer("dense", Dense::new(units));
                let builder = if relu { builder.layer("relu", Activation::Relu) } else { builder };
                let mut network = builder.build(0).expect("the layers fit");
                for n in [1, 2, 7, 33] {
                    dense_is_exact(&mut network, [n, inputs, units], relu);
                }
            }
        }
    }
}

fn dense_is_exact(network: &mut Network, [n, inputs, units]: [usize; 3], relu: bool) {
    let [x, w] = [integers("x", n * inputs), integers("w", inputs * units)];
    let [bias, dy] = [integers("bias", units), integers("dy", n * units)];
    network.update_params(|name, param| {
        param.value.copy_from_slice(if name == "dense/bias" { &bias } else { &w });
    });
    let pass = chain::pass(network, &x, n, &dy);
    let [x, w, bias, dy] = [&x, &w, &bias, &dy].map(|floats| wide(floats));
    let before = reference::dense(&x, &w, &bias, [n, inputs]);
    let (y, dy) = if relu { (reference::relu(&before), reference::relu_gradient(&before, &dy)) } else { (before, dy) };
    let [dx, dw, db] = reference::dense_gradients(&x, &w, &dy, [n, inputs]);
    let what = |result: &str| format!("{result} of {n} x {inputs} through {units} units, relu {relu}");
    exact(what("y"), &pass.logits, &y);
    exact(what("dx"), &pass.dx, &dx);
    exact(what("dw and db"), &pass.gradients[0], &[dw, db].concat());
}

#[test]
fn pooling_is_right_with_any_window_stride_and_padding() {
    let mut random = bits("pools");
    let mut cases = 0;
    while cases < 200 {
        let image = [0; 3].map(|_| pick(&mut random, &DIMS[1..14]));
        let window = [0; 2].map(|_| pick(&mut random, &[1, 2, 3, 5]));
        let stride = [0; 2].map(|_| pick(&mut random, &[1, 2, 3]));
        let padding = pick(&mut random, &[Padding::Valid, Padding::Same, Padding::Explicit([1, 0, 2, 1])]);
        let Ok(s) = WindowShape::new(image, window, stride, padding) else { continue };
        cases += 1;
        // Whole numbers, so that many windows have equal elements.
        let [x, dy] = [integers("x", N * s.input_len()), integers("dy", N * s.output_len())];
        let images = || x.chunks_exact(s.input_len()).map(wide).zip(dy.chunks_exact(s.output_len()).map(wide));

        let pool = MaxPooling2D::new(window).stride(stride).padding(padding);
        let network = Network::builder(image).layer("pool", pool).build(0).expect("the pool fits");
        let pass = chain::pass(&network, &x, N, &dy);
        let y: Vec<f64> = images().flat_map(|(x, _)| reference::max_pool(&s, &x)).collect();
        let dx: Vec<f64> = images().flat_map(|(x, dy)| reference::max_pool_gradient(&s, &x, &dy)).collect();
        exact(format!("y of the maximum, {s:?}"), &pass.logits, &y);
        exact(format!("dx of the maximum, {s:?}"), &pass.dx, &dx);

        let pool = AveragePooling2D::new(window).stride(stride).padding(padding);
        let network = Network::builder(image).layer("pool", pool).build(0).expect("the pool fits");
        let pass = chain::pass(&network, &x, N, &dy);
        let y: Vec<f64> = images().flat_map(|(x, _)| reference::average_pool(&s, &x)).collect();
        let dx: Vec<f64> = images().flat_map(|(_, dy)| reference::average_pool_gradient(&s, &dy)).collect();
        close(format!("y of the mean, {s:?}"), &pass.logits, &y, DIRECT);
        close(format!("dx of the mean, {s:?}"), &pass.dx, &dx, DIRECT);
    }
}
