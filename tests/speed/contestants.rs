//! The kernels that are compared, and the required ratios.

use std::sync::Arc;

use thawline::commands::bench::{
    layers::{Case, LayerPass, Pass},
    product::{self, Form, Product},
    roof::{self, multiply_add},
    timing::Workload,
};
use thawline_tensor::{
    nn::{Activation, Conv2D, Layer, MaxPooling2D, Method, Network},
    simd::{LANES, Level},
};

use crate::alternation::{Floor, Run};

/// Kernels to time, and the required ratios between them.
pub struct Contestants {
    pub runs: Vec<Run>,
    pub floors: Vec<Floor>,
}

/// Batch size of a convolution.
const IMAGES: usize = 8;
const NAIVE_IMAGES: usize = 2;

const PRODUCT: product::Case = product::Case { name: "product", form: Form::AB, shape: [512, 512, 512] };

impl Contestants {
    /// The same product at every supported level.
    pub fn of_all_levels() -> Self {
        let levels = Level::ALL.into_iter().filter(|level| level.is_supported());
        let runs = levels.map(|level| workload(format!("product at {level}"), Product::new(PRODUCT, level))).collect();
        let mut floors = Vec::new();
        for (level, faster, at_least) in [
            (Level::Neon, "product at neon", 1.5),
            (Level::Avx2, "product at avx2", 2.0),
            (Level::Avx512, "product at avx512", 2.0),
        ] {
            if level.is_supported() {
                floors.push(Floor { faster, slower: "product at portable", at_least });
            }
        }
        if Level::Avx512.is_supported() {
            // They are equally fast on CPUs that execute 512-bit operations as two halves.
            floors.push(Floor { faster: "product at avx512", slower: "product at avx2", at_least: 0.9 });
        }
        Self { runs, floors }
    }

    /// Kernels at the process's level, compared with each other and with the peak.
    pub fn of_this_level() -> Self {
        let level = Level::current();
        let mut runs = vec![peak(level), workload("product".to_owned(), Product::new(PRODUCT, level))];
        let conv2 = Case::conv2();
        for pass in Pass::ALL {
            for method in Method::LADDER {
                let images = if method == Method::Naive { NAIVE_IMAGES } else { IMAGES };
                let name = format!("{pass}, {method}");
                runs.push(workload(name, LayerPass::convolution(&conv2, method, pass, images)));
            }
        }
        runs.extend(pooled());
        Self { runs, floors: floors(level) }
    }
}

fn floors(level: Level) -> Vec<Floor> {
    let floor = |faster, slower, at_least| Floor { faster, slower, at_least };
    // With fewer registers, more loads stall. The compiler vectorizes the naive loops for baseline x86-64.
    let [of_peak, winograd_of_peak, of_naive] = match level {
        Level::Avx512 => [0.6, 1.4, 4.0],
        Level::Avx2 | Level::Neon => [0.5, 1.2, 4.0],
        Level::Portable => [0.25, 0.5, 1.2],
    };
    vec![
        floor("product", "peak", if has_wide_avx512(level) { 0.45 } else { of_peak }),
        floor("forward, implicit", "peak", of_peak),
        floor("forward, winograd", "peak", winograd_of_peak),
        floor("forward, winograd", "forward, implicit", 1.5),
        floor("input gradient, winograd", "input gradient, implicit", 1.3),
        floor("kernel gradient, winograd", "kernel gradient, implicit", 1.3),
        floor("forward, implicit", "forward, naive", of_naive),
        floor("input gradient, implicit", "input gradient, naive", of_naive),
        floor("kernel gradient, implicit", "kernel gradient, naive", of_naive),
        floor("forward, im2col", "forward, naive", of_naive),
        floor("conv, relu and pool in one", "conv, relu and pool in turn", 1.05),
    ]
}

/// Whether the CPU multiplies and adds 512 bits twice per cycle, which makes AVX-512's peak much higher than AVX2's: 1.7
/// times on an Intel Xeon, where the product reaches 0.55 of it; 1.0 times on an AMD EPYC (Zen 4), where the product
/// reaches 0.9 of it (2026-11-30).
fn has_wide_avx512(level: Level) -> bool {
    let peak = |level| roof::peak(level, 1).expect("a thread can be started");
    level == Level::Avx512 && peak(Level::Avx512) > 1.35 * peak(Level::Avx2)
}

/// A run measured in the FLOPs of the direct method.
fn workload(name: String, mut workload: impl Workload + 'static) -> Run {
    workload.check().unwrap_or_else(|error| panic!("{name} is wrong: {error}"));
    Run { name, amount: workload.work().flops as f64, run: Box::new(move || workload.run()) }
}

/// Multiply-adds in registers.
fn peak(level: Level) -> Run {
    const STEPS: u64 = 400_000;
    let flops = 2 * LANES as u64 * STEPS * multiply_add(level, STEPS);
    let run = move || {
        multiply_add(level, STEPS);
    };
    Run { name: "peak".to_owned(), amount: flops as f64, run: Box::new(run) }
}

/// conv2 with ReLU and pooling, fused and as separate passes.
fn pooled() -> [Run; 2] {
    let network = |input: [usize; 3], layers: Vec<Box<dyn Layer>>| {
        let named = layers.into_iter().enumerate();
        let builder = named.fold(Network::builder(input), |builder, (i, layer)| builder.layer(format!("{i}"), layer));
        Arc::new(builder.build(0).expect("the layers fit"))
    };
    let conv = || Box::new(Conv2D::new(64, [3, 3]).method(Method::Winograd)) as Box<dyn Layer>;
    let pool = || Box::new(MaxPooling2D::new([2, 2])) as Box<dyn Layer>;
    let (picture, activation) = ([30, 30, 64], [28, 28, 64]);
    let in_one = [network(picture, vec![conv(), Box::new(Activation::Relu), pool()])];
    let in_turn = [
        network(picture, vec![conv()]),
        network(activation, vec![Box::new(Activation::Relu)]),
        network(activation, vec![pool()]),
    ];
    [("one", in_one.to_vec()), ("turn", in_turn.to_vec())].map(|(how, networks)| {
        let mut values = vec![vec![0.5; IMAGES * picture.iter().product::<usize>()]];
        values.extend(networks.iter().map(|network| vec![0.0; IMAGES * network.output().size()]));
        let run = move || {
            for image in 0..IMAGES {
                for (stage, network) in networks.iter().enumerate() {
                    let (before, after) = values.split_at_mut(stage + 1);
                    let [inputs, outputs] = [network.input(), network.output()].map(|shape| shape.size());
                    let x = &before[stage][image * inputs..][..inputs];
                    network.nodes()[0].layer().forward(x, &mut after[0][image * outputs..][..outputs]);
                }
            }
        };
        Run { name: format!("conv, relu and pool in {how}"), amount: 1.0, run: Box::new(run) }
    })
}
