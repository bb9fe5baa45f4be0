//! The convolution methods: on whole numbers every method that sums products gives exactly the result of the
//! definition, at every SIMD level; Winograd's, whose transforms round, stays close.

use thawline_tensor::kernels::activation::Fused;
use thawline_tensor::kernels::conv::{ConvShape, Method, OutputGradient, Weights, naive};
use thawline_tensor::kernels::window::Padding;

use crate::cases::{DIMS, dense, dense_convolutions, general_convolutions, pick};
use crate::compare::{close, exact, within};
use crate::data::{bits, integers, levels, reals, wide};
use crate::reference;
use crate::rungs::{Conv, methods};

/// Winograd's error, as a share of the largest element.
const WINOGRAD: f64 = 2e-5;

/// Output size, zeros before and total zeros along one axis, as in Keras.
fn along(input: usize, kernel: usize, stride: usize, dilation: usize, padding: Padding) -> Option<[i64; 3]> {
    let reach = (kernel - 1) * dilation + 1;
    let (before, zeros) = match padding {
        Padding::Valid => (0, 0),
        Padding::Explicit([before, after, ..]) => (before, before + after),
        Padding::Same => {
            let zeros = ((input.div_ceil(stride) - 1) * stride + reach).saturating_sub(input);
            (zeros / 2, zeros)
        }
    };
    let output = (input + zeros).checked_sub(reach)? / stride + 1;
    assert!(padding != Padding::Same || output == input.div_ceil(stride));
    Some([output, before, zeros].map(|size| size as i64))
}

#[test]
fn the_reference_agrees_with_the_definition() {
    // A second implementation, with signed positions and no code of the engine; rows and columns differ in every
    // option.
    let mut random = bits("definition");
    let mut legal = 0;
    for _ in 0..600 {
        let [h, w] = [0; 2].map(|_| pick(&mut random, &DIMS[1..8]));
        let [c, filters] = [0; 2].map(|_| pick(&mut random, &[1, 2, 3]));
        let [[kh, kw], stride, dilation] = [0; 3].map(|_| [0; 2].map(|_| pick(&mut random, &[1, 2, 3])));
        let [top, left] = [0; 2].map(|_| pick(&mut random, &[[0, 3], [2, 1], [1, 0]]));
        let explicit = Padding::Explicit([top[0], top[1], left[0], left[1]]);
        let padding = pick(&mut random, &[Padding::Valid, Padding::Same, explicit]);
        let columns = if padding == explicit { Padding::Explicit([left[0], left[1], 0, 0]) } else { padding };
        let sizes = along(h, kh, stride[0], dilation[0], padding).zip(along(w, kw, stride[1], dilation[1], columns));
        let shape = ConvShape::new([h, w, c], [kh, kw], filters, stride, dilation, padding);
        let (Ok(s), Some(([out_h, pad_top, _], [out_w, pad_left, _]))) = (&shape, sizes) else {
            assert!(shape.is_err() && sizes.is_none(), "{shape:?}, expected {sizes:?}");
            continue;
        };
        legal += 1;
        let found = [s.out_h, s.pad_top, s.out_w, s.pad_left].map(|size| size as i64);
        assert_eq!(found, [out_h, pad_top, out_w, pad_left], "{s:?}");

        let [x, kernel, bias] = [s.input_len(), s.kernel_len(), filters].map(|len| wide(&integers("numbers", len)));
        let mut expected = Vec::new();
        for (oh, ow, f) in
            (0..out_h).flat_map(|oh| (0..out_w).flat_map(move |ow| (0..filters).map(move |f| (oh, ow, f))))
        {
            let mut sum = bias[f];
            for (i, j) in (0..kh).flat_map(|i| (0..kw).map(move |j| (i, j))) {
                let row = oh * stride[0] as i64 + (i * dilation[0]) as i64 - pad_top;
                let col = ow * stride[1] as i64 + (j * dilation[1]) as i64 - pad_left;
                if (0..h as i64).contains(&row) && (0..w as i64).contains(&col) {
                    let pixel = (row as usize * w + col as usize) * c;
                    let tap = (i * kw + j) * c;
                    sum += (0..c).map(|c| x[pixel + c] * kernel[(tap + c) * filters + f]).sum::<f64>();
                }
            }
            expected.push(sum);
        }
        let mut y = vec![f64::NAN; s.output_len()];
        naive::forward(s, &x, &kernel, &bias, &mut y);
        assert_eq!(y, expected, "{s:?}");
    }
    assert!(legal > 300, "{legal} of the cases were legal");
}

#[test]
fn every_rung_is_exact_on_whole_numbers() {
    for s in dense_convolutions() {
        check(&s);
    }
}

#[test]
fn any_stride_padding_and_dilation_is_exact_on_whole_numbers() {
    for s in general_convolutions() {
        check(&s);
    }
}

