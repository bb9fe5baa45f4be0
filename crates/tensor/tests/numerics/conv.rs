//! The ladder: on whole numbers every rung that sums products gives the very result of the definition, at every SIMD
//! level; Winograd's method, whose transforms round, comes close.

use thawline_tensor::kernels::conv::ConvShape;
use thawline_tensor::kernels::reference;

use crate::cases::{dense_convolutions, general_convolutions};
use crate::compare::{close, exact};
use crate::data::{integers, levels, wide};
use crate::rungs::Rung;

/// Winograd's error, as a share of the largest element.
const WINOGRAD: f64 = 2e-5;

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

fn check(s: &ConvShape) {
    let [x, kernel] = [integers("x", s.input_len()), integers("kernel", s.kernel_len())];
    let [bias, dy] = [integers("bias", s.filters), integers("dy", s.output_len())];
    let [x64, kernel64, bias64, dy64] = [&x, &kernel, &bias, &dy].map(|floats| wide(floats));
    let mut y = vec![0.0; s.output_len()];
    reference::conv(s, &x64, &kernel64, &bias64, &mut y);
    let mut dx = vec![0.0; s.input_len()];
    reference::conv_input_gradient(s, &dy64, &kernel64, &mut dx);
    let mut dkernel = vec![0.0; s.kernel_len()];
    reference::conv_kernel_gradient(s, &x64, &dy64, &mut dkernel);

    for rung in Rung::ALL.into_iter().filter(|rung| rung.is_legal(s)) {
        for level in levels() {
            let results = [
                ("y", rung.forward(level, s, &x, &kernel, &bias), &y),
                ("dx", rung.input_gradient(level, s, &dy, &kernel), &dx),
                ("dkernel", rung.kernel_gradient(level, s, &x, &dy), &dkernel),
            ];
            for (name, actual, expected) in results {
                let what = format!("{name} by {rung:?} at {level} of {s:?}");
                match rung {
                    Rung::Winograd => close(what, &actual, expected, WINOGRAD),
                    _ => exact(what, &actual, expected),
                }
            }
        }
    }
}
