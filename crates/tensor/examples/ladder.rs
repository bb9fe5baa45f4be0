//! From three loops to the engine's matrix product, and from six to its convolution of a picture: the speed of each
//! step on one core of this machine, and what the step changes. Run it with --release.

use std::{error::Error, hint::black_box, time::Instant};
use thawline_tensor::kernels::{activation::Fused, conv::ConvShape, conv::Weights, gemm, tile, window::Padding};
use thawline_tensor::simd::{LANES, Level, Simd, vectors, vectors_mut};
use thawline_tensor::{dispatch, nn::Method, threads};

/// Rows and columns of A, B and C = A B: a multiple of sixteen (a vector) and of six (the rows of a tile).
const SIZE: usize = 480;

/// The definition.
fn three_loops(a: &[f32], b: &[f32], c: &mut [f32]) {
    for (i, c) in c.iter_mut().enumerate() {
        *c = (0..SIZE).map(|k| a[i / SIZE * SIZE + k] * b[k * SIZE + i % SIZE]).sum();
    }
}

/// The two inner loops exchanged.
fn along_rows(a: &[f32], b: &[f32], c: &mut [f32]) {
    c.fill(0.0);
    for (c, a) in c.chunks_exact_mut(SIZE).zip(a.chunks_exact(SIZE)) {
        for (a, b) in a.iter().zip(b.chunks_exact(SIZE)) {
            c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
        }
    }
}

/// Six rows and a vector of columns of C at a time.
#[inline(always)]
fn tiles<S: Simd>(simd: S, a: &[f32], b: &[f32], c: &mut [f32]) {
    let (b, c, width) = (vectors(b), vectors_mut(c), SIZE / LANES);
    for (row, column) in (0..SIZE).step_by(6).flat_map(|row| (0..width).map(move |column| (row, column))) {
        let mut sums = [[simd.zero(); 1]; 6];
        for k in 0..SIZE {
            tile::multiply_accumulate(simd, &mut sums, |r| a[(row + r) * SIZE + k], tile::take(b, k * width + column));
        }
        tile::store_rows::<S, 6, 1>(sums, &mut c[row * width + column..], width);
    }
}

/// The definition of a convolution: each output is a sum over its window and the channels. Three loops run over the
/// outputs, three over the terms of a sum.
fn six_loops(s: &ConvShape, x: &[f32], kernel: &[f32], y: &mut [f32]) {
    for (i, y) in y.iter_mut().enumerate() {
        let (h, w, filter) = (i / s.filters / s.out_w, i / s.filters % s.out_w, i % s.filters);
        let product = |k: usize| {
            let (kh, kw, c) = (k / s.c / s.kw, k / s.c % s.kw, k % s.c);
            x[((h + kh) * s.w + w + kw) * s.c + c] * kernel[k * s.filters + filter]
        };
        *y = (0..s.depth()).map(product).sum();
    }
}

fn gigaflops(flops: u64, mut run: impl FnMut()) -> f64 {
    let seconds = (0..4).map(|_| (Instant::now(), run()).0.elapsed().as_secs_f64());
    flops as f64 / 1e9 / seconds.fold(f64::INFINITY, f64::min)
}

/// Multiply-adds on R vectors of sums, without memory accesses. This is the peak if R is large enough to hide the
/// latency, and small enough not to spill.
#[inline(always)]
fn registers<S: Simd, const R: usize>(simd: S) {
    let mut sums = [[simd.splat(black_box(0.5)); 1]; R];
    for _ in 0..SIZE * SIZE {
        tile::multiply_accumulate(simd, &mut sums, |_| 0.5, &[[0.5; LANES]]);
    }
    tile::store_rows::<S, R, 1>(sums, black_box(&mut [[0.0; LANES]; R]), 1);
}

fn main() -> Result<(), Box<dyn Error>> {
    let level = Level::current();
    let flops = |registers: usize| (2 * registers * LANES * SIZE * SIZE) as u64;
    let of_6 = gigaflops(flops(6), || dispatch!(simd => registers::<_, 6>(simd)));
    let peak = of_6.max(gigaflops(flops(12), || dispatch!(simd => registers::<_, 12>(simd))));
    println!("One core with {level} does {peak:.1} GFLOP/s at most.\n\nC = A B, {SIZE} x {SIZE}:");
    let print = |step: &str, change: &str, speed: f64| {
        println!("{step:<14} {speed:>6.1} GFLOP/s {:>4.0} %  {change}", 100.0 * speed / peak);
    };
    let numbers = |len: usize| (0..len).map(|i| (i * i % 7) as f32 - 3.0).collect::<Vec<f32>>();
    let (a, b) = (&numbers(SIZE * SIZE)[..], &numbers(SIZE * SIZE)[..]);
    type Step<'a> = (&'a str, &'a str, &'a (dyn Fn(&mut [f32]) + Sync));
    let steps: [Step; 4] = [
        ("three loops", "walks down B: a cache line for each product", &|c| three_loops(a, b, c)),
        ("along rows", "reads B in order, so the compiler makes vectors", &|c| along_rows(a, b, c)),
        ("tiles", "keeps C in registers: a load of B serves six rows", &|c| dispatch!(simd => tiles(simd, a, b, c))),
        ("engine", "packs A and B, so that tiles read both in order", &|c| {
            let [a, b] = [a, b].map(|matrix| gemm::Matrix::new(matrix, SIZE, SIZE));
            gemm::gemm(level, a, b, c, gemm::Epilogue::None);
        }),
    ];
    let mut results = [(); 4].map(|()| vec![0.0; SIZE * SIZE]);
    for ((step, change, run), c) in steps.into_iter().zip(&mut results) {
        print(step, change, threads::with_threads(1, || gigaflops(2 * SIZE.pow(3) as u64, || run(c)))?);
    }
    assert!(results.iter().all(|c| *c == results[0]), "sums of whole numbers are exact");
    let s = ConvShape::new([30, 30, 64], [3, 3], 64, [1, 1], [1, 1], Padding::Valid)?;
    println!("\nThe tutorial's second convolution, one picture, counting the definition's operations:");
    let (x, kernel, bias) = (numbers(s.input_len()), numbers(s.kernel_len()), vec![0.0; s.filters]);
    let [mut expected, mut y] = [(); 2].map(|()| vec![0.0; s.output_len()]);
    print("six loops", "the definition", gigaflops(s.flops(), || six_loops(&s, &x, &kernel, &mut expected)));
    for (method, change) in Method::LADDER.into_iter().zip([
        "runs along the filters, so the compiler makes vectors",
        "copies patches to a matrix; then one matrix product",
        "channels last: a row of pixels is its patches already",
        "other arithmetic: a quarter of the products",
    ]) {
        let rung = method.rung(&s)?;
        let mut w = Weights::new(rung, s);
        w.set(rung, level, &kernel, &bias);
        let forward = || rung.forward(level, &w, &x, Fused::None, &mut y, None);
        print(&method.to_string(), change, threads::with_threads(1, || gigaflops(s.flops(), forward))?);
        assert!(y.iter().zip(&expected).all(|(y, expected)| (y - expected).abs() < 0.05), "{method}");
    }
    Ok(())
}

#[test]
fn runs() -> Result<(), Box<dyn Error>> {
    main()
}
