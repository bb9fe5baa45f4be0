//! Results have the same bits for any number of threads, alone or in a batch, and at all levels with fused
//! multiply-add.

use std::process::Command;

use thawline_tensor::dispatch;
use thawline_tensor::kernels::activation::Fused;
use thawline_tensor::kernels::conv::{ConvShape, Method, OutputGradient};
use thawline_tensor::kernels::gemm::{Epilogue, Matrix, gemm};
use thawline_tensor::kernels::optimizer::{AdamStep, adam, sgd};
use thawline_tensor::kernels::window::Padding;
use thawline_tensor::nn::Fit;
use thawline_tensor::simd::Level;
use thawline_tensor::threads::{count, with_threads};

use crate::cases::{dense_convolutions, general_convolutions, products};
use crate::compare::{close, same_bits};
use crate::data::{levels, reals, wide};
use crate::gemm::{FORMS, Product};
use crate::rungs::{Conv, methods};
use crate::{mobile, normalization, small};

/// Runs something with 1, 2, 3, 4 and 8 threads and compares all results with the first.
fn for_any_threads<R: Send>(what: &str, work: impl Fn() -> R + Send + Sync, same: impl Fn(String, &R, &R)) {
    let with = |threads| {
        with_threads(threads, || {
            assert_eq!(count(), threads);
            work()
        })
        .expect("threads can be started")
    };
    let expected = with(1);
    for threads in [2, 3, 4, 8] {
        same(format!("{what} with {threads} threads"), &with(threads), &expected);
    }
}

#[test]
fn products_have_the_same_bits_for_any_number_of_threads() {
    for shape in [
        [7, 65, 257],
        [240, 129, 33],
        [15, 4200, 300],
        [20, 2100, 801],
        [130, 70, 600],
        [17, 33, 4111],
        [13, 144, 4500],
        [1030, 3, 4097],
        [128, 128, 12_544],
    ] {
        let product = Product::new(shape, reals);
        for level in levels() {
            for form in FORMS {
                let compute = || product.compute(level, form, Epilogue::Bias(&product.bias, Fused::Relu));
                for_any_threads(&format!("{shape:?} {form:?} at {level}"), compute, |what, a, b| same_bits(what, a, b));
            }
        }
    }
}

