//! The error of each convolution method against `f64`, on the tutorial's second convolution and others: checked against
//! bounds, and printed as the table of docs/winograd.md.

use thawline_tensor::kernels::conv::{ConvShape, Method, OutputGradient};
use thawline_tensor::kernels::window::Padding;
use thawline_tensor::simd::Level;

use crate::compare::relative_error;
use crate::data::{bits, reals, wide};
use crate::reference;
use crate::rungs::Conv;

/// The distribution of a case's pictures and gradients.
#[derive(Clone, Copy, Debug)]
enum Values {
    /// Uniform between -1 and 1.
    Uniform,
    /// As after a ReLU: half zeros, the rest half a normal distribution; gradients small.
    Rectified,
}

/// The largest permitted error of Winograd's method, relative to the largest element.
const BOUND: f64 = 2e-5;

/// The bound of the direct methods: their sums are as long as Winograd's, but nothing is transformed.
const DIRECT_BOUND: f64 = BOUND / 4.0;

#[test]
fn winograds_method_stays_within_its_error_bound() {
    println!("| {} | values | pass | naive | im2col | implicit | winograd |", Level::best());
    println!("|---|---|---|---:|---:|---:|---:|");
    for (input, filters) in [([30, 30, 64], 64), ([30, 30, 16], 16), ([13, 13, 128], 64), ([8, 8, 256], 32)] {
        let s = ConvShape::new(input, [3, 3], filters, [1, 1], [1, 1], Padding::Valid).expect("the kernel fits");
        for values in [Values::Uniform, Values::Rectified] {
            let errors = Method::LADDER.map(|method| errors(&s, method, values));
            for (pass, name) in ["forward", "input gradient", "kernel gradient"].into_iter().enumerate() {
                let cells = errors.map(|of_method| format!("{:.1e}", of_method[pass])).join(" | ");
                let [h, w, c] = input;
                println!("| {h} x {w} x {c} to {filters} | {} | {name} | {cells} |", values.name());
            }
            for (method, errors) in Method::LADDER.into_iter().zip(errors) {
                let bound = if method == Method::Winograd { BOUND } else { DIRECT_BOUND };
                assert!(errors.iter().all(|&error| error <= bound), "{method}, {s:?}, {values:?}: {errors:?}");
            }
        }
    }
}

impl Values {
    fn name(self) -> &'static str {
        match self {
            Values::Uniform => "uniform",
            Values::Rectified => "rectified",
        }
    }
}

/// The errors of output, input gradient and kernel gradient.
fn errors(s: &ConvShape, method: Method, values: Values) -> [f64; 3] {
    let mut random = bits("pictures");
    let mut normals = |len: usize, scale: f32| (0..len).map(|_| scale * random.normal()).collect::<Vec<f32>>();
    let [x, dy] = match values {
        Values::Uniform => [reals("x", s.input_len()), reals("dy", s.output_len())],
        Values::Rectified => {
            let x = normals(s.input_len(), 1.0).into_iter().map(|x| x.max(0.0)).collect();
            [x, normals(s.output_len(), 1e-4)]
        }
    };
    // Glorot's limit.
    let limit = (6.0 / (9 * (s.c + s.filters)) as f32).sqrt();
    let kernel: Vec<f32> = reals("kernel", s.kernel_len()).into_iter().map(|w| limit * w).collect();
    let bias = vec![0.0; s.filters];
    let [x64, kernel64, bias64, dy64] = [&x, &kernel, &bias, &dy].map(|floats| wide(floats));
    let [dx, dkernel, _] = reference::conv_gradients(s, &x64, &kernel64, &dy64);
    let (conv, dy) = (Conv::new(method, Level::best(), s, &kernel, &bias), OutputGradient::Full(&dy));
    [
        relative_error(&conv.y(&x), &reference::conv(s, &x64, &kernel64, &bias64)),
        relative_error(&conv.dx(dy), &dx),
        relative_error(&conv.dkernel(&x, dy), &dkernel),
    ]
}
