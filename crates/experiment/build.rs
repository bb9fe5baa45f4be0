//! Tells the program what built it, for the record of a run and for bug reports.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=crates/experiment/build.rs");
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let version = Command::new(rustc).arg("--version").output().ok().and_then(|run| String::from_utf8(run.stdout).ok());
    // "rustc 1.95.0 (59807616e 2026-04-14)": the first two words are enough.
    let version = version.unwrap_or_default().split(' ').take(2).collect::<Vec<_>>().join(" ");
    println!("cargo::rustc-env=THAWLINE_RUSTC={}", version.trim());
    for (name, variable) in [("THAWLINE_TARGET", "TARGET"), ("THAWLINE_PROFILE", "PROFILE")] {
        println!("cargo::rustc-env={name}={}", env::var(variable).expect("cargo sets it"));
    }
}
