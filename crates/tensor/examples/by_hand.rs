//! A convolutional network without a library: forward, loss, backward and gradient descent in plain loops. It tells
//! rows from columns in noisy pictures of 8 x 8 pixels.
//!
//!     x 8 x 8  -- convolution 3 x 3, 4 filters -->  y 6 x 6 x 4  -- ReLU -->  r  -- dense -->  z, two logits
#![allow(clippy::needless_range_loop)] // the loops are the formulas

const SIZE: usize = 8;
const OUT: usize = 6;
const FILTERS: usize = 4;
const CLASSES: usize = 2;

/// Kernel (KH x KW x filters), its bias, dense weights (features x classes), their bias; or the gradients of these.
type Params = [Vec<f64>; 4];

const LENS: [usize; 4] = [3 * 3 * FILTERS, FILTERS, OUT * OUT * FILTERS * CLASSES, CLASSES];

/// Rows, columns and filters of the convolution's output.
fn places() -> impl Iterator<Item = (usize, usize, usize)> {
    (0..OUT * OUT * FILTERS).map(|i| (i / FILTERS / OUT, i / FILTERS % OUT, i % FILTERS))
}

/// The outputs of ReLU and of the dense layer.
fn forward([kernel, bias, w, b]: &Params, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    // y[h, v, f] = bias[f] + the sum of x[h + kh, v + kw] kernel[kh, kw, f] over the window;  r = max(y, 0)
    let mut r = vec![0.0; OUT * OUT * FILTERS];
    for (i, (h, v, f)) in places().enumerate() {
        let mut y = bias[f];
        for k in 0..9 {
            y += x[(h + k / 3) * SIZE + v + k % 3] * kernel[k * FILTERS + f];
        }
        r[i] = y.max(0.0);
    }
    // z[c] = b[c] + the sum of r[i] w[i, c] over the features
    let z = (0..CLASSES).map(|c| b[c] + (0..r.len()).map(|i| r[i] * w[i * CLASSES + c]).sum::<f64>()).collect();
    (r, z)
}

/// The loss of one picture. Adds its gradients.
fn backward(params: &Params, x: &[f64], label: usize, [dkernel, dbias, dw, db]: &mut Params) -> f64 {
    let (r, z) = forward(params, x);
    // Softmax cross-entropy: loss = -ln p[label]; dz = p, minus 1 at the label
    let sum: f64 = z.iter().map(|z| z.exp()).sum();
    let mut dz: Vec<f64> = z.iter().map(|z| z.exp() / sum).collect();
    let loss = -dz[label].ln();
    dz[label] -= 1.0;
    // Dense: db = dz, dw = r' dz, dr = dz w'
    let mut dr = vec![0.0; r.len()];
    for c in 0..CLASSES {
        db[c] += dz[c];
        for i in 0..r.len() {
            dw[i * CLASSES + c] += r[i] * dz[c];
            dr[i] += dz[c] * params[2][i * CLASSES + c];
        }
    }
    for (i, (h, v, f)) in places().enumerate() {
        // ReLU: dy = dr where r > 0, else 0
        let dy = if r[i] > 0.0 { dr[i] } else { 0.0 };
        // Convolution: y is a sum of products x kernel, so each product gives its x, times dy, to dkernel
        dbias[f] += dy;
        for k in 0..9 {
            dkernel[k * FILTERS + f] += x[(h + k / 3) * SIZE + v + k % 3] * dy;
        }
    }
    loss
}

/// The mean loss of some pictures, and its gradients.
fn mean_loss(params: &Params, pictures: &[(Vec<f64>, usize)]) -> (f64, Params) {
    let mut sums = LENS.map(|len| vec![0.0; len]);
    let loss: f64 = pictures.iter().map(|(x, label)| backward(params, x, *label, &mut sums)).sum();
    let n = pictures.len() as f64;
    (loss / n, sums.map(|sum| sum.iter().map(|g| g / n).collect()))
}

fn main() {
    // Random numbers from -1 to 1, by a linear congruential generator
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as f64 / f64::from(1 << 30) - 1.0
    };
    let mut params = LENS.map(|len| (0..len).map(|_| 0.2 * random()).collect::<Vec<f64>>());
    let mut picture = |label: usize| {
        let at = (4.0 + 3.0 * random()) as usize;
        let mut pixel = |p: usize| f64::from(u8::from([p / SIZE, p % SIZE][label] == at)) + 0.3 * random();
        ((0..SIZE * SIZE).map(&mut pixel).collect(), label)
    };
    let pictures: Vec<(Vec<f64>, usize)> = (0..300).map(|i| picture(i % 2)).collect();
    let (train, test) = pictures.split_at(200);

    // The slope of the loss along one weight of the kernel: by a finite difference, and by `backward`
    let along = |h: f64| {
        let mut moved = params.clone();
        moved[0][5] += h;
        mean_loss(&moved, train).0
    };
    let (slope, gradient) = ((along(1e-5) - along(-1e-5)) / 2e-5, mean_loss(&params, train).1[0][5]);
    println!("dkernel[5] is {gradient:.9}; the finite difference is {slope:.9}");
    assert!((slope - gradient).abs() < 1e-7);

    for epoch in 1..=10 {
        for batch in train.chunks(20) {
            let (_, gradients) = mean_loss(&params, batch);
            for (value, gradient) in params.iter_mut().flatten().zip(gradients.iter().flatten()) {
                *value -= 0.3 * gradient;
            }
        }
        println!("epoch {epoch}: loss {:.4}", mean_loss(&params, train).0);
    }
    // Of two classes, the one with a probability above 1/2 is predicted.
    let right = test.chunks(1).filter(|picture| mean_loss(&params, picture).0 < 2f64.ln()).count();
    println!("{right} of {} new pictures are classified correctly", test.len());
    assert!(right > 95);
}

#[test]
fn runs() {
    main();
}