#[test]
fn training_has_the_same_bits_for_any_number_of_threads() {
    let train = || {
        let mut network = small::network();
        let log = small::train(&mut network, &small::FIT);
        ([network, normalization::trained(), mobile::trained()].map(|network| small::digest(&network)), log)
    };
    for_any_threads("training", train, |what, actual, expected| assert_eq!(actual, expected, "{what}"));
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_a_product() {
    // Products that are cut along M or along K; some have more rows than a block, a task or the partial results.
    for shape in [[600, 70, 300], [600, 5, 4100], [113, 64, 576], [130, 256, 4096], [30, 257, 4096], [40, 4200, 30]] {
        let [m, n, k] = shape;
        let [a, b, bias] = [reals("a", m * k), reals("b", k * n), reals("bias", n)];
        for level in levels() {
            let rows = |first: usize, count: usize| {
                let a = Matrix::new(&a[first * k..][..count * k], count, k);
                let mut c = vec![f32::NAN; count * n];
                gemm(level, a, Matrix::new(&b, k, n), &mut c, Epilogue::Bias(&bias, Fused::None));
                c
            };
            let all = rows(0, m);
            for (first, count) in [(0, 1), (m / 2, 1), (m - 1, 1), (3, 8), (1, m / 3)] {
                let what = format!("rows {first} to {} of {shape:?} at {level}", first + count - 1);
                same_bits(what, &rows(first, count), &all[first * n..][..count * n]);
            }
        }
    }
}

#[test]
fn an_example_has_the_same_bits_alone_and_in_a_batch() {
    let n = 150;
    let examples = small::examples(n);
    for network in [small::network(), normalization::trained(), mobile::trained()] {
        let logits = network.predict(&examples);
        for batch in [1, 3, 8, 20] {
            for (first, some) in (0..n as u32).collect::<Vec<_>>().chunks(batch).enumerate() {
                let part = network.predict(&examples.select(some));
                let expected = &logits.logits().data()[first * batch * small::CLASSES..][..some.len() * small::CLASSES];
                same_bits(format!("batch {first} of {batch}"), part.logits().data(), expected);
            }
        }
    }
}

#[test]
fn scoring_does_not_depend_on_the_training_batch() {
    let examples = small::examples(41);
    for batch_size in [32, 1, 7, 70, 1000] {
        let mut network = small::network();
        // The rate is too low to change anything, so the same network is scored each time.
        let options = Fit { epochs: 1, batch_size, rate: 1e-30, ..small::FIT };
        let [_, _, loss, accuracy] = small::train(&mut network, &options).epochs[0];
        let metrics = network.evaluate(&examples);
        // The examples' losses have the same bits; the batch size decides the order in which they are added.
        assert!((loss - metrics.loss).abs() <= 1e-14 * loss, "batches of {batch_size}: {loss}, {metrics:?}");
        assert_eq!(accuracy, metrics.accuracy, "batches of {batch_size}");
    }
}

/// Computes something at each of this CPU's levels with fused multiply-add, and compares each result with the one
/// before.
pub fn at_fma_levels<R>(compute: impl Fn(Level) -> R, same: impl Fn(&R, &R)) {
    let results: Vec<R> = levels().filter(|level| level.has_fma()).map(compute).collect();
    for pair in results.windows(2) {
        same(&pair[1], &pair[0]);
    }
}

#[test]
fn products_have_the_same_bits_at_every_fused_level() {
    for shape in products().step_by(11).chain([[128, 128, 12_544]]) {
        let product = Product::new(shape, reals);
        for form in FORMS {
            let compute = |level| product.compute(level, form, Epilogue::Bias(&product.bias, Fused::Relu));
            at_fma_levels(compute, |a, b| same_bits(format!("{shape:?} {form:?}"), a, b));
        }
    }
}

#[test]
fn convolutions_have_the_same_bits_at_every_fused_level() {
    for s in dense_convolutions().into_iter().chain(general_convolutions()) {
        let [x, kernel] = [reals("x", s.input_len()), reals("kernel", s.kernel_len())];
        let [bias, dy] = [reals("bias", s.filters), reals("dy", s.output_len())];
        for method in methods(&s) {
            let full = OutputGradient::Full(&dy);
            let compute = |level| {
                let conv = Conv::new(method, level, &s, &kernel, &bias);
                let mut results = vec![conv.y(&x), conv.dx(full), conv.dkernel(&x, full)];
                if method == Method::Winograd && s.out_h.min(s.out_w) > 1 {
                    let (y, winners) = conv.forward(&x, Fused::ReluPool);
                    let pooled = OutputGradient::Pooled(&dy[..y.len()], &winners);
                    results.extend([conv.dx(pooled), conv.dkernel(&x, pooled), y]);
                }
                results
            };
            at_fma_levels(compute, |a, b| {
                for (result, (a, b)) in a.iter().zip(b).enumerate() {
                    same_bits(format!("result {result} by {method} of {s:?}"), a, b);
                }
            });
        }
    }
}

/// Convolutions whose passes take several images. For Winograd's method: a transformed kernel larger than the cache,
/// one tile per image, no whole tile. For both methods: odd numbers of channels.
fn convolutions_of_several_images() -> impl Iterator<Item = (Method, ConvShape)> {
    let shape = |[side, c, filters]: [usize; 3], stride| {
        ConvShape::new([side, side, c], [3, 3], filters, [stride; 2], [1, 1], Padding::Same).expect("a legal shape")
    };
    let winograd = [[4, 100, 130], [9, 17, 80], [2, 200, 65], [24, 70, 130]].map(|sizes| (Method::Winograd, sizes, 1));
    let all = winograd.into_iter().chain([(Method::Im2col, [5, 33, 17], 2), (Method::Im2col, [2, 17, 130], 1)]);
    all.map(move |(method, sizes, stride)| (method, shape(sizes, stride)))
}

#[test]
fn several_images_at_once_give_the_same_bits_as_one_by_one_and_for_any_number_of_threads() {
    const IMAGES: usize = 5;
    for (method, s) in convolutions_of_several_images() {
        assert!(method.rung(&s).expect("a legal method").images_at_once(&s) > 1);
        let [x, dy] = [("x", s.input_len()), ("dy", s.output_len())].map(|(name, len)| reals(name, IMAGES * len));
        let [kernel, bias] = [("kernel", s.kernel_len()), ("bias", s.filters)].map(|(name, len)| reals(name, len));
        let passes = |conv: &Conv, x: &[f32], dy: &[f32]| {
            let mut results = vec![conv.y(x), conv.dx(OutputGradient::Full(dy))];
            if method == Method::Winograd {
                let (y, winners) = conv.forward(x, Fused::ReluPool);
                let pooled = OutputGradient::Pooled(&dy[..y.len()], &winners);
                results.extend([conv.dx(pooled), conv.dkernel(x, pooled), y]);
            }
            results
        };
        for level in levels() {
            let conv = Conv::new(method, level, &s, &kernel, &bias);
            let what = format!("{method} at {level} of {s:?}");
            let all = passes(&conv, &x, &dy);
            for (result, all) in all.iter().enumerate().filter(|&(result, _)| result < 2) {
                let images = x.chunks(s.input_len()).zip(dy.chunks(s.output_len()));
                let single = images.flat_map(|(x, dy)| passes(&conv, x, dy).swap_remove(result));
                same_bits(format!("result {result}, {what}"), all, &single.collect::<Vec<f32>>());
            }
            for_any_threads(
                &what,
                || passes(&conv, &x, &dy),
                |what, a, b| {
                    let results = a.iter().zip(b).enumerate();
                    results.for_each(|(result, (a, b))| same_bits(format!("result {result}, {what}"), a, b));
                },
            );
        }
        // The gradient of the kernel is a sum over images.
        let conv = Conv::new(method, Level::best(), &s, &kernel, &bias);
        let images = x.chunks(s.input_len()).zip(dy.chunks(s.output_len()));
        let sums = images.map(|(x, dy)| conv.dkernel(x, OutputGradient::Full(dy)));
        let sum = sums.reduce(|sum, next| sum.iter().zip(next).map(|(a, b)| a + b).collect()).expect("five images");
        close(format!("{s:?}"), &conv.dkernel(&x, OutputGradient::Full(&dy)), &wide(&sum), 1e-5);
    }
}

#[test]
fn the_tutorials_convolutions_keep_their_methods() {
    for (input, method) in [([32, 32, 3], Method::Implicit), ([30, 30, 64], Method::Winograd)] {
        let s = ConvShape::new(input, [3, 3], 64, [1, 1], [1, 1], Padding::Valid).expect("a legal shape");
        let rung = method.rung(&s).expect("a legal method");
        assert_eq!((Method::Auto.chosen(&s), rung.images_at_once(&s)), (method, 1));
    }
}

#[test]
fn optimizers_have_the_same_bits_at_every_fused_level() {
    let [value, gradient] = [reals("value", 1003), reals("gradient", 1003)];
    let step = AdamStep { rate: 1e-3, mean_share: 0.1, square_share: 1e-3, epsilon: 1e-7 };
    let compute = |level| {
        let mut of_adam = [value.clone(), vec![0.0; 1003], vec![0.0; 1003]];
        let mut of_sgd = [value.clone(), vec![0.0; 1003]];
        for _ in 0..20 {
            let (adams, sgds) = (of_adam.each_mut().map(Vec::as_mut_slice), of_sgd.each_mut().map(Vec::as_mut_slice));
            dispatch!(level, simd => adam(simd, step, adams, &gradient));
            dispatch!(level, simd => sgd(simd, 0.01, 0.9, sgds, &gradient));
        }
        [of_adam.concat(), of_sgd.concat()].concat()
    };
    at_fma_levels(compute, |a, b| same_bits("adam, then sgd", a, b));
}

/// SHA-256 of the weights after three small training runs (plain, with batch normalization, of mobile blocks), and the
/// first one's last loss, with fused multiply-add and without: the same on every machine. An intended change of bits
/// changes these, too.
const WITH_FMA: ([&str; 3], f64) = (
    [
        "c688975902441a4305eca5c149a5ef6f4b60fd01d7915f4f0facf0b66c6c7811",
        "76414d6f0d7b2382c7f8cb5d6241c14caaa8128b623acfced9cc695d00010520",
        "6d5f3177723b1a577da078b27bf2213078e001749f842d8a42648bf688e824f7",
    ],
    1.6282537981590492,
);
const WITHOUT_FMA: ([&str; 3], f64) = (
    [
        "1e3aa7f917e586c5a4fc86b89ed253da082cf6be98f556efb2d432c043786c39",
        "6ac82ad924499b5f268400db27eeb1b2fe8a6899b7d3ca6dcbfb4bbe48d835c4",
        "9db8b7ccc9f882cae06395a3d79fd3d2d4da0905370c059407b64f4ded6ec0f2",
    ],
    1.6282537760186528,
);

/// Run by the test below in a process at each level, and by `scripts/try_cpus.sh` on an emulated ARM.
#[test]
#[ignore = "run by another test"]
fn training_at_this_level() {
    let level = Level::current();
    let mut network = small::network();
    let log = small::train(&mut network, &small::FIT);
    let expected = if level.has_fma() { WITH_FMA } else { WITHOUT_FMA };
    let digests = [network, normalization::trained(), mobile::trained()].map(|network| small::digest(&network));
    let found = (digests.each_ref().map(|digest| &**digest), log.epochs[1][0]);
    assert_eq!(found, expected, "at {level}");
    println!("trained at {level}");
}

#[test]
fn training_has_the_same_bits_on_every_machine_and_nearly_the_same_without_fma() {
    for level in levels() {
        let output = Command::new(std::env::current_exe().expect("a running test has a file"))
            .args(["bits::training_at_this_level", "--exact", "--ignored", "--nocapture"])
            .env("THAWLINE_SIMD", level.to_string())
            .output()
            .expect("the test program starts");
        let [text, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        assert!(text.contains(&format!("trained at {level}")), "{text}{errors}");
    }
    assert!((WITHOUT_FMA.1 - WITH_FMA.1).abs() < 1e-4 * WITH_FMA.1);
}
