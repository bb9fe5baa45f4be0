//! Layers in `f64`, built from the engine's references, with which every `f32` layer is compared. Their own gradients
//! are checked in [`gradients`](crate::gradients).

use thawline_tensor::kernels::conv::{ConvShape, naive};
use thawline_tensor::kernels::reference::{for_each_depthwise_product, matmul, max_pool_winners, transpose};
use thawline_tensor::kernels::window::WindowShape;

pub fn conv(s: &ConvShape, x: &[f64], kernel: &[f64], bias: &[f64]) -> Vec<f64> {
    let mut y = vec![f64::NAN; s.output_len()];
    naive::forward(s, x, kernel, bias, &mut y);
    y
}

/// The gradients with respect to input, kernel and bias.
pub fn conv_gradients(s: &ConvShape, x: &[f64], kernel: &[f64], dy: &[f64]) -> [Vec<f64>; 3] {
    let mut dx = vec![0.0; s.input_len()];
    naive::input_gradient(s, dy, kernel, &mut dx);
    let mut dkernel = vec![0.0; s.kernel_len()];
    naive::kernel_gradient(s, x, dy, &mut dkernel);
    [dx, dkernel, column_sums(dy, s.filters)]
}

pub fn relu(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| x.max(0.0)).collect()
}

pub fn relu_gradient(x: &[f64], dy: &[f64]) -> Vec<f64> {
    x.iter().zip(dy).map(|(&x, &dy)| if x > 0.0 { dy } else { 0.0 }).collect()
}

pub fn relu6(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| x.clamp(0.0, 6.0)).collect()
}

pub fn relu6_gradient(x: &[f64], dy: &[f64]) -> Vec<f64> {
    x.iter().zip(dy).map(|(&x, &dy)| if x > 0.0 && x < 6.0 { dy } else { 0.0 }).collect()
}

pub fn depthwise(s: &WindowShape, x: &[f64], kernel: &[f64], bias: &[f64]) -> Vec<f64> {
    let mut y: Vec<f64> = bias.iter().copied().cycle().take(s.output_len()).collect();
    for_each_depthwise_product(s, |i, k, o| y[o] += x[i] * kernel[k]);
    y
}

/// The gradients with respect to input, kernel and bias.
pub fn depthwise_gradients(s: &WindowShape, x: &[f64], kernel: &[f64], dy: &[f64]) -> [Vec<f64>; 3] {
    let [mut dx, mut dkernel] = [x, kernel].map(|operand| vec![0.0; operand.len()]);
    for_each_depthwise_product(s, |i, k, o| {
        dx[i] += dy[o] * kernel[k];
        dkernel[k] += dy[o] * x[i];
    });
    [dx, dkernel, column_sums(dy, s.c)]
}

pub fn max_pool(s: &WindowShape, x: &[f64]) -> Vec<f64> {
    max_pool_winners(s, x).into_iter().map(|winner| x[winner]).collect()
}

pub fn max_pool_gradient(s: &WindowShape, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; x.len()];
    max_pool_winners(s, x).into_iter().zip(dy).for_each(|(winner, dy)| dx[winner] += dy);
    dx
}

/// The mean of the pixels of each window.
pub fn average_pool(s: &WindowShape, x: &[f64]) -> Vec<f64> {
    windows(s).map(|pixels| pixels.iter().map(|&i| x[i]).sum::<f64>() / pixels.len() as f64).collect()
}

pub fn average_pool_gradient(s: &WindowShape, dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; s.input_len()];
    for (pixels, dy) in windows(s).zip(dy) {
        pixels.iter().for_each(|&i| dx[i] += dy / pixels.len() as f64);
    }
    dx
}

/// For each output, the inputs in its window.
fn windows(s: &WindowShape) -> impl Iterator<Item = Vec<usize>> {
    (0..s.output_len()).map(move |out| {
        let (pixel, c) = (out / s.c, out % s.c);
        let rows = s.rows(pixel / s.out_w);
        rows.flat_map(move |h| s.cols(pixel % s.out_w).map(move |w| (h * s.w + w) * s.c + c)).collect()
    })
}

/// x (N x K) times w (K x M) plus bias.
pub fn dense(x: &[f64], w: &[f64], bias: &[f64], [n, k]: [usize; 2]) -> Vec<f64> {
    let mut y = matmul(x, w, [n, bias.len(), k]);
    y.chunks_exact_mut(bias.len()).for_each(|row| row.iter_mut().zip(bias).for_each(|(y, b)| *y += b));
    y
}

/// The gradients with respect to input, kernel and bias.
pub fn dense_gradients(x: &[f64], w: &[f64], dy: &[f64], [n, k]: [usize; 2]) -> [Vec<f64>; 3] {
    let units = dy.len() / n;
    let dx = matmul(dy, &transpose(w, k, units), [n, k, units]);
    let dw = matmul(&transpose(x, n, k), dy, [k, units, n]);
    [dx, dw, column_sums(dy, units)]
}

/// Mean and (biased) variance of each column.
pub fn moments(x: &[f64], columns: usize) -> [Vec<f64>; 2] {
    let rows = (x.len() / columns) as f64;
    let mean: Vec<f64> = column_sums(x, columns).into_iter().map(|sum| sum / rows).collect();
    let squares: Vec<f64> = x.iter().enumerate().map(|(i, x)| (x - mean[i % columns]).powi(2)).collect();
    let variance = column_sums(&squares, columns).into_iter().map(|sum| sum / rows).collect();
    [mean, variance]
}

/// x normalized by moments, then scaled and shifted.
pub fn normalize(x: &[f64], [mean, variance]: [&[f64]; 2], [gamma, beta]: [&[f64]; 2], epsilon: f64) -> Vec<f64> {
    let columns = gamma.len();
    let normal = |(i, x): (usize, &f64)| {
        let c = i % columns;
        gamma[c] * (x - mean[c]) / (variance[c] + epsilon).sqrt() + beta[c]
    };
    x.iter().enumerate().map(normal).collect()
}

/// x normalized by its own moments, then scaled and shifted.
pub fn batch_norm(x: &[f64], params: [&[f64]; 2], epsilon: f64) -> Vec<f64> {
    let [mean, variance] = moments(x, params[0].len());
    normalize(x, [&mean, &variance], params, epsilon)
}

/// The gradients with respect to input, gamma and beta.
pub fn batch_norm_gradients(x: &[f64], gamma: &[f64], dy: &[f64], epsilon: f64) -> [Vec<f64>; 3] {
    let columns = gamma.len();
    let rows = (x.len() / columns) as f64;
    let [mean, variance] = moments(x, columns);
    let u = normalize(x, [&mean, &variance], [&vec![1.0; columns], &vec![0.0; columns]], epsilon);
    let products: Vec<f64> = u.iter().zip(dy).map(|(u, dy)| u * dy).collect();
    let [dgamma, dbeta] = [&products, dy].map(|terms| column_sums(terms, columns));
    let dx = (0..x.len()).map(|i| {
        let c = i % columns;
        gamma[c] / (variance[c] + epsilon).sqrt() * (dy[i] - dbeta[c] / rows - u[i] * dgamma[c] / rows)
    });
    [dx.collect(), dgamma, dbeta]
}

fn column_sums(matrix: &[f64], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    matrix.chunks_exact(columns).for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
    sums
}
