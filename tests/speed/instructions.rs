//! Counts the instructions of a kernel: a number that does not depend on load, clock or cache.
//!
//! A child process runs the kernels; this one single-steps the child's thread with `ptrace(2)`, between two signals
//! that the child sends itself. That needs no performance counters, which virtual machines rarely provide, and supports
//! every instruction, unlike valgrind.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use nix::{
    errno::Errno,
    sys::{
        ptrace,
        signal::{Signal, raise},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Pid, gettid},
};
use thawline::commands::bench::{
    layers::{Case, LayerPass, Pass},
    product::{self, Form, Product},
    timing::Workload,
};
use thawline_tensor::{
    nn::Method,
    simd::{LANES, Level},
    threads::with_threads,
};

/// The signal that the child sends itself before and after the counted code.
const MARK: Signal = Signal::SIGUSR1;

/// The levels at which a kernel that is not inlined loses its instruction set. The portable level needs none.
const LEVELS: [Level; 2] = [Level::Avx2, Level::Avx512];

/// The kernels, and the instructions that they may take at [`LEVELS`] per sixteen multiply-adds: 25 % more than counted
/// with rustc 1.95. The minimum is two at AVX2 and one at AVX-512; packing, transforms and edges weigh heavily in these
/// small kernels.
const CEILINGS: [(&str, [f64; 2]); 4] = [
    ("product", [8.5, 3.4]),
    ("forward, implicit", [8.0, 2.7]),
    ("forward, winograd", [13.8, 10.9]),
    ("input gradient, winograd", [12.5, 11.1]),
];

/// Counts at each supported level of [`LEVELS`]. Returns the kernels that take too many instructions.
pub fn compare() -> String {
    let mut failed = String::new();
    for (index, level) in LEVELS.into_iter().enumerate().filter(|(_, level)| level.is_supported()) {
        let counts = match count_at(level) {
            Ok(counts) => counts,
            Err(error @ (Errno::EPERM | Errno::ENOSYS)) => {
                // Directly to stderr: the harness hides the output of a passing test.
                let note = "NOT COUNTED: instructions of the kernels; this system forbids tracing a child process";
                writeln!(io::stderr(), "\n{note} ({error})").expect("stderr can be written");
                return String::new();
            }
            Err(error) => panic!("the kernels cannot be traced: {error}"),
        };
        println!("instructions per sixteen multiply-adds at {level}");
        assert_eq!(counts.len(), CEILINGS.len(), "a ceiling for each kernel");
        for ((kernel, count), (name, ceilings)) in counts.iter().zip(&CEILINGS) {
            assert_eq!(kernel, name);
            let line = format!("  {kernel:<36} {count:8.2}, at most {}", ceilings[index]);
            println!("{line}");
            if *count > ceilings[index] {
                failed.push_str(&format!("at {level}: {line}\n"));
            }
        }
        println!();
    }
    failed
}

/// The kernels' names and their counts.
fn count_at(level: Level) -> Result<Vec<(String, f64)>, Errno> {
    let program = env::current_exe().expect("the test has a path");
    let mut child = Command::new(program)
        .args(["--exact", "counted_kernels", "--ignored", "--nocapture"])
        .env("THAWLINE_SIMD", level.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test can be run");
    let counts = trace(&mut child);
    if counts.is_err() {
        // The child waits for a tracer.
        child.kill().expect("a child of this process");
    }
    let status = child.wait().expect("a child of this process");
    assert!(counts.is_err() || status.success(), "the kernels ended with {status}");
    counts
}

fn trace(child: &mut Child) -> Result<Vec<(String, f64)>, Errno> {
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    // Skips the test harness's own output.
    let mut lines = lines.map(|line| line.expect("text")).filter(|line| line.starts_with('@'));
    let mut next = || -> Vec<String> {
        lines.next().expect("the child names its kernels").split('\t').map(str::to_owned).collect()
    };
    let thread = Pid::from_raw(next()[1].parse().expect("the number of a thread"));
    ptrace::seize(thread, ptrace::Options::empty())?;
    child.stdin.take().expect("a pipe").write_all(b"go\n").expect("the child reads");
    let mut counts = Vec::new();
    loop {
        let line = next();
        wait_for(thread, MARK)?;
        if line[0] == "@end" {
            ptrace::detach(thread, None)?;
            break;
        }
        let nothing = step_until_mark(thread)?;
        let all = step_until_mark(thread)?;
        ptrace::cont(thread, None)?;
        let vectors: f64 = line[2].parse().expect("a number");
        counts.push((line[1].clone(), (all - nothing) as f64 / vectors));
    }
    // The harness prints more, and must not find a closed pipe.
    lines.for_each(drop);
    Ok(counts)
}

/// Single-steps the thread until its next mark. Returns the number of instructions.
fn step_until_mark(thread: Pid) -> Result<u64, Errno> {
    let mut count = 0;
    loop {
        ptrace::step(thread, None)?;
        match stop_of(thread)? {
            Signal::SIGTRAP => count += 1,
            MARK => return Ok(count),
            other => panic!("the kernels got the signal {other}"),
        }
    }
}

fn wait_for(thread: Pid, expected: Signal) -> Result<(), Errno> {
    let found = stop_of(thread)?;
    assert_eq!(found, expected, "the signal that stopped the kernels");
    Ok(())
}

fn stop_of(thread: Pid) -> Result<Signal, Errno> {
    match waitpid(thread, Some(WaitPidFlag::__WALL))? {
        WaitStatus::Stopped(_, signal) => Ok(signal),
        other => panic!("the kernels did not stop: {other:?}"),
    }
}

/// Runs in the child. Prints each kernel's name and sends three marks: nothing runs between the first two, the kernel
/// between the last two.
pub fn run_kernels() {
    let mark = || raise(MARK).expect("a signal can be sent");
    let counted = || {
        let mut kernels = kernels();
        println!("@thread\t{}", gettid());
        io::stdin().read_line(&mut String::new()).expect("the parent traces this process");
        for (name, workload, vectors) in &mut kernels {
            println!("@kernel\t{name}\t{vectors}");
            workload.run();
            mark();
            mark();
            workload.run();
            mark();
        }
        println!("@end");
        mark();
    };
    with_threads(1, counted).expect("a thread can be started");
}

/// The kernels: name, workload, vectors of multiply-adds. They are small, since single-stepping takes 10 µs per
/// instruction.
fn kernels() -> Vec<(String, Box<dyn Workload>, f64)> {
    let product = product::Case { name: "product", form: Form::AB, shape: [56, 64, 64] };
    let mut kernels: Vec<(String, Box<dyn Workload>)> =
        vec![("product".to_owned(), Box::new(Product::new(product, Level::current())))];
    let conv = Case::convolution("conv", [10, 10, 16]);
    let [implicit, winograd] = [Method::Implicit, Method::Winograd];
    for (pass, method) in [(Pass::Forward, implicit), (Pass::Forward, winograd), (Pass::InputGradient, winograd)] {
        kernels.push((format!("{pass}, {method}"), Box::new(LayerPass::convolution(&conv, method, pass, 1))));
    }
    let kernels = kernels.into_iter().map(|(name, mut workload)| {
        workload.check().unwrap_or_else(|error| panic!("{name} is wrong: {error}"));
        let vectors = workload.work().flops_done as f64 / (2 * LANES) as f64;
        (name, workload, vectors)
    });
    kernels.collect()
}
