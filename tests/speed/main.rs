//! Guards the kernels' speed: minimum ratios between the rates of kernels, at every SIMD level of the CPU.
//!
//! A ratio compares two shortest CPU times, measured interleaved in one process, so a slow or busy machine hardly
//! changes it. A kernel that lost its inlining, its tiles or its instructions becomes 2 to 50 times slower and falls
//! far below the minimum. If the system allows tracing a child process, instructions are counted as well.

mod alternation;
mod contestants;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod instructions;

use std::{
    env,
    fmt::Write,
    process::Command,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use thawline::commands::bench::{
    shapes::{ShapeCase, ShapeRow},
    timing::Rounds,
};
use thawline_tensor::{simd::Level, threads::with_threads};

use alternation::{Floor, interleaved};
use contestants::Contestants;

/// On a busy machine more attempts bring the shortest times closer to those of an idle one; a slow kernel fails all.
const ATTEMPTS: usize = 10;

/// Runs one test at a time.
static TURN: Mutex<()> = Mutex::new(());

#[test]
#[cfg_attr(debug_assertions, ignore = "only release builds are fast: cargo test --release")]
fn kernels_keep_their_speed_ratios() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut failed = compare("products across levels", Contestants::of_all_levels());
    // The level is fixed per process, so each level gets its own.
    for level in Level::ALL.into_iter().filter(|level| level.is_supported()) {
        let program = env::current_exe().expect("the test has a path");
        let arguments = ["--exact", "kernels_keep_their_speed_ratios_at_one_level", "--ignored", "--nocapture"];
        let run = Command::new(program).args(arguments).env("THAWLINE_SIMD", level.to_string()).output();
        let run = run.expect("the test can be run");
        println!("{}", String::from_utf8_lossy(&run.stdout));
        if !run.status.success() {
            failed.push_str(&format!("at {level}:\n{}", String::from_utf8_lossy(&run.stderr)));
        }
    }
    assert!(
        failed.is_empty(),
        "kernels have lost speed. Has a function or closure inside a kernel lost its #[inline(always)]? Does a register \
         tile still fit the registers? docs/performance.md explains how to look.\n{failed}"
    );
}

#[test]
#[ignore = "run by the test above, once per level"]
fn kernels_keep_their_speed_ratios_at_one_level() {
    let failed = compare(&format!("kernels at {}", Level::current()), Contestants::of_this_level());
    assert!(failed.is_empty(), "{failed}");
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
#[cfg_attr(debug_assertions, ignore = "only release builds are fast: cargo test --release")]
fn kernels_take_no_more_instructions_than_before() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = instructions::compare();
    assert!(
        failed.is_empty(),
        "kernels take more instructions than they did; docs/performance.md explains how to look.\n{failed}"
    );
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
#[ignore = "run by the test above, once per level"]
fn counted_kernels() {
    instructions::run_kernels();
}

/// The least share of the best method's speed that `auto` may reach.
const SHARE_OF_BEST: f64 = 0.85;

#[test]
#[ignore = "takes some minutes on an idle machine: cargo test --release --test speed -- --ignored auto --nocapture"]
fn auto_chooses_nearly_the_fastest_method_for_200_shapes() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let pairs =
        [[3, 64], [16, 16], [16, 64], [32, 32], [64, 17], [64, 64], [64, 128], [128, 128], [256, 256], [512, 512]];
    let cases =
        pairs.into_iter().flat_map(|pair| [32, 16, 8, 4, 2].map(|side| (pair, side))).flat_map(|(pair, side)| {
            [[1, 1], [3, 1], [5, 1], [3, 2]].map(|[kernel, stride]| ShapeCase::new(pair, side, kernel, stride))
        });
    let mut rows: Vec<ShapeRow> = Vec::new();
    for case in cases {
        let measure = || {
            let row = with_threads(1, || case.measure(Rounds::Within(Duration::from_millis(60))));
            row.expect("a thread can be started").expect("correct results")
        };
        let mut row = measure();
        // Load may spoil an attempt.
        for _ in 1..3 {
            if row.share_of_best < SHARE_OF_BEST {
                row = measure();
            }
        }
        rows.push(row);
    }
    assert_eq!(rows.len(), 200);
    rows.sort_by(|a, b| a.share_of_best.total_cmp(&b.share_of_best));
    rows.iter().take(20).for_each(|row| println!("{row:?}"));
    assert!(rows[0].share_of_best >= SHARE_OF_BEST, "auto is too slow for {:?}", rows[0]);
}

/// Measures until every minimum is reached, at most [`ATTEMPTS`] times. Prints the ratios and returns those too low.
fn compare(title: &str, contestants: Contestants) -> String {
    let Contestants { mut runs, floors } = contestants;
    let (mut shortest, mut ratios) = (vec![f64::INFINITY; runs.len()], Vec::new());
    for _ in 0..ATTEMPTS {
        let rates = with_threads(1, || interleaved(&mut runs, &mut shortest)).expect("a thread can be started");
        ratios = floors.iter().map(|floor| floor.ratio(&rates)).collect::<Vec<f64>>();
        if ratios.iter().zip(&floors).all(|(&ratio, floor)| ratio >= floor.at_least) {
            break;
        }
    }
    let (mut table, mut missed) = (format!("{title}\n"), String::new());
    for (ratio, Floor { faster, slower, at_least }) in ratios.into_iter().zip(&floors) {
        let line = format!("  {faster:<36} / {slower:<36} {ratio:8.2}, at least {at_least}");
        writeln!(table, "{line}").expect("writing to a String does not fail");
        if ratio < *at_least {
            writeln!(missed, "{line}").expect("writing to a String does not fail");
        }
    }
    println!("{table}");
    missed
}
