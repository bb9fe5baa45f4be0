//! Times matrix products of Thawline, matrixmultiply, gemm and faer in interleaved rounds and prints a Markdown table.
//!
//!     cargo run --release --manifest-path benches/rivals/Cargo.toml [-- ROUNDS]
//!
//! Every library's result is verified before the library is timed. In each round every library computes the product
//! once. Within the rounds, each library follows each other one equally often, because what ran before leaves its data
//! in the caches. The table shows medians. `scripts/update_tables.py rivals` saves it as a record.

mod libraries;

use std::{env, process::Command, time::SystemTime};

use thawline::{
    commands::bench::{
        product::{CASES, Case, Product},
        roof,
        timing::{Times, measure_seconds},
    },
    system::machine,
};
use thawline_tensor::{simd::Level, threads::with_threads};

use libraries::{LIBRARIES, Multiply};

/// Warm-up rounds.
const WARM_UP: usize = 2;

/// Set for the measuring process: the number of threads. matrixmultiply reads it once from its own variable.
const THREADS: &str = "RIVALS_THREADS";

/// The default number of rounds.
const ROUNDS: usize = 100;

/// The order of the first round; each later round adds 1. This design is balanced for carry-over effects (Williams
/// 1949): within four rounds each library follows each other one once. The steps between rounds are not balanced.
const ORDER: [usize; LIBRARIES.len()] = [0, 1, 3, 2];

fn main() {
    let rounds = env::args().nth(1).map_or(ROUNDS, |rounds| rounds.parse().expect("ROUNDS is a number"));
    if let Ok(threads) = env::var(THREADS) {
        let threads = threads.parse().expect("the number of threads is a number");
        return with_threads(threads, || compare(threads, rounds)).expect("threads can be started");
    }
    println!("{}", heading());
    let names: Vec<&str> = LIBRARIES.iter().map(|(name, _)| *name).collect();
    println!("| product | threads | peak | {} |", names.join(" | "));
    println!("|---|---|---|{}", "---|".repeat(names.len()));
    let cores = machine::logical_cpus();
    let mut counts = vec![1, cores.min(2), cores];
    counts.dedup();
    for threads in counts {
        let threads = threads.to_string();
        let mut child = Command::new(env::current_exe().expect("the program has a path"));
        child.args(env::args_os().skip(1)).env(THREADS, &threads).env("MATMUL_NUM_THREADS", &threads);
        assert!(child.status().expect("the program can be run").success());
    }
    println!("\nGFLOP/s, medians of {rounds} interleaved rounds; in parentheses, how many times faster Thawline is.");
}

/// The title, the machine and its load.
fn heading() -> String {
    let environment = machine::environment(SystemTime::now());
    let load = machine::load_average().map_or("unknown".to_owned(), |load| format!("{load:.2}"));
    format!(
        "# Matrix products of Thawline and other libraries\n\n{}: {}, {} logical CPUs, {}, {}, {}. Load average at the \
         start: {load}.\n",
        environment.date,
        environment.cpu,
        environment.logical_cpus,
        environment.simd,
        environment.os,
        environment.rustc
    )
}

fn compare(threads: usize, rounds: usize) {
    let peak = roof::peak(Level::current(), threads).expect("threads can be started") / 1e9;
    for case in CASES {
        let mut product = Product::new(case, Level::current());
        let times = interleaved(case, &mut product, threads, rounds);
        let rates: Vec<f64> = times.iter().map(|times| case.work().flops as f64 / times.median() / 1e9).collect();
        let cells = rates.iter().enumerate().map(|(index, rate)| match index {
            0 => format!("**{rate:.1}**, {:.0} % of the peak", 100.0 * rate / peak),
            _ => format!("{rate:.1} ({:.2}x)", rates[0] / rate),
        });
        let [m, n, k] = case.shape;
        let cells = cells.collect::<Vec<_>>().join(" | ");
        println!("| {}, {m} x {n} x {k} | {threads} | {peak:.1} | {cells} |", case.name);
    }
}

fn interleaved(case: Case, product: &mut Product, threads: usize, rounds: usize) -> Vec<Times> {
    let once = |product: &mut Product, multiply: Multiply| {
        let (operands, c) = product.floats();
        measure_seconds(|| multiply(case, operands, c, threads))
    };
    for (name, multiply) in LIBRARIES {
        product.floats().1.fill(f32::NAN);
        once(product, multiply);
        product.verify().unwrap_or_else(|error| panic!("{name}, {}: {error}", case.name));
    }
    let mut times = vec![Vec::new(); LIBRARIES.len()];
    for round in 0..WARM_UP + rounds {
        for turn in ORDER {
            let index = (round + turn) % LIBRARIES.len();
            let seconds = once(product, LIBRARIES[index].1);
            if round >= WARM_UP {
                times[index].push(seconds);
            }
        }
    }
    times.into_iter().map(Times::new).collect()
}