#[test]
fn real_numbers_stay_within_the_error_bound() {
    for s in [dense_convolutions(), general_convolutions()].concat().iter().step_by(2) {
        let [x, kernel] = [reals("x", s.input_len()), reals("kernel", s.kernel_len())];
        let [bias, dy] = [reals("bias", s.filters), reals("dy", s.output_len())];
        let [x64, kernel64, bias64, dy64] = [&x, &kernel, &bias, &dy].map(|floats| wide(floats));
        let [x_abs, kernel_abs, bias_abs, dy_abs] =
            [&x64, &kernel64, &bias64, &dy64].map(|numbers| numbers.iter().map(|x| x.abs()).collect::<Vec<_>>());
        let y = [reference::conv(s, &x64, &kernel64, &bias64), reference::conv(s, &x_abs, &kernel_abs, &bias_abs)];
        let [dx, dkernel, _] = reference::conv_gradients(s, &x64, &kernel64, &dy64);
        let [dx_abs, dkernel_abs, _] = reference::conv_gradients(s, &x_abs, &kernel_abs, &dy_abs);
        for method in methods(s).filter(|&method| method != Method::Winograd) {
            for level in levels() {
                let what = |result: &str| format!("{result} by {method} at {level} of {s:?}");
                let (conv, dy) = (Conv::new(method, level, s, &kernel, &bias), OutputGradient::Full(&dy));
                within(what("y"), &conv.y(&x), &y[0], &y[1], s.depth() + 1);
                within(what("dx"), &conv.dx(dy), &dx, &dx_abs, s.kh * s.kw * s.filters);
                within(what("dkernel"), &conv.dkernel(&x, dy), &dkernel, &dkernel_abs, s.out_h * s.out_w);
            }
        }
    }
}

#[test]
fn the_first_of_equal_outputs_wins_winograds_fused_pool() {
    for s in dense_convolutions().into_iter().filter(|s| Method::Winograd.rung(s).is_ok() && s.out_h.min(s.out_w) > 1) {
        for level in levels() {
            // Of a black picture all outputs are the bias: four equal ones in every window.
            let [x, kernel] = [vec![0.0; s.input_len()], integers("kernel", s.kernel_len())];
            let bias = integers("bias", s.filters);
            let (y, winners) = Conv::new(Method::Winograd, level, &s, &kernel, &bias).forward(&x, Fused::ReluPool);
            assert!(winners.iter().all(|&winner| winner == 0), "at {level} of {s:?}");
            let expected: Vec<f64> = (0..y.len()).map(|i| f64::from(bias[i % s.filters]).max(0.0)).collect();
            exact(format!("pooled bias at {level} of {s:?}"), &y, &expected);
        }
    }
}

#[test]
fn winograds_fused_pool_keeps_every_nan() {
    for padding in [Padding::Valid, Padding::Same] {
        let s = dense([10, 11, 2], 17, padding);
        let [clean, kernel] = [integers("x", s.input_len()), integers("kernel", s.kernel_len())];
        for level in levels() {
            let conv = Conv::new(Method::Winograd, level, &s, &kernel, &vec![1.0; s.filters]);
            for pixel in 0..s.h * s.w {
                let mut x = clean.clone();
                x[pixel * s.c] = f32::NAN;
                let [(outputs, _), (pooled, _)] = [Fused::Relu, Fused::ReluPool].map(|fused| conv.forward(&x, fused));
                let output =
                    |row: usize, col: usize, filter: usize| outputs[(row * s.out_w + col) * s.filters + filter];
                for (at, pooled) in pooled.iter().enumerate() {
                    let (window, filter) = (at / s.filters, at % s.filters);
                    let (row, col) = (2 * (window / (s.out_w / 2)), 2 * (window % (s.out_w / 2)));
                    let window = [[0, 0], [0, 1], [1, 0], [1, 1]].map(|[i, j]| output(row + i, col + j, filter));
                    let is_lost = window.iter().any(|output| output.is_nan()) && !pooled.is_nan();
                    assert!(!is_lost, "at {level}, pixel {pixel}, window at {row}, {col}, filter {filter}: {window:?}");
                }
            }
        }
    }
}

fn check(s: &ConvShape) {
    let [x, kernel] = [integers("x", s.input_len()), integers("kernel", s.kernel_len())];
    let [bias, dy] = [integers("bias", s.filters), integers("dy", s.output_len())];
    let [x64, kernel64, bias64, dy64] = [&x, &kernel, &bias, &dy].map(|floats| wide(floats));
    let mut y = vec![0.0; s.output_len()];
    naive::forward(s, &x64, &kernel64, &bias64, &mut y);
    let mut dx = vec![0.0; s.input_len()];
    naive::input_gradient(s, &dy64, &kernel64, &mut dx);
    let mut dkernel = vec![0.0; s.kernel_len()];
    naive::kernel_gradient(s, &x64, &dy64, &mut dkernel);

    for method in methods(s) {
        for level in levels() {
            let (conv, dy) = (Conv::new(method, level, s, &kernel, &bias), OutputGradient::Full(&dy));
            let results =
                [("y", conv.y(&x), &y), ("dx", conv.dx(dy), &dx), ("dkernel", conv.dkernel(&x, dy), &dkernel)];
            for (name, actual, expected) in results {
                let what = format!("{name} by {method} at {level} of {s:?}");
                match method {
                    Method::Winograd => close(what, &actual, expected, WINOGRAD),
                    _ => exact(what, &actual, expected),
                }
            }
        }
    }
}

#[test]
fn weights_larger_than_memory_are_an_error() {
    let s = ConvShape::new([3, 3, 1 << 20], [3, 3], 1 << 28, [1, 1], [1, 1], Padding::Valid).expect("no overflow");
    for method in methods(&s) {
        assert!(Weights::try_new(method.rung(&s).expect("a legal method"), s).is_err(), "{method}");
    }
}
